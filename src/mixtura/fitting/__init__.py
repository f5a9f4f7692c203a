"""Fits: check the arguments, start, iterate, report; and what is built of fits."""

from mixtura.fitting.bayesian.fit import fit_bayesian_gmm
from mixtura.fitting.bayesian.result import BayesianGMMFit
from mixtura.fitting.binned import BinnedFit, ChiSquared, fit_binned
from mixtura.fitting.bootstrap import BootstrapLRT, bootstrap_lrt
from mixtura.fitting.gmm import fit_gmm
from mixtura.fitting.kmeans import KMeansFit, fit_kmeans
from mixtura.fitting.priors.conjugate import ConjugatePrior
from mixtura.fitting.priors.trace import TracePrior
from mixtura.fitting.result import GMMFit
from mixtura.fitting.select import GMMSelection, select_gmm
from mixtura.fitting.streams.stepwise import StepwiseGMM

__all__ = [
    "BayesianGMMFit",
    "BinnedFit",
    "BootstrapLRT",
    "ChiSquared",
    "ConjugatePrior",
    "GMMFit",
    "GMMSelection",
    "KMeansFit",
    "StepwiseGMM",
    "TracePrior",
    "bootstrap_lrt",
    "fit_bayesian_gmm",
    "fit_binned",
    "fit_gmm",
    "fit_kmeans",
    "select_gmm",
]

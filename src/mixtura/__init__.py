"""Gaussian mixtures by expectation-maximisation: fast, exact, and hard to break.

`fit_gmm` fits a mixture and `GaussianMixture` is one; `fit_kmeans` clusters; what any of them saved
`load` gets back; `kernels` and `reference` are the passes over rows, compiled and in plain NumPy.
"""

from mixtura import datasets, kernels, plot, reference
from mixtura._build_config import VERSION as __version__
from mixtura.bootstrap import BootstrapLRT, bootstrap_lrt
from mixtura.em import Event, State
from mixtura.exceptions import ConvergenceWarning, FitError, FitInterrupted, SelectionInterrupted
from mixtura.fit import fit_gmm
from mixtura.hierarchical import HierarchicalTree, hierarchical
from mixtura.kernels import build_config
from mixtura.kmeans import KMeansFit, fit_kmeans
from mixtura.mixture import GaussianMixture
from mixtura.result import GMMFit
from mixtura.saving import load
from mixtura.select import GMMSelection, select_gmm
from mixtura.statistics import Statistics

__all__ = [
    "BootstrapLRT",
    "ConvergenceWarning",
    "Event",
    "FitError",
    "FitInterrupted",
    "GMMFit",
    "GMMSelection",
    "GaussianMixture",
    "HierarchicalTree",
    "KMeansFit",
    "SelectionInterrupted",
    "State",
    "Statistics",
    "__version__",
    "bootstrap_lrt",
    "build_config",
    "datasets",
    "fit_gmm",
    "fit_kmeans",
    "hierarchical",
    "kernels",
    "load",
    "plot",
    "reference",
    "select_gmm",
]

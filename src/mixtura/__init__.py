"""Gaussian mixtures by expectation-maximisation: fast, exact, and hard to break.

`fit_gmm` fits a mixture and `GaussianMixture` is one; `fit_binned` fits one to counts in bins, and
`StepwiseGMM` to rows that come by once; `fit_kmeans` clusters; `load` reads what any of them saved;
`kernels` and `reference` are the passes over rows, compiled and in plain NumPy.
"""

import importlib
from typing import TYPE_CHECKING

from mixtura import datasets, kernels, plot, reference
from mixtura._build_config import VERSION as __version__
from mixtura.data import scan
from mixtura.exceptions import (
    CheckpointWarning,
    CoarseColumnsWarning,
    ConvergenceWarning,
    EmptyFeatureWarning,
    FitError,
    FitInterrupted,
    IgnoredClassesWarning,
    RowsChangedError,
    SelectionInterrupted,
    SingularScaleWarning,
    UnobservedPairsWarning,
    WeightsWarning,
)
from mixtura.files import load
from mixtura.fitting import (
    BayesianGMMFit,
    BinnedFit,
    BootstrapLRT,
    ConjugatePrior,
    GMMFit,
    GMMSelection,
    KMeansFit,
    StepwiseGMM,
    TracePrior,
    bootstrap_lrt,
    fit_bayesian_gmm,
    fit_binned,
    fit_gmm,
    fit_kmeans,
    select_gmm,
)
from mixtura.kernels import build_config
from mixtura.mixture import GaussianMixture
from mixtura.posterior import GMMPosterior, StudentMixture
from mixtura.schedules import State
from mixtura.search import SearchReport
from mixtura.starts import HierarchicalTree, hierarchical
from mixtura.statistics import Statistics
from mixtura.updates import Event

__all__ = [
    "BayesianGMMFit",
    "BinnedFit",
    "BootstrapLRT",
    "CheckpointWarning",
    "CoarseColumnsWarning",
    "ConjugatePrior",
    "ConvergenceWarning",
    "EmptyFeatureWarning",
    "Event",
    "FitError",
    "FitInterrupted",
    "GMMFit",
    "GMMPosterior",
    "GMMSelection",
    "GaussianMixture",
    "HierarchicalTree",
    "IgnoredClassesWarning",
    "KMeansFit",
    "RowsChangedError",
    "SearchReport",
    "SelectionInterrupted",
    "SingularScaleWarning",
    "State",
    "Statistics",
    "StepwiseGMM",
    "StudentMixture",
    "TracePrior",
    "UnobservedPairsWarning",
    "WeightsWarning",
    "__version__",
    "bootstrap_lrt",
    "build_config",
    "datasets",
    "fit_bayesian_gmm",
    "fit_binned",
    "fit_gmm",
    "fit_kmeans",
    "hierarchical",
    "kernels",
    "load",
    "plot",
    "reference",
    "scan",
    "select_gmm",
]

if TYPE_CHECKING:
    from mixtura import sklearn as sklearn
else:

    def __getattr__(name: str) -> object:
        """Import `mixtura.sklearn` when it is asked for: scikit-learn is an extra."""
        if name == "sklearn":
            return importlib.import_module("mixtura.sklearn")
        raise AttributeError(f"module 'mixtura' has no attribute {name!r}")

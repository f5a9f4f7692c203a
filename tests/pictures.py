"""What the tests of pictures draw, and one picture of each kind."""

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import linkage

from mixtura import GaussianMixture, GMMFit, KMeansFit, datasets, fit_gmm, fit_kmeans, plot
from mixtura.covariance import FAMILIES

FAITHFUL = datasets.load_faithful()
CRABS = datasets.load_naples_crabs()
COVARIANCES = {
    "full": [[[2.0, 0.9], [0.9, 1.0]], [[0.5, -0.6], [-0.6, 2.5]]],
    "tied": [[2.0, 0.9], [0.9, 1.0]],
    "diag": [[2.0, 1.0], [0.5, 2.5]],
    "spherical": [2.0, 0.5],
}
LONG_NAMES = [
    "average daily temperature of the water at the outlet of the second cooling tower (K)",
    "cost ($) per unit, in US$",
]
MODEL_DISPLAYS = [
    plot.ScatterDisplay,
    plot.PairDisplay,
    plot.DensityDisplay,
    plot.HistogramDisplay,
]
CLUSTER_DISPLAYS = [plot.ScatterDisplay, plot.PairDisplay, plot.HistogramDisplay]


def mixture(covariance_type: str = "full") -> GaussianMixture:
    return GaussianMixture(
        [0.25, 0.75], [[0.0, 1.0], [4.0, -2.0]], COVARIANCES[covariance_type], covariance_type
    )


@cache
def family_fit(covariance_type: str) -> GMMFit:
    return fit_gmm(FAITHFUL.data, 3, covariance_type=covariance_type, rng=0, n_init=2, tol=1e-4)


def faithful_fit() -> GMMFit:
    return family_fit("tied")


@cache
def kmeans_fit() -> KMeansFit:
    return fit_kmeans(FAITHFUL.data, 3, rng=0)


@cache
def tree() -> SimpleNamespace:
    return SimpleNamespace(linkage=linkage(FAITHFUL.data / FAITHFUL.data.std(axis=0), "ward"))


def selection() -> SimpleNamespace:
    return SimpleNamespace(
        n_components=range(1, 4),
        covariance_types=tuple(FAMILIES),
        table=2300 + np.add.outer([280.0, 9.0, 0.0], 5.5 * np.arange(len(FAMILIES))),
        criterion="bic",
    )


def _of_faithful(display: type[Any], fit: Callable[[], Any] = faithful_fit) -> Callable[..., Any]:
    return lambda **options: display.from_fit(
        fit(), FAITHFUL.data, feature_names=LONG_NAMES, **options
    )


# A function for each kind of picture, taking `ax`.
PICTURES: dict[str, Callable[..., Any]] = {
    **{display.__name__: _of_faithful(display) for display in MODEL_DISPLAYS},
    "uncertainty": lambda **options: plot.ScatterDisplay.from_fit(
        faithful_fit(), FAITHFUL.data, show="uncertainty", **options
    ),
    "responsibilities": lambda **options: plot.ScatterDisplay.from_fit(
        faithful_fit(), FAITHFUL.data, show="responsibilities", **options
    ),
    "regions": lambda **options: plot.ScatterDisplay.from_fit(
        faithful_fit(), FAITHFUL.data, regions=True, **options
    ),
    **{f"{each.__name__} of k-means": _of_faithful(each, kmeans_fit) for each in CLUSTER_DISPLAYS},
    "history of k-means": lambda **options: plot.HistoryDisplay.from_fit(kmeans_fit(), **options),
    "history of an easy fit": lambda **options: plot.HistoryDisplay(
        history=-4.155 - 3e-9 * 0.4 ** np.arange(8), stop_reason="converged"
    ).plot(**options),
    "SurfaceDisplay": _of_faithful(plot.SurfaceDisplay),
    "HistoryDisplay": lambda **options: plot.HistoryDisplay.from_fit(faithful_fit(), **options),
    "CriterionDisplay": lambda **options: plot.CriterionDisplay.from_selection(
        selection(), **options
    ),
    "DendrogramDisplay": lambda **options: plot.DendrogramDisplay.from_tree(
        tree(), n_clusters=3, **options
    ),
}

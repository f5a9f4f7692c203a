"""What is drawn: a mixture, or the clusters of k-means, which have no density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mixtura.data.frames import Names, described
from mixtura.fitting.bayesian.result import BayesianGMMFit
from mixtura.fitting.kmeans_fit import KMeansFit
from mixtura.fitting.result import GMMFit
from mixtura.mixture import GaussianMixture
from mixtura.shapes import Floats

__all__ = ["AnyModel", "Clusters", "Drawn", "as_drawn", "as_mixture", "assign"]


@dataclass(frozen=True, eq=False)
class Clusters:
    """The clusters of a `KMeansFit`, with the names that a mixture has for the same things."""

    fit: KMeansFit

    @property
    def n_components(self) -> int:
        """Number of clusters."""
        return self.fit.n_clusters

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return self.fit.n_features

    @property
    def feature_names(self) -> Names | None:
        """Names of the columns."""
        return self.fit.feature_names

    @property
    def means(self) -> Floats:
        """The centers."""
        return self.fit.centers

    @property
    def weights(self) -> Floats:
        """Share of each cluster in the rows that were clustered."""
        sizes = self.fit.sizes
        if sizes is None:  # of an older file
            assert self.fit.labels is not None
            sizes = np.bincount(self.fit.labels, minlength=self.n_components).astype(np.float64)
        shares: Floats = sizes / sizes.sum()
        return shares


AnyModel: TypeAlias = GaussianMixture | GMMFit | BayesianGMMFit | KMeansFit
Drawn: TypeAlias = GaussianMixture | Clusters


def as_drawn(model: AnyModel) -> Drawn:
    """Return what a display draws of a mixture or a fit."""
    if isinstance(model, KMeansFit):
        return Clusters(model)
    if isinstance(model, GMMFit | BayesianGMMFit):
        return model.model
    if isinstance(model, GaussianMixture):
        return model
    raise TypeError(
        f"a picture needs a GaussianMixture, a GMMFit or a KMeansFit; got {described(model)}. "
        f"Pass the result of fit_gmm or fit_kmeans."
    )


def as_mixture(model: AnyModel) -> GaussianMixture:
    """Return the mixture, for a display that draws a density."""
    drawn = as_drawn(model)
    if isinstance(drawn, Clusters):
        raise TypeError(
            "this picture needs a density, and a KMeansFit has none. Draw a ScatterDisplay, or fit "
            "a mixture that starts from the clusters: fit_gmm(X, n_clusters, init=fit.labels)."
        )
    return drawn


def assign(drawn: Drawn, rows: NDArray[np.floating]) -> tuple[NDArray[np.int64], Floats]:
    """Return the component of each row, and its uncertainty: 0 for k-means."""
    if isinstance(drawn, Clusters):
        return drawn.fit.predict(rows), np.zeros(len(rows))
    resp = drawn.responsibilities(rows)
    return resp.argmax(axis=1), 1.0 - resp.max(axis=1)

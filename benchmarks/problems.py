"""The rows that benchmarks run on, and the mixture from which they start."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

import mixtura
from mixtura import kernels

Floats = NDArray[np.float64]
Shape = tuple[int, int, int]  # n_samples, n_features, n_components
T = TypeVar("T")

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
LARGE = os.environ.get("MIXTURA_BENCHMARK_SIZES") == "large"


def sizes(modest: T, large: T) -> T:
    """Choose the sizes of a quick look, or the large ones where the environment asks for them."""
    return large if LARGE else modest


@dataclass(frozen=True)
class Problem:
    """Rows, and a mixture near enough to start from and far enough for EM to keep moving.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64
    start : GaussianMixture
    """

    X: NDArray[Any]
    start: mixtura.GaussianMixture

    def head(self, n_samples: int) -> Problem:
        """Return the problem of the first rows alone."""
        return replace(self, X=self.X[:n_samples])

    @property
    def components(self) -> dict[str, Any]:
        """Arguments of `log_density` that describe the mixture."""
        return {
            "means": self.start.means,
            "precisions_cholesky": self.start.precisions_cholesky,
            "covariance_type": self.start.covariance_type,
        }

    @cached_property
    def resp(self) -> Floats:
        """Responsibilities under the mixture, (n_samples, n_components)."""
        weights = self.start.weights
        return kernels.responsibilities(self.X, weights, **self.components)[0]


@cache
def make_problem(
    shape: Shape, covariance_type: str = "full", dtype: str = "float64", *, apart: float = 6.0
) -> Problem:
    """Draw rows from a mixture of differently shaped components, always the same ones.

    Parameters
    ----------
    shape : tuple of int
        n_samples, n_features, n_components.
    covariance_type : {"full", "tied", "diag", "spherical"}
        Of the start.
    dtype : {"float64", "float32"}
    apart : float
        Root mean square distance between two component means, in standard deviations.
    """
    n, d, k = shape
    rng = np.random.default_rng(shape)
    means = rng.normal(scale=apart / math.sqrt(2 * d), size=(k, d))
    roots = np.eye(d) + rng.normal(scale=0.4 / math.sqrt(d), size=(k, d, d))
    labels = rng.choice(k, size=n, p=rng.dirichlet(np.full(k, 5.0)))
    X = rng.normal(size=(n, d))
    for j in range(k):
        X[labels == j] = X[labels == j] @ roots[j].T + means[j]
    start = mixtura.GaussianMixture(
        np.full(k, 1 / k),
        means + rng.normal(scale=0.6 / math.sqrt(d), size=(k, d)),
        _restricted(roots @ roots.transpose(0, 2, 1), covariance_type),
        covariance_type=covariance_type,
    )
    return Problem(X.astype(dtype), start)


def _restricted(covariances: Floats, covariance_type: str) -> Floats:
    """The covariances of a type that are nearest to full ones (n_components, d, d)."""
    variances = np.einsum("jaa->ja", covariances)
    restricted: Floats = {
        "full": covariances,
        "tied": covariances.mean(axis=0),
        "diag": variances,
        "spherical": variances.mean(axis=1),
    }[covariance_type]
    return restricted

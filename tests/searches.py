"""The parts of a search put together by hand, on a few rows."""

from __future__ import annotations

import numpy as np
from loops import ONE_THREAD, start_of
from numpy.typing import NDArray
from scipy import stats

from mixtura.covariance import family_named
from mixtura.data import ArrayRows, RowSource
from mixtura.passes import Backend, RowsPass
from mixtura.schedules import EM, Outcome, Squarem
from mixtura.shapes import EPS, Floats
from mixtura.updates import Collapse, Guard, Ridge


def search_em(
    source: RowSource, covariance_type: str = "full", backend: Backend = ONE_THREAD,
    ridge: float = 0.0,
) -> EM:  # fmt: skip
    """The algorithm of runs, as a fit makes it."""
    d, by, scale = source.n_features, backend.algebra, source.middle.scale
    family = family_named(covariance_type, d)
    least = family.least_rows_of_one(d)
    return EM(
        RowsPass(source, family.shape, backend),
        pair_update(covariance_type, d, backend, ridge),
        Squarem(1e-4, EPS, scale),
        Collapse("reseed", scale, by),
        Guard(np.zeros(d), np.full(d, np.inf), by, least_rows=least).among(source),
    )


def pair_update(
    covariance_type: str, d: int, backend: Backend = ONE_THREAD, ridge: float = 0.0
) -> Ridge:
    """An update for any number of components."""
    return Ridge(family_named(covariance_type, d), np.full(d, ridge), backend.algebra)


def outcome_from(
    X: Floats, labels: NDArray[np.int64], covariance_type: str = "full", *, n_iter: int = 200,
    sample_weight: Floats | None = None, backend: Backend = ONE_THREAD, ridge: float = 0.0,
) -> tuple[Outcome, EM]:  # fmt: skip
    """Where the algorithm leads to from labels, and the algorithm."""
    em = search_em(ArrayRows(X, sample_weight), covariance_type, backend, ridge)
    return em.run(start_of(em, labels), n_iter), em


def log_joint(X: Floats, outcome: Outcome) -> Floats:
    """Log of weight times density of each row and component, by scipy.stats."""
    weights, means, covariances, _, shape = outcome.parameters
    k, d = means.shape
    joint = np.empty((len(X), k))
    for j, matrix in enumerate(shape.matrices(covariances, k, d)):
        joint[:, j] = np.log(weights[j]) + stats.multivariate_normal(means[j], matrix).logpdf(X)
    return joint


def overlapping(n: int = 120, d: int = 2, k: int = 3) -> tuple[Floats, NDArray[np.int64]]:
    """Rows of clusters that overlap, and the cluster of each."""
    rng = np.random.default_rng(5)
    labels = np.arange(n) % k
    X = rng.normal(size=(n, d)) * rng.uniform(0.5, 1.5, size=(k, d))[labels]
    X[:, 0] += 2.0 * labels
    return X, labels.astype(np.int64)


def misplaced(n: int = 150, d: int = 2, *, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """Rows of three clear clusters, and labels that join two of them and cut the third."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(3), n // 3)
    X = rng.normal(size=(n, d))
    X[:, 0] += 10.0 * cluster
    labels = np.where(cluster == 2, 1 + (X[:, -1] > np.median(X[cluster == 2, -1])), 0)
    return X, labels.astype(np.int64)

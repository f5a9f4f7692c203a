"""k-means: hard EM on the same tiles."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.bounds import CarriedBounds, Carry
from mixtura.exceptions import ConvergenceWarning, FitInterrupted
from mixtura.kernels import Rows
from mixtura.passes import moments, suits_single
from mixtura.saving import Contents, Saveable, fact, feature_names_of, numbers
from mixtura.seeding import draw_rows, equal_rows, random_rows, thin
from mixtura.statistics import Floats, Statistics
from mixtura.stopping import StoppingRule
from mixtura.tabular import Names
from mixtura.update import Parameters
from mixtura.validation import (
    check_centres,
    check_count,
    check_n_threads,
    check_named_rows,
    check_number,
    check_option,
    check_rng,
    check_rows,
    check_sample_weight,
)

__all__ = ["KMeansFit", "fit_kmeans"]

# Rows among which k-means++ chooses: all, or a sample large enough that each cluster is in it.
LEAST_SAMPLE, SAMPLE_PER_CLUSTER = 20_000, 100

LEAST_PRODUCTS = 4096  # of a row with all centers; fewer cost less than to take rows out of order

KMeansInit = Literal["kmeans++", "random"]


@dataclass(frozen=True, eq=False)
class KMeansFit(Saveable, kind="KMeansFit"):
    """Clusters of rows about their means.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        Weighted mean of each cluster's rows.
    labels : ndarray of shape (n_samples,), int64
        The nearest center of each row, the first of equals.
    inertia : float, squared units of the features
        Weighted sum of squared distances to the nearest center.
    n_iter : int
        Iterations done.
    converged : bool
        Whether the stopping rule ended the iterations, not `max_iter`.
    feature_names : tuple of str or None
        Names of the columns, where the rows were a frame's.
    """

    centers: Floats
    labels: NDArray[np.int64]
    inertia: float
    n_iter: int
    converged: bool
    feature_names: Names | None = None

    def predict(self, X: ArrayLike, *, n_threads: int | None = None) -> NDArray[np.int64]:
        """Nearest center of each row.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.
        n_threads : int or None
            Number of threads, None for as many as are useful.

        Returns
        -------
        ndarray of shape (n_samples,), int64
        """
        check_n_threads(n_threads)
        n_features = self.centers.shape[1]
        X = check_rows(X, n_features=n_features, feature_names=self.feature_names)
        labels = np.empty(len(X), dtype=np.int64)
        Rows(X).assign(self.centers, n_threads, labels=labels)
        return labels

    def _contents(self) -> Contents:
        names = ("inertia", "n_iter", "converged", "feature_names")
        facts = {name: getattr(self, name) for name in names}
        return Contents(facts, {"centers": self.centers, "labels": self.labels})

    @classmethod
    def _from_contents(cls, contents: Contents) -> Self:
        facts, arrays = contents
        centers = numbers(arrays, "centers", (-1, -1))
        return cls(
            check_centres(centers, centers.shape[1], name="centers"),
            numbers(arrays, "labels", (-1,), np.int64).copy(),
            fact(facts, "inertia", float),
            fact(facts, "n_iter", int),
            fact(facts, "converged", bool),
            feature_names_of(facts, centers.shape[1]),
        )


def fit_kmeans(
    X: ArrayLike,
    n_clusters: int,
    *,
    sample_weight: ArrayLike | None = None,
    init: KMeansInit | ArrayLike = "kmeans++",
    n_init: int = 1,
    tol: float = 1e-4,
    max_iter: int = 300,
    rng: int | np.random.Generator | None = None,
    n_threads: int | None = None,
    callback: Callable[[KMeansFit], object] | None = None,
) -> KMeansFit:
    """Cluster rows by Lloyd's algorithm.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows, finite. Distances are Euclidean: features in different units want scaling first.
    n_clusters : int
        Number of clusters.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative; a row of weight two is two equal rows, one of weight zero is absent (it gets a
        label all the same). None is one for each row.
    init : {"kmeans++", "random"} or array_like of shape (n_clusters, n_features)
        How centers are chosen among the rows, or the centers themselves.
    n_init : int
        Runs from different starts; the one with the least inertia counts.
    tol : float
        Stop when the predicted remaining decrease of the inertia is no more than this share of
        the rows' total scatter; 0 goes on until no row changes its cluster.
    max_iter : int
        Most iterations of each run.
    rng : int, Generator or None
        Source of random numbers; None for fresh entropy.
    n_threads : int or None
        Threads; None for as many as are useful. The result is the same to the bit.
    callback : callable, optional
        Called after each iteration with a `KMeansFit` as it stands, whose labels are good until the
        callback returns; a true result stops the run.

    Returns
    -------
    KMeansFit

    Raises
    ------
    ValueError
        For values that cannot be used, before any work is done.
    TypeError
        For arguments of the wrong kind.
    FitInterrupted
        On Ctrl-C, with the best clusters so far, those of the last finished pass among them; a
        KeyboardInterrupt. The labels of rows of weight zero mean nothing then.

    Warns
    -----
    ConvergenceWarning
        When `max_iter` ends the run and `tol` is not 0.

    Notes
    -----
    An iteration costs n k d multiply-adds; memory beyond the data O(n + k d). k-means++ looks at no
    more than 20,000 rows, or 100 for each cluster if that is more: up to there, a row of weight two
    and two equal rows begin alike. A cluster that has lost its rows is given the row farthest from
    its center, taken from that row's cluster.

    References
    ----------
    .. [1] S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information
       Theory 28, 129-137, 1982.
    .. [2] D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.

    Examples
    --------
    >>> import mixtura
    >>> fit = mixtura.fit_kmeans([[0.0], [1.0], [9.0], [10.0]], 2, rng=0)
    >>> sorted(fit.centers.ravel().tolist()), fit.inertia
    ([0.5, 9.5], 1.0)
    """
    n_clusters = check_count("n_clusters", n_clusters)
    n_init = check_count("n_init", n_init)
    max_iter = check_count("max_iter", max_iter)
    tol = check_number("tol", tol)
    check_n_threads(n_threads)
    generator = check_rng(rng)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None; got {callback!r}. Pass a function.")
    X, feature_names = check_named_rows(X, minimum=n_clusters, part="cluster")
    weight = check_sample_weight(sample_weight, len(X), minimum_rows=n_clusters, part="cluster")
    given: Floats | None = None
    if isinstance(init, str):
        check_option("init", init, ("kmeans++", "random"))
    else:
        given, n_init = check_centres(init, X.shape[1], name="init"), 1
        if len(given) != n_clusters:
            raise ValueError(
                f"init must hold {n_clusters} centers; got {len(given)}. "
                f"Give one row for each cluster."
            )
    best: KMeansFit | None = None
    lloyd: _Lloyd | None = None
    try:
        lloyd = _Lloyd(X, weight, n_threads)
        for stream in generator.spawn(n_init):
            centers = given if given is not None else lloyd.seed(n_clusters, str(init), stream)
            best = _better(best, lloyd.run(centers, tol, max_iter, callback))
    except KeyboardInterrupt:
        raise FitInterrupted(_better(best, lloyd.last if lloyd else None)) from None
    assert best is not None
    if best.n_iter == max_iter and not best.converged and tol > 0.0:
        warnings.warn(
            f"k-means used up its {best.n_iter} iterations before the predicted remaining decrease "
            f"fell to tol={tol:g}. Raise max_iter, or tol.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return replace(best, feature_names=feature_names)


def _better(one: KMeansFit | None, other: KMeansFit | None) -> KMeansFit | None:
    return other if one is None or (other and other.inertia < one.inertia) else one


class _Lloyd:
    """Rows, and what k-means does with them; `last` are the clusters of the last finished pass."""

    last: KMeansFit | None = None

    def __init__(self, X: NDArray[Any], weight: Floats, n_threads: int | None) -> None:
        self._X, self._weight, self._n_threads = X, weight, n_threads
        centre, variance = moments(X, weight, n_threads)
        self._rows = Rows(X, weight, centre, single=suits_single(X, weight, variance))
        self._bounds = CarriedBounds(self._rows, self._run, "spherical", LEAST_PRODUCTS)
        self._scatter = float(variance.sum() * weight.sum())

    def seed(self, n_clusters: int, how: str, rng: np.random.Generator) -> Floats:
        """Rows as centers: each one far from those before, or any."""
        if how == "random":
            return random_rows(self._X, self._weight, n_clusters, rng)
        size = max(LEAST_SAMPLE, SAMPLE_PER_CLUSTER * n_clusters)
        X, weight = thin(self._X, self._weight, size, rng)
        rows, nearest = Rows(X, weight), np.full(len(X), np.inf)
        n_trials = 2 + int(math.log(n_clusters))
        seeds = list(draw_rows(weight, 1, rng))
        while len(seeds) < n_clusters:
            rows.potentials(X[seeds[-1:]], nearest, self._n_threads)
            potential = weight * nearest
            trials = draw_rows(potential if potential.any() else weight, n_trials, rng)
            left = rows.potentials(X[[seeds[-1], *trials]], nearest, self._n_threads)
            seeds.append(trials[np.argmin(left[1:])])
        return X[seeds]

    def run(
        self,
        centers: Floats,
        tol: float,
        max_iter: int,
        callback: Callable[[KMeansFit], object] | None,
    ) -> KMeansFit:
        """Lloyd's iterations: at the end no row changes its center, or little is left to gain."""
        stopping = StoppingRule(tol, self._rows.rounding)
        converged = False
        n_iter = 0
        labels, before = np.empty((2, len(self._X)), dtype=np.int64)
        statistics = self._nearest(centers, labels)
        fit = self.last = KMeansFit(centers, labels, 2.0 * abs(statistics.log_likelihood), 0, False)
        while n_iter < max_iter and not converged:
            n_iter += 1
            moved = statistics.means()
            empty = np.flatnonzero(statistics.resp_sum == 0.0)
            if len(empty):
                moved = self._refilled(centers, empty)
                stopping.forget()
            centers, labels, before = moved, before, labels
            statistics = self._nearest(centers, labels)
            scatter = self._scatter or 1.0
            little_left = stopping.reached(2.0 * statistics.log_likelihood / scatter)
            converged = little_left or np.array_equal(labels, before)
            inertia = 2.0 * abs(statistics.log_likelihood)
            fit = self.last = KMeansFit(centers, labels, inertia, n_iter, converged)
            if callback and callback(fit):
                fit = replace(fit, converged=False)
                break
        if not self._weight.all():  # a weighted pass does not look at rows of weight zero
            Rows(self._X).assign(centers, self._n_threads, labels=labels)
        return fit

    def _nearest(self, centers: Floats, labels: NDArray[np.int64]) -> Statistics:
        """Sums of the rows nearest to each center, which `labels` gets."""
        ones = np.ones(len(centers))
        return self._bounds.accumulate(Parameters(ones, centers, ones, ones), labels)

    def _run(
        self, parameters: Parameters, carry: Carry | None, labels: NDArray[np.int64] | None
    ) -> Statistics:
        return self._rows.assign(parameters.means, self._n_threads, carry=carry, labels=labels)

    def _refilled(self, centers: Floats, empty: NDArray[np.intp]) -> Floats:
        """Means, after the rows farthest from their centers have left for the empty clusters.

        Different rows; when no others are off their centers, some clusters stay empty.
        """
        half = np.empty(len(self._X))
        self._rows.assign(centers, self._n_threads, log_prob=half)
        half[self._weight == 0.0] = 0.0
        rows: list[int] = []
        while len(rows) < len(empty) and half.min() < 0.0:
            rows.append(int(np.argmin(half)))
            half[equal_rows(self._X, rows[-1])] = 0.0
        weight_left = self._weight.copy()
        weight_left[rows] = 0.0
        means = Rows(self._X, weight_left).assign(centers, self._n_threads).means()
        means[empty[: len(rows)]] = self._X[rows]
        return means

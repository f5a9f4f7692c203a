"""fit_kmeans: Lloyd's algorithm on the same passes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura import files
from mixtura.data import ArrayRows, RowSource, open_rows
from mixtura.data.checks import (
    check_centres,
    check_count,
    check_labels,
    check_n_threads,
    check_number,
    check_option,
    check_rng,
)
from mixtura.data.frames import Names
from mixtura.exceptions import ConvergenceWarning, FitInterrupted
from mixtura.files import Contents, count, fact, feature_names_of, numbers
from mixtura.fitting.progress import KMeansProgress, Verbose, check_verbose
from mixtura.fitting.survey import Survey
from mixtura.mixture.table import counted
from mixtura.parameters import Seen
from mixtura.passes import Backend, RowsPass
from mixtura.passes.backend import BACKENDS, BackendName
from mixtura.schedules import stops
from mixtura.schedules.plain import Plain, PlainState
from mixtura.shapes import SPHERICAL, Floats
from mixtura.starts.seeding import Clusters, kmeans_plusplus, lloyd, random_rows

__all__ = ["KMeansFit", "fit_kmeans"]

# Rows among which k-means++ chooses: all, or a sample large enough that each cluster is in it.
LEAST_SAMPLE, SAMPLE_PER_CLUSTER = 20_000, 100

LEAST_PRODUCTS = 4096  # of a row with all centers; below, bounds cost more than they save

KMeansInit = Literal["kmeans++", "random"]


@files.saved_as("KMeansFit")
@dataclass(frozen=True, eq=False)
class KMeansFit:
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

    save = files.save

    def predict(
        self, X: ArrayLike | RowSource, *, n_threads: int | None = None
    ) -> NDArray[np.int64]:
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
        source = open_rows(X, n_features=n_features, feature_names=self.feature_names)
        return _nearest(source, self.centers, Backend(n_threads=n_threads))

    def _contents(self) -> Contents:
        names = ("inertia", "n_iter", "converged", "feature_names")
        facts = {name: getattr(self, name) for name in names}
        return Contents(facts, {"centers": self.centers, "labels": self.labels})

    @classmethod
    def _from_contents(cls, contents: Contents) -> Self:
        facts, arrays = contents
        centers = numbers(arrays, "centers", (-1, -1))
        centers = check_centres(centers, centers.shape[1], name="centers")
        labels = numbers(arrays, "labels", (-1,), np.int64)
        inertia = fact(facts, "inertia", float)
        if not 0.0 <= inertia < np.inf:
            raise ValueError(f"its inertia is {inertia}")
        return cls(
            centers,
            check_labels(labels, len(labels), len(centers)).copy(),
            inertia,
            count(facts, "n_iter"),
            fact(facts, "converged", bool),
            feature_names_of(facts, centers.shape[1]),
        )


def fit_kmeans(
    X: ArrayLike | RowSource,
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
    backend: BackendName = "compiled",
    verbose: Verbose = None,
) -> KMeansFit:
    """Cluster rows by Lloyd's algorithm.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features), or RowSource
        The rows, finite, as for `fit_gmm`. Distances are Euclidean: scale features in different
        units first.
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
        Called after each iteration with a `KMeansFit` as it stands, which does not change later; a
        true result stops the run. Each one costs a copy of the labels, 8 bytes a row.
    backend : {"compiled", "reference"}
        The compiled kernels, or plain NumPy for comparison.
    verbose : bool, "bar" or None
        None shows progress on a terminal after two seconds, as a tqdm bar or in lines. True writes
        lines to standard error, at most two a second; "bar" shows a tqdm bar; False shows nothing.

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
    backend = check_option("backend", backend, tuple(BACKENDS))
    generator = check_rng(rng)
    verbose = check_verbose(verbose)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None; got {callback!r}. Pass a function.")
    source = open_rows(X, sample_weight, minimum=n_clusters, part="cluster")
    given: Floats | None = None
    if isinstance(init, str):
        check_option("init", init, ("kmeans++", "random"))
    else:
        given, n_init = check_centres(init, source.n_features, name="init"), 1
        if len(given) != n_clusters:
            raise ValueError(
                f"init must hold {n_clusters} centers; got {len(given)}. "
                f"Give one row for each cluster."
            )
    best: KMeansFit | None = None
    runs: _Runs | None = None
    progress = KMeansProgress(verbose)
    try:
        progress.start()
        runs = _Runs(source, Backend(backend, n_threads), tol, max_iter, progress, callback)
        for stream in generator.spawn(n_init):
            centers = given if given is not None else runs.seed(n_clusters, str(init), stream)
            best = _better(best, runs.run(centers))
    except KeyboardInterrupt:
        raise FitInterrupted(_better(best, runs.last if runs else None)) from None
    finally:
        progress.close()
    assert best is not None
    end = "converged" if best.converged else "stopped"
    progress.finish(f"{end} after {counted(best.n_iter, 'iteration')}")
    if best.n_iter == max_iter and not best.converged and tol > 0.0:
        warnings.warn(
            f"k-means used up its {best.n_iter} iterations before the predicted remaining decrease "
            f"fell to tol={tol:g}. Raise max_iter, or tol.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return replace(best, feature_names=source.feature_names)


def _better(one: KMeansFit | None, other: KMeansFit | None) -> KMeansFit | None:
    return other if one is None or (other and other.inertia < one.inertia) else one


def _nearest(source: RowSource, centers: Floats, backend: Backend) -> NDArray[np.int64]:
    """The nearest center of each row, of rows without weight too."""
    labels = np.empty(source.n_samples, dtype=np.int64)
    rows = RowsPass(source, SPHERICAL, backend, em="nearest")
    rows.evaluate(Seen.of_centers(centers, SPHERICAL), labels=labels)
    return labels


class _Runs:
    """Runs of Lloyd's algorithm on the same rows; `last` has the clusters of the last pass."""

    last: KMeansFit | None = None

    def __init__(
        self,
        source: RowSource,
        backend: Backend,
        tol: float,
        max_iter: int,
        progress: KMeansProgress,
        callback: Callable[[KMeansFit], object] | None,
    ) -> None:
        self._source, self._backend = source, backend
        self._tol, self._max_iter = tol, max_iter
        self._progress, self._callback = progress, callback
        survey = Survey(source, backend)
        self._rows = RowsPass(
            source,
            SPHERICAL,
            backend,
            em="nearest",
            centre=survey.centre,
            single=survey.single,
            least_products=LEAST_PRODUCTS,
        )
        self._scatter = float(survey.variance.sum() * source.weight_sum) or 1.0
        # A weighted pass need not look at rows of weight zero: their labels mean nothing.
        self._present: NDArray[np.intp] | slice = slice(None)
        weights = source.weights()
        if weights is not None and not weights.all():
            self._present = np.flatnonzero(weights)

    def seed(self, n_clusters: int, how: str, rng: np.random.Generator) -> Floats:
        """Rows as centers: each one far from those before, or any."""
        if how == "random":
            return random_rows(self._source, n_clusters, rng)
        size = max(LEAST_SAMPLE, SAMPLE_PER_CLUSTER * n_clusters)
        sample = ArrayRows(*self._source.sample(size, rng))
        rows = RowsPass(sample, SPHERICAL, self._backend, em="nearest")
        return kmeans_plusplus(rows, n_clusters, rng)

    def run(self, centers: Floats) -> KMeansFit:
        """Iterate until no row changes its center, or little is left to gain."""
        rule, state = Plain(self._tol, self._rows.rounding), PlainState()
        before: NDArray[np.int64] | None = None
        for n_iter, clusters in enumerate(lloyd(self._rows, centers, self._refilled)):
            height = clusters.statistics.log_likelihood
            converged = False
            if before is not None:
                earlier = PlainState() if clusters.refilled else state
                state = rule.after(earlier, 2.0 * height / self._scatter)
                moved = clusters.labels != before
                converged = rule.is_over(earlier, state) or not moved[self._present].any()
            before = clusters.labels
            fit = KMeansFit(clusters.centers, before, 2.0 * abs(height), n_iter, converged)
            self.last = fit
            if n_iter:
                self._progress(n_iter, fit.inertia)
            if n_iter and self._calls_to_stop(fit):
                fit = replace(fit, converged=False)
                break
            if converged or n_iter == self._max_iter:
                break
        if self._source.n_rows < self._source.n_samples:
            unweighted = self._source.reweighted(np.ones(self._source.n_samples))
            fit.labels[:] = _nearest(unweighted, fit.centers, self._backend)
        return fit

    def _calls_to_stop(self, fit: KMeansFit) -> bool:
        """Whether the callback stops the run; its labels are its own, ours are written again."""
        if self._callback is None:
            return False
        names = self._source.feature_names
        return stops(self._callback(replace(fit, labels=fit.labels.copy(), feature_names=names)))

    def _refilled(self, clusters: Clusters) -> Floats:
        """Means, after the rows farthest from their centers have moved to the empty clusters.

        Different rows; when no others are off their centers, some clusters stay empty.
        """
        source, seen = self._source, Seen.of_centers(clusters.centers, SPHERICAL)
        empty = np.flatnonzero(clusters.statistics.resp_sum == 0.0)
        weights = source.weights()
        weight = np.ones(source.n_samples) if weights is None else weights.copy()
        half = np.empty(source.n_samples)
        self._rows.evaluate(seen, log_prob=half)
        half[weight == 0.0] = 0.0
        moved: list[int] = []
        while len(moved) < len(empty) and half.min() < 0.0:
            moved.append(int(np.argmin(half)))
            half[source.equal_rows(source.take(np.array(moved[-1:]))[0])] = 0.0
        weight[moved] = 0.0
        left = RowsPass(source.reweighted(weight), SPHERICAL, self._backend, em="nearest")
        means = left.accumulate(seen).means()
        means[empty[: len(moved)]] = source.take(np.array(moved, dtype=np.intp))
        return means

"""fit_kmeans: Lloyd's algorithm on the same passes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, Literal, Self

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
from mixtura.data.frames import Names, described, real_array
from mixtura.data.missing import MISSING, Missing, nothing_observed
from mixtura.data.row_checks import check_column_names, check_n_rows
from mixtura.exceptions import ConvergenceWarning, FitInterrupted
from mixtura.files import Contents, count, fact, feature_names_of, numbers
from mixtura.fitting.progress import KMeansProgress, Verbose, check_verbose
from mixtura.fitting.survey import Survey
from mixtura.mixture.checks import check_feature_names
from mixtura.mixture.reordering import heaviest_first
from mixtura.mixture.table import Line, as_html, as_text, counted, counted_rows, frame, section
from mixtura.parameters import Seen
from mixtura.passes import Backend, RowsPass
from mixtura.passes.backend import BACKENDS, BackendName
from mixtura.schedules import stops
from mixtura.schedules.plain import Plain, PlainState
from mixtura.shapes import DIAG, SPHERICAL, Floats
from mixtura.starts import HierarchicalTree, tree_labels
from mixtura.starts.seeding import (
    Clusters,
    centers_of,
    kmeans_plusplus,
    lloyd,
    observed_weight,
    random_rows,
)
from mixtura.starts.whole import whole_pass, whole_rows
from mixtura.text import short_repr

__all__ = ["KMeansFit", "fit_kmeans"]

# Rows among which k-means++ chooses: all, or a sample large enough that each cluster is in it.
LEAST_SAMPLE, SAMPLE_PER_CLUSTER = 20_000, 100

LEAST_PRODUCTS = 4096  # of a row with all centers; below, bounds cost more than they save

ADDED_ARRAYS = ("history", "sizes", "deviations")  # which older files lack

KMeansInit = Literal["kmeans++", "random"]
METHODS: tuple[KMeansInit, ...] = ("kmeans++", "random")


@files.saved_as("KMeansFit")
@dataclass(frozen=True, eq=False)
class KMeansFit:
    """Clusters of rows about their means.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        Weighted mean of each cluster's rows, of what is observed of them.
    labels : ndarray of shape (n_samples,), int64
        The nearest center of each row, the first of equals; -1 for a row of weight zero that is not
        finite, and for one with nothing observed.
    inertia : float, squared units of the features
        Weighted sum of squared distances to the nearest center.
    n_iter : int
        Iterations done.
    converged : bool
        Whether the stopping rule ended the iterations, not `max_iter`.
    feature_names : tuple of str or None
        Names of the columns, where the rows were a frame's.
    history : ndarray of shape (n_iter,), squared units of the features
        The inertia after each iteration. It may rise where an empty cluster was given a row.
    sizes : ndarray of shape (n_clusters,)
        Total weight of each cluster's rows.
    deviations : ndarray of shape (n_clusters, n_features)
        Standard deviation of each feature within each cluster, 0 for one row. None for the fits
        that a callback gets.
    n_samples : int
        Rows of positive weight, with something observed.
    missing : {"raise", "em"}
        What `predict` takes NaN for, unless it is told otherwise: what the fit did.

    Notes
    -----
    A file that was saved before these were added has no `history`, None for the next three, and
    "raise" for `missing`.
    """

    centers: Floats
    labels: NDArray[np.int64]
    inertia: float
    n_iter: int
    converged: bool
    feature_names: Names | None = None
    history: Floats = field(default_factory=lambda: np.empty(0))
    sizes: Floats | None = None
    deviations: Floats | None = None
    n_samples: int | None = None
    missing: Missing = "raise"

    __repr__ = short_repr
    save = files.save

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return len(self.centers)

    @property
    def n_features(self) -> int:
        """Number of features: columns of the rows that were clustered."""
        return len(self.centers[0])

    def summary(self, feature_names: Sequence[str] | None = None) -> str:
        """The fit in two lines, and a table of sizes, centers and standard deviations.

        Parameters
        ----------
        feature_names : sequence of str, optional
            Names of the columns in the table; None takes the fit's, or numbers them.

        Returns
        -------
        str
        """
        table = as_text(self._table_lines(feature_names), "cluster")
        return "\n".join([*self._headlines(), "", table])

    def to_pandas(self) -> Any:
        """Shares, centers and standard deviations as a DataFrame, a row for each cluster.

        Returns
        -------
        pandas.DataFrame
            Columns "weight", ("mean", name) and ("standard deviation", name), in the units of the
            features, as `GaussianMixture.to_pandas` has them.

        Raises
        ------
        ImportError
            Where pandas is not installed.
        """
        names = check_feature_names(self.feature_names, self.n_features)
        shares = None if self.sizes is None else self.sizes / self.sizes.sum()
        return frame("cluster", names, shares, self.centers, self.deviations)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        headlines = "<br>".join(map(escape, self._headlines()))
        return f"<p>{headlines}</p>{as_html(self._table_lines(), 'cluster')}"

    def _headlines(self) -> list[str]:
        """What a reader learns before the table."""
        clusters = counted(self.n_clusters, "cluster")
        title = f"k-means: {clusters}, {counted(self.n_features, 'feature')}"
        if self.n_samples is not None and self.sizes is not None:
            title += f", {counted_rows(self.n_samples, float(self.sizes.sum()))}"
        end = "converged" if self.converged else "stopped"
        end = f"{end} after {counted(self.n_iter, 'iteration')}"
        return [title, f"inertia {self.inertia:.10g}, {end}"]

    def _table_lines(self, feature_names: Sequence[str] | None = None) -> list[Line]:
        names = self.feature_names if feature_names is None else feature_names
        names = check_feature_names(names, self.n_features)
        lines: list[Line] = []
        if self.sizes is not None:
            lines += [("share", self.sizes / self.sizes.sum()), ("size", self.sizes)]
        lines += section("center", names, self.centers)
        if self.deviations is not None:
            lines += section("standard deviation", names, self.deviations)
        return lines

    def predict(
        self,
        X: ArrayLike | RowSource,
        *,
        missing: Missing | None = None,
        n_threads: int | None = None,
    ) -> NDArray[np.int64]:
        """Nearest center of each row.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.
        missing : {"raise", "em"}, optional
            As for `fit_kmeans`; None is what the fit's `missing` says. A row with nothing observed
            has the label -1.
        n_threads : int or None
            Number of threads, None for as many as are useful.

        Returns
        -------
        ndarray of shape (n_samples,), int64
        """
        check_n_threads(n_threads)
        missing = self.missing if missing is None else check_option("missing", missing, MISSING)
        source = open_rows(
            X, n_features=self.n_features, feature_names=self.feature_names, missing=missing
        )
        return _nearest(source, self.centers, Backend(n_threads=n_threads))

    def _contents(self) -> Contents:
        names = ("inertia", "n_iter", "converged", "feature_names", "n_samples", "missing")
        facts = {name: getattr(self, name) for name in names}
        arrays = {name: getattr(self, name) for name in ("centers", "labels", *ADDED_ARRAYS)}
        return Contents(facts, {name: each for name, each in arrays.items() if each is not None})

    @classmethod
    def _from_contents(cls, contents: Contents) -> Self:
        facts, arrays = contents
        centers = numbers(arrays, "centers", (-1, -1))
        k, d = centers.shape
        shapes = {"history": (-1,), "sizes": (k,), "deviations": (k, d)}
        added = {
            name: numbers(arrays, name, shapes[name]).copy()
            for name in ADDED_ARRAYS
            if name in arrays
        }
        for name, array in added.items():
            if not (array >= 0.0).all():
                raise ValueError(f"its {name} are negative or not numbers")
        labels = numbers(arrays, "labels", (-1,), np.int64)
        inertia = fact(facts, "inertia", float)
        if not 0.0 <= inertia < np.inf:
            raise ValueError(f"its inertia is {inertia}")
        return cls(
            check_centres(centers, d, name="centers", part="cluster"),
            check_labels(labels, len(labels), k, some_without=True).copy(),
            inertia,
            count(facts, "n_iter"),
            fact(facts, "converged", bool),
            feature_names_of(facts, d),
            n_samples=None if facts.get("n_samples") is None else count(facts, "n_samples"),
            missing=check_option("missing", facts.get("missing", "raise"), MISSING),
            **added,
        )


def fit_kmeans(
    X: ArrayLike | RowSource,
    n_clusters: int,
    *,
    sample_weight: ArrayLike | None = None,
    init: KMeansInit | ArrayLike | KMeansFit | HierarchicalTree = "kmeans++",
    n_init: int = 1,
    tol: float = 1e-4,
    max_iter: int = 300,
    missing: Missing = "raise",
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
        The rows, finite but for `missing`, as for `fit_gmm`. Distances are Euclidean: scale
        features in different units first.
    n_clusters : int
        Number of clusters.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative; a row of weight two is two equal rows, one of weight zero is absent (it gets a
        label all the same, -1 if it is not finite). None is one for each row.
    init : {"kmeans++", "random"}, array_like, KMeansFit or HierarchicalTree
        How centers are chosen among the rows; the centers themselves, (n_clusters, n_features); a
        fit of k-means, for its centers; or a tree of these rows, for the means of its clusters.
    n_init : int
        Runs from different starts; the one with the least inertia counts.
    tol : float
        Stop when the predicted remaining decrease of the inertia is no more than this share of
        the rows' total scatter, without outliers; 0 continues until no row changes its cluster.
    max_iter : int
        Most iterations of each run.
    missing : {"raise", "em"}
        What NaN in `X` is, and what frames and masked arrays have in its place: an error, or with
        "em" a missing number. Then distances are those in the observed features of a row, and a
        center is the mean of what is observed in its rows. Rows with few numbers count little; one
        with nothing observed is absent, and has the label -1.
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
        With "kmeans++" and "random", the cluster of largest weight comes first; of equal weights,
        that with the smaller center. Clusters about given centers keep their order.

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
        When `max_iter` ends the run and `tol` is not 0; when some clusters have no rows in the
        end, as where fewer rows differ than there are clusters.

    Notes
    -----
    An iteration costs n k d multiply-adds; memory beyond the data O(n + k d). One more pass, of
    2 n d multiply-adds, computes the standard deviations in the end. k-means++ looks at no
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
    missing = check_option("missing", missing, MISSING)
    source = open_rows(X, sample_weight, minimum=n_clusters, part="cluster", missing=missing)
    source = _observed(source, n_clusters)
    source.missing = missing
    begin = _check_init(init, source, n_clusters)
    n_init = n_init if isinstance(begin, str) else 1
    best: KMeansFit | None = None
    runs: _Runs | None = None
    progress = KMeansProgress(verbose)
    try:
        progress.start()
        runs = _Runs(source, Backend(backend, n_threads), tol, max_iter, progress, callback)
        for stream in generator.spawn(n_init):
            best = _better(best, runs.run(runs.seed(n_clusters, begin, stream)))
        assert best is not None
        if isinstance(begin, str):
            best = _largest_first(best, source)
        best = replace(best, deviations=runs.deviations(best))
    except KeyboardInterrupt:
        reached = _better(best, runs.last if runs else None)
        if reached is not None and isinstance(begin, str):
            reached = _largest_first(reached, source)
        raise FitInterrupted(reached) from None
    finally:
        progress.close()
    end = "converged" if best.converged else "stopped"
    progress.finish(f"{end} after {counted(best.n_iter, 'iteration')}")
    if best.n_iter == max_iter and not best.converged and tol > 0.0:
        warnings.warn(
            f"k-means used up its {counted(best.n_iter, 'iteration')} before the predicted "
            f"remaining decrease fell to tol={tol:g}. Raise max_iter, or tol.",
            ConvergenceWarning,
            stacklevel=2,
        )
    assert best.sizes is not None
    n_found = np.count_nonzero(best.sizes)
    if n_found < n_clusters and best.converged:
        warnings.warn(
            f"k-means found {n_found} of {n_clusters} clusters: no row is nearest to the other "
            f"centers, as where X has fewer distinct rows than clusters. Use fewer clusters.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return best


def _largest_first(fit: KMeansFit, source: RowSource) -> KMeansFit:
    """The clusters in the order of falling weight, those of equal weight in that of their centers.

    Labels of rows without weight may mean nothing yet.
    """
    k, weights = len(fit.centers), source.weights()
    known = (fit.labels >= 0) & (fit.labels < k)
    labels = np.where(known, fit.labels, 0)
    weight = known.astype(np.float64) if weights is None else known * weights
    sizes: Floats = np.bincount(labels, weight, k).astype(np.float64)
    order = heaviest_first(sizes, fit.centers)
    renumbered = np.where(known, np.argsort(order)[labels], fit.labels)
    return replace(fit, centers=fit.centers[order], labels=renumbered, sizes=sizes[order])


def _check_init(init: Any, source: RowSource, n_clusters: int) -> str | Floats | NDArray[np.int64]:
    """A method, centers (n_clusters, n_features), or labels (n_samples,)."""
    if isinstance(init, str):
        return check_option("init", init, METHODS)
    if isinstance(init, HierarchicalTree):
        return tree_labels(init, source, n_clusters)
    try:
        is_fit = isinstance(init, KMeansFit)
        centers, names = (init.centers, init.feature_names) if is_fit else real_array(init, "init")
    except TypeError as error:
        held = [name for name in ("cluster_centers_", "means_", "means") if hasattr(init, name)]
        raise TypeError(
            f"init must be one of {', '.join(map(repr, METHODS))}, centers of shape (n_clusters, "
            f"n_features), a KMeansFit or a HierarchicalTree; got {described(init)}. Pass "
            f"{f'init.{held[0]}' if held else 'one of these'}."
        ) from error
    if centers.shape == (source.n_samples,):
        raise ValueError(
            f"init must hold {n_clusters} centers, of shape (n_clusters, n_features); got shape "
            f"{centers.shape}, as labels have. Pass the mean of each cluster's rows."
        )
    check_column_names(names, source.feature_names, "init")
    given = check_centres(centers, source.n_features, name="init", part="cluster")
    if len(given) != n_clusters:
        raise ValueError(
            f"init must hold {n_clusters} centers; got {len(given)}. Give one row for each cluster."
        )
    return given


def _better(one: KMeansFit | None, other: KMeansFit | None) -> KMeansFit | None:
    return other if one is None or (other and other.inertia < one.inertia) else one


def _nearest(source: RowSource, centers: Floats, backend: Backend) -> NDArray[np.int64]:
    """The nearest center of each row, of rows without weight too."""
    labels = np.empty(source.n_samples, dtype=np.int64)
    rows = RowsPass(source, SPHERICAL, backend, em="nearest")
    rows.evaluate(Seen.of_centers(centers, SPHERICAL), labels=labels)
    if source.form == "incomplete":
        labels[nothing_observed(X for X, *_ in source.blocks())] = -1
    return labels


def _observed(source: RowSource, n_clusters: int) -> RowSource:
    """The rows, those with nothing observed absent: they are equally near to all centers."""
    if source.form == "whole":
        return source
    nothing = nothing_observed(X for X, *_ in source.blocks())
    if not nothing.any():
        return source
    weights = source.weights()
    left = source.reweighted(np.where(nothing, 0.0, 1.0 if weights is None else weights))
    check_n_rows(
        left.n_rows, n_clusters, "cluster", of="with something observed and positive weight"
    )
    return left


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
        self._centre = survey.centre
        self._rows = RowsPass(
            source,
            SPHERICAL,
            backend,
            em="nearest",
            centre=survey.centre,
            single=survey.single,
            least_products=LEAST_PRODUCTS,
        )
        scatter = survey.variance.sum() * source.weight_sum
        if source.form != "whole":
            all_rows = self._rows.accumulate(Seen.of_centers(survey.centre[None], SPHERICAL))
            scatter = (survey.variance * observed_weight(all_rows)).sum()
        self._scatter = float(scatter) or 1.0
        # A weighted pass need not look at rows of weight zero: their labels mean nothing.
        self._present: NDArray[np.intp] | slice = slice(None)
        weights = source.weights()
        if weights is not None and not weights.all():
            self._present = np.flatnonzero(weights)

    def seed(self, n_clusters: int, how: str | NDArray[Any], rng: np.random.Generator) -> Floats:
        """Rows as centers, each one far from those before, or any; or what the user gave."""
        if not isinstance(how, str):
            if how.ndim == 2:
                return how
            rough = np.tile(self._centre, (n_clusters, 1))
            return whole_pass(self._rows).given(how, rough).means()
        if how == "random" and self._source.form == "whole":
            return random_rows(self._source, n_clusters, rng)
        size = max(LEAST_SAMPLE, SAMPLE_PER_CLUSTER * n_clusters)
        sample = ArrayRows.sample_of(self._source, size, rng)
        whole = whole_rows(sample, self._backend, self._source.middle)
        if how == "random":
            return random_rows(whole, n_clusters, rng)
        rows = RowsPass(whole, SPHERICAL, self._backend, em="nearest")
        return kmeans_plusplus(rows, n_clusters, rng)

    def run(self, centers: Floats) -> KMeansFit:
        """Iterate until no row changes its center, or little is left to gain."""
        rule, state = Plain(self._tol, self._rows.rounding), PlainState()
        before: NDArray[np.int64] | None = None
        history: list[float] = []
        for n_iter, clusters in enumerate(lloyd(self._rows, centers, self._refilled)):
            height = clusters.statistics.log_likelihood
            converged = False
            if before is not None:
                earlier = PlainState() if clusters.refilled else state
                state = rule.after(earlier, 2.0 * height / self._scatter)
                moved = clusters.labels != before
                converged = rule.is_over(earlier, state) or not moved[self._present].any()
            before = clusters.labels
            inertia = 2.0 * abs(height)
            history += [inertia] * (n_iter > 0)
            fit = KMeansFit(
                clusters.centers, before, inertia, n_iter, converged,
                history=np.array(history),
                sizes=clusters.statistics.resp_sum,
                n_samples=self._source.n_rows,
                feature_names=self._source.feature_names,
                missing=self._source.missing,
            )  # fmt: skip
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
            if self._source.not_finite is not None:
                fit.labels[self._source.not_finite] = -1
        return fit

    def deviations(self, fit: KMeansFit) -> Floats:
        """Return the standard deviation of each feature within each cluster."""
        if self._source.form == "whole":
            rows = RowsPass(self._source, DIAG, self._backend, em="nearest")
            statistics = rows.given(np.maximum(fit.labels, 0), fit.centers)
            sums = statistics.resp_sum[:, None], statistics.resp_x, statistics.resp_xx
        else:
            sums = self._observed_sums(fit)
        weight = np.where(sums[0] > 0.0, sums[0], 1.0)
        variances = (sums[2] - np.square(sums[1]) / weight) / weight
        return np.sqrt(np.maximum(variances, 0.0))

    def _observed_sums(self, fit: KMeansFit) -> tuple[Floats, Floats, Floats]:
        """Weight, sum and squares about the centers of what is observed in each cluster."""
        k, d = fit.centers.shape
        sums = np.zeros((3, k, d))
        weights = self._source.weights()
        for X, positions in self._source.chunks():
            labels = fit.labels[positions]
            weight = np.ones(len(X)) if weights is None else weights[positions]
            observed = ~np.isnan(X)
            z = np.where(observed, X - fit.centers[labels], 0.0)
            for a in range(d):
                for total, each in zip(
                    sums, (observed[:, a], z[:, a], np.square(z[:, a])), strict=True
                ):
                    total[:, a] += np.bincount(labels, weight * each, k)
        return sums[0], sums[1], sums[2]

    def _calls_to_stop(self, fit: KMeansFit) -> bool:
        """Whether the callback stops the run; it gets copies, as our arrays are used again."""
        if self._callback is None:
            return False
        arrays = ("centers", "labels", "history", "sizes")
        own = {name: getattr(fit, name).copy() for name in arrays}
        return stops(self._callback(replace(fit, **own)))

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
        means = centers_of(left.accumulate(seen))
        rows, own = source.take(np.array(moved, dtype=np.intp)), clusters.labels[moved]
        means[empty[: len(moved)]] = np.where(np.isnan(rows), clusters.centers[own], rows)
        return means

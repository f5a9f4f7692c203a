"""fit_kmeans: Lloyd's algorithm on the same passes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.data import Block, RowSource, open_rows, with_columns
from mixtura.data.any_rows import AnyRows, Numbers
from mixtura.data.checks import (
    check_centres,
    check_count,
    check_n_threads,
    check_number,
    check_option,
    check_rng,
)
from mixtura.data.frames import described, real_array
from mixtura.data.missing import MISSING, Missing, nothing_observed
from mixtura.data.reweighed import Reweighed, observed_only
from mixtura.data.row_checks import check_column_names, check_n_rows
from mixtura.exceptions import ConvergenceWarning, FitInterrupted
from mixtura.fitting.kmeans_fit import KMeansFit
from mixtura.fitting.lloyd import Runs
from mixtura.fitting.progress import KMeansProgress, Verbose, check_verbose
from mixtura.mixture.reordering import heaviest_first
from mixtura.mixture.table import counted
from mixtura.passes import Backend
from mixtura.passes.backend import BACKENDS, BackendName
from mixtura.shapes import Floats
from mixtura.starts import HierarchicalTree, tree_labels

__all__ = ["KMeansFit", "fit_kmeans"]

KMeansInit = Literal["kmeans++", "random"]
METHODS: tuple[KMeansInit, ...] = ("kmeans++", "random")


def fit_kmeans(
    X: AnyRows,
    n_clusters: int,
    *,
    columns: Sequence[str | int] | None = None,
    sample_weight: ArrayLike | None = None,
    init: KMeansInit | Numbers | KMeansFit | HierarchicalTree = "kmeans++",
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
    """Cluster rows by k-means, with Lloyd's algorithm.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features), or RowSource
        The rows, as for `fit_gmm`. Distances are Euclidean: scale features in different units
        first.
    n_clusters : int
        Number of clusters.
    columns, sample_weight : optional
        As for `fit_gmm`.
    init : {"kmeans++", "random"}, array_like, KMeansFit or HierarchicalTree
        How centers are chosen among the rows [2]_; the centers, (n_clusters, n_features); a fit,
        for its centers; or a tree of these rows, for the means of its clusters.
    n_init : int
        Runs from different starts; the one with the least inertia counts.
    tol : float
        Stop when the predicted remaining decrease of the inertia is no more than this share of the
        rows' total scatter. 0 continues until no row changes its cluster.
    max_iter : int
        Largest number of iterations of each run.
    missing : {"raise", "em"}
        What NaN in `X` is: an error, or a missing number; distances are then those of what is
        observed.
    rng, n_threads : optional
        As for `fit_gmm`.
    callback : callable, optional
        Called with a `KMeansFit` after each iteration; a true result stops the run.
    backend, verbose : optional
        As for `fit_gmm`.

    Returns
    -------
    KMeansFit
        From "kmeans++" and "random", the largest cluster comes first. Clusters about given centers
        keep their order.

    Raises
    ------
    ValueError, TypeError
        For values that cannot be used, before any work is done.
    FitInterrupted
        On Ctrl-C, with the best clusters so far; a KeyboardInterrupt.

    Warns
    -----
    ConvergenceWarning
        When `max_iter` ends the run and `tol` is not 0, or some clusters have no rows in the end.

    Notes
    -----
    An iteration [1]_ costs n k d multiply-adds. Memory beyond the data is O(n + k d).
    :doc:`/manual/kmeans` describes empty clusters, weights of zero and interrupts.

    References
    ----------
    .. [1] S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information
       Theory 28, 129-137, 1982.
    .. [2] D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding",
       SODA 2007.

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
    X = with_columns(X, columns)
    source = open_rows(X, sample_weight, minimum=n_clusters, part="cluster", missing=missing)
    source = _observed(source, n_clusters)
    source.missing = missing
    begin = _check_init(init, source, n_clusters)
    n_init = n_init if isinstance(begin, str) else 1
    best: KMeansFit | None = None
    runs: Runs | None = None
    progress = KMeansProgress(verbose)
    try:
        progress.start()
        runs = Runs(source, Backend(backend, n_threads), tol, max_iter, progress, callback)
        for stream in generator.spawn(n_init):
            best = _better(best, runs.run(runs.seed(n_clusters, begin, stream)))
        assert best is not None
        sizes, best = best.sizes, runs.closed(best)
        best = _largest_first(best) if isinstance(begin, str) else replace(best, sizes=sizes)
    except KeyboardInterrupt:
        reached = _better(best, runs.last if runs else None)
        if reached is not None and isinstance(begin, str):
            reached = _largest_first(reached)
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


def _largest_first(fit: KMeansFit) -> KMeansFit:
    """The clusters in the order of falling weight, those of equal weight in that of their centers.

    Labels of rows without weight may mean nothing yet.
    """
    assert fit.sizes is not None
    order = heaviest_first(fit.sizes, fit.centers)
    arrays = {name: getattr(fit, name) for name in ("centers", "sizes", "deviations")}
    ordered = {name: each[order] for name, each in arrays.items() if each is not None}
    if fit.labels is not None:
        known = (fit.labels >= 0) & (fit.labels < fit.n_clusters)
        ordered["labels"] = np.where(known, np.argsort(order)[fit.labels * known], fit.labels)
    return replace(fit, **ordered)


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


def _observed(source: RowSource, n_clusters: int) -> RowSource:
    """The rows, those with nothing observed absent: they are equally near to all centers."""
    if source.form == "whole" or not any(source.map(_lacks_some_row)):
        return source
    left = Reweighed(source, observed_only)
    check_n_rows(
        left.n_rows, n_clusters, "cluster", of="with something observed and positive weight"
    )
    return left


def _lacks_some_row(block: Block) -> bool:
    return bool(nothing_observed(block.X).any())

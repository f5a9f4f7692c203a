"""Model-based agglomerative clustering: one tree, from which clusters of any number are cut.

Rows are merged by the classification likelihood of a Gaussian model, in coordinates that do not
depend on the units of the features. Where there are many rows, a sample of them makes the tree, and
every row goes with the leaf nearest to it, so that no more than one pass is made over all rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.algebra import Algebra
from mixtura.data import RowSource, middle_of, open_rows
from mixtura.data.any_rows import AnyRows
from mixtura.data.checks import (
    LEAST_BLUR,
    MODELS,
    TreeModel,
    check_count,
    check_n_threads,
    check_number,
    check_option,
    check_rng,
)
from mixtura.kernels.threads import choose_n_threads
from mixtura.passes.backend import BACKENDS, Backend, BackendName
from mixtura.shapes import Floats
from mixtura.text import short_html, short_repr

__all__ = ["UNITLESS_TRANSFORMS", "HierarchicalTree", "hierarchical", "most_leaves"]

Transform = Literal["svd", "scaled", "whitened", "none"]
TRANSFORMS: tuple[Transform, ...] = get_args(Transform)
UNITLESS_TRANSFORMS = TRANSFORMS[:3]

MOST_LEAVES = 2000
MOST_WORK = 3e10  # n^2 d^3 of VVV that takes about two seconds
LEAST_LEAVES = 50  # however many the features
LEAST_SPREAD = 1e-6  # of a direction, relative to the widest; below, it is rounding
CHUNK = 1 << 16  # rows transformed at a time


@dataclass(frozen=True, eq=False)
class HierarchicalTree:
    """A tree of mergers over leaves, each leaf a distinct row that stands for others.

    Attributes
    ----------
    linkage : ndarray of shape (n_leaves - 1, 4)
        As `scipy.cluster.hierarchy` has it: the two clusters of each merger, its height, and the
        number of leaves below. The height is the classification log-likelihood, in nats, that all
        mergers so far have cost.
    leaves : ndarray of shape (n_leaves,), int64
        The row of X that each leaf is, ascending.
    leaf : ndarray of shape (n_samples,), int64
        The leaf that each row of X goes with; -1 for one that is not finite, of weight zero.
    model : {"VVV", "EEE", "VII", "EII"}
        The Gaussian model of the clusters.

    Examples
    --------
    >>> import mixtura
    >>> tree = mixtura.hierarchical([[0.0], [1.0], [9.0], [10.5]], model="EII")
    >>> tree.linkage[:, [0, 1, 3]]
    array([[0., 1., 2.],
           [2., 3., 2.],
           [4., 5., 4.]])
    """

    linkage: Floats
    leaves: NDArray[np.int64]
    leaf: NDArray[np.int64]
    model: TreeModel

    __repr__ = short_repr
    _repr_html_ = short_html

    def labels(self, n_clusters: int) -> NDArray[np.int64]:
        """Cluster of each row when the tree is cut into so many.

        Parameters
        ----------
        n_clusters : int
            At most the number of leaves.

        Returns
        -------
        ndarray of shape (n_samples,), int64
            From 0, in the order of the clusters' first leaves; -1 for a row without leaf. Every
            cluster of `n_clusters` is a union of clusters of `n_clusters + 1`.

        Raises
        ------
        ValueError
            When there are fewer leaves.
        TypeError
            For anything but an integer.

        Examples
        --------
        >>> import mixtura
        >>> mixtura.hierarchical([[0.0], [1.0], [9.0], [10.5]], model="EII").labels(2)
        array([0, 0, 1, 1])
        """
        n_clusters = check_count("n_clusters", n_clusters)
        n = len(self.leaves)
        if n_clusters > n:
            raise ValueError(
                f"n_clusters must be at most {n}, the number of leaves of the tree; got "
                f"{n_clusters}. Ask for fewer clusters, or raise max_leaves if there are more "
                f"distinct rows."
            )
        top = np.arange(2 * n - 1)
        merges = self.linkage[:, :2].astype(np.int64)
        for t in reversed(range(n - n_clusters)):
            top[merges[t]] = top[n + t]
        _, first, cluster = np.unique(top[:n], return_index=True, return_inverse=True)
        number = np.empty(n_clusters, dtype=np.int64)
        number[np.argsort(first)] = np.arange(n_clusters)
        labels: NDArray[np.int64] = np.append(number[cluster], -1)[self.leaf]
        return labels


def hierarchical(
    X: AnyRows,
    *,
    model: TreeModel = "VVV",
    transform: Transform = "svd",
    sample_weight: ArrayLike | None = None,
    max_leaves: int | None = None,
    blur: float = 2e-3,
    rng: int | np.random.Generator | None = None,
    n_threads: int | None = None,
    backend: BackendName = "compiled",
) -> HierarchicalTree:
    """Cluster rows by model-based agglomeration: two clusters at a time.

    :doc:`/manual/hierarchical` explains models and coordinates.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows, finite, as for `fit_gmm`.
    model : {"VVV", "EEE", "VII", "EII"}
        Covariances of the clusters: each its own, one for all, each its own multiple of the
        identity, or one multiple for all, which is Ward's method.
    transform : {"svd", "scaled", "whitened", "none"}
        Coordinates: features of unit variance ("scaled"), rotated to principal axes and divided by
        their standard deviations ("whitened") or the roots of these ("svd", [3]_); or as they are.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None is
        one for each row.
    max_leaves : int, optional
        Largest number of leaves. Of more rows, that many are drawn by weight. None is 2000, and
        fewer for "VVV" with more than 19 features.
    blur : float
        Variance that each row has by itself, relative to the mean variance of the coordinates (see
        Notes).
    rng : int, Generator or None
        Seed or generator for the draw; None draws a new seed.
    n_threads : int or None
        Threads of the search for each row's leaf; None for as many as are useful. The result is the
        same to the bit.
    backend : {"compiled", "reference"}
        The compiled kernel, or plain NumPy for comparison on few rows.

    Returns
    -------
    HierarchicalTree

    Raises
    ------
    ValueError, TypeError
        For values that cannot be used, before any work is done.

    Notes
    -----
    The cost of a merger is what the classification log-likelihood [1]_ loses. As the determinant of
    few rows is zero, ``blur tr(W) / (n d)`` is added to every eigenvalue of a cluster's covariance,
    with W the scatter of all n rows; Fraley [2]_ adds traces instead.

    About n_leaves^2 d^3 multiply-adds for "VVV", n_leaves^2 d for the others, in memory
    O(n_leaves d^2).

    References
    ----------
    .. [1] J. D. Banfield, A. E. Raftery, "Model-based Gaussian and non-Gaussian clustering",
       Biometrics 49, 803-821, 1993.
    .. [2] C. Fraley, "Algorithms for model-based Gaussian hierarchical clustering", SIAM Journal on
       Scientific Computing 20, 270-281, 1998.
    .. [3] L. Scrucca, A. E. Raftery, "Improved initialisation of model-based clustering using
       Gaussian hierarchical partitions", Advances in Data Analysis and Classification 9, 447-460,
       2015.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> tree = mixtura.hierarchical(X)
    >>> fit = mixtura.fit_gmm(X, 2, init=tree.labels(2), reg_covar=0)
    >>> round(fit.log_likelihood, 4)
    -1130.264
    """
    model = check_option("model", model, MODELS)
    transform = check_option("transform", transform, TRANSFORMS)
    backend = check_option("backend", backend, tuple(BACKENDS))
    blur = check_number("blur", blur, minimum=LEAST_BLUR)
    check_n_threads(n_threads)
    generator = check_rng(rng)
    source = open_rows(X, sample_weight, minimum=1)
    if source.is_far:
        raise ValueError(
            "X must be rows that this process reads, as a tree has an entry for each of them; got "
            "rows that other processes work on. Grow it of some, such as X.take(range(0, n, 100)), "
            'or use init="hierarchical", which does so.'
        )
    size = most_leaves(model, source.n_features)
    if max_leaves is not None:
        size = check_count("max_leaves", max_leaves)

    leaves, leaf_weight, leaf = _leaves(source, size, generator)
    rows = source.take(leaves)
    by = Backend(backend).algebra
    centre, axes = _coordinates(rows, leaf_weight, transform, by)
    Z = by.multiply((rows - centre)[None], axes[None])[0]
    agglomerate = BACKENDS[backend].agglomerate
    merges, losses = agglomerate(Z, model=model, blur=blur, sample_weight=leaf_weight)
    _find_leaves(source, leaf, Z, centre, axes, by, n_threads)
    if source.not_finite is not None:
        leaf[source.not_finite] = -1
    heights = _heights(model, losses, float(leaf_weight.sum()), Z.shape[1], blur)
    return HierarchicalTree(_linkage(merges, heights), leaves, leaf, model)


def most_leaves(model: TreeModel, n_features: int) -> int:
    """How many leaves a tree has at most unless the user says so."""
    if model != "VVV":
        return MOST_LEAVES
    return max(LEAST_LEAVES, min(MOST_LEAVES, int((MOST_WORK / n_features**3) ** 0.5)))


def _leaves(
    source: RowSource, size: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
    """Distinct rows, the weight of each, and which of them each row is, or -1."""
    positions, row_weight = source.thinned(size, rng)
    rows = source.take(positions)
    _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    which = rank[which.reshape(-1)]
    leaf = np.full(source.n_samples, -1, dtype=np.int64)
    leaf[positions] = which
    leaves = np.asarray(positions, dtype=np.int64)[first[order]]
    weights: Floats = np.bincount(which, row_weight).astype(np.float64)
    return leaves, weights, leaf


def _find_leaves(
    source: RowSource,
    leaf: NDArray[np.int64],
    Z: Floats,
    centre: Floats,
    axes: Floats,
    by: Algebra,
    n_threads: int | None,
) -> None:
    """Give each row that is no leaf the number of the nearest one."""
    if not (leaf < 0).any():
        return
    from scipy.spatial import KDTree  # takes longer to import than all of mixtura

    nearest = KDTree(Z)
    workers = choose_n_threads(n_threads, work=source.n_samples * len(Z))
    for block in source.blocks():
        others = np.flatnonzero(leaf[block.start : block.start + len(block.X)] < 0)
        for begin in range(0, len(others), CHUNK):
            chunk = others[begin : begin + CHUNK]
            there = by.multiply((block.X[chunk] - centre)[None], axes[None])[0]
            found = nearest.query(there, workers=workers)[1]
            leaf[block.start + chunk] = found


def _coordinates(
    X: Floats, weight: Floats, transform: Transform, by: Algebra
) -> tuple[Floats, Floats]:
    """A centre, and a matrix (n_features, n_axes) that leads to axes of unit mean variance.

    A constant feature has a row of zeros in it, and no axis. Variances are those of numbers near
    the middle of each feature (see `mixtura.data.middle`).
    """
    share = weight[:, None] / weight.sum()
    middle = middle_of(X, weight)
    centre, unit = middle.centre, middle.scale
    varying = X.max(axis=0) > X.min(axis=0)
    varying[0] |= not varying.any()  # there is always an axis
    if transform == "none":
        unit[:] = unit[varying].max()
    unit[X.max(axis=0) == X.min(axis=0)] = np.inf
    axes = np.diag(1.0 / unit)[:, varying]
    Z = np.where(middle.near(X), (X - centre) / unit, 0.0)[:, varying]
    if transform in ("svd", "whitened"):
        (variances,), (directions,) = by.eigh(by.multiply((share * Z).T[None], Z[None]))
        spread = np.sqrt(np.maximum(variances, 0.0))[::-1]
        wide = spread >= LEAST_SPREAD * spread[0]
        divisor = np.sqrt(spread[wide]) if transform == "svd" else spread[wide]
        turned = directions[:, ::-1][:, wide] / np.where(divisor > 0.0, divisor, 1.0)
        Z, axes = by.multiply(Z[None], turned[None])[0], by.multiply(axes[None], turned[None])[0]
    variance = float((share * np.square(Z)).sum(axis=0).mean())
    return centre, axes / np.sqrt(variance or 1.0)


def _heights(model: TreeModel, losses: Floats, total: float, d: int, blur: float) -> Floats:
    """Classification log-likelihood lost until each merger, nats."""
    lost = np.cumsum(np.maximum(losses, 0.0))  # below zero by rounding only
    if model == "EII":
        lost = total * d * np.log1p(lost / (total * d * blur))
    elif model == "EEE":
        lost = total * lost
    return 0.5 * lost


def _linkage(merges: NDArray[np.int64], heights: Floats) -> Floats:
    n = len(merges) + 1
    sizes = np.ones(2 * n - 1)
    for t, pair in enumerate(merges):
        sizes[n + t] = sizes[pair].sum()
    return np.column_stack([merges, heights, sizes[n:]])

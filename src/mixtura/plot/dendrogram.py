"""The tree of an agglomerative clustering, from its linkage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.data.checks import check_count
from mixtura.data.frames import check_ordered, described
from mixtura.plot.display import Display
from mixtura.plot.style import INK, component_style, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection

__all__ = ["DendrogramDisplay"]

UPRIGHT_CHARACTERS = 70  # along the axis; more are turned
NAME_WIDTH = 16


@dataclass(kw_only=True, eq=False, repr=False)
class DendrogramDisplay(Display):
    """The tree of an agglomerative clustering, its last merges.

    A leaf is a row, or a cluster made by earlier merges, with its number of rows in brackets. The
    tree is cut into `n_clusters` clusters, which differ in colour and line style.

    Parameters
    ----------
    linkage : array_like of shape (n_samples - 1, 4)
        SciPy's linkage matrix: two clusters, the height at which they are merged, the number of
        rows in both. Heights need not ascend: merges are drawn in the order of the rows.
    n_clusters : int
        Number of clusters in different styles; 1 for one style.
    max_leaves : int
        Largest number of leaves.
    names : sequence of n_samples str or None
        Names of the rows; None for their numbers.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Axes of the picture.
    figure_ : matplotlib.figure.Figure or SubFigure
        Figure of the axes.
    links_ : list of matplotlib.collections.LineCollection
        Merges within each cluster, from left to right, and last those between clusters.

    Raises
    ------
    ValueError
        If `linkage` is not a linkage matrix, or does not fit `n_clusters` or `names`.

    Examples
    --------
    >>> import mixtura
    >>> tree = mixtura.hierarchical(mixtura.datasets.load_faithful().data)
    >>> display = mixtura.plot.DendrogramDisplay.from_tree(tree, n_clusters=2)
    >>> len(display.links_)
    3
    """

    linkage: Any
    n_clusters: int = 1
    max_leaves: int = 40
    names: Sequence[str] | None = None
    links_: list[LineCollection] = field(init=False)

    def __post_init__(self) -> None:
        self.linkage = _check_linkage(self.linkage)
        n_samples = len(self.linkage) + 1
        if check_count("n_clusters", self.n_clusters) > n_samples:
            raise ValueError(
                f"n_clusters must be at most {n_samples}, the number of rows; got "
                f"{self.n_clusters}. Ask for fewer."
            )
        check_count("max_leaves", self.max_leaves, minimum=2)
        _check_names(self.names, n_samples)

    @classmethod
    def from_tree(
        cls,
        tree: Any,
        *,
        n_clusters: int = 1,
        max_leaves: int = 40,
        names: Sequence[str] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw a tree.

        Parameters
        ----------
        tree : HierarchicalTree or object
            Result of `mixtura.hierarchical`, whose leaves are distinct rows; or anything with an
            attribute `linkage`, whose leaves are all rows.
        n_clusters : int
            Number of clusters in different styles; 1 for one style.
        max_leaves : int
            Largest number of leaves.
        names : sequence of n_samples str or None
            Names of the rows; None for their numbers.
        ax : matplotlib.axes.Axes or None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        DendrogramDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            For anything without a linkage.

        Examples
        --------
        >>> import mixtura
        >>> tree = mixtura.hierarchical(mixtura.datasets.load_faithful().data)
        >>> display = mixtura.plot.DendrogramDisplay.from_tree(tree, n_clusters=3)
        >>> display.n_clusters
        3
        """
        if not hasattr(tree, "linkage"):
            raise TypeError(
                f"tree must have an attribute linkage; got {described(tree)}. Pass the result of "
                f"hierarchical."
            )
        display = cls(
            linkage=tree.linkage,
            n_clusters=n_clusters,
            max_leaves=max_leaves,
            names=_names_of_leaves(tree, names),
        )
        return display.plot(ax)

    def _draw(self, ax: Axes) -> None:
        from matplotlib.collections import LineCollection

        linkage = np.asarray(self.linkage)
        n_samples = len(linkage) + 1
        first = n_samples - self._n_leaves()
        leaves = _nodes_before(linkage, first)
        cluster_of = self._clusters(linkage)
        ground = min(linkage[first:, 2].min(), 0.0)
        place = {leaf: (float(position), ground) for position, leaf in enumerate(leaves)}
        shapes: list[list[Any]] = [[] for _ in range(self.n_clusters + 1)]
        for merge in range(first, n_samples - 1):
            (left, foot), (right, other_foot) = (place[int(node)] for node in linkage[merge, :2])
            height = linkage[merge, 2]
            place[n_samples + merge] = ((left + right) / 2, height)
            shapes[cluster_of[n_samples + merge]].append(
                [(left, foot), (left, height), (right, height), (right, other_foot)]
            )
        self.links_ = []
        for cluster, lines in enumerate(shapes):
            style = component_style(cluster)
            within = cluster < self.n_clusters
            links = LineCollection(
                lines,
                colors=style.colour if within else INK,
                linestyles=[style.line_style if within else "-"],
                linewidths=1.4,
            )
            ax.add_collection(links)
            self.links_.append(links)
        ax.autoscale_view()
        ax.set_xlim(-0.8, len(leaves) - 0.2)
        ax.grid(visible=False, axis="x")
        names = [self._name(linkage, leaf) for leaf in leaves]
        turned = len(names) * max(map(len, names)) > UPRIGHT_CHARACTERS
        ax.set_xticks(range(len(leaves)), names, rotation=90 * turned, fontsize="small")
        ax.tick_params(axis="x", length=0)
        brackets = " (in brackets: how many)" * (first > 0)
        ax.set_xlabel(f"rows{brackets}")
        ax.set_ylabel("height of the merge")

    def _n_leaves(self) -> int:
        return min(max(self.max_leaves, self.n_clusters), len(self.linkage) + 1)

    def _size(self) -> tuple[float, float]:
        return (min(max(6.4, 0.15 * self._n_leaves()), 30.0), 4.8)

    def _name(self, linkage: NDArray[np.float64], node: int) -> str:
        n_samples = len(linkage) + 1
        if node >= n_samples:
            return f"({linkage[node - n_samples, 3]:.0f})"
        return str(node) if self.names is None else wrapped(self.names[node], NAME_WIDTH)

    def _clusters(self, linkage: NDArray[np.float64]) -> NDArray[np.intp]:
        """Cluster of each node, counted from the left; `n_clusters` for the merges between them."""
        n_samples = len(linkage) + 1
        cut = n_samples - self.n_clusters
        cluster_of = np.full(n_samples + len(linkage), self.n_clusters)
        for cluster, node in enumerate(_nodes_before(linkage, cut)):
            cluster_of[node] = cluster
        for merge in reversed(range(cut)):
            cluster_of[linkage[merge, :2].astype(int)] = cluster_of[n_samples + merge]
        return cluster_of


def _nodes_before(linkage: NDArray[np.float64], merge: int) -> list[int]:
    """Return the clusters that there are before a merge, from left to right in the tree."""
    n_samples = len(linkage) + 1
    found, waiting = [], [n_samples + len(linkage) - 1]
    while waiting:
        node = waiting.pop()
        if node < n_samples + merge:
            found.append(node)
        else:
            waiting += reversed(linkage[node - n_samples, :2].astype(int).tolist())
    return found


def _names_of_leaves(tree: Any, names: Sequence[str] | None) -> Sequence[str] | None:
    """Return names or numbers of the rows that are leaves; not all are in some trees."""
    if not hasattr(tree, "leaves"):
        return names
    _check_names(names, len(tree.leaf))
    rows: Sequence[Any] = range(len(tree.leaf)) if names is None else list(names)
    return [str(rows[leaf]) for leaf in tree.leaves]


def _check_names(names: Sequence[str] | None, n_samples: int) -> None:
    if names is None:
        return
    expected = f"names must be {n_samples} strings, one for each row"
    check_ordered(names, expected)
    if len(names) != n_samples:
        raise ValueError(f"{expected}; got {len(names)}. Name each row once.")


def _check_linkage(linkage: ArrayLike) -> NDArray[np.float64]:
    """Return the linkage as an array; raise an error if it is not a tree."""
    array = np.asarray(linkage, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 4 or len(array) == 0 or not np.isfinite(array).all():
        raise ValueError(
            f"linkage must be finite, of shape (n_samples - 1, 4), with two rows or more; got "
            f"shape {array.shape}. Pass what scipy.cluster.hierarchy.linkage returns."
        )
    n_samples = len(array) + 1
    merged = array[:, :2]
    known = n_samples + np.arange(len(array))[:, None]
    once = np.array_equal(np.sort(merged, axis=None), np.arange(2 * len(array)))
    if not once or (merged >= known).any():
        raise ValueError(
            f"linkage must merge each of {n_samples} rows and each new cluster once, a cluster "
            f"only after it was made; this one does not. Pass what "
            f"scipy.cluster.hierarchy.linkage returns."
        )
    return array

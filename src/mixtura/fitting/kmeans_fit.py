"""KMeansFit: clusters of rows about their means, and how they were found."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Any, Self, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura import files
from mixtura.data import Block, open_rows
from mixtura.data.any_rows import AnyRows, FarRows, InBlocks, Into, Output, Whole, Written
from mixtura.data.checks import (
    check_centres,
    check_labels,
    check_n_threads,
    check_option,
)
from mixtura.data.frames import Names
from mixtura.data.looks import RowByRow
from mixtura.data.missing import MISSING, Missing, nothing_observed
from mixtura.data.outputs import answered, check_output
from mixtura.data.question import Question
from mixtura.files import Contents, count, fact, feature_names_of, numbers
from mixtura.mixture.checks import check_feature_names
from mixtura.mixture.profiles import profile_table
from mixtura.mixture.table import Line, as_html, as_text, counted, counted_rows, frame, section
from mixtura.parameters import Seen
from mixtura.passes import Backend
from mixtura.shapes import SPHERICAL, Floats
from mixtura.text import short_repr

__all__ = ["KMeansFit", "Nearest"]

ADDED_ARRAYS = ("history", "sizes", "deviations")  # which older files lack


@files.saved_as("KMeansFit")
@dataclass(frozen=True, eq=False)
class KMeansFit(files.Saved):
    """Clusters of rows about their means.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_features)
        Weighted mean of each cluster's rows, of what is observed of them.
    labels : ndarray of shape (n_samples,), int64, or None
        The nearest center of each row, the first of equals; -1 for a row without any number to go
        by. None for rows that are not in memory: use ``fit.predict(X, out=...)``.
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
        Standard deviation of each feature within each cluster; None in callbacks.
    n_samples : int
        Rows of positive weight, with something observed.
    missing : {"raise", "em"}
        What `predict` takes NaN for, unless it is told otherwise: what the fit did.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> fit = mixtura.fit_kmeans(X, 2, rng=0)
    >>> fit.sizes, fit.centers.round(1)
    (array([172., 100.]), array([[ 4.3, 80.3],
           [ 2.1, 54.8]]))
    """

    centers: Floats
    labels: NDArray[np.int64] | None
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

        Examples
        --------
        >>> import mixtura
        >>> fit = mixtura.fit_kmeans([[0.0], [1.0], [9.0], [10.0]], 2, rng=0)
        >>> print(fit.summary(["length"]))
        k-means: 2 clusters, 1 feature, 4 rows
        inertia 1, converged after 1 iteration
        <BLANKLINE>
                               cluster 0     cluster 1
        share                        0.5           0.5
        size                           2             2
        center
          length                     0.5           9.5
        standard deviation
          length                     0.5           0.5
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

        Examples
        --------
        >>> import mixtura
        >>> fit = mixtura.fit_kmeans([[0.0], [1.0], [9.0], [10.0]], 2, rng=0)
        >>> fit.to_pandas()["weight"].tolist()
        [0.5, 0.5]
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

    @overload
    def predict(
        self,
        X: FarRows,
        *,
        missing: Missing | None = None,
        n_threads: int | None = None,
        **options: Unpack[Whole],
    ) -> Any: ...
    @overload
    def predict(
        self,
        X: AnyRows,
        *,
        missing: Missing | None = None,
        n_threads: int | None = None,
        **options: Unpack[Whole],
    ) -> NDArray[np.int64]: ...
    @overload
    def predict(
        self,
        X: AnyRows,
        *,
        missing: Missing | None = None,
        n_threads: int | None = None,
        **options: Unpack[Into[Written]],
    ) -> Written: ...
    @overload
    def predict(
        self,
        X: AnyRows,
        *,
        missing: Missing | None = None,
        n_threads: int | None = None,
        **options: Unpack[InBlocks],
    ) -> Iterator[NDArray[np.int64]]: ...
    def predict(
        self,
        X: AnyRows,
        *,
        missing: Missing | None = None,
        out: Output = None,
        blocks: bool = False,
        n_threads: int | None = None,
    ) -> Any:
        """Nearest center of each row.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.
        missing : {"raise", "em"}, optional
            What NaN in a row is: an error, or a missing number. None is the fit's `missing`. A row
            with nothing observed has the label -1.
        out : ndarray, str, path-like or None
            Array or file (.npy or .parquet) for the result, which is returned. See
            :doc:`/manual/outputs`.
        blocks : bool
            True returns an iterator of results, one for each block of rows.
        n_threads : int or None
            Threads for each pass; None for as many as are useful. The result is the same to the
            bit.

        Returns
        -------
        ndarray of shape (n_samples,), int64

        Examples
        --------
        >>> import mixtura
        >>> fit = mixtura.fit_kmeans([[0.0], [1.0], [9.0], [10.0]], 2, init=[[0.0], [9.0]])
        >>> fit.predict([[2.0], [8.0]])
        array([0, 1])
        """
        check_output(out, blocks)
        check_n_threads(n_threads)
        missing = self.missing if missing is None else check_option("missing", missing, MISSING)
        source = open_rows(
            X, n_features=self.n_features, feature_names=self.feature_names, missing=missing
        )
        look = Nearest(self.centers, source.form, Backend(n_threads=n_threads))
        return answered(
            source, Question(look, ("cluster",), dtype=np.int64, name="cluster"), out, blocks
        )

    def profile(
        self,
        X: AnyRows,
        data: Any = None,
        *,
        sample_weight: ArrayLike | None = None,
        columns: Sequence[Hashable] | None = None,
        missing: Missing | None = None,
        n_threads: int | None = None,
    ) -> Any:
        """What each cluster looks like, in the columns of X or in other columns of the same rows.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows, as they were clustered. Each counts in the cluster of its nearest center.
        data : DataFrame, Series, mapping of columns or ndarray, optional
            Columns to describe, with the rows of X in the same order. None describes those of X.
        sample_weight : array_like of shape (n_samples,), optional
            Non-negative weight of each row; None is one for each.
        columns : list of labels, optional
            Columns to describe; None is all of them.
        missing : {"raise", "em"}, optional
            As for `predict`. A row with nothing observed counts in "all" only.
        n_threads : int or None
            Number of threads, None for as many as are useful.

        Returns
        -------
        pandas.DataFrame
            See `GaussianMixture.profile`; sizes are named ("cluster", "size").

        Raises
        ------
        ValueError, TypeError, ImportError
            As for `GaussianMixture.profile`.

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_faithful().data
        >>> kmeans = mixtura.fit_kmeans(X, 2, rng=0)
        >>> kmeans.profile(X).loc[("cluster", "size")].tolist()
        [172.0, 100.0, 272.0]
        """
        check_n_threads(n_threads)
        missing = self.missing if missing is None else check_option("missing", missing, MISSING)
        rows = open_rows(
            X, sample_weight, minimum=1, n_features=self.n_features,
            feature_names=self.feature_names, part="cluster", missing=missing,
        )  # fmt: skip
        look = Nearest(self.centers, rows.form, Backend(n_threads=n_threads))
        question = Question(look, ("cluster",), dtype=np.int64, name="cluster")
        return profile_table(
            rows, self.feature_names, data, columns, partial(answered, rows, question),
            self.n_clusters, "cluster",
        )  # fmt: skip

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
        labels = None
        if "labels" in arrays:
            found = numbers(arrays, "labels", (-1,), np.int64)
            labels = check_labels(found, len(found), k, some_without=True).copy()
        inertia = fact(facts, "inertia", float)
        if not 0.0 <= inertia < np.inf:
            raise ValueError(f"its inertia is {inertia}")
        return cls(
            check_centres(centers, d, name="centers", part="cluster"),
            labels,
            inertia,
            count(facts, "n_iter"),
            fact(facts, "converged", bool),
            feature_names_of(facts, d),
            n_samples=None if facts.get("n_samples") is None else count(facts, "n_samples"),
            missing=check_option("missing", facts.get("missing", "raise"), MISSING),
            **added,
        )


@dataclass(frozen=True, eq=False)
class Nearest(RowByRow):
    """A look at the nearest center of each row, of rows without weight too.

    Attributes
    ----------
    centers : ndarray of shape (n_clusters, n_features)
    form : str
        Of the rows.
    backend : Backend
    """

    centers: Floats
    form: str
    backend: Backend

    def __call__(self, block: Block) -> NDArray[np.int64]:
        """Return the labels for one block; -1 for a row with nothing observed."""
        labels = np.empty(len(block.X), dtype=np.int64)
        rows = self.backend.rows(self.form, block._replace(sample_weight=None))
        seen = Seen.of_centers(self.centers, SPHERICAL)
        rows.evaluate("nearest", seen, self.backend.n_threads, labels=labels)
        if self.form == "incomplete":
            labels[nothing_observed(block.X)] = -1
        return labels

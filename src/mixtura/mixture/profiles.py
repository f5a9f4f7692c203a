"""What the components look like in columns that a reader knows, in their own units."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.data import RowSource
from mixtura.data.any_rows import AnyRows
from mixtura.data.checks import check_flag, check_n_threads
from mixtura.data.frames import check_ordered, described
from mixtura.data.index import check_index, row_index
from mixtura.data.missing import Missing
from mixtura.mixture.checks import check_feature_names
from mixtura.mixture.densities import of_opened, opened
from mixtura.mixture.table import import_pandas
from mixtura.shapes import Floats

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["profile", "profile_table"]

Line = tuple[tuple[Hashable, Hashable], Floats]  # column and statistic, a number for each component

QUARTILES = (0.25, 0.5, 0.75)
STATISTICS = ("mean", "standard deviation", "25%", "median", "75%")
MISSING = "missing weight"
LEVELS = ("column", "statistic")  # of the index of the table
MOST_LEVELS = 20  # of a column of categories: an identifier would have one for each row


def profile(
    self: GaussianMixture,
    X: AnyRows,
    data: Any = None,
    *,
    sample_weight: ArrayLike | None = None,
    columns: Sequence[Hashable] | None = None,
    hard: bool = False,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Any:
    """What each component looks like, in the columns of X or in other columns of the same rows.

    A row counts in each component by its responsibility, times its weight.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows, as the mixture describes them.
    data : DataFrame, Series, mapping of columns or ndarray, optional
        Columns to describe, with the rows of X in the same order: those of X before they were
        scaled, or others that the mixture does not know. None describes the columns of X.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative weight of each row; None is one for each.
    columns : list of labels, optional
        Columns to describe; None is all of them.
    hard : bool
        Whether a row counts in its most probable component alone.
    missing : {"raise", "em"}, optional
        What to do with NaN in X: raise an error, or take what is observed. None is what the
        mixture's `missing` says. NaN in `data` is always allowed.
    noise_covariance, projection : array_like, optional
        Of the noise of each row, as for `fit_gmm`.
    n_threads : int or None
        Number of threads, None for as many as are useful.

    Returns
    -------
    pandas.DataFrame
        A column for each component, and "all" for all rows. Its rows are pairs of a column and a
        statistic: ("component", "size") and ("component", "share") are the weight of the component
        in these rows, and its share of all. For a column of numbers there are "mean", "standard
        deviation", "25%", "median" and "75%"; for a column of text, categories or truth values,
        the share of each level. "missing weight" is the weight of rows without a value, which the
        other statistics of the column leave out. They are NaN where nothing is left.

    Raises
    ------
    ValueError
        For another number or order of rows in `data`, unknown columns, and infinite numbers.
    TypeError
        For columns that are neither numbers nor categories, such as dates.
    ImportError
        Where pandas is not installed.

    Notes
    -----
    The standard deviation divides by the weight, not by one less. A quantile is the smallest number
    with at least its share of the weight at or below. So a row of weight two is two equal rows, and
    the units of the weights do not matter. Of more than 20 levels, the 20 with the largest weight
    are listed.

    Needs 8 bytes for each row and component, with ``hard=True`` for each row, and 50 bytes a row
    while a column is described.

    Examples
    --------
    >>> import mixtura
    >>> faithful = mixtura.datasets.load_faithful()
    >>> fit = mixtura.fit_gmm(faithful.data, 2, rng=0)
    >>> waiting = faithful.data[:, 1]
    >>> fit.profile(faithful.data, {"wait": waiting, "over an hour": waiting > 60}).round(2)
    component                             0      1     all
    column       statistic
    component    size                175.20  96.80  272.00
                 share                 0.64   0.36    1.00
    wait         mean                 79.97  54.48   70.90
                 standard deviation    6.00   5.80   13.57
                 25%                  76.00  50.00   58.00
                 median               80.00  54.00   76.00
                 75%                  84.00  59.00   82.00
                 missing weight        0.00   0.00    0.00
    over an hour False                 0.00   0.86    0.31
                 True                  1.00   0.14    0.69
                 missing weight        0.00   0.00    0.00
    """
    check_flag("hard", hard)
    n_threads = check_n_threads(n_threads)
    rows = opened(
        self, X, sample_weight, missing=missing, noise_covariance=noise_covariance,
        projection=projection, minimum=1,
    )  # fmt: skip
    names = None if projection is not None else self.feature_names
    assign = partial(of_opened, self, rows, n_threads, "labels" if hard else "resp")
    return profile_table(rows, names, data, columns, assign, self.n_components)


def profile_table(
    rows: RowSource,
    names: Sequence[str] | None,
    data: Any,
    columns: Sequence[Hashable] | None,
    assign: Callable[[], NDArray[Any]],
    n_components: int,
    part: str = "component",
) -> Any:
    """Return the table of a profile, after all checks.

    Parameters
    ----------
    rows : RowSource
        Checked, at least one.
    names : sequence of str or None
        Of the columns of the rows, where they have none themselves.
    data, columns : object
        As `profile` takes them.
    assign : callable
        Returns the responsibilities of the rows, or their labels.
    n_components : int
        Number of components or clusters.
    part : {"component", "cluster"}
        What the table calls them.

    Returns
    -------
    pandas.DataFrame
    """
    pd = import_pandas("profile")
    if rows.is_far:
        raise ValueError(
            "X must be rows that this process reads; got rows that other processes work on. Scan "
            "them without executor, or collect a sample of them."
        )
    if data is None:
        own = check_feature_names(rows.feature_names or names, rows.n_features)
        chosen = _of_rows(rows, own, columns)
    else:
        frame = _frame(pd, data)
        if len(frame) != rows.n_samples:
            raise ValueError(
                f"data must have {rows.n_samples} rows, one for each row of X; got {len(frame)}. "
                f"Pass the same rows in the same order."
            )
        columns_have_index = isinstance(data, Mapping) and any(
            row_index(column) is not None for column in data.values()
        )
        check_index(frame if columns_have_index else data, rows.index, "data")
        chosen = _of_frame(pd, frame, columns)
    weights = _Weights(assign(), rows.weights(), n_components)
    sizes = np.array([weight.sum() for weight in weights.all()])
    lines = [
        ((part, "size"), sizes),
        ((part, "share"), sizes / sizes[-1]),
        *(line for each in chosen for line in each.lines(weights)),
    ]
    return pd.DataFrame(
        np.array([numbers for _, numbers in lines]),
        index=pd.MultiIndex.from_tuples([label for label, _ in lines], names=LEVELS),
        columns=pd.Index([*range(n_components), "all"], name=part),
    )


class _Weights(NamedTuple):
    """Weights of all rows in each component."""

    assigned: NDArray[Any]  # responsibilities, or the component of each row
    sample_weight: Floats | None
    n_components: int

    def all(self) -> Iterator[Floats]:
        """Yield the weights of the rows, (n_samples,), in each component, and then in all."""
        for j in range(self.n_components):
            hard = self.assigned.ndim == 1
            own = (self.assigned == j).astype(np.float64) if hard else self.assigned[:, j]
            yield own if self.sample_weight is None else own * self.sample_weight
        whole = np.ones(len(self.assigned))
        yield whole if self.sample_weight is None else self.sample_weight


class _Numbers(NamedTuple):
    """A column of numbers."""

    label: Hashable
    read: Callable[[], Floats]  # NaN where a value is missing

    def lines(self, weights: _Weights) -> Iterator[Line]:
        """Yield the labels of statistics, each with a number for every component and for all."""
        values = self.read()
        order = np.argsort(values, kind="stable")  # NaN last
        order = order[: len(order) - np.count_nonzero(np.isnan(values))]
        observed, absent = values[order], np.isnan(values)
        statistics = [
            (*_statistics(observed, weight[order]), weight[absent].sum())
            for weight in weights.all()
        ]
        for name, numbers in zip((*STATISTICS, MISSING), np.transpose(statistics), strict=True):
            yield (self.label, name), numbers


class _Categories(NamedTuple):
    """A column of categories."""

    label: Hashable
    codes: NDArray[np.intp]  # of each row; -1 where it is missing
    levels: Sequence[Hashable]

    def lines(self, weights: _Weights) -> Iterator[Line]:
        """Yield the labels of levels, each with its share in every component and in all."""
        observed, absent = self.codes >= 0, self.codes < 0
        codes, n = self.codes[observed], len(self.levels)
        sums = np.array(
            [np.bincount(codes, weight[observed], minlength=n) for weight in weights.all()]
        )
        missing = [weight[absent].sum() for weight in weights.all()]
        shares = _divided(sums, sums.sum(axis=1, keepdims=True)).T
        present = np.flatnonzero(sums[-1] > 0.0)
        largest = np.sort(present[np.argsort(-sums[-1, present], kind="stable")[:MOST_LEVELS]])
        for level in largest:
            yield (self.label, self.levels[level]), shares[level]
        others = np.setdiff1d(present, largest)
        if len(others):
            yield (self.label, f"{len(others)} other levels"), shares[others].sum(axis=0)
        yield (self.label, MISSING), np.array(missing)


def _statistics(values: Floats, weight: Floats) -> list[float]:
    """Mean, standard deviation and quartiles of ascending values."""
    cumulative = np.cumsum(weight)
    if not len(values) or not cumulative[-1] > 0.0:
        return [np.nan] * len(STATISTICS)
    mean = weight @ values / cumulative[-1]
    deviation = np.sqrt(weight @ (values - mean) ** 2 / cumulative[-1])
    places = np.searchsorted(cumulative, np.multiply(QUARTILES, cumulative[-1]))
    return [mean, deviation, *values[places]]


def _divided(sums: Floats, totals: Floats) -> Floats:
    """Return shares; NaN where the total is zero."""
    shares = np.full(sums.shape, np.nan)
    np.divide(sums, totals, out=shares, where=totals > 0.0)
    return shares


def _of_rows(
    rows: RowSource, names: Sequence[str], columns: Sequence[Hashable] | None
) -> list[_Numbers | _Categories]:
    """Return the columns of the rows themselves, which are read when they are described."""

    def read(a: int) -> Floats:
        parts = [np.asarray(block.X[:, a], dtype=np.float64) for block in rows.blocks()]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    return [_Numbers(names[a], partial(read, a)) for a in _positions(names, columns)]


def _of_frame(
    pd: Any, frame: Any, columns: Sequence[Hashable] | None
) -> list[_Numbers | _Categories]:
    """Return the columns of a frame; raise an error for those that cannot be described."""
    labels = frame.columns.tolist()
    return [_column(pd, labels[a], frame.iloc[:, a]) for a in _positions(labels, columns)]


def _column(pd: Any, label: Hashable, column: Any) -> _Numbers | _Categories:
    kinds = pd.api.types
    is_text = kinds.is_object_dtype(column) or kinds.is_string_dtype(column)
    if is_text or kinds.is_bool_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype):
        return _Categories(label, *_levels(pd, label, column))
    if not kinds.is_numeric_dtype(column) or kinds.is_complex_dtype(column):
        raise TypeError(
            f"columns of data must be numbers, text, categories or truth values; got {label!r} of "
            f"{column.dtype}. Convert it, such as dates to days, or choose others by columns=."
        )

    def read() -> Floats:
        values: Floats = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return values

    infinite = np.flatnonzero(np.isinf(read()))
    if len(infinite):
        raise ValueError(
            f"columns of data must be finite or NaN; got {label!r} with {read()[infinite[0]]} in "
            f"row {infinite[0]}. Put NaN or a number in its place."
        )
    return _Numbers(label, read)


def _levels(pd: Any, label: Hashable, column: Any) -> tuple[NDArray[np.intp], list[Hashable]]:
    """Return the level of each row, -1 for none, and the levels in order."""
    try:
        codes, found = pd.factorize(column)
    except TypeError as error:
        raise TypeError(
            f"columns of data must be numbers, text, categories or truth values; got {label!r} "
            f"with values that are none of them. Convert it, or choose others by columns=."
        ) from error
    levels = list(found)
    if isinstance(column.dtype, pd.CategoricalDtype):
        place = {level: i for i, level in enumerate(column.cat.categories)}
        order = sorted(range(len(levels)), key=lambda i: place[levels[i]])
    else:
        try:
            order = sorted(range(len(levels)), key=lambda i: levels[i])
        except TypeError:  # of values of several types
            order = sorted(range(len(levels)), key=lambda i: str(levels[i]))
    rank = np.empty(len(levels) + 1, dtype=np.intp)
    rank[order], rank[-1] = np.arange(len(levels)), -1  # the last is that of -1
    # True and 1 would be one label of an index.
    ordered = [levels[i] for i in order]
    return rank[codes], [
        str(level) if isinstance(level, bool | np.bool_) else level for level in ordered
    ]


def _positions(labels: Sequence[Hashable], columns: Sequence[Hashable] | None) -> list[int]:
    """Return the positions of the chosen columns; all of those that have one label."""
    if columns is None:
        return list(range(len(labels)))
    if isinstance(columns, str):
        raise TypeError(f"columns must be a list of labels; got {columns!r}. Put it in a list.")
    check_ordered(columns, "columns must be a list of labels")
    for label in columns:
        if label not in labels:
            listed = ", ".join(map(repr, labels))
            raise ValueError(f"columns must be among {listed}; got {label!r}. Choose some of them.")
    return [a for label in columns for a, own in enumerate(labels) if own == label]


def _frame(pd: Any, data: Any) -> Any:
    """Return what a user passed as a frame of pandas."""
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, pd.Series):
        return data.to_frame()
    if hasattr(data, "to_pandas"):
        return _frame(pd, data.to_pandas())
    if isinstance(data, Mapping):
        return pd.DataFrame(dict(data))
    if isinstance(data, np.ndarray) and data.ndim == 2:
        return pd.DataFrame(data)
    raise TypeError(
        f"data must be a DataFrame, a Series, a mapping of columns or a two-dimensional array; got "
        f"{described(data)}. Pass the columns to describe by name, such as {{'age': ages}}."
    )

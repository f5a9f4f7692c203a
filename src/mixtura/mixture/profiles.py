"""What the components look like in columns that a reader knows, in their own units."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Sized
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

QUARTILES = np.array([0.25, 0.5, 0.75])
ROUNDING = 1e-10  # of the sum of the weights: a quartile must not depend on it
STATISTICS = ("mean", "standard deviation", "25%", "median", "75%")
MISSING = "missing weight"
LEVELS = ("column", "statistic")  # of the index of the table
MOST_LEVELS = 20  # of a column of categories: an identifier would have one for each row
# What pandas finds in a column of Python's objects.
NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal")
TEXT = ("string", "bytes", "boolean", "categorical", "interval", "mixed", "mixed-integer", "empty")


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
        scaled, or others that the mixture does not know. None describes the columns of X; rows
        with a projection need `data`.
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
    while a column is described; more for text that differs from row to row. Rows that are scanned
    are read once more for each of their own columns.

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
    if projection is not None and data is None:
        raise ValueError(
            "data must be given for rows with a projection, which are no features of the mixture; "
            "got None. Pass the columns to describe, such as data=X."
        )
    assign = partial(of_opened, self, rows, n_threads, "labels" if hard else "resp")
    return profile_table(rows, self.feature_names, data, columns, assign, self.n_components)


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
        frame = _frame(pd, data, rows.n_samples)
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
        yield self.whole()

    def whole(self) -> Floats:
        """Return the weights of the rows in all components together."""
        return np.ones(len(self.assigned)) if self.sample_weight is None else self.sample_weight


class _Numbers(NamedTuple):
    """A column of numbers."""

    label: Hashable
    read: Callable[[], Floats]  # NaN where a value is missing

    def lines(self, weights: _Weights) -> Iterator[Line]:
        """Yield the labels of statistics, each with a number for every component and for all."""
        values = self.read()
        absent = np.isnan(values)
        order = np.argsort(values, kind="stable")[: len(values) - np.count_nonzero(absent)]
        values = values[order]  # NaN were last
        statistics = [
            (*_statistics(values, weight[order]), weight[absent].sum()) for weight in weights.all()
        ]
        for name, numbers in zip((*STATISTICS, MISSING), np.transpose(statistics), strict=True):
            yield (self.label, name), numbers


class _Categories(NamedTuple):
    """A column of categories."""

    label: Hashable
    read: Callable[[], tuple[NDArray[np.intp], Sequence[Hashable]]]  # see `_levels`

    def lines(self, weights: _Weights) -> Iterator[Line]:
        """Yield the labels of levels, each with its share in every component and in all."""
        codes, levels = self.read()
        totals = np.bincount(codes + 1, weights.whole(), minlength=len(levels) + 1)[1:]
        present = np.flatnonzero(totals > 0.0)
        largest = np.sort(present[np.argsort(-totals[present], kind="stable")[:MOST_LEVELS]])
        n, n_others = len(largest), len(present) - len(largest)
        bins = np.full(len(levels) + 1, n)  # all other levels share one
        bins[largest], bins[-1] = np.arange(n), n + 1  # the last is that of missing values, code -1
        codes = bins[codes]
        sums = np.array([np.bincount(codes, weight, minlength=n + 2) for weight in weights.all()])
        shares = _divided(sums[:, :-1], sums[:, :-1].sum(axis=1, keepdims=True)).T
        for level, share in zip(largest, shares[:n], strict=True):
            yield (self.label, levels[level]), share
        if n_others:
            yield (self.label, f"{n_others} other levels"), shares[n]
        yield (self.label, MISSING), sums[:, -1]


def _statistics(values: Floats, weight: Floats) -> list[float]:
    """Mean, standard deviation and quartiles of ascending values."""
    cumulative = np.cumsum(weight)
    if not len(values) or not cumulative[-1] > 0.0:
        return [np.nan] * len(STATISTICS)
    total = cumulative[-1]
    quartiles = values[np.searchsorted(cumulative, QUARTILES * (1 - ROUNDING) * total)]
    del cumulative
    # From the median, and in units in which no square overflows or vanishes.
    unit = int(np.frexp(np.abs(values[[0, -1]]).max())[1])
    away = np.ldexp(values, -unit)
    away -= np.ldexp(quartiles[1], -unit)
    shift = weight @ away / total
    away -= shift
    away *= away
    deviation = np.sqrt(weight @ away / total)
    return [quartiles[1] + np.ldexp(shift, unit), np.ldexp(deviation, unit), *quartiles]


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
    kind = str(column.dtype)
    if kinds.is_object_dtype(column):
        kind = kinds.infer_dtype(column, skipna=True)
        is_level, is_number = kind in TEXT, kind in NUMBERS
    else:
        is_level = (
            kinds.is_string_dtype(column)
            or kinds.is_bool_dtype(column)
            or isinstance(column.dtype, pd.CategoricalDtype)
        )
        is_number = kinds.is_numeric_dtype(column) and not kinds.is_complex_dtype(column)
    if is_level:
        read_levels = partial(_levels, pd, label, column)
        if kind.startswith("mixed"):
            read_levels()  # which raises an error for values such as lists
        return _Categories(label, read_levels)
    if not is_number:
        raise TypeError(
            f"columns of data must be numbers, text, categories or truth values; got {label!r} of "
            f"{kind}. Convert it, such as dates to days, or choose others by columns=."
        )

    def read() -> Floats:
        values: Floats = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return values

    infinite = np.isinf(read())
    if infinite.any():
        row = int(infinite.argmax())
        raise ValueError(
            f"columns of data must be finite or NaN; got {label!r} with {read()[row]} in row "
            f"{row}. Put NaN or a number in its place."
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
    expected = "columns must be a list of labels"
    if isinstance(columns, str) or not isinstance(columns, Iterable):
        raise TypeError(f"{expected}; got {columns!r}. Put it in a list.")
    check_ordered(columns, expected)
    columns = list(columns)  # it may be an iterator
    for label in columns:
        if not isinstance(label, Hashable) or label not in labels:
            listed = ", ".join(map(repr, labels))
            raise ValueError(f"columns must be among {listed}; got {label!r}. Choose some of them.")
    return [a for label in columns for a, own in enumerate(labels) if own == label]


def _frame(pd: Any, data: Any, n_samples: int) -> Any:
    """Return what a user passed as a frame of pandas."""
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, pd.Series):
        return data.to_frame()
    if hasattr(data, "to_pandas"):
        return _frame(pd, data.to_pandas(), n_samples)
    if isinstance(data, Mapping):
        _check_mapping(data, n_samples)
        return pd.DataFrame(dict(data))
    if isinstance(data, np.ndarray) and data.ndim == 2:
        return pd.DataFrame(data)
    raise TypeError(
        f"data must be a DataFrame, a Series, a mapping of columns or a two-dimensional array; got "
        f"{described(data)}. Pass the columns to describe by name, such as {{'age': ages}}."
    )


def _check_mapping(data: Mapping[Hashable, Any], n_samples: int) -> None:
    """Raise an error for columns that pandas would repeat, refuse, or put in another order."""
    first: Hashable = None  # column with an index
    for label, column in data.items():
        listed = isinstance(column, Sized) and not isinstance(column, str | bytes | Mapping)
        if not listed or getattr(column, "ndim", 1) != 1:
            raise TypeError(
                f"columns of data must be lists or one-dimensional arrays; got "
                f"{described(column)} for {label!r}. Pass one value for each row of X."
            )
        if len(column) != n_samples:
            raise ValueError(
                f"columns of data must have {n_samples} values, one for each row of X; got "
                f"{len(column)} for {label!r}. Pass the same rows in the same order."
            )
        if row_index(column) is not None:
            first = label if first is None else first
            check_index(column, [row_index(data[first])], f"data[{label!r}]", f"data[{first!r}]")

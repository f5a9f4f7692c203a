"""Rows: where they are and how to get at them; and the checks of what users pass in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mixtura.data.array import ArrayRows
from mixtura.data.bins import Bins
from mixtura.data.blocks import BlockedRows
from mixtura.data.far.dask_rows import DaskRows
from mixtura.data.far.executed import executed
from mixtura.data.far.spark_rows import SparkRows
from mixtura.data.frames import Names, described
from mixtura.data.middle import Middle, middle_of
from mixtura.data.missing import Accepted
from mixtura.data.noise import with_noise
from mixtura.data.row_checks import check_n_rows, check_rows_shape
from mixtura.data.sampling import draw_rows
from mixtura.data.source import Block, RowSource, check_promises
from mixtura.data.stored import StoredRows
from mixtura.data.values import check_count

__all__ = [
    "KINDS",
    "ArrayRows",
    "Bins",
    "Block",
    "BlockedRows",
    "Middle",
    "RowSource",
    "draw_rows",
    "middle_of",
    "open_rows",
    "scan",
    "with_columns",
    "with_noise",
]

# The kinds of rows: each one is named here and nowhere else. The first that recognises what a user
# passes takes it; ArrayRows takes anything, so it is the last.
KINDS: tuple[type[RowSource], ...] = (DaskRows, SparkRows, StoredRows, BlockedRows, ArrayRows)


def open_rows(
    X: object,
    sample_weight: ArrayLike | None = None,
    *,
    minimum: int = 0,
    n_features: int | None = None,
    feature_names: Names | None = None,
    part: str = "component",
    missing: Accepted | None = None,
) -> RowSource:
    """Rows of any kind, checked.

    Parameters
    ----------
    X : array_like or RowSource
        What a user passes as rows.
    sample_weight : array_like of shape (n_samples,), optional
        Of all rows; None is one for each row, or the weights that the rows have themselves.
    minimum : int
        Least number of rows, and of rows with positive weight.
    n_features : int, optional
        The number of columns that is needed.
    feature_names : tuple of str, optional
        The names of the columns that are needed, where X has names.
    part : str
        What messages call the things that need a row each.
    missing : {"raise", "em", "any", "noisy", "stream", "estimator"}, optional
        With "em", NaN and what frames have in its place are missing numbers; the rows are of the
        form "incomplete" if one of positive weight has any. "raise" refuses them, with a message
        that offers "em"; None, for functions without such an argument, refuses them. "any" is "em"
        for questions to a model, which have an answer for rows of weight zero, too. "noisy" is
        "raise" for rows with noise of their own, and offers a projection. "stream" and "estimator"
        are "raise" where "em" is an argument of a class.

    Returns
    -------
    RowSource

    Raises
    ------
    ValueError
        For values, shapes, columns or weights that cannot be used.
    TypeError
        For what is not real numbers.
    """
    opened = X if isinstance(X, RowSource) else None
    for kind in KINDS:
        opened = kind.opened(X) if opened is None else opened
    assert opened is not None  # the last kind takes anything, or refuses it
    source = opened
    source.forget_totals()
    # Where only reading tells how many rows there are, they are counted if that is asked.
    counted = minimum > 0 or source.is_counted
    check_promises(source, counted=source.is_counted)
    if counted and not source.is_counted:  # what is read must be told what may be missing
        source = source.checked(missing)
        check_promises(source)
    misfit = n_features not in (None, source.n_features)  # then a message says how many there are
    n_samples = source.n_samples if counted or misfit else 0
    check_rows_shape(
        (n_samples, source.n_features), source.feature_names, minimum=minimum,
        n_features=n_features, feature_names=feature_names, part=part,
    )  # fmt: skip
    if sample_weight is not None:
        if source.is_weighted:
            raise ValueError(
                "sample_weight must be None for rows that have weights already; got both. "
                "Leave out sample_weight, or the weight of scan."
            )
        source = source.with_weights(sample_weight)
    source = source.checked(missing)
    source.index = opened.index
    source.missing = "em" if missing == "em" else "raise"
    if counted:
        n_rows = check_count(f"n_rows of {type(source).__name__}", source.n_rows, minimum=0)
        check_n_rows(n_rows, minimum, part)
    return source


def with_columns(X: Any, columns: Sequence[str | int] | None) -> Any:
    """Return what a user passes as rows, or some columns of it, as `scan` chooses them."""
    if columns is None:
        return X
    if isinstance(X, RowSource):
        raise TypeError(
            f"X must be rows that were not scanned where columns is given; got {X!r}. Choose the "
            f"columns there: mixtura.scan(source, columns={columns!r})."
        )
    return scan(np.asarray(X) if isinstance(X, list | tuple) else X, columns)


def scan(
    source: Any,
    columns: Sequence[str | int] | None = None,
    weight: str | int | Sequence[ArrayLike] | None = None,
    *,
    block_size: int | None = None,
    executor: Any = None,
) -> RowSource:
    """Rows that stay where they are, for every function that takes rows: as if they were one array.

    :doc:`/manual/files` says what can be scanned, and what is read when.

    Parameters
    ----------
    source : array_like, list of array_like, path, list of paths, array on disk, dataset or callable
        What has the rows: one array or frame; a list of blocks in memory; a file, or files of one
        kind (.npy, .parquet, .csv, .tsv, .feather, .arrow, .ipc, .arrows, .h5, .hdf5, .zarr); a
        dataset of pyarrow; anything on disk with `shape` and slicing; a function that returns an
        iterator of blocks; or a collection of Dask or Spark.
    columns : list of str or int, optional
        Columns to use, by name or position, in this order. None is all but that of `weight`.
    weight : str, int or list of array_like, optional
        Weights of the rows: a column of each block, or one array for each block. None is one for
        each row; functions then take `sample_weight` for all blocks.
    block_size : int, optional
        Rows that are read together, where they do not lie in memory; three such blocks are in
        memory at most. None is some megabytes.
    executor : concurrent.futures.Executor, or callable, optional
        What makes the passes: processes, threads, or workers of joblib, MPI or Ray. It has a method
        `submit`, or is called like `map`. None is this process. See :doc:`/manual/executors`.

    Returns
    -------
    RowSource
        To be passed as X. Its values are checked whenever it is used.

    Raises
    ------
    ValueError
        For blocks or files of different columns, or without a column that is asked for; for files
        that cannot be read, or are of no known kind.
    TypeError
        For anything else, for what can be read only once, and for columns that are not real
        numbers.
    FileNotFoundError
        For a path where nothing is.
    ImportError
        Where the library that reads such files is not installed: see the extra "files".

    Notes
    -----
    Here only metadata are read. Later each pass reads the rows once, by a thread that is two blocks
    ahead at most. A result is that for the concatenated rows, but for rounding.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> rows = mixtura.scan([X[:100], X[100:]])
    >>> fit = mixtura.fit_gmm(rows, 2, reg_covar=0, rng=0)
    >>> round(fit.log_likelihood, 4)
    -1130.264
    """
    if isinstance(source, RowSource):
        raise TypeError(
            f"source must be rows that were not scanned; got {source!r}, which scan has returned. "
            f"Pass them to the function itself, or scan their source anew."
        )
    if columns is not None:
        if isinstance(columns, str) or not isinstance(columns, Iterable):
            one = isinstance(columns, str | int)
            remedy = f"Pass [{columns!r}]." if one else "Leave it out for all columns."
            raise TypeError(
                f"columns must be a list of names or positions; got {described(columns)}. {remedy}"
            )
        columns = list(columns)
    if block_size is not None:
        block_size = check_count("block_size", block_size)
    for kind in KINDS:
        scanned = kind.scanned(source, columns, weight, block_size)
        if scanned is not None:
            return scanned if executor is None else executed(scanned, executor, block_size)
    if hasattr(source, "__next__"):
        raise TypeError(
            f"source must be a list of arrays or frames, which can be read several times; got "
            f"{described(source)}, which can be read only once. Pass list(source), or a function "
            f"that returns a new one each time."
        )
    if hasattr(source, "__array__") or hasattr(source, "__dataframe__"):
        raise TypeError(
            f"source must be a list or tuple of arrays or frames; got {type(source).__name__}. "
            f"Pass one array or frame to the function itself, or in a list."
        )
    remedy = "Pass one of these, or a function that returns an iterator of blocks."
    if isinstance(source, bytes):
        remedy = "Pass the path as text: os.fsdecode(source)."
    elif hasattr(source, "to_batches"):
        remedy = "Pass the dataset itself, or the method: scan(source.to_batches)."
    elif hasattr(source, "keys"):
        remedy = "Pass one of the arrays in it."
    raise TypeError(
        f"source must be a path, a list of paths or of arrays, an array on disk, a dataset or a "
        f"function; got {described(source)}. {remedy}"
    )

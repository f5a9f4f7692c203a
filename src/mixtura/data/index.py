"""Labels of rows, as pandas has them: what belongs to the rows of a frame must have the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["check_index", "row_index"]


def row_index(values: Any) -> Any:
    """Return the labels of the rows of a frame or series of pandas; None for anything else."""
    return values.index if hasattr(values, "iloc") and hasattr(values, "index") else None


def check_index(values: Any, index: Sequence[Any] | None, name: str, rows: str = "X") -> None:
    """Refuse a series or frame whose rows have other labels than the rows it belongs to.

    Parameters
    ----------
    values : object
        What a user passed, one value or row for each row.
    index : sequence of pandas.Index, or None
        Labels of the rows, block after block; None where they have none. Then, and where `values`
        has none, values belong to rows by their positions.
    name : str
        What messages call the values.
    rows : str
        What messages call the rows.

    Raises
    ------
    ValueError
        For other labels, and for the same ones in another order.
    """
    own = row_index(values)
    if own is None or index is None or len(own) != sum(map(len, index)):
        return
    start = 0
    for part in index:
        labels = own[start : start + len(part)]
        if not labels.equals(part):
            row = next(i for i, label in enumerate(part) if not _same(labels[i], label))
            same = len(index) == 1 and own.is_unique and part.is_unique and part.isin(own).all()
            remedy = f"Pass {name}.loc[{rows}.index]." if same else (
                f"Give it the index of {rows}, or pass {name}.to_numpy() to take its values by "
                f"position."
            )  # fmt: skip
            raise ValueError(
                f"{name} must have the index of {rows}; row {start + row} has the label "
                f"{_plain(labels[row])!r}, and {_plain(part[row])!r} in {rows}. {remedy}"
            )
        start += len(part)


def _plain(label: Any) -> Any:
    """Return a label that NumPy made as Python shows it."""
    return label.item() if hasattr(label, "item") else label


def _same(one: object, other: object) -> bool:
    return bool(one == other) or (one != one and other != other)

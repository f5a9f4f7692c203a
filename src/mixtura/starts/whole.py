"""Whole rows that stand for others, where a start needs every number of a row.

Only labels and first parameters are made of them: iterations see the rows as they are.
"""

from __future__ import annotations

from mixtura.data import RowSource
from mixtura.passes import RowsPass

__all__ = ["whole_pass", "whole_rows"]


def whole_rows(source: RowSource) -> RowSource:
    """Return the rows themselves if they are whole, else whole ones that are like them."""
    return source if source.form == "whole" else source.plain()


def whole_pass(rows: RowsPass) -> RowsPass:
    """Return a pass over whole rows that stand for those of a pass."""
    whole = whole_rows(rows.source)
    return rows if whole is rows.source else RowsPass(whole, rows.shape, rows.backend)

"""Rows that are not in the memory of this process, or not all at one time.

All that a fit asks of them before it chooses some is found in one reading. In later readings each
block must have as many rows and as much weight as in the first, and the same numbers in a few rows.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from mixtura.cached import cached_property
from mixtura.data import looks
from mixtura.data.block import Block
from mixtura.data.looks import Counted, Extremes, RowByRow
from mixtura.data.missing import Accepted
from mixtura.data.row_checks import check_weight_sum
from mixtura.data.sampling import Both, Gathered
from mixtura.data.source import RowSource
from mixtura.exceptions import RowsChangedError
from mixtura.shapes import Floats

__all__ = ["RowsElsewhere", "Visit"]

Result = TypeVar("Result")
Thing = TypeVar("Thing")


@dataclass(frozen=True, eq=False)
class Visit:
    """A look at one block of rows that may have been looked at before; it can be pickled.

    Attributes
    ----------
    look : callable
    name : str
        What messages call all rows.
    number : int
        Of the block.
    start : int
        The number of its first row among all, where `before` is known.
    before : Counted or None
        What was counted in it; None at the first visit.
    """

    look: Callable[[Block], Any]
    name: str
    number: int
    start: int = 0
    before: Counted | None = None

    def __call__(self, block: Block) -> Any:
        """Return what the look returns.

        Raises
        ------
        RowsChangedError
            For another number of rows than before, another weight, or other numbers in some rows.
        """
        if self.before is not None:
            now = looks.counted(block)
            if now != self.before:
                same = now[:3] == self.before[:3]
                count = f"{now.n_samples} of {now.weight_sum:g}"
                raise self.changed("as many with other numbers" if same else count)
            block = block._replace(start=self.start)
        return self.look(block)

    def changed(self, now: str) -> RowsChangedError:
        """Return the error for a block that has changed."""
        had = "none"
        if self.before is not None:
            had = f"{self.before.n_samples} of {self.before.weight_sum:g}"
        return RowsChangedError(
            f"{self.name} must have the same rows, in the same blocks, each time they are read; "
            f"block {self.number} had {had} in weight, and now {now}. Call the function again "
            f"when nothing writes to them; a function must return the same rows each time."
        )


class RowsElsewhere(RowSource):
    """Rows that are read, or visited where they are, for each pass.

    Attributes
    ----------
    knows_starts : bool
        Whether blocks know the number of their first row at the first look, too.
    """

    knows_starts: bool = False

    @property
    @abstractmethod
    def name(self) -> str:
        """What messages call all of the rows."""

    @property
    @abstractmethod
    def n_known(self) -> int | None:
        """How many rows there are, where metadata tell."""

    @property
    def n_samples(self) -> int:  # type: ignore[override]
        return looks.total_of(self.counted).n_samples if self.n_known is None else self.n_known

    @property
    def is_counted(self) -> bool:  # type: ignore[override]
        return self.n_known is not None or "_overview" in vars(self)

    def look_for(self, missing: Accepted | None) -> None:
        """Find out the form of the rows, and whether weights can be used.

        Nothing is read for unweighted rows where no number may be missing.
        """
        if missing in ("em", "any") and self.n_missing:
            self.form = "incomplete"
        if self.is_weighted:
            check_weight_sum(np.array([each.weight_sum for each in self.counted]), name="weight")

    def with_visits(
        self, blocks: Iterable[Thing], look: Callable[[Block], Any]
    ) -> Iterator[tuple[Thing, Visit]]:
        """Yield blocks, or what they are made of, each with the visit that is due.

        Raises
        ------
        RowsChangedError
            Where there are more blocks than before, or fewer.
        """
        before = vars(self).get("counted")
        if before is None and self._needs_starts(look):
            before = self.counted
        return self._visits(blocks, look, before)

    def _needs_starts(self, look: Callable[[Block], Any]) -> bool:
        """Whether blocks must be counted first, as a look needs to know where each starts."""
        if not self.is_far:
            return False  # blocks that come one after the other tell it themselves
        if look is _looked_at:
            return False  # this counts them
        return not isinstance(look, RowByRow)

    def _visits(
        self,
        blocks: Iterable[Thing],
        look: Callable[[Block], Any],
        before: Sequence[Counted] | None,
    ) -> Iterator[tuple[Thing, Visit]]:
        number = start = 0
        for block in blocks:
            visit = Visit(look, self.name, number)
            if before is not None:
                if number >= len(before):
                    raise visit.changed("some")
                visit = Visit(look, self.name, number, start, before[number])
                start += before[number].n_samples
            number += 1
            yield block, visit
            del block  # see `held` of the stores
        if before is not None and number < len(before):
            raise Visit(look, self.name, number, 0, before[number]).changed("none")

    def forget_totals(self) -> None:
        super().forget_totals()
        for name in ("_overview", "_spaced"):
            vars(self).pop(name, None)

    def refuse_changes(self) -> None:
        before: _Overview | None = vars(self).get("_overview")
        self.forget_totals()  # so that all values are checked
        if before is not None and self._overview.differs(before):
            raise RowsChangedError(
                f"{self.name} must have the same rows each time they are read; now there are other "
                f"ones than before. Call the function again when nothing writes to them."
            )

    # A fit asks for evenly spaced rows after it has asked for others, so that one reading does.

    def _gathered(self, look: Gathered) -> Iterator[Block]:
        if "_spaced" in vars(self) or "_overview" not in vars(self):
            yield from self.map(look)
            return
        spaced: list[Floats] = []
        for gathered, some in self.map(Both(look, self._every_so)):
            spaced.append(some)
            yield gathered
        self._spaced = np.concatenate(spaced)

    def _evenly_spaced(self) -> Floats:
        spaced: Floats | None = vars(self).get("_spaced")
        return super()._evenly_spaced() if spaced is None else spaced

    @cached_property
    def _overview(self) -> _Overview:
        counted, extremes, firsts, n_missing = zip(*self.map(_looked_at), strict=True)
        if self.is_far and not self.knows_starts:  # where nobody knew yet where each block starts
            starts = np.cumsum([0, *(each.n_samples for each in counted)])
            extremes = tuple(
                each._replace(row=np.where(each.row < 0, -1, each.row + start))
                for each, start in zip(extremes, starts, strict=False)
            )
        return _Overview(
            list(counted),
            looks.combined_extremes(extremes, self.n_features),
            list(firsts),
            sum(n_missing),
        )

    @cached_property
    def counted(self) -> list[Counted]:
        return self._overview.counted

    @cached_property
    def extremes(self) -> Extremes:
        return self._overview.extremes

    @cached_property
    def n_missing(self) -> int:
        return self._overview.n_missing

    def first_row(self) -> Floats:
        first = np.full(self.n_features, np.nan)
        for numbers in self._overview.firsts:
            first = np.where(np.isnan(first), numbers, first)
        return first


@dataclass(frozen=True, eq=False)
class _Overview:
    """All that a fit asks of its rows before it chooses some."""

    counted: list[Counted]
    extremes: Extremes
    firsts: list[Floats]
    n_missing: int

    def differs(self, other: _Overview) -> bool:
        """Whether it is that of other rows, as far as it tells."""
        return (
            (self.counted, self.n_missing) != (other.counted, other.n_missing)
            or not np.array_equal(self.extremes.number, other.extremes.number)
            or not np.array_equal(self.extremes.row, other.extremes.row)
        )


def _looked_at(block: Block) -> tuple[Counted, Extremes, Floats, int]:
    return (
        looks.counted(block),
        looks.extremes(block),
        looks.first_numbers(block),
        looks.count_missing(block),
    )

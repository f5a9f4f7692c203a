"""The pass over a row source: one E-step on every block, and the sum of what the blocks return."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import MStep
from mixtura.data import Block, RowSource
from mixtura.parameters import Parameters, Seen
from mixtura.passes import unlikely, work
from mixtura.passes.backend import Backend
from mixtura.passes.bounds import BoundsRecord, CarriedBounds
from mixtura.passes.held import HeldRows
from mixtura.passes.unlikely import ByCount, ByWeight, UnlikelyRows
from mixtura.passes.work import FarRow, Marked, Part
from mixtura.shapes import EPS, Floats, Shape
from mixtura.statistics import Statistics, total

__all__ = ["Course", "Pass", "RowsPass"]

Labels = NDArray[np.int64]
Result = TypeVar("Result")


class Pass(Protocol):
    """What the loop asks of a pass. What a pass keeps between calls changes its speed only."""

    def accumulate(self, seen: Seen) -> Statistics:
        """Return the statistics of all rows under a mixture, about its means."""

    def follow(
        self, step: MStep, rule: Any, state: Any, statistics: Statistics, previous: Floats, n: int
    ) -> Course | None:
        """Make iterations in one call of the engine, by a schedule's rule.

        Parameters
        ----------
        step : MStep
        rule : Rule
        state : object
            Of the schedule.
        statistics : Statistics
            Where iterations begin.
        previous : ndarray
            Covariances under which these were taken.
        n : int
            Largest number of iterations.

        Returns
        -------
        Course or None
            None where the first iteration fails, or where no engine does it.
        """


class Course(NamedTuple):
    """Where iterations end.

    Attributes
    ----------
    state : object
        Of the schedule.
    parameters : Parameters
    statistics : Statistics
        Under them.
    objectives : list of float
        After each iteration.
    finished : bool
        Whether the schedule is at its end.
    stopped : int
        The known maximum of the rule's watch to which iterations have come; -1 where the watch
        stops them otherwise, -2 where it does not.
    """

    state: Any
    parameters: Parameters
    statistics: Statistics
    objectives: list[float]
    finished: bool
    stopped: int


@dataclass(frozen=True, eq=False)
class _Engine:
    """What makes the engine's rows of a block; it can be pickled."""

    backend: Backend
    form: str
    centre: Floats | None
    single: bool

    def rows(self, block: Block) -> Any:
        return self.backend.rows(self.form, block, self.centre, single=self.single)


@dataclass(frozen=True, eq=False)
class _Worked:
    """A look at a block by the engine: some work on its rows."""

    engine: _Engine
    done: Callable[[Part], Any]

    def __call__(self, block: Block) -> Any:
        return self.done(Part(block, self.engine.rows(block)))


class RowsPass:
    """A pass over a row source.

    Parameters
    ----------
    source : RowSource
    shape : Shape
        Of the factors and of the statistics.
    backend : Backend
    em : {"soft", "hard", "nearest"}
        The E-step.
    centre : ndarray of shape (n_features,), optional
        A point near the rows, about which products are formed.
    single : bool
        Work on tiles in single precision; this needs `centre` (see `suits_single`).
    least_products : int
        Products of a row with all means below which no bounds are carried.

    Notes
    -----
    Bounds are carried only over rows that stay in memory: their state is as large as the rows are,
    and belongs to them. Where there are enough components for bounds (`bounds.LEAST_COMPONENTS`),
    results of the same blocks elsewhere differ by rounding; with fewer, in no bit.

    Attributes
    ----------
    extras : tuple of str
        Names of the further sums that the E-step returns.
    """

    def __init__(
        self,
        source: RowSource,
        shape: Shape,
        backend: Backend,
        *,
        em: str = "soft",
        centre: Floats | None = None,
        single: bool = False,
        least_products: int = 0,
    ) -> None:
        self.source: RowSource = source
        self.shape: Shape = shape
        self.backend: Backend = backend
        self.em: str = em
        self.extras: tuple[str, ...] = backend.form(source.form).extras
        self._engine = _Engine(backend, source.form, centre, single)
        self._kept: list[Part] | None = None
        if source.in_memory:  # only then with bounds, see the notes
            self._kept = [
                Part(
                    block,
                    self._engine.rows(block),
                    HeldRows(em, least_products)
                    if em == "nearest"
                    else CarriedBounds(em, backend.algebra, least_products),
                )
                for block in source.blocks()
            ]

    @property
    def _only(self) -> Part | None:
        """The only block, where all rows stay in memory in one."""
        return self._kept[0] if self._kept is not None and len(self._kept) == 1 else None

    def _map(self, done: Callable[[Part], Result]) -> Iterator[Result]:
        """What some work on each block returns."""
        if self._kept is not None:
            return map(done, self._kept)
        return self.source.map(_Worked(self._engine, done))

    def _total(self, done: Callable[[Part], Result]) -> Result:
        """The sum of what some work on each block returns."""
        if self._kept is not None:
            if len(self._kept) == 1:  # on few rows, adding takes as long as the pass
                return done(self._kept[0])
            return total(map(done, self._kept))
        look: Callable[[Block], Result] = _Worked(self._engine, done)
        return self.source.total(look)

    @property
    def rounding(self) -> float:
        """Relative error that rounding makes in a mean log-likelihood."""
        if not self._engine.single:
            return EPS
        # Errors of rows are independent, those of doubles are no less than one rounding.
        one = Block(np.empty((1, self.source.n_features), dtype=np.float32), None)
        of_one: float = self._engine.rows(one).rounding
        n: int = self.source.n_samples
        return max(EPS, of_one / math.sqrt(max(1, n)))

    def accumulate(self, seen: Seen, labels: Labels | None = None) -> Statistics:
        """Return the statistics under a mixture; `labels`, if given, gets each row's component."""
        self._refuse_outputs(labels)
        return self._total(partial(work.accumulated, self.em, seen, self.backend.n_threads, labels))

    def follow(
        self, step: MStep, rule: Any, state: Any, statistics: Statistics, previous: Floats, n: int
    ) -> Course | None:
        """Make iterations in one call of the engine: see `Pass`."""
        if self._kept is None or len(self._kept) > 1:
            return None
        _, rows, bounds = self._kept[0]
        assert bounds is not None
        if not rows.iterates or not bounds.are_idle(statistics.centres):
            return None
        course = rows.follow(
            self.em, step, rule, state, statistics, previous, n, self.backend.n_threads
        )
        return None if course is None else Course(*course)

    def guess(
        self, step: MStep, labels: Labels, centre: Floats, n_components: int, share: float
    ) -> Parameters | None:
        """Return the parameters of clusters that are only guesses, in one call of the engine.

        Parameters
        ----------
        step : MStep
        labels : ndarray of shape (n_samples,)
        centre : ndarray of shape (n_features,)
            A point near the rows.
        n_components : int
        share : float
            Of an average component, in rows with the pooled scatter that each borrows.

        Returns
        -------
        Parameters or None
            None where a component has none, or where no engine does it.
        """
        part = self._only
        if part is None or not part.rows.iterates or self.source.form != "whole":
            return None
        found: Parameters | None = part.rows.guess(
            step, labels, centre, n_components, share, self.backend.n_threads
        )
        return found

    def lloyd(self, centers: Floats, n_iter: int, least_gain: float, labels: Labels) -> bool:
        """Make iterations of Lloyd's algorithm in one call of the engine, where it may do so.

        Parameters
        ----------
        centers : ndarray of shape (n_clusters, n_features)
        n_iter, least_gain
            When they end: see `mixtura.reference.Rows.lloyd`.
        labels : ndarray of shape (n_samples,), int64
            Gets the number of each row's center.

        Returns
        -------
        bool
            False where the rows are not in one block, or iterations are better made one by one.
        """
        part = self._only
        if part is None or self._engine.single or self.source.form != "whole":
            return False
        assert part.bounds is not None
        if not part.bounds.are_idle(centers):
            return False
        part.rows.lloyd(centers, n_iter, least_gain, self.backend.n_threads, labels)
        return True

    def each(self, seen: Callable[[], Seen]) -> Iterator[Statistics]:
        """Yield the statistics of each block, under what `seen` returns when its turn comes."""
        assert not self.source.is_far, "far blocks are looked at in any order"

        def one(part: Part) -> Statistics:
            statistics: Statistics = work.accumulated(
                self.em, seen(), self.backend.n_threads, None, part
            )
            return statistics

        return self._map(one)

    def accumulate_marked(self, seen: Seen) -> Marked:
        """Return the statistics under a mixture, and marks of the components that rows have."""
        return self._total(partial(work.marked, self.em, seen, self.backend.n_threads))

    def farthest(self, seen: Seen, n_rows: int) -> list[FarRow]:
        """Return the different rows of positive weight that are farthest from their components.

        Parameters
        ----------
        seen : Seen
        n_rows : int
            Most rows. Those of density exp(0), as on a center, are left out.

        Returns
        -------
        list of FarRow
            The farthest first, of equal ones the earlier.
        """
        here = partial(work.farthest, self.em, seen, self.backend.n_threads, n_rows)
        found = [row for of_block in self._map(here) for row in of_block]
        return _different(sorted(found, key=lambda row: (row.log_prob, row.position)), n_rows)

    def least_likely(self, seen: Seen, n_rows: int | ByWeight) -> UnlikelyRows:
        """Return the rows of positive weight that have the lowest densities.

        Parameters
        ----------
        seen : Seen
            With its covariances, unless rows are whole.
        n_rows : int or ByWeight
            Most rows, or the part of the weight that they have. Half of them have the lowest
            log-densities; the others have the lowest ones in comparison with rows of the same
            component, and some are both. Of equal rows, the first are taken.

        Returns
        -------
        UnlikelyRows

        Notes
        -----
        The cost is that of a pass, and for rows with missing numbers or noise of one factorisation
        for each pattern or row. No array has an entry a row. See `mixtura.passes.unlikely` for how
        rows are compared.
        """
        if isinstance(n_rows, ByWeight):
            choose: ByCount | ByWeight = n_rows
        else:
            choose = ByCount((n_rows + 1) // 2, n_rows // 2)
        rows_of, em = self._engine.rows, self.em
        return self._total(partial(unlikely.least_likely, rows_of, em, seen, self.backend, choose))

    def given(self, shares: NDArray[Any], centres: Floats) -> Statistics:
        """Return the statistics under given labels (n,) or responsibilities (n, k)."""
        return self._total(partial(work.given, shares, centres, self.shape, self.backend.n_threads))

    def assigned(self, seen: Seen, centres: Floats) -> Statistics:
        """Return the statistics of rows that belong altogether to their most probable component."""
        return self._total(
            partial(work.assigned, seen, centres, self.shape, self.backend.n_threads)
        )

    def evaluate(self, seen: Seen, **outputs: NDArray[Any]) -> None:
        """Write labels, log_prob or resp of every row into the arrays given, without sums."""
        self._refuse_outputs(outputs)
        for _ in self._map(partial(work.evaluated, self.em, seen, self.backend.n_threads, outputs)):
            pass

    def _refuse_outputs(self, wanted: object) -> None:
        assert wanted is None or not self.source.is_far, "far rows cannot write into arrays here"

    def potentials(self, seeds: Floats, nearest: Floats, after: Floats | None = None) -> Floats:
        """Take the first seed; return the sum of `nearest` if each seed were taken next.

        Parameters
        ----------
        seeds : ndarray of shape (n_seeds, n_features)
            The seed just chosen, and candidates to be the next.
        nearest : ndarray of shape (n_samples,)
            Squared distance of each row to the seeds before; updated with the first of `seeds`,
            unless `after` is given.
        after : ndarray of shape (n_samples, n_seeds), optional
            Gets what each of the seeds would make of `nearest`. Its columns are contiguous.

        Returns
        -------
        ndarray of shape (n_seeds,)
        """
        self._refuse_outputs(nearest)
        return self._total(partial(work.potentials, seeds, nearest, after, self.backend.n_threads))

    def seeds(self, first: float, quantiles: Floats) -> NDArray[np.int64] | None:
        """Return the rows that k-means++ chooses: see `mixtura.reference.Rows.seeds`.

        Returns
        -------
        ndarray of shape (n_seeds,), int64, or None
            None where the rows are not one block in memory.
        """
        if self._kept is None or len(self._kept) > 1:
            return None
        chosen: NDArray[np.int64] = self._kept[0].rows.seeds(
            first, quantiles, self.backend.n_threads
        )
        return chosen

    def record(self) -> list[BoundsRecord]:
        """Return what later passes depend on, to the last bit, besides the rows: one a block."""
        kept = [part.bounds for part in self._kept or ()]
        return [bounds.record() for bounds in kept if isinstance(bounds, CarriedBounds)]

    def restore(self, records: Sequence[BoundsRecord]) -> None:
        """Continue as the pass over the same rows that made these records.

        Raises
        ------
        ValueError
            For records that do not fit the rows.
        """
        kept = self._kept or []
        if len(kept) != len(records):
            raise ValueError(f"there are bounds of {len(records)} blocks for {len(kept)}")
        for (_, rows, bounds), record in zip(kept, records, strict=True):
            assert isinstance(bounds, CarriedBounds)
            bounds.restore(record, rows, self.shape)


def _different(rows: Sequence[FarRow], most: int) -> list[FarRow]:
    """The first of rows, no two with equal numbers."""
    chosen: list[FarRow] = []
    for each in rows:
        if len(chosen) == most:
            break
        if not any(np.array_equal(each.row, other.row, equal_nan=True) for other in chosen):
            chosen.append(each)
    return chosen

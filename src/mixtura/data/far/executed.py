"""Rows that an executor works on: other processes, threads, or processes on other machines.

An executor has a method `submit`, as those of `concurrent.futures` do, or is called as the built-in
`map`. A task reads some blocks of a store, applies a look to each, and returns what that returns:
only paths, parameters and statistics travel. Rows that are arrays in this process are sent.

Sums do not depend on the executor. They are made in the tree of `statistics.total`, whose groups of
2, 4, 8, ... blocks may be added up anywhere; so a task may be one group.
"""

from __future__ import annotations

import copy
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent import futures
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from typing import Any, TypeVar

from numpy.typing import NDArray

from mixtura.data.block import Block
from mixtura.data.elsewhere import Visit
from mixtura.data.frames import described
from mixtura.data.missing import Accepted
from mixtura.data.question import Question
from mixtura.data.source import Mask, Positions, RowSource
from mixtura.data.stored import Reader, StoredRows
from mixtura.data.stores import Piece
from mixtura.limits import limited_threads
from mixtura.shapes import Floats
from mixtura.statistics import total

__all__ = ["ExecutedBlocks", "ExecutedRows", "Executor", "executed"]

Result = TypeVar("Result")
Thing = TypeVar("Thing")
TASKS_PER_WORKER = 2  # handed out at one time: one is worked on, the other waits
TASKS = 64  # handed out at one time where nobody knows how many workers there are
ROUNDS = 4  # of tasks in a pass, at least: with fewer, workers would wait for the last
LARGEST_GROUP = 64  # blocks of a task


def executed(rows: RowSource, executor: Any, block_size: int | None = None) -> RowSource:
    """Return the same rows, for an executor to work on.

    Parameters
    ----------
    rows : RowSource
        What `mixtura.scan` returns.
    executor : concurrent.futures.Executor, or callable
    block_size : int, optional
        Rows of the blocks that are sent, where `rows` are arrays; None is as they are.

    Returns
    -------
    RowSource

    Raises
    ------
    TypeError
        For an executor that is neither, and for rows on a cluster.
    """
    works = Executor(executor)
    if isinstance(rows, StoredRows):
        return ExecutedRows.of(rows, works)
    if rows.in_memory:
        return ExecutedBlocks(rows, works, block_size)
    raise TypeError(
        f"executor must be None for {type(rows).__name__}, which have workers of their own; got "
        f"{described(executor)}. Leave it out."
    )


@dataclass(frozen=True, eq=False)
class Executor:
    """What runs tasks.

    Parameters
    ----------
    inner : concurrent.futures.Executor, or callable
        Called with a function and an iterable where it has no method `submit`. The method `map` of
        an executor stands for the executor.

    Raises
    ------
    TypeError
        For anything else.
    """

    inner: Any

    def __post_init__(self) -> None:
        got = self.inner
        if isinstance(getattr(got, "__self__", None), futures.Executor):
            object.__setattr__(self, "inner", got.__self__)
            return
        kind = type(got)
        if isinstance(got, type) and hasattr(got, "submit"):
            remedy = f"Pass an object of it, {got.__name__}()."
        elif hasattr(got, "submit"):
            return
        elif hasattr(got, "imap"):
            remedy = f"Pass the method imap of the {kind.__name__}."
        elif kind.__module__.partition(".")[0] == "joblib":
            remedy = "Pass joblib.externals.loky.get_reusable_executor()."
        elif callable(got):
            return
        else:
            remedy = "Pass concurrent.futures.ProcessPoolExecutor()."
        raise TypeError(
            f"executor must have a method submit, as those of concurrent.futures have, or be "
            f"called like map; got {described(got)}. {remedy}"
        )

    @property
    def n_tasks(self) -> int:
        """How many tasks are handed out at one time, at most."""
        for name in ("_max_workers", "max_workers", "num_workers"):
            workers = getattr(self.inner, name, None)
            if isinstance(workers, int) and workers > 0:
                return TASKS_PER_WORKER * workers
        return TASKS

    def results(self, tasks: Iterable[Callable[[], Result]], name: str) -> Iterator[Result]:
        """Run some tasks; yield what they return, in order. Those not begun are cancelled at last.

        Raises
        ------
        concurrent.futures.BrokenExecutor
            When a worker died.
        RuntimeError
            When no more tasks are accepted, and where results are lost or in another order.
        TypeError
            For what cannot be sent to another process, and for what is no future.
        """
        if not hasattr(self.inner, "submit"):
            yield from self._mapped(tasks, name)
            return
        running: deque[tuple[Any, Callable[[], Any]]] = deque()
        try:
            for task in tasks:
                running.append((self._submitted(task, name), task))
                if len(running) >= self.n_tasks:
                    yield self._result(running.popleft(), name)
            while running:
                yield self._result(running.popleft(), name)
        except BrokenExecutor:
            running.clear()  # all have failed; Python's own thread trips over those cancelled now
            raise
        finally:
            for future, _ in running:
                future.cancel()

    def _mapped(self, tasks: Iterable[Callable[[], Any]], name: str) -> Iterator[Any]:
        """Call what is like map; each task has a number, which comes back with its result."""

        def wrong(got: str) -> RuntimeError:
            return RuntimeError(
                f"the executor of {name} must return the result of each task, in order, as map "
                f"does; got {got}. Pass a function that does, such as imap of a pool in place of "
                f"imap_unordered."
            )

        numbers, n_results = count(), 0
        numbered = zip(tasks, numbers, strict=False)
        results = self.inner(_numbered, numbered)
        if not isinstance(results, Iterable):
            raise wrong(described(results))
        for got in results:
            if not isinstance(got, _Numbered):
                raise wrong(described(got))
            if got.number != n_results:
                raise wrong(f"that of task {got.number} in place of {n_results}")
            n_results += 1
            yield got.result
        if next(numbered, None) is not None:
            raise wrong(f"those of {n_results} tasks, and there are more")
        if n_results != (n_tasks := next(numbers)):
            raise wrong(f"those of {n_results} of {n_tasks} tasks")

    def _submitted(self, task: Callable[[], Any], name: str) -> Any:
        try:
            future = self.inner.submit(_limited, task)
        except BrokenExecutor as error:
            raise self._broken(error, name) from error
        except RuntimeError as error:
            raise RuntimeError(
                f"the executor of {name} must accept tasks; {type(self.inner).__name__} does not: "
                f"{error}. Scan with a new one, and use the rows before it is shut down."
            ) from error
        if not callable(getattr(future, "result", None)):
            raise TypeError(
                f"submit of {type(self.inner).__name__} must return a future, which has a method "
                f"result; got {described(future)}. Pass concurrent.futures.ProcessPoolExecutor(), "
                f"or a function that is called like map."
            )
        return future

    def _result(self, running: tuple[Any, Callable[[], Any]], name: str) -> Any:
        future, task = running
        try:
            return future.result()
        except BrokenExecutor as error:
            raise self._broken(error, name) from error
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            try:
                pickle.dumps(task)
            except (pickle.PicklingError, TypeError, AttributeError) as reason:
                raise TypeError(
                    f"what a task needs to read {name} must be picklable for "
                    f"{type(self.inner).__name__}; got: {reason}. Pass the path of a file, "
                    f"functions that `def` names at the top of a module, or an executor of threads."
                ) from error
            raise

    def _broken(self, error: BaseException, name: str) -> BrokenExecutor:
        return BrokenExecutor(
            f"the executor of {name} must work until the end; a worker of "
            f"{type(self.inner).__name__} died: it was killed, ran out of memory, or could not "
            f"import mixtura or the main script ({error}). Scan with a new executor and call the "
            f"function again; with checkpoint= a fit continues."
        )


def _limited(task: Callable[[], Result]) -> Result:
    """Run a task; its passes use one thread, unless the user asked for more."""
    with limited_threads(1):
        return task()


@dataclass(frozen=True)
class _Numbered:
    """What a task returned, and the number of the task."""

    number: int
    result: Any


def _numbered(job: tuple[Callable[[], Any], int]) -> _Numbered:
    task, number = job
    return _Numbered(number, _limited(task))


class ExecutedRows(StoredRows):
    """Rows of a store; an executor reads each piece and looks at it."""

    is_far = True
    _executor: Executor

    @classmethod
    def of(cls, rows: StoredRows, executor: Executor) -> ExecutedRows:
        """Return the same rows, for an executor."""
        same = cls.__new__(cls)
        vars(same).update(vars(rows))
        same._executor = executor
        return same

    def map(self, look: Callable[[Block], Result]) -> Iterator[Result]:
        each_alone: Iterator[list[Result]] = self._run(look, 1, list)
        for results in each_alone:
            yield from results

    def total(self, look: Callable[[Block], Result]) -> Result:
        parts: Iterator[Result] = self._run(look, self._group, total)
        return total(parts)

    @property
    def _group(self) -> int:
        """How many blocks a task adds up: a power of two, so that the tree is the same."""
        group = 1
        tasks = ROUNDS * self._executor.n_tasks
        while group < LARGEST_GROUP and len(self.counted) >= 2 * group * tasks:
            group *= 2
        return group

    def _run(
        self,
        look: Callable[[Block], Any],
        size: int,
        combine: Callable[[Iterator[Any]], Result],
    ) -> Iterator[Result]:
        """Combine what a look returns for the blocks of each group."""
        self._refuse_changes()
        visits = self.with_visits(self._pieces(), look)
        tasks = (_Task(self._reader, group, combine) for group in _groups(visits, size))
        yield from self._executor.results(tasks, self.name)
        self._refuse_changes()

    def plain(self) -> ExecutedRows:
        rows = copy.copy(self)
        rows.form = "whole"
        return rows


@dataclass(frozen=True, eq=False)
class _Task:
    """Visits to the blocks of one group, and what is made of their results."""

    reader: Reader
    visits: list[tuple[Piece, Visit]]
    combine: Callable[[Iterator[Any]], Any]

    def __call__(self) -> Any:
        return self.combine(visit(self.reader.block(piece)) for piece, visit in self.visits)


def _groups(things: Iterator[Thing], size: int) -> Iterator[list[Thing]]:
    while group := list(islice(things, size)):
        yield group


class ExecutedBlocks(RowSource):
    """Rows of arrays in this process, which are sent to an executor for passes and predictions.

    What is small work beside sending them is done here.

    Parameters
    ----------
    rows : RowSource
    executor : Executor
    block_size : int, optional
        Most rows that are sent together; None for whole blocks.
    """

    is_far = True

    def __init__(self, rows: RowSource, executor: Executor, block_size: int | None = None) -> None:
        self._rows, self._executor, self._size = rows, executor, block_size
        self.n_samples, self.n_features, self.dtype = rows.n_samples, rows.n_features, rows.dtype
        self.feature_names, self.is_weighted = rows.feature_names, rows.is_weighted
        self.index, self.not_finite, self.form = rows.index, rows.not_finite, rows.form
        self.missing = rows.missing

    def blocks(self) -> Iterator[Block]:
        for block in self._rows.blocks():
            size = self._size or max(1, len(block.X))
            for start in range(0, max(1, len(block.X)), size):
                yield block.part(slice(start, start + size))

    def total(self, look: Callable[[Block], Result]) -> Result:
        return total(self._run(look))

    def answers(self, question: Question) -> Any:
        return self.stacked(question, self._run(question.look))

    def _run(self, look: Callable[[Block], Result]) -> Iterator[Result]:
        return self._executor.results((partial(look, block) for block in self.blocks()), "source")

    def checked(self, missing: Accepted | None = None) -> ExecutedBlocks:
        return self._of(self._rows.checked(missing))

    def subset(self, mask: Mask) -> ExecutedBlocks:
        return self._of(self._rows.subset(mask))

    def reweighted(self, weight: Floats) -> ExecutedBlocks:
        return self._of(self._rows.reweighted(weight))

    def plain(self) -> ExecutedBlocks:
        return self._of(self._rows.plain())

    def gather(self, positions: Positions) -> Block:
        return self._rows.gather(positions)

    def _extended(self, form: str, extras: Mapping[str, NDArray[Any]]) -> ExecutedBlocks:
        return self._of(self._rows.with_extras(form, extras))

    def _of(self, rows: RowSource) -> ExecutedBlocks:
        return ExecutedBlocks(rows, self._executor, self._size)

"""Rows of a store that are read and worked on by an executor: processes, or other machines."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from mixtura.data.block import Block
from mixtura.data.elsewhere import Visit
from mixtura.data.stored import Reader, StoredRows
from mixtura.data.stores import Piece

__all__ = ["ExecutedRows"]

Result = TypeVar("Result")
AHEAD = 16  # pieces that are handed out at one time, at most


class ExecutedRows(StoredRows):
    """Rows of a store; an executor reads each piece and looks at it.

    Parameters
    ----------
    executor : concurrent.futures.Executor, or callable
        With a method `submit`, or called as the built-in `map`.
    """

    is_far = True

    def __init__(self, executor: Any, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._executor = executor

    def map(self, look: Callable[[Block], Result]) -> Iterator[Result]:
        tasks = (
            (self._reader, piece, visit) for piece, visit in self.with_visits(self._pieces(), look)
        )
        if hasattr(self._executor, "submit"):
            return _submitted(self._executor, tasks)
        return iter(self._executor(_visited, tasks))


def _visited(task: tuple[Reader, Piece, Visit]) -> Any:
    reader, piece, visit = task
    return visit(reader.block(piece))


def _submitted(executor: Any, tasks: Iterable[Any]) -> Iterator[Any]:
    """Hand out tasks, some at a time; yield the results in order."""
    running: deque[Any] = deque()
    try:
        for task in tasks:
            running.append(executor.submit(_visited, task))
            if len(running) >= AHEAD:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()

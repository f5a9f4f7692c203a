"""Where Dask computes: on a cluster that has a client, or in threads of this process.

Graphs are made by hand, one for each look at the rows: a task for each group of blocks, and for
sums a tree above them. A task costs some milliseconds of a cluster, so small blocks are grouped.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol
from uuid import uuid4

from mixtura.data.block import Block
from mixtura.data.elsewhere import Visit
from mixtura.limits import limited_threads
from mixtura.statistics import total

__all__ = [
    "Groups",
    "Place",
    "looked_at",
    "n_threads_of_a_task",
    "place_of_work",
    "regrouped",
    "summed",
]

SUMS = 8  # neighbours that are added up in one task: a power of two, as `statistics.total` adds
LARGE = 1 << 16  # bytes of a look; larger ones go to each worker once, others with each task
GROUP_BYTES = 1 << 25  # of blocks in a group: a pass over so many takes longer than Dask's part
ROUNDS = 4  # of tasks that each thread has at least in a pass: with fewer, some wait for the last

Graph = dict[Hashable, Any]


class Place(Protocol):
    """Where blocks are, and where looks at them are computed."""

    @property
    def n_threads(self) -> int:
        """How many tasks run at one time."""

    def kept(self, groups: Sequence[Any]) -> list[Any]:
        """Compute delayed groups once, and keep them there; return what stands for each."""

    def joined(self, groups: Sequence[Sequence[Any]]) -> list[Any]:
        """Make one group of several that are kept, many times; return what stands for each."""

    def packed(self, look: Callable[[Block], Any]) -> Any:
        """Return a look as it travels: the same object is in many tasks."""

    def task(self, work: Callable[..., Any], group: Any, *others: Any) -> Any:
        """Return the task that calls a function with a group that is kept."""

    def results(self, graph: Graph, keys: list[Hashable]) -> list[Any]:
        """Compute a graph; return what some of its tasks return, and forget the rest."""

    def drop(self, kept: Sequence[Any]) -> None:
        """Compute what was to be kept no longer."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Blocks that are kept where they were computed.

    Attributes
    ----------
    place : Place
    kept : list
        What stands for each group there.
    size : int or None
        Blocks in each group but the last: a power of two, so that its sum is a subtree of all. None
        is one, as long as nobody has looked how small blocks are.
    """

    place: Place
    kept: list[Any]
    size: int | None = None

    def part(self, visits: Sequence[Visit], number: int) -> Sequence[Visit]:
        """Return the visits to the blocks of one group."""
        size = self.size or 1
        return visits[number * size : (number + 1) * size]

    def drop(self) -> None:
        """Compute no longer what has not been computed yet."""
        self.place.drop(self.kept)


def place_of_work() -> Place:
    """Return the cluster whose client is there, unless Dask is configured otherwise; else threads.

    Raises
    ------
    TypeError
        For an asynchronous client, which would return before there are results.
    """
    from dask.base import get_scheduler
    from dask.delayed import Delayed

    distributed = sys.modules.get("distributed")
    if distributed is not None:
        with suppress(ValueError):  # without a client
            if distributed.get_client().asynchronous:
                raise TypeError(
                    "the client of Dask must wait for results; got an asynchronous one. Call the "
                    "function where Client(asynchronous=False) is the current client."
                )
    get = get_scheduler(cls=Delayed)
    client = getattr(get, "__self__", None)
    return _Threads(get) if client is None else _Cluster(client)


@dataclass(frozen=True, eq=False)
class _Cluster:
    """The workers of a client."""

    client: Any

    @property
    def n_threads(self) -> int:
        return sum(self.client.nthreads().values())

    def kept(self, groups: Sequence[Any]) -> list[Any]:
        with self._running():
            kept: list[Any] = self.client.compute(list(groups))
        return kept

    def joined(self, groups: Sequence[Sequence[Any]]) -> list[Any]:
        from dask import delayed

        join = delayed(_joined, pure=False)
        return self.kept([join(*group) for group in groups])

    def packed(self, look: Callable[[Block], Any]) -> Any:
        return pickle.dumps(look, protocol=5)

    def task(self, work: Callable[..., Any], group: Any, *others: Any) -> Any:
        return (work, group, *others)

    def results(self, graph: Graph, keys: list[Hashable]) -> list[Any]:
        with self._running():  # in a task, `get` leaves the thread of the task to others
            return list(self.client.get(graph, keys))

    def drop(self, kept: Sequence[Any]) -> None:
        self.client.cancel(list(kept))

    @contextmanager
    def _running(self) -> Iterator[None]:
        """Raise a RuntimeError where the client is closed, or what it keeps was cancelled."""
        try:
            yield
        except Exception as error:
            if self.client.status == "running" and not isinstance(error, CancelledError):
                raise
            raise RuntimeError(
                f"the client of Dask must run, and keep the rows, until the function returns; got: "
                f"{str(error).rstrip('.')}. Call the function again where a client runs; with "
                f"checkpoint= a fit continues."
            ) from error


@dataclass(frozen=True, eq=False)
class _Threads:
    """The threads, or whatever else Dask is configured to use, of this machine."""

    get: Callable[..., Any]

    @property
    def n_threads(self) -> int:
        return _n_local_threads()

    def kept(self, groups: Sequence[Any]) -> list[Any]:
        from dask import compute

        return list(compute(*groups, scheduler=self.get))

    def joined(self, groups: Sequence[Sequence[Any]]) -> list[Any]:
        return [_joined(*group) for group in groups]

    def packed(self, look: Callable[[Block], Any]) -> Any:
        return look

    def task(self, work: Callable[..., Any], group: Any, *others: Any) -> Any:
        return (partial(work, group), *others)  # Dask would look for tasks in the list itself

    def results(self, graph: Graph, keys: list[Hashable]) -> list[Any]:
        return list(self.get(graph, keys))

    def drop(self, kept: Sequence[Any]) -> None:
        """Nothing is being computed."""


def regrouped(groups: Groups, n_bytes: int) -> Groups:
    """Return the same blocks in larger groups, where blocks are small.

    Parameters
    ----------
    groups : Groups
        One for each block.
    n_bytes : int
        Of a block, in the mean.
    """
    place, kept = groups.place, groups.kept
    size, tasks = 1, ROUNDS * max(1, place.n_threads)
    while 2 * size * n_bytes <= GROUP_BYTES and len(kept) >= 2 * size * tasks:
        size *= 2
    if size > 1:
        kept = place.joined([kept[first : first + size] for first in range(0, len(kept), size)])
    return Groups(place, kept, size)


def looked_at(groups: Groups, visits: Sequence[Visit], look: Callable[[Block], Any]) -> list[Any]:
    """Return what a look returns for each block, in order: one graph."""
    graph, keys = _graph(groups, visits, look, list)
    return [result for part in groups.place.results(graph, keys) for result in part]


def summed(groups: Groups, visits: Sequence[Visit], look: Callable[[Block], Any]) -> Any:
    """Return the sum of what a look returns for each block, added up there: one graph.

    The tree is that of `mixtura.statistics.total`, whatever computes it: neighbours in a group, and
    neighbouring sums, are subtrees of it where their number is a power of two.
    """
    graph, keys = _graph(groups, visits, look, total)
    name, level = f"mixtura-sum-{uuid4().hex}", 0
    while len(keys) > 1:
        parts = [keys[first : first + SUMS] for first in range(0, len(keys), SUMS)]
        keys = [(name, level, number) for number in range(len(parts))]
        graph |= {key: (total, part) for key, part in zip(keys, parts, strict=True)}
        level += 1
    return groups.place.results(graph, keys)[0]


def _graph(
    groups: Groups,
    visits: Sequence[Visit],
    look: Callable[[Block], Any],
    combine: Callable[[Iterable[Any]], Any],
) -> tuple[Graph, list[Hashable]]:
    """A graph with a task for each group, and the keys of these."""
    token = uuid4().hex
    graph: Graph = {}
    packed, large = groups.place.packed(look), []
    if isinstance(packed, bytes) and len(packed) >= LARGE:
        large = [f"mixtura-parameters-{token}"]
        graph[large[0]] = (bytes, packed)  # a task, so that it can be repeated
        packed = None
    keys: list[Hashable] = []
    for number, group in enumerate(groups.kept):
        key = (f"mixtura-look-{token}", number)
        own = [replace(visit, look=_nothing) for visit in groups.part(visits, number)]
        work = _Visits(own, combine, packed, len(groups.kept), f"{token}-{number}")
        graph[key] = groups.place.task(work, group, *large)
        keys.append(key)
    return graph, keys


@dataclass(frozen=True, eq=False)
class _Visits:
    """Visits to the blocks of a group, and what is made of their results; for a task.

    Attributes
    ----------
    visits : list of Visit
        They look at nothing: what they look for travels apart from them.
    combine : callable
    look : callable, bytes or None
        None where it is large, and comes as another argument.
    n_tasks : int
    token : str
    """

    visits: list[Visit]
    combine: Callable[[Iterable[Any]], Any]
    look: Any
    n_tasks: int
    token: str

    def __call__(self, blocks: list[Block], large: bytes | None = None) -> Any:
        look = self.look if large is None else large
        if isinstance(look, bytes):
            look = pickle.loads(look)
        with limited_threads(n_threads_of_a_task(self.n_tasks)):
            return self.combine(
                replace(visit, look=look)(block)
                for visit, block in zip(self.visits, blocks, strict=True)
            )

    def __dask_tokenize__(self) -> str:
        return self.token  # else Dask would go through all that is in it


def _nothing(block: Block) -> None:
    """Look at nothing."""


def _joined(*groups: list[Block]) -> list[Block]:
    return [block for group in groups for block in group]


def n_threads_of_a_task(n_tasks: int) -> int:
    """Return the share of a task in the threads of a worker, or of this process, by Dask's word.

    One where there are as many tasks as threads: then each thread has a task.
    """
    distributed = sys.modules.get("distributed")
    if distributed is not None:
        with suppress(ValueError):  # outside a worker
            return max(1, int(distributed.get_worker().state.nthreads) // max(1, n_tasks))
    return max(1, _n_local_threads() // max(1, n_tasks))


def _n_local_threads() -> int:
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)

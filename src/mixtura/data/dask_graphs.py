"""Where Dask computes: on a cluster that has a client, or in threads of this process.

Graphs are made here by hand, one for each look at the rows: a task for each partition, and for sums
a tree above them. So what a pass costs beside its arithmetic is a fixed time for each task.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol
from uuid import uuid4

from mixtura.data.block import Block
from mixtura.data.elsewhere import Visit
from mixtura.limits import limited_threads
from mixtura.statistics import total

__all__ = ["Place", "computed", "n_threads_of_a_task", "place_of_work", "summed"]

GROUP = 8  # neighbours that are added up in one task: a power of two, as `statistics.total` adds
RETRIES = 2  # of reading a partition, where that fails
LARGE = 1 << 16  # bytes of a look; larger ones go to each worker once, others with each task

Graph = dict[Hashable, Any]


class Place(Protocol):
    """Where the partitions are, and where looks at them are computed."""

    def held(self, partitions: Sequence[Any]) -> list[Any]:
        """Compute delayed blocks once, and keep them there; return what stands for each."""

    def visited(self, block: Any, look: Any, visit: Visit, n_tasks: int) -> Any:
        """Return the task that visits a block that is held."""

    def look_in(self, graph: Graph, look: Callable[[Block], Any]) -> Any:
        """Put a look into a graph; return what stands for it in tasks."""

    def results(self, graph: Graph, keys: list[Hashable]) -> list[Any]:
        """Compute a graph; return what some of its tasks return, and forget the rest."""

    def drop(self, held: Sequence[Any]) -> None:
        """Do not compute what is held any more."""


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
        try:
            client = distributed.get_client()
        except ValueError:
            client = None
        if client is not None and client.asynchronous:
            raise TypeError(
                "fits need a Dask client that waits for results; got an asynchronous one. Call "
                "the function where Client(asynchronous=False) is the current client."
            )
    get = get_scheduler(cls=Delayed)
    client = getattr(get, "__self__", None)
    return _Threads(get) if client is None else _Cluster(client)


@dataclass(frozen=True, eq=False)
class _Cluster:
    """The workers of a client."""

    client: Any

    def held(self, partitions: Sequence[Any]) -> list[Any]:
        futures: list[Any] = self.client.compute(list(partitions), retries=RETRIES)
        return futures

    def visited(self, block: Any, look: Any, visit: Visit, n_tasks: int) -> Any:
        return (_visited, block, look, visit, n_tasks)

    def look_in(self, graph: Graph, look: Callable[[Block], Any]) -> Any:
        packed = pickle.dumps(look, protocol=5)
        if len(packed) < LARGE:
            return packed
        key = f"mixtura-parameters-{uuid4().hex}"
        graph[key] = (bytes, packed)
        return key

    def results(self, graph: Graph, keys: list[Hashable]) -> list[Any]:
        return list(self.client.get(graph, keys))

    def drop(self, held: Sequence[Any]) -> None:
        self.client.cancel(list(held))


@dataclass(frozen=True, eq=False)
class _Threads:
    """The threads, or whatever else Dask is configured to use, of this machine."""

    get: Callable[..., Any]

    def held(self, partitions: Sequence[Any]) -> list[Any]:
        import dask

        return list(dask.compute(*partitions, scheduler=self.get))

    def visited(self, block: Any, look: Any, visit: Visit, n_tasks: int) -> Any:
        return (partial(_visited, block), look, visit, n_tasks)  # as a tuple, a block is a task

    def look_in(self, graph: Graph, look: Callable[[Block], Any]) -> Any:  # noqa: ARG002
        return look

    def results(self, graph: Graph, keys: list[Hashable]) -> list[Any]:
        return list(self.get(graph, keys))

    def drop(self, held: Sequence[Any]) -> None:
        """Nothing is being computed."""


def computed(
    place: Place,
    blocks: Sequence[tuple[Any, Visit]],
    look: Callable[[Block], Any],
    n_tasks: int,
) -> list[Any]:
    """Return what a look returns for each block that is held, in order: one graph."""
    graph, keys = _looked_at(place, blocks, look, n_tasks)
    return place.results(graph, keys)


def summed(
    place: Place,
    blocks: Sequence[tuple[Any, Visit]],
    look: Callable[[Block], Any],
    n_tasks: int,
) -> Any:
    """Return the sum of what a look returns for each block, added up there: one graph.

    The tree is that of `mixtura.statistics.total`, whatever computes it: groups of neighbours,
    their number a power of two, are subtrees of it.
    """
    graph, keys = _looked_at(place, blocks, look, n_tasks)
    name = f"mixtura-sum-{uuid4().hex}"
    level = 0
    while len(keys) > 1 or level == 0:
        groups = [keys[first : first + GROUP] for first in range(0, len(keys), GROUP)]
        keys = [(name, level, number) for number in range(len(groups))]
        graph |= {key: (total, group) for key, group in zip(keys, groups, strict=True)}
        level += 1
    return place.results(graph, keys)[0]


def _looked_at(
    place: Place, blocks: Sequence[tuple[Any, Visit]], look: Callable[[Block], Any], n_tasks: int
) -> tuple[Graph, list[Hashable]]:
    """A graph with a task for each block, and the keys of these."""
    graph: Graph = {}
    name = f"mixtura-look-{uuid4().hex}"
    packed = place.look_in(graph, look)
    keys: list[Hashable] = []
    for number, (block, visit) in enumerate(blocks):
        keys.append((name, number))
        graph[name, number] = place.visited(block, packed, replace(visit, look=_nothing), n_tasks)
    return graph, keys


def _nothing(block: Block) -> None:
    """Look at nothing: what a visit looks for travels apart from it."""


def _visited(block: Block, look: Any, visit: Visit, n_tasks: int) -> Any:
    """Visit a block, in a task."""
    if isinstance(look, bytes):
        look = pickle.loads(look)
    with limited_threads(n_threads_of_a_task(n_tasks)):
        return replace(visit, look=look)(block)


def n_threads_of_a_task(n_tasks: int) -> int:
    """Return the share of a task in the threads of a worker, or of this process, by Dask's word.

    One where there are as many tasks as threads: then each thread has a task.
    """
    distributed = sys.modules.get("distributed")
    if distributed is not None:
        with suppress(ValueError):  # outside a worker
            return max(1, int(distributed.get_worker().state.nthreads) // max(1, n_tasks))
    from dask.system import CPU_COUNT

    return max(1, int(CPU_COUNT) // max(1, n_tasks))

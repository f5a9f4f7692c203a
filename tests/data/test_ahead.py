"""Reading ahead: order, errors, threads that end, and how much there is at one time."""

import gc
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from mixtura.data import Block, looks, open_rows, scan
from mixtura.data.ahead import read_ahead
from mixtura.data.frames import Table


class Thing:
    """Something large that is read."""


def readers() -> list[threading.Thread]:
    """Threads that read ahead."""
    return [each for each in threading.enumerate() if each.name == "mixtura-read-ahead"]


def test_results_come_in_order() -> None:
    assert list(read_ahead(partial(int, n) for n in range(50))) == list(range(50))
    assert list(read_ahead([])) == []
    assert not readers()


def test_another_thread_reads() -> None:
    (there,) = read_ahead([threading.get_ident])
    assert there != threading.get_ident()


def test_exceptions_may_be_results() -> None:
    error = ValueError("a result")
    assert list(read_ahead([lambda: error])) == [error]


class Broken(BaseException):
    """Whatever goes wrong, of any class."""


@pytest.mark.parametrize("error", [ValueError("broken"), Broken("broken"), StopIteration()])
def test_errors_of_a_reader_are_raised_in_their_place(error: BaseException) -> None:
    def fail() -> int:
        raise error

    got = []
    # A generator cannot raise StopIteration, which would look like its end.
    expected = RuntimeError if isinstance(error, StopIteration) else type(error)
    with pytest.raises(expected) as raised:  # noqa: PT012
        for number in read_ahead([lambda: 1, lambda: 2, fail, lambda: 3]):
            got.append(number)  # noqa: PERF402
    assert got == [1, 2]
    assert error in (raised.value, raised.value.__cause__)
    assert not readers()


def test_errors_between_readers_are_raised_in_their_place() -> None:
    def pieces() -> Iterator[Callable[[], int]]:
        yield lambda: 1
        raise ValueError("no more pieces")

    ahead = read_ahead(pieces())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="no more pieces"):
        next(ahead)
    assert not readers()


def endless() -> Iterator[Callable[[], Thing]]:
    while True:
        yield Thing


def test_thread_ends_when_the_iterator_is_closed_or_given_up() -> None:
    ahead = read_ahead(endless())
    next(ahead)
    assert len(readers()) == 1
    ahead.close()
    assert not readers()
    ahead = read_ahead(endless())
    next(ahead)
    del ahead
    gc.collect()
    assert not readers()


def test_thread_ends_when_the_consumer_raises() -> None:
    def consume() -> None:
        for _ in read_ahead(endless()):
            raise Broken

    with pytest.raises(Broken):
        consume()
    gc.collect()
    assert not readers()


@pytest.mark.parametrize("has_begun", [True, False])
def test_thread_ends_where_ctrl_c_comes_while_it_begins(
    has_begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = threading.Thread.start
    begun: list[threading.Thread] = []

    def interrupted(thread: threading.Thread) -> None:
        if has_begun:
            begin(thread)
            begun.append(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(read_ahead(endless()))
    assert len(begun) == has_begun
    assert not readers()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_process_is_told_to_begin_anew() -> None:
    ahead = read_ahead(endless())
    next(ahead)
    child = os.fork()
    if child == 0:
        try:
            next(ahead)
        except RuntimeError as error:
            os._exit(0 if "Begin to read anew" in str(error) else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert next(ahead)
    ahead.close()


def test_nothing_is_read_before_it_is_asked_for() -> None:
    read_ahead(endless())
    assert not readers()


class Census:
    """Counts how many things there are whenever another one is made."""

    def __init__(self, n_things: int) -> None:
        self._alive: set[int] = set()
        self._left = n_things
        self.made, self.most = threading.Semaphore(0), 0

    def count(self, thing: object) -> None:
        number = self._left = self._left - 1
        self._alive.add(number)
        weakref.finalize(thing, self._alive.discard, number)
        self.most = max(self.most, len(self._alive))
        self.made.release()

    def wait(self, n_used: int, n_things: int) -> None:
        """Wait until the reader is as far ahead of the one in use as it may be."""
        for _ in range(3 if n_used == 0 else int(n_used + 2 < n_things)):
            self.made.acquire()


N = 20


def test_three_results_exist_at_most_and_so_many_are_made_ahead() -> None:
    census = Census(N)

    def make() -> Thing:
        thing = Thing()
        census.count(thing)
        return thing

    ahead = read_ahead([make] * N)
    for number in range(N):
        thing = next(ahead)
        census.wait(number, N)
        assert isinstance(thing, Thing)
        del thing
    assert census.most == 3


def test_pass_gives_up_a_block_before_it_waits_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read_now(readers: Iterator[Callable[[], Block]]) -> Iterator[Block]:
        for reader in readers:
            box = [reader()]
            last = weakref.ref(box[0].X)
            yield box.pop()
            assert last() is None

    monkeypatch.setattr("mixtura.data.stored.read_ahead", read_now)
    rows = open_rows(scan(lambda: [np.ones((1000, 2))] * 3))
    for known in (False, True):
        assert rows.total(looks.count_missing) == 0
        if not known:
            assert rows.n_rows == 3000


class Waiting:
    """A look at some rows that takes as long as it takes to read ahead."""

    def __init__(self, census: Census) -> None:
        self._census, self._n_seen = census, 0

    def __call__(self, block: Block) -> int:
        self._census.wait(self._n_seen, N)
        self._n_seen += 1
        return len(block.X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_three_blocks_exist_at_most_in_a_pass(dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    census, of_the_function = [Census(N)], weakref.WeakSet[Any]()
    owned = Table.owned

    def counted(table: Table) -> Table:
        copy = owned(table)
        census[0].count(copy._array)
        return copy

    monkeypatch.setattr(Table, "owned", counted)

    def make() -> Iterator[Any]:
        for _ in range(N):
            box = [Frame(np.ones((1000, 2), dtype))]
            of_the_function.add(box[0])
            yield box.pop()
            assert not of_the_function  # a copy was made

    rows = open_rows(scan(make))
    for known in (False, True):
        census[0] = Census(N)
        assert rows.total(Waiting(census[0])) == 1000 * N
        # Whole numbers are given up as soon as they are floats.
        assert census[0].most <= 3
        assert census[0].most == 3 or dtype == np.int64
        if not known:
            assert rows.n_rows == 1000 * N


class Frame:
    """An array that can be put into a set of things without keeping it."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        return self._array

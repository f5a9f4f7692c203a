"""Ctrl-C, and signals at large: heard within a pass, with nothing lost that was done."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import numpy as np
import pytest
from clusters import clustered
from helpers import assert_same_bits, random_mixture

from mixtura import kernels
from mixtura.statistics import Floats, Statistics

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="no alarms on this platform"
)


class Alarm(Exception):
    """What the handler raises."""


@contextmanager
def alarm(*, raising: bool) -> Iterator[list[None]]:
    """Let a signal come soon, and again and again; each one that is handled leaves an entry."""
    heard: list[None] = []

    def handle(_number: int, _frame: FrameType | None) -> None:
        heard.append(None)
        if raising:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise Alarm

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        yield heard
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def accumulate(X: Floats, n_threads: int) -> Statistics:
    """One pass, without the checks that would read all rows beforehand."""
    mixture = random_mixture(np.random.default_rng(0), "full", 3, X.shape[1])
    return kernels.Rows(X).accumulate(
        mixture.weights, mixture.means, mixture.factors, "full", n_threads
    )


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_pass_of_many_hours_ends_when_a_signal_handler_raises(n_threads: int) -> None:
    endless = np.broadcast_to(np.zeros((1, 8)), (10**13, 8))
    with pytest.raises(Alarm), alarm(raising=True):
        accumulate(endless, n_threads)
    X = clustered(3000, 8, 3)[0]
    assert_same_bits(accumulate(X, n_threads), accumulate(X, 1))


@pytest.mark.parametrize("n_threads", [1, 2])
def test_signal_handlers_that_return_change_no_bit(n_threads: int) -> None:
    X = np.broadcast_to(clustered(1, 8, 1)[0], (20_000_000, 8))
    expected = accumulate(X, 1)
    with alarm(raising=False) as heard:
        assert_same_bits(accumulate(X, n_threads), expected)
    assert heard

"""Time works in turns, so that a change in the machine's mood meets all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from typing import Any, TypeVar

Key = TypeVar("Key")
AGAIN = 4  # times at most that slopes are measured, where one is not above zero
Work = Callable[[], float]  # does it once, and returns the seconds that it took


def timed(call: Callable[..., Any], *arguments: Any, clock: Callable[[], float]) -> float:
    """Seconds of one call."""
    begun = clock()
    call(*arguments)
    return clock() - begun


def in_turns(works: Mapping[Key, Work], patience: float, rounds: int = 3) -> dict[Key, float]:
    """Return the least seconds of each work.

    Each has `rounds` turns, and more while its turns have taken less than `patience` seconds.
    """
    least, spent = dict.fromkeys(works, math.inf), dict.fromkeys(works, 0.0)
    turn = 0
    while due := [key for key in works if turn < rounds or spent[key] < patience]:
        for key in due:
            begun = time.perf_counter()
            least[key] = min(least[key], works[key]())
            spent[key] += time.perf_counter() - begun
        turn += 1
    return least


def slopes(
    runs: Mapping[str, Callable[[int], float]],
    counts: tuple[int, int],
    patience: float,
    rounds: int = 3,
    once: Mapping[str, Work] | None = None,
) -> dict[str, float]:
    """Return the seconds of one iteration: the slope between two numbers of iterations.

    What is done once, such as checks and conversions, cancels. A run takes the number of
    iterations, and returns its seconds. The works in `once` take turns with the runs, and their
    seconds are returned as they are.
    """
    works: dict[tuple[str, int], Work] = {
        (name, n): partial(runs[name], n) for name, n in product(runs, counts)
    }
    once = once or {}
    works |= {(name, 0): work for name, work in once.items()}
    short, long = counts
    least = dict.fromkeys(works, math.inf)
    for _ in range(AGAIN):
        more = in_turns(works, patience, rounds)
        least = {key: min(least[key], more[key]) for key in works}
        found = {name: (least[name, long] - least[name, short]) / (long - short) for name in runs}
        if min(found.values()) > 0:
            break
    assert min(found.values()) > 0, (
        f"{long} iterations must take longer than {short}; got {found} seconds for one. "
        "Use a quieter machine."
    )
    return found | {name: least[name, 0] for name in once}


def compute_time() -> float:
    """Seconds of CPU time of this process: the clock for work on one thread."""
    return time.process_time()


def wall_time() -> float:
    """Seconds that go by: the clock for work on several threads."""
    return time.perf_counter()

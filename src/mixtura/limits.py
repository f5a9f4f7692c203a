"""How many threads a pass may use where other tasks work beside it: of an executor or cluster."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["limited_threads", "thread_limit"]

_limits = threading.local()


@contextmanager
def limited_threads(n_threads: int | None) -> Iterator[None]:
    """Let passes that this Python thread makes use at most so many threads; None is no limit.

    A number of threads that the user asked for counts for more.
    """
    before = thread_limit()
    _limits.n_threads = n_threads
    try:
        yield
    finally:
        _limits.n_threads = before


def thread_limit() -> int | None:
    """Return the limit of this Python thread; None where there is none."""
    limit: int | None = getattr(_limits, "n_threads", None)
    return limit

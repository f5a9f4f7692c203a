"""Reading ahead: the next piece is read by a thread while the last one is worked on."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

__all__ = ["read_ahead"]

Result = TypeVar("Result")
WAIT = 0.1  # seconds after which a reader that has to wait looks whether anybody still wants more


def read_ahead(readers: Iterable[Callable[[], Result]]) -> Iterator[Result]:
    """Call some functions in another thread, one after the other; yield what they return in order.

    Three results exist at one time at most: the one that was yielded last, one that is ready, and
    one that is being read. An error in a function is raised here, in its place. The thread ends
    when all are called, or when the iterator is closed or given up.

    Raises
    ------
    RuntimeError
        In a process that was forked since the first call: no thread reads there.
    """
    ready: queue.Queue[tuple[bool, Result | BaseException | None]] = queue.Queue(maxsize=1)
    stopped = threading.Event()

    def hand_over(is_result: bool, value: Result | BaseException | None) -> bool:
        """Put something into the queue, unless nobody wants it."""
        while not stopped.is_set():
            try:
                ready.put((is_result, value), timeout=WAIT)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for reader in readers:
                if not hand_over(True, reader()):
                    return
            hand_over(False, None)
        except BaseException as error:  # whatever it is, it belongs to the thread that waits
            hand_over(False, error)

    thread = threading.Thread(target=read, name="mixtura-read-ahead", daemon=True)
    process = os.getpid()
    try:
        thread.start()  # which waits, so that Ctrl-C may come when the thread has begun
        while True:
            if os.getpid() != process:  # before its locks are asked for, which nobody would release
                raise RuntimeError(
                    "rows must be read by the process that has begun to read them; this one was "
                    "forked since, and no thread reads here. Begin to read anew in this process."
                )
            is_result, value = ready.get()
            if isinstance(value, BaseException) and not is_result:
                try:
                    raise value
                finally:
                    del value  # its traceback refers to this frame
            if not is_result:
                return
            yield value  # type: ignore[misc]
            del value  # so that it is not kept while the next one is waited for
    finally:
        stopped.set()
        if thread.is_alive():  # not where it never began, nor after a fork
            thread.join()

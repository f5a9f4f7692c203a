"""Progress of long work on standard error: lines of text, or a bar.

Work tells a `Progress` what is done. Whether and when something is shown, and how, is decided here:
always (True), as a bar ("bar"), or on a terminal after two seconds of work (None). A thread shows
that work goes on where nothing is done for long.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal, NamedTuple, Protocol, Self

import numpy as np

from mixtura.data.frames import described
from mixtura.schedules import Outcome, State

__all__ = ["Counter", "FitProgress", "KMeansProgress", "Progress", "Verbose", "check_verbose"]

Verbose = bool | Literal["bar"] | None
SECONDS_BETWEEN_LINES = 0.5
SECONDS_OF_SILENCE = 10.0  # after which long work is reported
UNWRITABLE = (OSError, ValueError)  # a full disk, a closed file: no reason to lose the work
SECONDS_UNTIL_SHOWN = 2.0  # of work, before a terminal shows it unasked; and between lines then


def check_verbose(verbose: object) -> Verbose:
    """What `verbose` asks for."""
    if verbose is None or (isinstance(verbose, str) and verbose == "bar"):
        return verbose  # type: ignore[return-value]
    if isinstance(verbose, bool | np.bool_):
        return bool(verbose)
    raise (ValueError if isinstance(verbose, str) else TypeError)(
        f'verbose must be True, False, None or "bar"; got {described(verbose)}. Use None for '
        f"progress on a terminal after {SECONDS_UNTIL_SHOWN:g} seconds, True for lines, False for "
        f"nothing."
    )


def import_tqdm() -> Any:
    """Return tqdm's bar for a notebook or a terminal, wherever this runs."""
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError(
            'verbose="bar" needs tqdm, which is not installed. '
            "Install it with: pip install 'mixtura[progress]'."
        ) from error
    if hasattr(tqdm, "_lock"):
        return tqdm
    # The lock that tqdm makes for its first bar settles how multiprocessing starts processes.
    return type("tqdm", (tqdm,), {"_lock": threading.RLock()})


def is_terminal() -> bool:
    """Whether somebody may be looking at standard error."""
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False


class Step(NamedTuple):
    """What is done, as it is shown: `line` without a bar, the others beside one."""

    line: str
    stage: str
    unit: str
    done: int
    total: int | None
    text: str


class Display(Protocol):
    """A way to show progress."""

    pause: float  # seconds between two steps that are shown

    def show(self, step: Step) -> None:
        """Show what is done."""

    def wait(self, line: str) -> None:
        """Show that something is under way."""

    def close(self) -> None:
        """Show no more."""


class Lines:
    """Lines of text."""

    def __init__(self, pause: float) -> None:
        self.pause = pause

    def show(self, step: Step) -> None:
        self.wait(step.line)

    def wait(self, line: str) -> None:
        sys.stderr.write(f"mixtura: {line}\n")
        sys.stderr.flush()

    def close(self) -> None:
        pass


class Bar:
    """A tqdm bar in a notebook or a terminal, one for each stage; the last one may be left."""

    pause = 0.0  # tqdm has one of its own

    def __init__(self, *, leave: bool) -> None:
        self._tqdm, self._leave = import_tqdm(), leave
        self._bar: Any = None
        self._stage = ""

    def show(self, step: Step) -> None:
        with self._unlocked_on_errors():
            if self._bar is None or self._stage != step.stage:
                self._stage = step.stage
                self._draw(
                    desc=f"mixtura {step.stage}",
                    unit=step.unit,
                    total=step.total,
                    initial=max(0, step.done - 1),
                )
            self._bar.set_postfix_str(step.text, refresh=False)
            self._bar.update(step.done - self._bar.n)

    def wait(self, line: str) -> None:
        with self._unlocked_on_errors():
            if self._bar is not None and self._stage:
                self._bar.refresh()  # updates the clock in it
            elif not self._leave:
                self._draw(desc=f"mixtura: {line}", bar_format="{desc}")

    def _draw(self, **options: Any) -> None:
        """Draw a new bar; only when it is ours to close, as a bar that fails keeps its line."""
        self.close()
        self._bar = self._tqdm(leave=self._leave, delay=1e-9, **options)
        self._bar.refresh()

    def close(self) -> None:
        with self._unlocked_on_errors():
            if self._bar is not None:
                self._bar.close()

    @contextmanager
    def _unlocked_on_errors(self) -> Iterator[None]:
        """Release tqdm's lock, which it keeps for ever when Ctrl-C or an error comes in a write."""
        try:
            yield
        except BaseException:
            lock = self._tqdm.get_lock()
            for each in getattr(lock, "locks", [lock]):
                with suppress(AssertionError, RuntimeError, ValueError):  # not held by this thread
                    each.release()
            raise


def _display_of_a_terminal() -> Display:
    """A bar that disappears in the end; lines without tqdm."""
    try:
        return Bar(leave=False)
    except ImportError:
        return Lines(SECONDS_UNTIL_SHOWN)


class Progress:
    """Shows the progress of some work, inside a `with` or between `start` and `close`.

    Parameters
    ----------
    verbose : bool, "bar" or None
        As the functions take it, checked.

    Raises
    ------
    ImportError
        For "bar" without tqdm.
    """

    def __init__(self, verbose: Verbose) -> None:
        self.verbose = verbose
        self._started = self._reported = self._since = time.monotonic()
        self._display: Display | None = None
        if isinstance(verbose, str):
            self._display = Bar(leave=True)
        elif verbose:
            self._display = Lines(SECONDS_BETWEEN_LINES)
        wanted = is_terminal() if verbose is None else bool(verbose)
        self._silent = not wanted or sys.stderr is None
        self._closed = threading.Event()
        self._showing = threading.Lock()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:  # Ctrl-C, when the thread has started already
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Watch for long work, in a thread that ends after `close`."""
        if not self._silent:
            threading.Thread(target=self._watch, name="mixtura progress", daemon=True).start()

    def close(self) -> None:
        """Show no more."""
        self._closed.set()
        with self._showing, suppress(*UNWRITABLE):
            if self._display is not None:
                self._display.close()

    def finish(self, line: str) -> None:
        """Write a last line, where progress was asked for."""
        if self.verbose and not self._silent:
            with suppress(*UNWRITABLE):
                Lines(0.0).wait(line)

    def _done(self, step: Callable[[float], Step]) -> None:
        """Show what is done if it is time; `step` is made from the seconds since the beginning."""
        now = self._since = time.monotonic()
        pause = SECONDS_UNTIL_SHOWN if self._display is None else self._display.pause
        if now - self._reported >= pause:
            self._reported = now
            self._on_display(lambda display: display.show(step(now - self._started)))

    def _on_display(self, show: Callable[[Display], None]) -> None:
        with self._showing, suppress(*UNWRITABLE):
            if self._closed.is_set():
                return
            if self._display is None:
                self._display = _display_of_a_terminal()
            show(self._display)

    def _watch(self) -> None:
        wait = SECONDS_BETWEEN_LINES if self._display is None else SECONDS_OF_SILENCE
        while not self._closed.wait(wait):
            silence = SECONDS_UNTIL_SHOWN if self._display is None else SECONDS_OF_SILENCE
            now = time.monotonic()
            # Where something is done all the time, it is shown then.
            if now - self._reported >= silence and now - self._since >= SECONDS_BETWEEN_LINES:
                self._report_wait(now - self._since)
            if self._display is not None:
                wait = SECONDS_OF_SILENCE

    def _report_wait(self, seconds: float) -> None:
        line = self._under_way(f"under way for {seconds:.1f} s")
        self._on_display(lambda display: display.wait(line))

    def _under_way(self, since: str) -> str:
        """Name what is being done now."""
        raise NotImplementedError


class FitProgress(Progress):
    """Progress of `fit_gmm`: runs of the search for a start, then iterations.

    Parameters
    ----------
    verbose : bool, "bar" or None
    reads : bool
        Whether the rows are not in memory: before any run, they are read several times.
    """

    def __init__(self, verbose: Verbose, *, reads: bool = False) -> None:
        super().__init__(verbose)
        self._reads = reads
        self._iteration = self._runs = 0
        self._best = -np.inf
        self._took = 0.0

    def report_run(self, outcome: Outcome) -> None:
        """Report a run of the search for a start, from a start or after a move."""
        if self._silent:
            return
        self._runs += 1
        objective = outcome.history[-1] if outcome.history else -np.inf
        self._best = max(self._best, objective)
        self._done(
            lambda seconds: Step(
                f"run {self._runs} of the search: objective {objective:.6f} nats per row, best "
                f"{self._best:.6f}, {seconds:.1f} s",
                "search", "run", self._runs, None, f"objective {objective:.6f}",
            )
        )  # fmt: skip

    def __call__(self, state: State) -> None:
        """Report an iteration."""
        if self._silent:
            return
        self._iteration, before = state.iteration, self._since
        about = "the gain not yet predicted"
        if math.isfinite(state.predicted_gain):
            about = f"about {state.predicted_gain:.1e} to gain"
        self._done(
            lambda seconds: Step(
                f"iteration {state.iteration}: objective {state.objective:.6f} nats per row, "
                f"{about}, {seconds:.1f} s",
                "iterations", "it", state.iteration, None,
                f"objective {state.objective:.6f}, {about}",
            )
        )  # fmt: skip
        self._took = self._since - before

    def _under_way(self, since: str) -> str:
        if not self._iteration:
            reads = self._reads and not self._runs
            return f"{'reading the rows' if reads else 'the start'} {since}"
        return f"iteration {self._iteration + 1} {since} (the last took {self._took:.1f} s)"


class KMeansProgress(Progress):
    """Progress of `fit_kmeans`: iterations of all runs."""

    def __init__(self, verbose: Verbose) -> None:
        super().__init__(verbose)
        self._run = self._iteration = 0

    def __call__(self, n_iter: int, inertia: float) -> None:
        """Report an iteration of a run, counted from 1."""
        if self._silent:
            return
        self._run += n_iter == 1
        self._iteration += 1
        text = f"run {self._run}, iteration {n_iter}: inertia {inertia:.6g}"
        self._done(
            lambda seconds: Step(
                f"{text}, {seconds:.1f} s", "iterations", "it", self._iteration, None, text
            )
        )

    def _under_way(self, since: str) -> str:
        return f"iteration {self._iteration + 1} of all runs {since}"


class Counter(Progress):
    """Progress of many fits: how many of them are done.

    Parameters
    ----------
    total : int
    what : str
        One of them.
    verbose : bool, "bar" or None
    """

    def __init__(self, total: int, what: str, verbose: Verbose) -> None:
        super().__init__(verbose)
        self._total, self._what, self._count = total, what, 0

    def start(self) -> None:
        super().start()
        if isinstance(self.verbose, str) and not self._silent:
            self._show("")  # a bar of which nothing is done

    def __call__(self, name: str) -> None:
        """Count one that is done; the last is shown at any time where progress was asked for."""
        if self._silent:
            return
        self._count += 1
        if self.verbose and self._count == self._total:
            self._reported = -np.inf
        self._show(name)

    def _show(self, name: str) -> None:
        self._done(
            lambda _: Step(
                f"{self._count} of {self._total} {self._what}s: {name}",
                f"{self._what}s", self._what, self._count, self._total, name,
            )
        )  # fmt: skip

    def _under_way(self, since: str) -> str:
        if self._count == self._total:
            return f"after {self._count} of {self._total} {self._what}s: more work {since}"
        return f"{self._what} {self._count + 1} of {self._total} {since}"

"""Progress of a fit or a selection on standard error: lines of text, or a bar."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, Literal, Self

import numpy as np

from mixtura.schedules import Outcome, State

__all__ = ["Bar", "ModelCount", "Progress", "Verbose", "new_progress"]

Verbose = bool | Literal["bar"]
SECONDS_BETWEEN_LINES = 0.5
SECONDS_OF_SILENCE = 10.0  # after which a long pass is reported


def new_progress(verbose: Verbose) -> Progress | None:
    """Return the progress report that `verbose` asks for; None for no report."""
    if isinstance(verbose, str):
        return Bar()
    return Progress() if verbose else None


def import_tqdm() -> Any:
    """Return tqdm's bar for a notebook or a terminal, wherever this runs."""
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError(
            'verbose="bar" needs tqdm, which is not installed. '
            "Install it with: pip install 'mixtura[progress]'."
        ) from error
    return tqdm


def write(line: str) -> None:
    """Write a line to standard error, at once."""
    sys.stderr.write(f"mixtura: {line}\n")
    sys.stderr.flush()


class Progress:
    """Writes lines to standard error: at most two a second, at least one in ten seconds."""

    def __init__(self) -> None:
        self._started = self._reported = self._since = time.monotonic()
        self._iteration = self._runs = 0
        self._best = -np.inf
        self._took = 0.0
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="mixtura progress", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def report_run(self, outcome: Outcome) -> None:
        """Report a brief run from an automatic start, if it is time."""
        self._runs += 1
        objective = outcome.history[-1] if outcome.history else -np.inf
        self._best = max(self._best, objective)
        self._show_run(objective)

    def __call__(self, state: State) -> None:
        """Report an iteration, if it is time."""
        now = time.monotonic()
        self._iteration, self._took, self._since = state.iteration, now - self._since, now
        self._show_iteration(state, now)

    def _show_run(self, objective: float) -> None:
        now = self._since = time.monotonic()
        if now - self._reported >= SECONDS_BETWEEN_LINES:
            self._reported = now
            self.write(
                f"run {self._runs} of the starts: objective {objective:.6f} nats per row, "
                f"best {self._best:.6f}, {now - self._started:.1f} s"
            )

    def _show_iteration(self, state: State, now: float) -> None:
        if now - self._reported >= SECONDS_BETWEEN_LINES:
            self._reported = now
            self.write(
                f"iteration {state.iteration}: objective {state.objective:.6f} nats per row, "
                f"about {state.predicted_gain:.1e} to gain, {now - self._started:.1f} s"
            )

    def _watch(self) -> None:
        while not self._closed.wait(SECONDS_OF_SILENCE):
            self._report_wait()

    def _report_wait(self) -> None:
        now = time.monotonic()
        if now - self._reported >= SECONDS_OF_SILENCE:
            what = f"iteration {self._iteration + 1}" if self._iteration else "the start"
            last = f" (the last took {self._took:.1f} s)" if self._iteration else ""
            self.write(f"{what} under way for {now - self._since:.1f} s{last}")

    def write(self, line: str) -> None:
        """Write a line at once."""
        write(line)

    def close(self) -> None:
        """Stop reporting long passes."""
        self._closed.set()


class Bar(Progress):
    """A tqdm bar in a notebook or a terminal: one for the starts, one for the iterations."""

    def __init__(self) -> None:
        self._tqdm = import_tqdm()
        self._bar: Any = None
        super().__init__()

    def _show_run(self, objective: float) -> None:
        self._advance("starts", "run", self._runs, f"objective {objective:.6f}")

    def _show_iteration(self, state: State, now: float) -> None:  # noqa: ARG002
        text = f"objective {state.objective:.6f}, about {state.predicted_gain:.1e} to gain"
        self._advance("iterations", "it", state.iteration, text)

    def _advance(self, what: str, unit: str, done: int, text: str) -> None:
        title = f"mixtura {what}"
        if self._bar is None or self._bar.desc.rstrip(": ") != title:
            if self._bar is not None:
                self._bar.close()
            self._bar = self._tqdm(desc=title, unit=unit, initial=done - 1)
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(done - self._bar.n)

    def _report_wait(self) -> None:
        if self._bar is not None:
            self._bar.refresh()  # updates the clock in it

    def close(self) -> None:
        super().close()
        if self._bar is not None:
            self._bar.close()


class ModelCount:
    """Counts the models of a selection, and reports one now and then."""

    def __init__(self, n_models: int, verbose: Verbose) -> None:
        self._verbose, self._bar = verbose, None
        if isinstance(verbose, str):
            self._bar = import_tqdm()(desc="mixtura models", unit="model", total=n_models)
        self._n_models, self._done, self._reported = n_models, 0, time.monotonic()

    def __call__(self, model: str) -> None:
        """Count a model that is done."""
        self._done += 1
        now = time.monotonic()
        last = self._done == self._n_models
        if self._bar is not None:
            self._bar.set_postfix_str(model, refresh=False)
            self._bar.update()
        elif self._verbose and (last or now - self._reported >= SECONDS_BETWEEN_LINES):
            self._reported = now
            write(f"{self._done} of {self._n_models} models: {model}")

    def close(self) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()

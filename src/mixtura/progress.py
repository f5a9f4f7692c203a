"""A line about a fit now and then, for people who wait."""

from __future__ import annotations

import sys
import time

from mixtura.em import State

__all__ = ["Progress"]

SECONDS_BETWEEN_LINES = 0.5


class Progress:
    """Writes one line to standard error at most twice a second, and one at the end."""

    def __init__(self) -> None:
        self._begun = self._told = time.monotonic()

    def __call__(self, state: State) -> None:
        """Tell of an iteration, if it is time."""
        now = time.monotonic()
        if now - self._told >= SECONDS_BETWEEN_LINES:
            self._told = now
            self.write(
                f"iteration {state.iteration}: objective {state.objective:.6f} nats per row, "
                f"about {state.predicted_gain:.1e} to gain, {now - self._begun:.1f} s"
            )

    def write(self, line: str) -> None:
        """Write a line at once."""
        sys.stderr.write(f"mixtura: {line}\n")
        sys.stderr.flush()

"""Which engine makes the passes, and on how many threads."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from mixtura import kernels, reference
from mixtura.algebra import Algebra
from mixtura.data import Block
from mixtura.shapes import Floats

__all__ = ["BACKENDS", "Backend", "BackendName"]

BackendName = Literal["compiled", "reference"]
BACKENDS: dict[BackendName, ModuleType] = {"compiled": kernels, "reference": reference}


@dataclass(frozen=True)
class Backend:
    """The functions that work on rows and on many small matrices.

    Parameters
    ----------
    name : {"compiled", "reference"}
        The compiled kernels, or the same functions in plain NumPy.
    n_threads : int or None
        Threads of each pass; None for as many as are useful.
    """

    name: BackendName = "compiled"
    n_threads: int | None = None

    def rows(
        self, form: str, block: Block, centre: Floats | None = None, *, single: bool = False
    ) -> Any:
        """Return what makes passes over a block of some form, about a centre or in floats."""
        rows = self.form(form)
        return rows(block.X, block.sample_weight, centre, single=single, **block.extras)

    def form(self, name: str) -> Any:
        """Return the engine's class for rows of a form; the reference's where none is compiled."""
        return BACKENDS[self.name].FORMS.get(name, reference.FORMS[name])

    @property
    def engine(self) -> Any:
        """The module of the functions."""
        return BACKENDS[self.name]

    @property
    def algebra(self) -> Algebra:
        """The engine's functions on small matrices."""
        algebra: Algebra = self.engine
        return algebra

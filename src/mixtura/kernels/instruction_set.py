"""The compiled modules for the best instruction set that the CPU has, chosen once, at import.

The kernels are compiled once for each instruction set. The environment variable
``MIXTURA_INSTRUCTION_SET`` forces one of those that ``build_config()["instruction_sets"]`` lists.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Final

from mixtura._build_config import BUILD_CONFIG
from mixtura.data.checks import check_option
from mixtura.kernels.threads import runtime

__all__ = [
    "INSTRUCTION_SET",
    "IncompleteRows",
    "NoisyRows",
    "Rows",
    "best_splits",
    "compiled_hierarchical",
    "compiled_kernels",
    "densest",
    "entropies",
    "losses_of_rows",
    "runnalls",
]


def _choose_instruction_set() -> str:
    """The best instruction set that was compiled and that the CPU has, or the forced one."""
    compiled: tuple[str, ...] = BUILD_CONFIG["instruction_sets"]
    usable = [s for s in compiled if s <= runtime.INSTRUCTION_SET] or compiled[:1]
    forced = os.environ.get("MIXTURA_INSTRUCTION_SET")
    if not forced:
        return max(usable)
    check_option("MIXTURA_INSTRUCTION_SET", forced, usable)
    return forced


INSTRUCTION_SET = _choose_instruction_set()
if TYPE_CHECKING:
    from mixtura.kernels import _hierarchical as compiled_hierarchical
    from mixtura.kernels import _kernels as compiled_kernels
else:
    _module = "mixtura.kernels._{}_" + INSTRUCTION_SET
    compiled_kernels = importlib.import_module(_module.format("kernels"))
    compiled_hierarchical = importlib.import_module(_module.format("hierarchical"))
Rows = compiled_kernels.Rows
IncompleteRows = compiled_kernels.IncompleteRows
NoisyRows = compiled_kernels.NoisyRows
best_splits: Final = compiled_kernels.best_splits  # see `mixtura.search.splits`
densest: Final = compiled_kernels.densest  # see `mixtura.reference.dense`
losses_of_rows: Final = compiled_kernels.losses_of_rows  # see `mixtura.reference.losses`
entropies: Final = compiled_kernels.entropies
runnalls: Final = compiled_kernels.runnalls

"""How this copy of mixtura was built, and what it uses on this machine."""

from __future__ import annotations

from typing import Any

from mixtura._build_config import BUILD_CONFIG
from mixtura.kernels.instruction_set import INSTRUCTION_SET, compiled_kernels
from mixtura.kernels.threads import choose_n_threads

__all__ = ["build_config"]


def build_config() -> dict[str, Any]:
    """How this copy of mixtura was built, and what it uses on this machine.

    Returns
    -------
    dict
        Of the build: ``version``, ``compiler``, ``compiler_version``, ``c_flags``, ``openmp`` and
        ``instruction_sets``. Of this process: ``instruction_set``, ``lanes`` (float64 numbers to a
        vector) and ``n_threads``, the most that a pass uses by default.

    Examples
    --------
    >>> import mixtura
    >>> config = mixtura.build_config()
    >>> config["instruction_set"] in config["instruction_sets"]
    True
    """
    return {
        **BUILD_CONFIG,
        "instruction_set": INSTRUCTION_SET,
        "lanes": compiled_kernels.lanes,
        "n_threads": choose_n_threads(None),
    }

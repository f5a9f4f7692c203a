"""The compiled passes: the functions of `mixtura.reference`, which says what they do.

A result is the same to the bit for any number of threads; between instruction sets it may differ
in the last bits.
"""

from typing import Any

from mixtura.kernels.build import build_config
from mixtura.kernels.doors import (
    accumulate,
    accumulate_labels,
    accumulate_resp,
    agglomerate,
    assign,
    log_density,
    potentials,
    responsibilities,
)
from mixtura.kernels.families import covariance_rules, maximise_covariances
from mixtura.kernels.instruction_set import IncompleteRows, NoisyRows
from mixtura.kernels.instruction_set import Rows as Rows
from mixtura.kernels.instruction_set import best_splits as best_splits
from mixtura.kernels.instruction_set import densest as densest
from mixtura.kernels.instruction_set import entropies as entropies
from mixtura.kernels.instruction_set import losses_of_rows as losses_of_rows
from mixtura.kernels.instruction_set import runnalls as runnalls
from mixtura.kernels.matrices import eigh, factorise, multiply
from mixtura.kernels.mstep import m_step

# What makes passes over rows of each form. Each one is named here and nowhere else.
FORMS: dict[str, Any] = {"whole": Rows, "incomplete": IncompleteRows, "noisy": NoisyRows}

__all__ = [
    "FORMS",
    "accumulate",
    "accumulate_labels",
    "accumulate_resp",
    "agglomerate",
    "assign",
    "build_config",
    "covariance_rules",
    "eigh",
    "factorise",
    "log_density",
    "m_step",
    "maximise_covariances",
    "multiply",
    "potentials",
    "responsibilities",
]

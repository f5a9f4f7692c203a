"""The passes in plain NumPy: the definition of right.

Every function here has a compiled twin of the same name and signature in `mixtura.kernels`, which
must agree with it to rounding. Nothing here is fast; everything is meant to be read. Each E-step is
one file: `soft`, `hard` and `nearest` share rows out, `given` adds up the statistics for all.

Precision factors have one of four shapes: (n_components, n_features, n_features) for "full", one
(n_features, n_features) matrix for "tied", the reciprocal standard deviations
(n_components, n_features) for "diag" and (n_components,) for "spherical".
"""

from mixtura.algebra import CovarianceRule
from mixtura.reference.agglomeration import agglomerate
from mixtura.reference.binned import BinnedRows
from mixtura.reference.dense import densest as densest
from mixtura.reference.doors import (
    accumulate,
    accumulate_labels,
    accumulate_resp,
    assign,
    log_density,
    potentials,
    responsibilities,
)
from mixtura.reference.incomplete import IncompleteRows
from mixtura.reference.losses import entropies as entropies
from mixtura.reference.losses import losses_of_rows as losses_of_rows
from mixtura.reference.losses import runnalls as runnalls
from mixtura.reference.matrices import eigh, factorise, m_step, multiply
from mixtura.reference.noisy import NoisyRows
from mixtura.reference.rows import Rows as Rows

# What makes passes over rows of each form. Each one is named here and nowhere else.
FORMS: dict[str, type[Rows]] = {
    "whole": Rows,
    "incomplete": IncompleteRows,
    "binned": BinnedRows,
    "noisy": NoisyRows,
}

# None is here: `mixtura.covariance` has the rules of the covariance families in NumPy.
covariance_rules: dict[str, CovarianceRule] = {}

__all__ = [
    "FORMS",
    "accumulate",
    "accumulate_labels",
    "accumulate_resp",
    "agglomerate",
    "assign",
    "covariance_rules",
    "eigh",
    "factorise",
    "log_density",
    "m_step",
    "multiply",
    "potentials",
    "responsibilities",
]

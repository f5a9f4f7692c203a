"""Matrix functions that each backend provides, for many small matrices at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Algebra", "CovarianceRule", "MStep"]

Floats = NDArray[np.float64]


class MStep(Protocol):
    """An M-step that an engine has as one function."""

    def maximise(self, statistics: Any, previous: Floats | None) -> Any:
        """Return the parameters that follow from statistics; None where a component has none.

        `previous` are the covariances under which the statistics were taken.
        """

    def log_weights(self, weights: Floats, factors: Floats) -> Floats:
        """Return the constants (k,) that a pass adds to log-densities: weights, and the ridge."""


class CovarianceRule(Protocol):
    """A compiled rule of a covariance family: see `mixtura.covariance.family.Rule`.

    Weights may be zero. A component without weight, or whose scatter is not finite, gets NaN.
    """

    def __call__(
        self, scatter: Floats, counts: Floats, previous: Floats | None = None, /
    ) -> Floats: ...


class Algebra(Protocol):
    """Functions on stacks of matrices; `mixtura.reference` says what each does.

    `mixtura.kernels` and `mixtura.reference` are such engines. The compiled functions stay on the
    calling thread, which BLAS and LAPACK do not.

    Attributes
    ----------
    covariance_rules : mapping of str
        Rules of covariance families that the engine has compiled, by the families' letters. Others
        are made of the functions below.
    """

    @property
    def covariance_rules(self) -> Mapping[str, CovarianceRule]: ...

    def factorise(self, covariances: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return precision factors of matrices (k, d, d), and which of them have none."""

    def eigh(self, matrices: Floats) -> tuple[Floats, Floats]:
        """Return eigenvalues (k, d), ascending, and eigenvectors, the columns of (k, d, d)."""

    def m_step(self, family: str, shape: Any, ridge: Floats | None) -> MStep | None:
        """Return the M-step of a covariance family with a ridge; None where there is none.

        Then `mixtura.updates` puts it together.
        """

    def multiply(self, left: Floats, right: Floats) -> Floats:
        """Return products (k, m, n) of (k, m, p) and (k, p, n); one matrix serves for all."""

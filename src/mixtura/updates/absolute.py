"""The maximisation step that scikit-learn makes: a ridge that its objective does not know of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra, MStep
from mixtura.covariance import CovarianceFamily
from mixtura.parameters import Parameters, Seen
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.updates.explain import explain
from mixtura.updates.protocol import Mask, Update

__all__ = ["AbsoluteRidge"]

# Of each component's weight, as if a row at the origin had it.
PADDING = 10.0 * float(np.finfo(np.float64).eps)


class AbsoluteRidge:
    """Maximum likelihood, and then a ridge on each covariance.

    The objective stays the log-likelihood, so it may fall by a little. The padding, which
    scikit-learn adds to avoid divisions by zero, leaves a component without weight at the origin,
    with the ridge as its covariance.

    Parameters
    ----------
    family : CovarianceFamily
    ridge : ndarray of shape (n_features,), squared units of the features
    algebra : Algebra
    mends_empty : bool
        Whether a component without weight counts as failed.
    """

    m_step: MStep | None = None

    def __init__(
        self,
        family: CovarianceFamily,
        ridge: Floats,
        algebra: Algebra,
        *,
        mends_empty: bool,
    ) -> None:
        self._family, self._ridge, self._algebra = family, ridge, algebra
        self._mends_empty = mends_empty

    def update(
        self,
        statistics: Statistics,
        previous: Parameters | None = None,  # noqa: ARG002
    ) -> tuple[Parameters, Mask]:
        shape = self._family.shape
        resp_sum = statistics.resp_sum + PADDING
        shift = (statistics.resp_x - PADDING * statistics.centres) / resp_sum[:, None]
        with np.errstate(invalid="ignore", over="ignore"):
            centred = statistics.recentred(statistics.centres + shift)
            padded = replace(centred, resp_sum=resp_sum).blurred(self._ridge)
            covariances = self._family.update(padded, self._algebra)
        factors, singular = shape.factorise(covariances, self._algebra)
        failed = singular | (self._mends_empty & (statistics.resp_sum == 0.0))
        weights = resp_sum / resp_sum.sum()
        return Parameters(weights, centred.centres, covariances, factors, shape), failed

    def as_seen(self, parameters: Parameters) -> tuple[Seen, float]:
        return parameters.seen(), 0.0

    def as_plain(self, parameters: Parameters) -> Seen:
        return parameters.seen()

    def penalty(self, parameters: Parameters, weight_sum: float) -> float:  # noqa: ARG002
        return 0.0

    def blurred(self, parameters: Parameters) -> list[int]:  # noqa: ARG002
        return []  # scikit-learn has no place to say so

    def given_means(self, means: Floats, fixed: Mask) -> Update:  # noqa: ARG002
        return self

    def select(self, components: NDArray[np.intp]) -> Update:  # noqa: ARG002
        return self

    def explain(
        self,
        statistics: Statistics,
        parameters: Parameters,
        failed: Mask,
        iteration: int,
        scale: Floats,
    ) -> str:
        has_ridge = bool(self._ridge.any())
        return explain(statistics, parameters, failed, iteration, scale, has_ridge=has_ridge)

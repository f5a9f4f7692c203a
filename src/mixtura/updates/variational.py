"""Variational Bayes: an E-step under the laws of the parameters, and an M-step that updates these.

The objective is the evidence lower bound [1]_, with all constants. Where responsibilities and laws
take turns in maximising it, an E-step differs from that of a mixture by constants only, and

    evidence lower bound = sum_i log sum_j exp(constant_j) N(x_i | mean_j, covariance_j)
                           - divergence of the laws from the prior,

the log-likelihood of what the pass sees minus a penalty. It never falls, and no component fails.

The laws follow from the prior and the rows' statistics alone, so the loop carries them as the
parameters of a mixture: `means` are the expected means, `covariances` the inverses of the expected
precisions, and `weights` are the shares of the rows. Statistics of a part of the rows, as in brief
runs on a sample or in a stream, stand for all of them.

Where numbers are missing, the bound has a law of these as well, given the component: the normal law
with the parameters above.

.. [1] C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, section 10.2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.conjugate import Laws, Prior, gain_of_order, gains_of_merging
from mixtura.parameters import Parameters, Seen
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.updates.explain import explain
from mixtura.updates.protocol import Mask, Update

__all__ = ["Variational"]


class Variational:
    """The update of variational Bayes.

    Parameters
    ----------
    prior : Prior
    weight_sum : float
        Of all rows.
    algebra : Algebra
    """

    def __init__(self, prior: Prior, weight_sum: float, algebra: Algebra) -> None:
        self.prior, self.weight_sum, self._algebra = prior, weight_sum, algebra

    def update(
        self,
        statistics: Statistics,
        previous: Parameters | None = None,  # noqa: ARG002
    ) -> tuple[Parameters, Mask]:
        total = statistics.resp_sum.sum()
        laws, failed = self.prior.posterior(
            statistics.scaled(float(self.weight_sum / total)), self._algebra
        )
        parameters = Parameters(
            statistics.resp_sum / total,
            laws.means,
            laws.covariances,
            laws.precisions_cholesky,
            laws.shape,
        )
        return parameters, failed

    def laws(self, parameters: Parameters) -> Laws:
        """Return the laws that `update` has returned as parameters."""
        return self.prior.laws_of(parameters, self.weight_sum)

    def as_seen(self, parameters: Parameters) -> tuple[Seen, float]:
        constants = self.prior.log_constants(self.laws(parameters))
        _, means, covariances, factors, shape = parameters
        return Seen(constants, means, covariances, factors, shape), 0.0

    def as_plain(self, parameters: Parameters) -> Seen:
        return self.as_seen(parameters)[0]

    def penalty(self, parameters: Parameters, weight_sum: float) -> float:  # noqa: ARG002
        # Per unit of the weight of all rows, for which those at hand may stand.
        return self.prior.divergence(self.laws(parameters), self._algebra) / self.weight_sum

    def gains_of_merging(
        self, statistics: Statistics, one: NDArray[np.intp], other: NDArray[np.intp]
    ) -> Floats:
        """Return what the log evidence gains where pairs of components become one, nats."""
        return gains_of_merging(self.prior, statistics, one, other, self._algebra)

    def gain_of_order(self, statistics: Statistics, order: NDArray[np.intp]) -> float:
        """Return what the log evidence gains where components change places, nats."""
        return gain_of_order(self.prior, statistics, order)

    def blurred(self, parameters: Parameters) -> list[int]:  # noqa: ARG002
        return []

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
        return explain(statistics, parameters, failed, iteration, scale, has_ridge=True)

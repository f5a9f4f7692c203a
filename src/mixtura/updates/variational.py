"""Variational Bayes: an E-step under the laws of the parameters, and an M-step that updates these.

The objective is the evidence lower bound [1]_, with all constants. Where responsibilities and laws
take turns in maximising it, an E-step differs from that of a mixture by constants only, and

    evidence lower bound = sum_i log sum_j exp(constant_j) N(x_i | mean_j, covariance_j)
                           - divergence of the laws from the prior,

the log-likelihood of what the pass sees minus a penalty. Here constant_j is the expected logarithm
of the weight, plus the expected log-density of a row less its log-density at the expected mean and
precision, which is the same for all rows. The bound never falls, and no component fails.

The laws follow from the prior and the rows' statistics alone, so the loop carries them as the
parameters of a mixture: `means` are the expected means, `covariances` the inverses of the expected
precisions, and `weights` are the shares of the rows. Statistics of a part of the rows, as in brief
runs on a sample or in a stream, stand for all of them.

Where numbers are missing, the bound has a law of these as well, given the component: the normal law
with the parameters above.

.. [1] C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, section 10.2.
"""

from __future__ import annotations

import copy
import math
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra, MStep
from mixtura.conjugate import Laws, PriorLaws, gain_of_order, gains_of_merging
from mixtura.parameters import Parameters, Seen
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.updates.explain import explain
from mixtura.updates.protocol import Mask, Update

__all__ = ["Variational"]

WHOLE = 1e-12  # share of all rows by which the sums of their responsibilities may miss them


class Variational:
    """The update of variational Bayes.

    Parameters
    ----------
    prior : PriorLaws
    weight_sum : float
        Of all rows.
    algebra : Algebra
    """

    m_step: MStep | None = None

    def __init__(self, prior: PriorLaws, weight_sum: float, algebra: Algebra) -> None:
        self.prior: PriorLaws = prior
        self.weight_sum: float = weight_sum
        self._algebra = algebra
        self._last: tuple[Parameters, Laws, Seen] | None = None

    def update(
        self,
        statistics: Statistics,
        previous: Parameters | None = None,  # noqa: ARG002
    ) -> tuple[Parameters, Mask]:
        total = float(statistics.resp_sum.sum())
        if not math.isclose(total, self.weight_sum, rel_tol=WHOLE):
            statistics = statistics.scaled(self.weight_sum / total)
        laws, failed = self.prior.posterior(statistics, self._algebra)
        parameters = Parameters(
            statistics.resp_sum / statistics.resp_sum.sum(),
            laws.means,
            laws.covariances,
            laws.precisions_cholesky,
            laws.shape,
        )
        return parameters, failed

    def of_weight(self, weight_sum: float) -> Self:
        """Return the update for rows of another total weight."""
        other = copy.copy(self)
        other.weight_sum, other._last = weight_sum, None
        return other

    def laws(self, parameters: Parameters) -> Laws:
        """Return the laws that `update` has returned as parameters."""
        return self._known(parameters)[0]

    def as_seen(self, parameters: Parameters) -> tuple[Seen, float]:
        return self._known(parameters)[1], 0.0

    def _known(self, parameters: Parameters) -> tuple[Laws, Seen]:
        """The laws, and what a pass sees of them; made once for the parameters asked for last."""
        last = self._last
        if last is None or last[0] is not parameters:
            laws = self.prior.laws_of(parameters, self.weight_sum)
            constants = self.prior.log_constants(laws)
            last = parameters, laws, Seen(constants, *parameters[1:])
            self._last = last
        return last[1:]

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
        return explain(statistics, parameters, failed, iteration, scale, has_ridge=True)

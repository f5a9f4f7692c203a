"""Maximum likelihood, or a posteriori, with a ridge on the covariances.

The ridge is exact. Adding `ridge` to the diagonal of each covariance is what EM does when every row
is spread out with that variance [1]_, and then the objective that rises with each iteration is

    sum_i w_i log sum_j weight_j N(x_i | mean_j, C_j) exp(-1/2 trace(inv(C_j) diag(ridge))),

the log-likelihood with a constant for each component. So the pass needs nothing but other weights,
and the objective never falls.

A prior adds to the statistics (see `mixtura.updates.pseudo`), and its log-density to the objective.

Without a ridge, a component on equal rows collapses at once where rows are whole. Where they are
not, EM takes away a part of its variance in each iteration, and it would shrink until numbers
overflow. So a least variance may be given below which a covariance counts as singular.

.. [1] C. M. Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural
   Computation 7, 108-116, 1995, for the idea; the constant follows from the Gaussian integral.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra, MStep
from mixtura.covariance import CovarianceFamily
from mixtura.parameters import Parameters, Seen
from mixtura.shapes import EPS, Floats
from mixtura.statistics import Statistics
from mixtura.updates.explain import explain
from mixtura.updates.protocol import Mask, Update
from mixtura.updates.pseudo import PseudoRows
from mixtura.updates.spurious import too_narrow

__all__ = ["Ridge"]

MOST_RIDGE = 0.1  # of a variance that counts as one of the rows
LOST = 32.0 * EPS  # of the variances of features, for each of them: what rounding may take away
# Of a mean: a narrower deviation is that of the last digits, and distances in its unit are noise.
LAST_DIGITS = 32.0 * EPS


class Ridge:
    """The maximisation step of EM, for any covariance family.

    Parameters
    ----------
    family : CovarianceFamily
    ridge : ndarray of shape (n_features,), squared units of the features
        Added to the diagonal of every covariance; zeros for none.
    algebra : Algebra
    least : ndarray of shape (n_features,), squared units of the features, optional
        A component that is narrower in some direction is singular; features with a ridge have no
        such bound.
    prior : PseudoRows, optional
        Of all parameters; None for maximum likelihood.
    known_means : PseudoRows, optional
        What the prior adds to statistics where some means are known.
    """

    def __init__(
        self,
        family: CovarianceFamily,
        ridge: Floats,
        algebra: Algebra,
        least: Floats | None = None,
        prior: PseudoRows | None = None,
        known_means: PseudoRows | None = None,
    ) -> None:
        self._family, self._algebra = family, algebra
        self._all = ridge, least
        self._prior, self._added = prior, prior if known_means is None else known_means
        self._ridge = ridge if ridge.any() else None
        self._least = None if least is None or ridge.all() else least
        self._free = ridge == 0.0
        self._m_step: MStep | None = None
        if prior is None and self._least is None:
            name = family.rule_name or family.letters
            self._m_step = algebra.m_step(name, family.shape, self._ridge)

    @property
    def m_step(self) -> MStep | None:
        return self._m_step

    def update(
        self, statistics: Statistics, previous: Parameters | None = None
    ) -> tuple[Parameters, Mask]:
        family = self._family
        if self._m_step is not None:
            before = None if previous is None else previous.covariances
            found = self._m_step.maximise(statistics, before)
            if found is not None:
                return found, np.zeros(len(found.weights), dtype=bool)
        # An empty component is 0 / 0; one that was too far from all rows overflows.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            centred = statistics.centred()
            if self._ridge is not None:
                centred = centred.blurred(self._ridge)
            lost, size = statistics.resp_sum <= 0.0, statistics.resp_xx
            if self._added is None:
                weights = statistics.resp_sum / statistics.resp_sum.sum()
            else:
                weights, of_rows = self._added.weights(statistics.resp_sum), centred
                centred, lost = self._added.added_to(of_rows)
                size = size + (centred.resp_xx - of_rows.resp_xx)
            before = None if previous is None else previous.covariances
            covariances = family.update(centred, self._algebra, before)
            factors, singular = family.shape.factorise(covariances, self._algebra)
            if self._ridge is not None and np.count_nonzero(singular):  # faster than `any`
                # Rows, or centres before and now, are so far apart that the ridge is lost in the
                # rounding of the scatter.
                share = LOST * centred.centres.shape[1]
                wider = centred.resp_xx + (family.shape.widened(size, share) - size)
                covariances = family.update(replace(centred, resp_xx=wider), self._algebra, before)
                factors, singular = family.shape.factorise(covariances, self._algebra)
            parameters = Parameters(weights, centred.centres, covariances, factors, family.shape)
            if self._least is not None:
                singular = singular | self._too_narrow(parameters)
        return parameters, singular | lost

    def as_seen(self, parameters: Parameters) -> tuple[Seen, float]:
        if self._m_step is not None:
            constants = self._m_step.log_weights(parameters.weights, parameters.precisions_cholesky)
            return parameters.seen(constants), 0.0
        seen = parameters.seen()
        if self._ridge is None:
            return seen, 0.0
        trace = parameters.shape.trace_with(parameters.precisions_cholesky, self._ridge)
        seen.log_weights[...] -= 0.5 * trace  # nobody else has this array
        return seen, 0.0

    def as_plain(self, parameters: Parameters) -> Seen:
        return parameters.seen()

    def penalty(self, parameters: Parameters, weight_sum: float) -> float:
        if self._prior is None:
            return 0.0
        return -self._prior.log_pdf(parameters, self._algebra) / weight_sum

    def blurred(self, parameters: Parameters) -> list[int]:
        if self._ridge is None:
            return []
        covariances = parameters.covariances
        share = LOST * parameters.means.shape[1] / MOST_RIDGE
        lost = parameters.shape.widened(covariances, share) - covariances
        return too_narrow(parameters, lost, self._ridge / MOST_RIDGE, self._algebra)

    def given_means(self, means: Floats, fixed: Mask) -> Update:
        if self._added is None:
            return self
        return self._with(self._prior, self._added.given_means(means, fixed))

    def select(self, components: NDArray[np.intp]) -> Update:
        if self._prior is None or self._added is None:
            return self
        return self._with(self._prior.select(components), self._added.select(components))

    def explain(
        self,
        statistics: Statistics,
        parameters: Parameters,
        failed: Mask,
        iteration: int,
        scale: Floats,
    ) -> str:
        has_ridge = self._ridge is not None
        return explain(
            statistics, parameters, failed, iteration, scale,
            has_ridge=has_ridge, least=self._least_variances(parameters),
        )  # fmt: skip

    def _least_variances(self, parameters: Parameters) -> Floats:
        """Below what a variance counts as none, shape (n_components, n_features)."""
        if self._least is None:
            return np.zeros_like(parameters.means)
        digits = np.square(LAST_DIGITS * parameters.means)
        return np.where(self._free, np.maximum(self._least, digits), 0.0)

    def _with(self, prior: PseudoRows | None, known_means: PseudoRows) -> Ridge:
        ridge, least = self._all
        return Ridge(self._family, ridge, self._algebra, least, prior, known_means)

    def _too_narrow(self, parameters: Parameters) -> Mask:
        shape, d = parameters.shape, parameters.means.shape[1]
        least = self._least_variances(parameters)
        if shape.is_shared:
            least = parameters.weights[None] @ least
        bound = shape.coarsened(least[:, :, None] * np.eye(d))
        nothing = np.zeros(d)
        return shape.is_narrower(
            parameters.covariances, shape.per_feature(bound, d), nothing, self._algebra
        )

"""An update for rows of which something is known: labels, or components that they may belong to.

The M-step is that of the inner update. E-steps get the table of log-priors; a row's log-likelihood
is then ``log sum_j a_ij weight_j N(x_i; j)``, with a_ij the plausibility of component j [1]_, which
for a label is that of row and label together. The objective never falls, as a_ij is fixed.

.. [1] E. Come, L. Oukhellou, T. Denoeux, P. Aknin, "Learning from partially supervised data using
   mixture models and belief functions", Pattern Recognition 42, 334-348, 2009.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import MStep
from mixtura.exceptions import FitError
from mixtura.parameters import Parameters, Seen
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.updates.protocol import Mask, Update

__all__ = ["Labelled"]


class Labelled:
    """Another update, for rows with log-priors.

    Parameters
    ----------
    inner : Update
    prior : ndarray of shape (n_codes, n_components), nats
        See `mixtura.data.labels.RowLabels`.
    """

    m_step: MStep | None = None

    def __init__(self, inner: Update, prior: Floats) -> None:
        self._inner, self._prior = inner, prior

    def update(
        self, statistics: Statistics, previous: Parameters | None = None
    ) -> tuple[Parameters, Mask]:
        return self._inner.update(statistics, previous)

    def as_seen(self, parameters: Parameters) -> tuple[Seen, float]:
        seen, offset = self._inner.as_seen(parameters)
        return self._with_prior(seen), offset

    def as_plain(self, parameters: Parameters) -> Seen:
        return self._with_prior(self._inner.as_plain(parameters))

    def penalty(self, parameters: Parameters, weight_sum: float) -> float:
        return self._inner.penalty(parameters, weight_sum)

    def blurred(self, parameters: Parameters) -> list[int]:
        return self._inner.blurred(parameters)

    def given_means(self, means: Floats, fixed: Mask) -> Update:
        return Labelled(self._inner.given_means(means, fixed), self._prior)

    def select(self, components: NDArray[np.intp]) -> Update:
        """Return the update for some of the components, after others were dropped.

        Raises
        ------
        FitError
            If rows are left without a component.
        """
        k = self._prior.shape[1]
        if len(components) == k:
            return self
        prior = np.ascontiguousarray(self._prior[:, components])
        left = np.isneginf(prior).all(axis=1)
        if left.any():
            own = self._prior[int(np.argmax(left))]
            gone = np.setdiff1d(np.arange(k), components)
            j = int(gone[np.argmax(own[gone])])
            raise FitError(
                f"the fit cannot continue: component {j} collapsed, and may not be dropped, as "
                f"there are rows that labels give to it. Use reg_covar > 0, other labels, or a "
                f"covariance_type with fewer parameters."
            )
        return Labelled(self._inner.select(components), prior)

    def explain(
        self,
        statistics: Statistics,
        parameters: Parameters,
        failed: Mask,
        iteration: int,
        scale: Floats,
    ) -> str:
        return self._inner.explain(statistics, parameters, failed, iteration, scale)

    def _with_prior(self, seen: Seen) -> Seen:
        return seen._replace(extras={**seen.extras, "prior": self._prior})

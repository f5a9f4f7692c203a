"""The share of each component in each row, under the leader: what moves are ranked by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixtura.cached import cached_property
from mixtura.data import ArrayRows
from mixtura.passes import Backend, RowsPass
from mixtura.schedules import EM, Outcome
from mixtura.shapes import EPS, Floats

__all__ = ["LEAST_SHARE", "Shares"]

LEAST_SHARE = 0.01  # of a row; rows of which a component has less say nothing of its inside
MOST_SHARES = 1 << 20  # that are looked at


class Shares:
    """Responsibilities of the rows of a sample, or of some of them where there are many.

    Parameters
    ----------
    outcome : Outcome
    em : EM
        Of which it is the outcome.

    Attributes
    ----------
    resp : ndarray of shape (n_samples, n_components)
        Of rows, not times their weight.
    weight : ndarray of shape (n_samples,)
        Of rows; their sum is the total weight of the sample.
    backend : Backend
    form : str
        Of the rows.
    """

    resp: Floats
    weight: Floats
    backend: Backend
    form: str

    def __init__(self, outcome: Outcome, em: EM) -> None:
        rows, parameters = em.rows, outcome.parameters
        assert isinstance(rows, RowsPass)
        self.backend, k = rows.backend, len(parameters.weights)
        self._source = source = rows.source
        if source.n_samples * k > MOST_SHARES:
            size = max(MOST_SHARES // k, 1)
            self._source = ArrayRows.sample_of(source, size, np.random.default_rng(0))
        self.form = self._source.form
        weight = self._source.weights()
        n = self._source.n_samples
        self.weight = np.ones(n) if weight is None else weight
        self.weight = self.weight * (source.weight_sum / self.weight.sum())
        self.resp = np.empty((n, k))
        seen, _ = em.update.as_seen(parameters)
        self._prior = seen.extras.get("prior")
        other_pass = source.is_weighted or rows.em != "soft" or rows.rounding > EPS
        if other_pass or self._source is not source:
            alike = self._source.reweighted(np.ones(n))
            rows = RowsPass(alike, parameters.shape, self.backend)
        rows.evaluate(seen, resp=self.resp)

    @cached_property
    def X(self) -> Floats:
        """The rows; not copied where they are contiguous doubles in memory."""
        source = self._source
        if isinstance(source, ArrayRows):
            return np.ascontiguousarray(source.X, dtype=np.float64)
        return source.take(np.arange(len(self.weight)))

    def lost_labels(self, others: NDArray[np.intp]) -> Floats:
        """Return what labels lose where another component gets all rows of one, nats.

        Parameters
        ----------
        others : ndarray of shape (n_components, n_others), int
            Some other components for each one.

        Returns
        -------
        ndarray of shape (n_components, n_others)
            Infinite where labels give a row to the one and not to the other.
        """
        lost = np.zeros(others.shape)
        if self._prior is None:
            return lost
        code = self._source.extra("code")
        assert code is not None
        for j, other in enumerate(others):
            own = self.weight * self.resp[:, j]
            rows = np.flatnonzero(own)  # so their log-priors of j are finite
            prior = self._prior[code[rows]]
            grown = np.maximum(prior[:, [j]] - prior[:, other], 0.0)
            lost[j] = np.einsum("i,ij->j", own[rows], grown)
        return lost

    def rows_of(self, component: int) -> ArrayRows:
        """The rows in which a component has a share, weighted by it."""
        rows = np.flatnonzero(self.resp[:, component] > LEAST_SHARE)
        X, _, _, extras = self._source.gather(rows)
        weight = self.weight[rows] * self.resp[rows, component]
        return ArrayRows(X, weight, form=self._source.form, extras=extras)

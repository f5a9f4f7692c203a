"""Rows with missing values: NaN where a number was not observed.

With o the observed features of row i and m the missing ones, under component j::

    l_ij     = log N(x_o | mean_o, cov_oo)                      of the observed numbers alone
    E_ij[x]  = x_o;  mean_m + cov_mo inv(cov_oo) (x_o - mean_o)
    V_ij     = cov_mm - cov_mo inv(cov_oo) cov_om               of the missing ones, else 0

The statistics are those of rows completed by E_ij, and the scatter of each gains r_ij V_ij [1]_.
The further sum "entropy" is ``-sum_ij w_i r_ij log r_ij``: it cannot be had from the others, which
are expectations of complete rows. The E-step "nearest" measures distances in the observed features
alone; its further sum "observed" is the weight of the rows of each cluster in which a feature is
observed, and its sums take the missing numbers for those of the centre.

.. [1] Z. Ghahramani, M. I. Jordan, "Supervised learning from incomplete data via an EM approach",
   Advances in Neural Information Processing Systems 6, 120-127, 1994.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.parameters import Seen
from mixtura.reference.given import as_resp, entropy_of
from mixtura.reference.rows import Rows
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

__all__ = ["IncompleteRows"]

LOG_2_PI = math.log(2.0 * math.pi)


class IncompleteRows(Rows):
    """Rows in which numbers may be missing; see `Rows` for the parameters."""

    extras: tuple[str, ...] = ("entropy",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        observed, which = np.unique(~np.isnan(self._X), axis=0, return_inverse=True)
        # Each pattern: the observed features, the missing ones, and the rows.
        self._patterns = [
            (np.flatnonzero(pattern), np.flatnonzero(~pattern), np.flatnonzero(which == p))
            for p, pattern in enumerate(observed)
        ]

    def _scores(self, em: str, seen: Seen) -> Floats:
        scores = np.empty((self.n_samples, len(seen.means)))
        for o, _, rows in self._patterns:
            x = self._X[np.ix_(rows, o)].astype(np.float64)
            for j, mean in enumerate(seen.means):
                z = x - mean[o]
                if em == "nearest":
                    scores[rows, j] = -0.5 * np.square(z).sum(axis=1)
                    continue
                covariance = seen.shape.matrix(seen.covariances, j, self.n_features)[np.ix_(o, o)]
                with np.errstate(over="ignore", invalid="ignore"):
                    distance = (z * np.linalg.solve(covariance, z.T).T).sum(axis=1)
                distance[np.isnan(distance)] = np.inf  # too far from a narrow component
                log_det = np.linalg.slogdet(covariance)[1]
                scores[rows, j] = -0.5 * (len(o) * LOG_2_PI + log_det + distance)
        return scores

    def _sums(self, em: str, shares: NDArray[Any], seen: Seen, log_prob: Floats) -> Statistics:
        k, d = seen.means.shape
        present = self._weight > 0.0
        resp = as_resp(shares, k)
        weighted = np.where(present[:, None], self._weight[:, None] * resp, 0.0)
        resp_x, scatters, observed = np.zeros((k, d)), [], np.zeros((k, d))
        for j in range(k):
            rest = np.zeros((d, d))
            z = np.zeros((self.n_samples, d))
            for o, m, rows in self._patterns:
                z[np.ix_(rows, o)] = self._X[np.ix_(rows, o)] - seen.means[j, o]
                observed[j, o] += weighted[rows, j].sum()
                if em != "nearest":
                    slope, variance = conditional(seen.shape.matrix(seen.covariances, j, d), o, m)
                    z[np.ix_(rows, m)] = z[np.ix_(rows, o)] @ slope.T
                    rest[np.ix_(m, m)] += weighted[rows, j].sum() * variance
            z = z[present]
            weighted_z = weighted[present, j, None] * z
            resp_x[j] = weighted_z.sum(axis=0)
            kept = seen.shape.scatter(weighted_z, z)
            scatters.append(kept + seen.shape.coarsened(rest[None]).reshape(kept.shape))
        weight = self._weight[present]
        extras = {"observed": observed}
        if em != "nearest":
            extras = {"entropy": entropy_of(weighted[present], weight)}
        return Statistics(
            seen.shape.name,
            seen.means,
            weighted.sum(axis=0),
            resp_x,
            seen.shape.joined(scatters),
            float(weight @ log_prob[present]),
            float(weight.sum()),
            extras,
        )

    def complete(
        self,
        seen: Seen,
        n_threads: int | None,  # noqa: ARG002
        *,
        out: Floats,
    ) -> None:
        """Write the rows with their missing numbers replaced by what is expected of them."""
        resp = self._share_out("soft", seen)[0]
        out[...] = self._X
        for o, m, rows in self._patterns:
            out[np.ix_(rows, m)] = 0.0
            for j, mean in enumerate(seen.means):
                covariance = seen.shape.matrix(seen.covariances, j, self.n_features)
                slope, _ = conditional(covariance, o, m)
                expected = mean[m] + (self._X[np.ix_(rows, o)] - mean[o]) @ slope.T
                out[np.ix_(rows, m)] += resp[rows, j, None] * expected


def conditional(
    covariance: Floats, o: NDArray[np.intp], m: NDArray[np.intp]
) -> tuple[Floats, Floats]:
    """Return the slopes of the missing features on the observed ones, and what varies about it."""
    across = covariance[np.ix_(o, m)]
    slope = np.asarray(np.linalg.solve(covariance[np.ix_(o, o)], across).T, dtype=np.float64)
    return slope, covariance[np.ix_(m, m)] - slope @ across

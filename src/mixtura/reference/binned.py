"""Rows of which only the bin is known, an interval or a rectangle, and how many rows it holds.

With P_bj the probability of bin b under component j, and E_bj and V_bj the mean and covariance of
the component inside the bin::

    l_bj = log P_bj                                      of the bin, in place of a density
    E[x | b, j] = E_bj        E[(x - c)(x - c)^T | b, j] = V_bj + (E_bj - c)(E_bj - c)^T

The statistics are those of complete rows, in expectation [1]_ [2]_; a weight is a number of rows in
the bin. The further sum "entropy" is ``-sum_bj w_b r_bj log r_bj``. Bins of any number of features
are possible where covariances are diagonal: then they are products. Else there are two at most.

.. [1] A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum likelihood from incomplete data via the EM
   algorithm", Journal of the Royal Statistical Society B 39, 1-38, 1977, section 4.2.
.. [2] G. J. McLachlan, P. N. Jones, "Fitting mixture models to grouped and truncated data via the
   EM algorithm", Biometrics 44, 571-578, 1988.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.parameters import Seen
from mixtura.reference.given import as_resp, entropy_of
from mixtura.reference.rows import E_STEPS, Labels, Rows
from mixtura.reference.truncated import Inside, bivariate, univariate
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

__all__ = ["BinnedRows"]


class BinnedRows(Rows):
    """Bins; see `Rows` for the other parameters.

    Parameters
    ----------
    X : ndarray of shape (n_bins, n_features)
        A point in each bin.
    lower, upper : ndarray of shape (n_bins, n_features)
        Ends of each bin in each feature; they may be infinite.
    """

    extras: tuple[str, ...] = ("entropy",)

    def __init__(self, *args: Any, lower: Floats, upper: Floats, **options: Any) -> None:
        super().__init__(*args, **options)
        self._lower, self._upper = lower, upper
        self._present = np.flatnonzero(self._weight > 0.0)

    def _inside(self, seen: Seen, bins: NDArray[np.intp] | slice) -> list[Inside]:
        """Return each component inside some bins, about its mean, in units of the features."""
        means, d = seen.means, self.n_features
        lower, upper = (ends[bins] - means[:, None] for ends in (self._lower, self._upper))
        width = np.broadcast_to(self._upper[bins] - self._lower[bins], lower.shape)
        factors = seen.shape.matrices(seen.precisions_cholesky, len(means), d)
        if d == 1 or seen.shape.is_diagonal:
            return _products(lower, upper, width, np.einsum("jaa->ja", factors))
        assert d == 2
        return list(map(_rectangle, lower, upper, width, factors))

    def _scores(self, em: str, seen: Seen) -> Floats:  # noqa: ARG002
        return _log_probs(self._inside(seen, slice(None)))

    def accumulate(
        self,
        em: str,
        seen: Seen,
        n_threads: int | None,  # noqa: ARG002
        *,
        carry: Any = None,  # noqa: ARG002
        labels: Labels | None = None,
    ) -> Statistics:
        """Return the statistics of one E-step about the means; write the labels on demand."""
        bins = self._present
        inside = self._inside(seen, bins)
        shares, found, log_prob = E_STEPS[em](_log_probs(inside), seen.log_weights, None)
        if labels is not None:
            labels[...] = 0
            labels[bins] = found
        weight = self._weight[bins]
        weighted = weight[:, None] * as_resp(shares, len(seen.means))
        k, d = seen.means.shape
        resp_x, second = np.empty((k, d)), np.empty((k, d, d))
        for j, (_, mean, covariance) in enumerate(inside):
            resp_x[j] = (weighted[:, j, None] * mean).sum(axis=0)
            square = covariance + mean[:, :, None] * mean[:, None]
            second[j] = (weighted[:, j, None, None] * square).sum(axis=0)
        return Statistics(
            seen.shape.name,
            seen.means,
            weighted.sum(axis=0),
            resp_x,
            seen.shape.coarsened(second),
            float((weight * log_prob).sum()),
            float(weight.sum()),
            {"entropy": entropy_of(weighted, weight)},
        )

    def complete(
        self,
        seen: Seen,
        n_threads: int | None,  # noqa: ARG002
        *,
        out: Floats,
    ) -> None:
        """Write what is expected of a row in each bin."""
        inside = self._inside(seen, slice(None))
        resp = E_STEPS["soft"](_log_probs(inside), seen.log_weights, None)[0]
        out[...] = 0.0
        for j, (_, mean, _) in enumerate(inside):
            out += resp[:, j, None] * (seen.means[j] + mean)


def _log_probs(inside: Sequence[Inside]) -> Floats:
    return np.column_stack([each.log_prob for each in inside])


def _products(lower: Floats, upper: Floats, width: Floats, factors: Floats) -> list[Inside]:
    """Return components with independent features inside bins: arrays (k, n, d), all at once."""
    k, n, d = lower.shape
    u = factors[:, None]
    one = univariate(*((u * each).ravel() for each in (lower, upper, width)))
    log_prob, mean, variance = (each.reshape(k, n, d) for each in one)
    covariance = np.eye(d) * (variance / u / u)[..., None]
    return list(map(Inside, log_prob.sum(axis=2), mean / u, covariance))


def _rectangle(lower: Floats, upper: Floats, width: Floats, factor: Floats) -> Inside:
    """Return a component of two features inside rectangles.

    With the precision factor U, the first feature over its deviation ``1 / U[0, 0]`` is standard,
    and the second over its conditional deviation ``1 / U[1, 1]`` has the slope
    ``-U[0, 1] / U[0, 0]`` on it.
    """
    u = np.diag(factor)
    both = bivariate(u * lower, u * upper, u * width, float(-factor[0, 1] / factor[0, 0]))
    return Inside(both.log_prob, both.mean / u, both.covariance / np.outer(u, u))

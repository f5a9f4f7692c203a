"""Rows with noise of their own: each number was measured with an error of known covariance.

What is observed of a row x of the mixture is ``w_i = R_i x_i + noise_i``, with ``noise_i`` of
covariance N_i; R_i is the identity where there is no projection. Under component j, with C_j its
covariance::

    S_ij    = R_i C_j R_i^T + N_i                   the only matrix that is inverted
    l_ij    = log N(w_i; R_i mean_j, S_ij)
    G_ij    = C_j R_i^T inv(S_ij)
    b_ij    = mean_j + G_ij (w_i - R_i mean_j)      expected true row
    B_ij    = C_j - G_ij R_i C_j                    its covariance

The statistics are those of rows at b_ij, and the scatter of each gains r_ij B_ij [1]_. The further
sum "entropy" is ``-sum_ij w_i r_ij log r_ij``. A row has zero density under a component for which
S_ij is not positive definite.

In annealing, weighted densities ``weight_j exp(l_ij)`` are raised to a power, and the expected true
rows stay as they are: the noise is known, whatever the temperature.

.. [1] J. Bovy, D. W. Hogg, S. T. Roweis, "Extreme deconvolution: inferring complete distribution
   functions from noisy, heterogeneous and incomplete observations", Annals of Applied Statistics 5,
   1657-1677, 2011, equations (12) to (16).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.parameters import Seen
from mixtura.reference.given import as_resp, entropy_of
from mixtura.reference.rows import Labels, Rows
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

__all__ = ["NoisyRows", "as_matrices"]

LOG_2_PI = math.log(2.0 * math.pi)
TINY = float(np.finfo(np.float64).tiny)


class NoisyRows(Rows):
    """Rows with noise of their own; see `Rows` for the first parameters.

    Parameters
    ----------
    noise : ndarray of shape (n,), (n, m) or (n, m, m)
        Variance of the noise of each row, variances, or covariances.
    observed : ndarray of shape (n, m), optional
        What was observed of each row, where that is a projection; `X` then only stands for the
        rows where a start needs every number.
    projection : ndarray of shape (n, m, n_features), optional
        R_i of each row.
    """

    extras: tuple[str, ...] = ("entropy",)

    def __init__(
        self,
        *args: Any,
        noise: NDArray[Any],
        observed: Floats | None = None,
        projection: Floats | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self._observed = self._X if observed is None else observed
        self._noise = as_matrices(noise, self._observed.shape[1])
        self._projection = projection

    def _scores(self, em: str, seen: Seen) -> Floats:
        if em == "nearest":
            return super()._scores(em, seen)
        seen, power = seen.untempered()
        return power * np.stack([self._parted(seen, j)[0] for j in range(len(seen.means))], axis=1)

    def _share_out(self, em: str, seen: Seen) -> tuple[NDArray[Any], Labels, Floats]:
        log_weights = seen.untempered()[0].log_weights
        return super()._share_out(em, seen._replace(log_weights=log_weights))

    def _sums(self, em: str, shares: NDArray[Any], seen: Seen, log_prob: Floats) -> Statistics:
        if em == "nearest":
            return super()._sums(em, shares, seen, log_prob)
        seen, _ = seen.untempered()
        k, d = seen.means.shape
        present = self._weight > 0.0
        weight = self._weight[present]
        weighted = weight[:, None] * as_resp(shares, k)[present]
        resp_x, scatters = np.empty((k, d)), []
        with np.errstate(over="ignore", invalid="ignore"):
            for j in range(k):
                _, moved, left = (each[present] for each in self._parted(seen, j))
                weighted_z = weighted[:, j, None] * moved
                resp_x[j] = weighted_z.sum(axis=0)
                spread = np.einsum("i,iab->ab", weighted[:, j], left)
                kept = seen.shape.scatter(weighted_z, moved)
                scatters.append(kept + seen.shape.coarsened(spread[None]).reshape(kept.shape))
            resp_xx = seen.shape.joined(scatters)
        return Statistics(
            seen.shape.name,
            seen.means,
            weighted.sum(axis=0),
            resp_x,
            resp_xx,
            float(weight @ log_prob[present]),
            float(weight.sum()),
            {"entropy": entropy_of(weighted, weight)},
        )

    def _parted(self, seen: Seen, component: int) -> tuple[Floats, Floats, Floats]:
        """Return l_ij, ``b_ij - mean_j`` and B_ij of one component j."""
        mean = seen.means[component]
        covariance = seen.shape.matrix(seen.covariances, component, self.n_features)
        if self._projection is None:
            across = np.broadcast_to(covariance, (self.n_samples, *covariance.shape))
            total, z = across + self._noise, self._observed - mean
        else:
            across = self._projection @ covariance  # R C
            total = across @ self._projection.swapaxes(1, 2) + self._noise
            z = self._observed - self._projection @ mean
        sign, log_det = np.linalg.slogdet(total)
        sound = (sign > 0.0) & np.isfinite(log_det)
        # The reciprocal of each pivot has to be finite too, and no pivot is above its variance.
        sound &= (np.einsum("iaa->ia", total) >= TINY).all(axis=1)
        total[~sound] = np.eye(total.shape[1])
        slope = np.linalg.solve(total, across).swapaxes(1, 2)  # G, as S is symmetric
        with np.errstate(over="ignore", invalid="ignore"):
            distance = (z * np.linalg.solve(total, z[:, :, None])[:, :, 0]).sum(axis=1)
            log_density = -0.5 * (z.shape[1] * LOG_2_PI + log_det + distance)
        log_density[~sound | np.isnan(log_density)] = -np.inf
        slope[~sound] = 0.0
        moved = (slope @ z[:, :, None])[:, :, 0]
        left = covariance - slope @ across
        return log_density, moved, 0.5 * (left + left.swapaxes(1, 2))

    def complete(
        self,
        seen: Seen,
        n_threads: int | None,  # noqa: ARG002
        *,
        out: Floats,
    ) -> None:
        """Write what is expected of the true rows."""
        resp = self._share_out("soft", seen)[0]
        out[...] = sum(
            resp[:, j, None] * (mean + self._parted(seen, j)[1])
            for j, mean in enumerate(seen.means)
        )

    def covariances(self, seen: Seen, *, out: Floats) -> None:
        """Write the covariances (n, n_features, n_features) of the true rows over the mixture."""
        resp = self._share_out("soft", seen)[0]
        expected = np.empty((self.n_samples, self.n_features))
        self.complete(seen, None, out=expected)
        out[...] = 0.0
        for j, mean in enumerate(seen.means):
            _, moved, left = self._parted(seen, j)
            apart = mean + moved - expected
            out += resp[:, j, None, None] * (left + apart[:, :, None] * apart[:, None, :])


def as_matrices(noise: NDArray[Any], n_features: int) -> Floats:
    """Return the noise of rows as matrices (n, n_features, n_features)."""
    if noise.ndim == 3:
        return noise.astype(np.float64, copy=False)
    variances = noise[:, None] if noise.ndim == 1 else noise
    return variances[:, :, None] * np.eye(n_features)

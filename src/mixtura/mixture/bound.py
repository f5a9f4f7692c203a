"""The evidence lower bound: what the log-likelihood is at least, by any responsibilities.

For shares r_ij of the components in the rows, with sum_j r_ij = 1 and row weights v_i::

    elbo   = sum_ij v_i r_ij log(weights[j] N(x_i | means[j], covariance_j))     (1)
             - sum_ij v_i r_ij log r_ij                                          (2)
           = log_likelihood - sum_ij v_i r_ij log(r_ij / resp_ij)                (3)

(1) is the expected log-likelihood of rows and labels together, (2) the entropy of the labels, and
the sum in (3) the divergence of the shares from the mixture's own responsibilities. It is never
negative, and zero for these alone: then (1) + (2) is the log-likelihood, which is how
`separation.assignment_entropy` has the entropy of a fit from its statistics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr

from mixtura.data import Block, RowSource
from mixtura.data.any_rows import AnyRows
from mixtura.data.checks import check_n_threads, check_resp, check_rows_sum_to_one
from mixtura.data.index import check_index
from mixtura.data.missing import Missing
from mixtura.mixture.criteria import some_at_a_time, totals, weighted_sum
from mixtura.mixture.densities import Components, evaluate, opened
from mixtura.shapes import Floats

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["bound_of", "elbo"]


def elbo(
    self: GaussianMixture,
    X: AnyRows,
    resp: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    *,
    missing: Missing | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    n_threads: int | None = None,
) -> float:
    """Evidence lower bound: the log-likelihood is at least this, for any responsibilities.

    ``sum_ij sample_weight[i] resp[i, j] (log weights[j] N(x_i | component j) - log resp[i, j])``
    [1]_.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
        The rows.
    resp : array_like of shape (n_samples, n_components), optional
        Share of each component in each row, non-negative; rows sum to one. None is the mixture's
        own responsibilities, for which the bound is the log-likelihood.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None is
        one for each row.
    missing : {"raise", "em"}, optional
        What NaN in a row is: an error, or a number that was not observed. None is the mixture's
        `missing`.
    noise_covariance, projection : array_like, optional
        Noise of each row, as for `fit_gmm`. None is no noise.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.

    Returns
    -------
    float, nats
        `log_likelihood` minus the Kullback-Leibler divergence of `resp` from the mixture's own
        responsibilities. -inf where a row has a share of a component of zero density there.

    Raises
    ------
    ValueError
        For responsibilities of another shape, that are negative or not finite, or whose rows do not
        sum to one; for any of rows that other processes work on.

    See Also
    --------
    log_likelihood : The bound at the mixture's own responsibilities.
    kl_divergence : The divergence of two mixtures.

    Notes
    -----
    Needs 24 MiB of memory besides the rows, and a byte for each responsibility.
    :doc:`/explanation/bound` shows why EM raises this bound.

    References
    ----------
    .. [1] C. M. Bishop, "Pattern Recognition and Machine Learning", Springer, 2006, equations
       (9.70) to (9.72).

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.5, 0.5], [[0], [4]], [1, 1], "spherical")
    >>> X = [[1.0], [3.0]]
    >>> round(mixture.elbo(X, [[1.0, 0.0], [0.0, 1.0]]), 4), round(mixture.log_likelihood(X), 4)
    (-4.2242, -4.1879)
    """
    n_threads = check_n_threads(n_threads)
    rows = opened(
        self,
        X,
        sample_weight,
        missing=missing,
        noise_covariance=noise_covariance,
        projection=projection,
    )
    return bound_of(self, rows, resp, n_threads)


def bound_of(
    mixture: Components, rows: RowSource, resp: ArrayLike | None, n_threads: int | None
) -> float:
    """`elbo` of rows that are already checked."""
    if resp is None:
        return totals(mixture, rows, n_threads).log_likelihood
    rows.refuse_array("resp", "Leave out resp, or pass rows that are in memory or in files.")
    check_index(resp, rows.index, "resp")
    shares = check_resp(resp, (rows.n_samples, mixture.n_components))
    check_rows_sum_to_one(shares)
    if not rows.n_samples:
        return 0.0
    return float(rows.total(_Bounded(mixture, rows.form, n_threads, shares)))


@dataclass(frozen=True, eq=False)
class _Bounded:
    """A look at the bound of one block."""

    mixture: Components
    form: str
    n_threads: int | None
    resp: Floats

    def __call__(self, block: Block) -> Floats:
        k, bound = self.mixture.n_components, 0.0
        for chunk in some_at_a_time(block, k):
            joint = np.empty((len(chunk.X), k))
            evaluate(self.mixture, self.form, chunk, self.n_threads, log_density=joint)
            joint += self.mixture._seen.log_weights
            resp = self.resp[chunk.start : chunk.start + len(chunk.X)]
            resp = resp / resp.sum(axis=1, keepdims=True)
            # A component without a share may have a log-density of -inf: it counts for nothing.
            joint[resp == 0.0] = 0.0
            joint *= resp
            joint += entr(resp)
            bound += weighted_sum(joint.sum(axis=1), chunk.sample_weight)
        return np.array(bound)

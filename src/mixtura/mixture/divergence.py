"""The Kullback-Leibler divergence of one mixture from another.

Between Gaussians it has a closed form. With precision factors U (of the first) and V (of the other,
both upper triangular) it is a sum of terms that are never negative::

    W      = inv(U) V, upper triangular, with diagonal r_a = V_aa / U_aa
    D(f|g) = 1/2 sum_a (r_a^2 - 1 - 2 log r_a) + 1/2 sum_{a<b} W_ab^2
             + 1/2 |V^T (mean_f - mean_g)|^2

so nothing is lost in a difference of traces and determinants, and units do not matter: those of a
feature are the same factor in a row of U and of V.

Between mixtures it has none. With weights p_a and components f_a of the first, q_b and g_b of the
other, and D_ab = D(f_a|g_b), the methods compute::

    "monte-carlo"   mean of log f(x) - log g(x) over draws x of f
    "matched"       sum_a p_a (D_am + log p_a / q_m), where m = argmin_b (D_ab - log q_b)
    "variational"   sum_a p_a log (sum_c p_c exp -D(f_a|f_c) / sum_b q_b exp -D_ab)
    "upper"         min sum_ab s_ab (log s_ab / t_ab + D_ab), sum_b s_ab = p_a, sum_a t_ab = q_b
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

from mixtura.data.checks import check_count, check_option, check_rng
from mixtura.data.frames import described, listed
from mixtura.parameters import Parameters
from mixtura.shapes import Floats

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["Divergence", "gaussian_divergences", "kl_divergence"]

Method = Literal["monte-carlo", "matched", "variational", "upper"]
METHODS: tuple[Method, ...] = ("monte-carlo", "matched", "variational", "upper")
NUMBERS_AT_ONCE = 1 << 20  # of draws in memory
MOST_STEPS = 1000  # of the upper bound, which holds after each; most need fewer than 200
LEAST_GAIN = 1e-9  # of a step, relative; smaller ones end the steps


class Divergence(NamedTuple):
    """A Kullback-Leibler divergence, and how exact it is.

    Attributes
    ----------
    value : float, nats
    standard_error : float, nats
        Of an estimate from random draws; 0 for what is computed without any.
    """

    value: float
    standard_error: float


def kl_divergence(
    self: GaussianMixture,
    other: GaussianMixture,
    method: Method = "monte-carlo",
    *,
    n_samples: int = 100_000,
    rng: int | np.random.Generator | None = None,
) -> Divergence:
    """Kullback-Leibler divergence of this mixture f from another one g, ``E[log f(x) - log g(x)]``.

    It is exact for two single Gaussians.

    Parameters
    ----------
    other : GaussianMixture or fit of one
        Of the same features. Its components and covariance type may be others.
    method : {"monte-carlo", "matched", "variational", "upper"}
        An estimate from random draws, equation 4 of [1]_; an approximation by the best match of
        each component, equations 14 and 15 ([2]_); another approximation, equation 20; or an upper
        bound, equations 22 to 24.
    n_samples : int
        Draws of "monte-carlo", at least 2.
    rng : int, Generator or None
        Seed or generator of "monte-carlo"; None draws a new seed.

    Returns
    -------
    Divergence
        The `value` and its `standard_error`, which is 0 but for "monte-carlo". Only "upper" is
        never negative.

    Raises
    ------
    ValueError
        For a mixture of other features, an unknown method or fewer than two draws.
    TypeError
        For anything but a mixture, and for other kinds of `n_samples` and `rng`.

    See Also
    --------
    elbo : The divergence of responsibilities from those of a mixture.

    Notes
    -----
    Cost O(n_samples k d^2) for "monte-carlo", with 8 bytes of memory a draw; O(k^2 d^3) for the
    other methods. :doc:`/manual/divergence` compares the methods.

    References
    ----------
    .. [1] J. R. Hershey, P. A. Olsen, "Approximating the Kullback Leibler divergence between
       Gaussian mixture models", IEEE International Conference on Acoustics, Speech and Signal
       Processing, volume 4, 317-320, 2007.
    .. [2] J. Goldberger, S. Gordon, H. Greenspan, "An efficient image similarity measure based on
       approximations of KL-divergence between two Gaussian mixtures", Ninth IEEE International
       Conference on Computer Vision, 487-493, 2003, equation 2.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> one = GaussianMixture([1], [[0]], [1], "spherical")
    >>> one.kl_divergence(GaussianMixture([1], [[2]], [1], "spherical"))
    Divergence(value=2.0, standard_error=0.0)
    >>> two = GaussianMixture([0.5, 0.5], [[0], [2]], [1, 1], "spherical")
    >>> round(one.kl_divergence(two, "variational").value, 3)
    0.566
    """
    method = check_option("method", method, METHODS)
    n_samples = check_count("n_samples", n_samples, minimum=2)
    generator = check_rng(rng)
    one, two = _present(self), _present(_comparable(self, other))
    if len(one.weights) == len(two.weights) == 1:
        return Divergence(float(gaussian_divergences(one, two)[0, 0]), 0.0)
    if method == "monte-carlo":
        f, g = (
            each._of(each.covariance_type, parameters)
            for each, parameters in ((self, one), (_comparable(self, other), two))
        )
        return _from_draws(f, g, n_samples, generator)
    divergences = gaussian_divergences(one, two)
    if method == "matched":
        value = _matched(one.weights, two.weights, divergences)
    elif method == "variational":
        own = gaussian_divergences(one, one)
        value = _variational(one.weights, two.weights, own, divergences)
    else:
        value = _upper(one.weights, two.weights, divergences)
    return Divergence(value, 0.0)


def gaussian_divergences(one: Parameters, two: Parameters) -> Floats:
    """Divergence of each component of one mixture from each of another, in closed form.

    Parameters
    ----------
    one, two : Parameters
        Of the same features, of any shapes; their weights do not count.

    Returns
    -------
    ndarray of shape (n_components of one, n_components of two), nats
        Non-negative; exactly 0 between equal Gaussians of one shape.
    """
    (k, d), m = one.means.shape, len(two.means)
    U, V = one.precisions_cholesky, two.precisions_cholesky
    own, others = one.shape.variances(U, k, d), two.shape.variances(V, m, d)  # the diagonals
    are_diagonal = one.shape.is_diagonal and two.shape.is_diagonal
    if not are_diagonal:
        matrices = two.shape.matrices(V, 1 if two.shape.is_shared else m, d)
        side_by_side = matrices.transpose(1, 0, 2).reshape(d, -1)
    divergences = np.empty((k, m))
    with np.errstate(over="ignore"):
        for a in range(k):
            r = others / own[a]
            terms = (r - 1.0) * (r + 1.0) - 2.0 * np.log(r)
            total = np.maximum(terms, 0.0).sum(axis=1)
            if not are_diagonal:
                W = solve_triangular(one.shape.matrix(U, a, d), side_by_side, check_finite=False)
                W = W.reshape(d, -1, d).transpose(1, 0, 2)
                total += np.square(np.triu(W, k=1)).sum(axis=(1, 2))
            total += np.square(two.shape.whitened_lengths(V, one.means[a] - two.means))
            divergences[a] = 0.5 * total
    return divergences


def _comparable(mixture: GaussianMixture, other: Any) -> GaussianMixture:
    """Return the other mixture, which must have the same features."""
    model = getattr(other, "model", other)
    if not isinstance(model, type(mixture)):
        raise TypeError(
            f"other must be a GaussianMixture, or a fit of one; got {described(other)}. Pass "
            f"GaussianMixture.from_sklearn(other) for one of scikit-learn."
        )
    if model.n_features != mixture.n_features:
        raise ValueError(
            f"other must have {mixture.n_features} features, as this mixture has; got "
            f"{model.n_features}. Compare marginal(features) of both."
        )
    names, others = mixture.feature_names, model.feature_names
    if names is not None and others is not None and names != others:
        raise ValueError(
            f"other must have the features {listed(names)}, in this order; got {listed(others)}. "
            f"Pass other.marginal(names) for another order of them."
        )
    return model


def _present(mixture: GaussianMixture) -> Parameters:
    """Return the components of positive weight, with weights that sum to one."""
    return mixture._parameters().select(np.flatnonzero(mixture.weights))


def _from_draws(
    f: GaussianMixture, g: GaussianMixture, n: int, rng: np.random.Generator
) -> Divergence:
    values, step = np.empty(n), 1 + NUMBERS_AT_ONCE // f.n_features
    for start in range(0, n, step):
        X, _ = f.sample(min(step, n - start), rng)
        values[start : start + step] = f.log_prob(X) - g.log_prob(X)
    with np.errstate(over="ignore", invalid="ignore"):
        value, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(n)
    return Divergence(value, error if math.isfinite(error) else math.inf)


def _matched(p: Floats, q: Floats, divergences: Floats) -> float:
    return float(p @ ((divergences - np.log(q)).min(axis=1) + np.log(p)))


def _variational(p: Floats, q: Floats, own: Floats, divergences: Floats) -> float:
    return float(p @ (_log_sum(np.log(p) - own, 1) - _log_sum(np.log(q) - divergences, 1)))


def _upper(p: Floats, q: Floats, divergences: Floats) -> float:
    """Minimise over s and t in turn: a convex problem, whose value never rises.

    ``t_ab = q_b s_ab / sum_c s_cb`` is best for s, and ``s_ab`` proportional to
    ``t_ab exp -D_ab`` for t; the value at this s is ``sum_a p_a log (p_a / sum_b t_ab exp -D_ab)``.
    """
    if np.isinf(divergences).all(axis=1).any():
        return math.inf
    log_p, log_q, value = np.log(p), np.log(q), math.inf
    log_t = log_p[:, None] + log_q
    for _ in range(MOST_STEPS):
        previous, log_s = value, log_t - divergences
        totals = _log_sum(log_s, 1)
        value = float(p @ (log_p - totals))
        if previous - value <= LEAST_GAIN * abs(value):
            break
        log_s += (log_p - totals)[:, None]
        columns = _log_sum(log_s, 0)
        log_t = log_s + log_q - np.where(np.isfinite(columns), columns, 0.0)
    return max(0.0, value)


def _log_sum(logs: Floats, axis: int) -> Floats:
    total: Floats = np.logaddexp.reduce(logs, axis=axis)
    return total

"""Principal axes that all components share, while their shapes differ: EVE and VVE.

For axes D, an orthogonal matrix, the variances along the axes follow from the diagonals
``omega_j = diag(D^T W_j D)`` of the rotated scatters in closed form, and what is left is to be
minimised over D:

    VVE    sum_j n_j sum_a log omega_ja,
    EVE    n d log sum_j exp(1/d sum_a log omega_ja).

Browne and McNicholas [1]_ majorise it; here Newton's method takes rotations ``D cayley(X)`` with X
skew, and ends at the same points after a few steps. The sign of negative curvature is changed, so
that every step goes down. The function may have several minima: an update that is given the
previous axes never ends above them, and one without tries the axes of the pooled scatter and of
each component.

.. [1] R. P. Browne, P. D. McNicholas, "Estimating common principal components in high dimensions",
   Advances in Data Analysis and Classification 8, 217-226, 2014.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from mixtura.algebra import Algebra
from mixtura.shapes import Floats

__all__ = ["axes_of_one", "common_axes", "turned"]

MOST_STEPS = 100
MOST_HALVINGS = 30
LONGEST_STEP = 0.5  # radians in one plane
NEGLIGIBLE = 1e-15  # predicted gain per unit of weight that rounding hides
NEARLY = 1e-10  # predicted gain below which a step is taken without a look at the function
FLATTEST = 1e-9  # curvature per unit of weight that a step may divide by
MOST_FEATURES = 16  # for which the whole matrix of curvatures is used, d (d - 1) / 2 square
TINY = 1e-300  # keeps a division defined
LEAST_RATIO = 1e-100  # of variances to the largest: less would overflow in the second derivatives
SOUND = 1e-10  # ratio of eigenvalues above which a component's own axes are tried


def common_axes(
    scatter: Floats,
    counts: Floats,
    by: Algebra,
    *,
    equal_volumes: bool,
    previous: Floats | None = None,
) -> Floats:
    """Return the axes D of largest likelihood, shape (n_features, n_features), a column each.

    Parameters
    ----------
    scatter : ndarray of shape (n_components, n_features, n_features)
    counts : ndarray of shape (n_components,)
        Positive weights.
    by : Algebra
    equal_volumes : bool
        EVE instead of VVE.
    previous : ndarray of shape (n_features, n_features), optional
        Axes to start from.
    """
    traces = np.einsum("jaa->j", scatter)
    counts, scatter = counts[traces > 0.0], scatter[traces > 0.0]
    if scatter.shape[1] == 1 or len(scatter) == 0:
        return np.eye(scatter.shape[1])
    starts = _candidates(scatter, by) if previous is None else [previous]
    found = [_descend(scatter, counts, equal_volumes, D, by) for D in starts]
    return min(found, key=lambda end: end[0])[1]


def axes_of_one(matrices: Floats, by: Algebra) -> Floats:
    """Return the axes of matrices that all have the same, shape (n_features, n_features).

    They are the eigenvectors of a weighted sum. The weights are irregular, so that two axes with
    different variances hardly ever have equal variances in the sum.
    """
    weights = 1.0 + np.modf(np.sqrt(2.0) * np.arange(len(matrices)))[0]
    traces = np.einsum("jaa->j", matrices)
    summed = np.einsum("j,jab->ab", weights / traces, matrices)
    axes: Floats = by.eigh(summed[None])[1][0, :, ::-1]
    return axes


def turned(matrices: Floats, axes: Floats, by: Algebra) -> Floats:
    """Return ``axes.T @ matrix @ axes`` for each matrix."""
    return by.multiply(axes.T[None], by.multiply(matrices, axes[None]))


def _candidates(scatter: Floats, by: Algebra) -> list[Floats]:
    variances, axes = by.eigh(scatter)
    sound = variances[:, 0] > SOUND * variances[:, -1]
    return [by.eigh(scatter.sum(axis=0, keepdims=True))[1][0], *axes[sound]]


class _Point(NamedTuple):
    """The function at one rotation; `shares` are the weights of components in its gradient."""

    value: float
    rotated: Floats
    omega: Floats
    shares: Floats


def _descend(
    scatter: Floats, counts: Floats, equal_volumes: bool, D: Floats, by: Algebra
) -> tuple[float, Floats]:
    """Return the minimum that Newton's method finds from one start, and its axes."""
    here = _look(scatter, counts, equal_volumes, D, by)
    for _ in range(MOST_STEPS):
        X, gain = _newton_step(here, equal_volumes, by)
        if not gain > NEGLIGIBLE:
            # Newton's last step makes the axes as exact as the function is.
            return here.value, by.multiply(D[None], _cayley(X, by))[0]
        for _ in range(MOST_HALVINGS):
            nearby = by.multiply(D[None], _cayley(X, by))[0]
            there = _look(scatter, counts, equal_volumes, nearby, by)
            if gain < NEARLY or there.value < here.value:
                break
            X = 0.5 * X
        else:
            break
        D, here = nearby, there
    return here.value, D


def _look(scatter: Floats, counts: Floats, equal_volumes: bool, D: Floats, by: Algebra) -> _Point:
    rotated = turned(scatter, D, by)
    omega = np.einsum("jaa->ja", rotated)
    omega = np.maximum(omega, LEAST_RATIO * omega.max())
    logs = np.log(omega).sum(axis=1)
    shares = counts / counts.sum()
    if not equal_volumes:
        return _Point(float(shares @ logs), rotated, omega, shares)
    d = len(D)
    roots = np.exp((logs - logs.max()) / d)
    total = roots.sum()
    return _Point(float(logs.max() + d * np.log(total)), rotated, omega, roots / total)


def _newton_step(here: _Point, equal_volumes: bool, by: Algebra) -> tuple[Floats, float]:
    """Return a skew X along which the function falls, and the gain that it predicts."""
    _, V, omega, c = here
    d = len(omega[0])
    first, second = np.triu_indices(d, 1)
    mixed = V[:, first, second]
    slopes = -2.0 * mixed / omega[:, first], 2.0 * mixed / omega[:, second]  # of log omega
    gradient = np.einsum("j,jp->p", c, slopes[0] + slopes[1])
    if d > MOST_FEATURES:
        ratios = omega[:, first] / omega[:, second]
        curvature = np.einsum("j,jp->p", 2.0 * c, ratios + 1.0 / ratios - 2.0)
        steps = -gradient / np.maximum(curvature, FLATTEST)
    else:
        hessian = _hessian(V, omega, c, equal_volumes, slopes, by)
        (curvature,), (directions,) = by.eigh(hessian[None])
        along = np.einsum("p,pq->q", gradient, directions)
        down = -along / np.maximum(np.abs(curvature), FLATTEST)
        steps = np.einsum("pq,q->p", directions, down)
    steps *= min(1.0, LONGEST_STEP / max(np.abs(steps).max(), TINY))
    X = np.zeros((d, d))
    X[first, second] = steps
    X[second, first] = -steps
    return X, float(-0.5 * (gradient * steps).sum())


def _hessian(
    V: Floats,
    omega: Floats,
    c: Floats,
    equal_volumes: bool,
    slopes: tuple[Floats, Floats],
    by: Algebra,
) -> Floats:
    """Second derivatives in the planes (a, b), a < b, from the second-order term of exp(X).

    For one component, ``2 tr(U V X X) - 2 tr(U X V X) - sum_a (slope_a . x)^2``, U = 1 / omega.
    """
    k, d = omega.shape
    first, second = np.triu_indices(d, 1)
    planes = np.arange(len(first))
    basis = _skew_basis(d)
    flat = basis.reshape(len(planes), -1)
    weighted = c[:, None] / omega
    Z = np.einsum("ja,jbc->abc", weighted, V)
    one = by.multiply(np.einsum("aac->ac", Z)[None], basis)
    other = by.multiply(basis.transpose(1, 0, 2), Z).transpose(1, 0, 2)
    half: Floats = by.multiply((other - one).reshape(1, len(planes), -1), flat.T[None])[0]
    jacobian = np.zeros((k, d, len(planes)))
    jacobian[:, first, planes], jacobian[:, second, planes] = slopes
    weighted_jacobian = (np.sqrt(c)[:, None, None] * jacobian).reshape(k * d, -1)
    squares = by.multiply(weighted_jacobian.T[None], weighted_jacobian[None])[0]
    second_order: Floats = half + half.T - squares
    if not equal_volumes:
        return second_order
    totals = slopes[0] + slopes[1]
    off = totals - np.einsum("j,jp->p", c, totals)
    second_order += by.multiply((c[:, None] * off).T[None], off[None])[0] / d
    return second_order


@cache
def _skew_basis(d: int) -> Floats:
    """Generators of the rotations in the planes (a, b), shape (d (d - 1) / 2, d, d)."""
    first, second = np.triu_indices(d, 1)
    planes = np.arange(len(first))
    basis = np.zeros((len(planes), d, d))
    basis[planes, first, second] = 1.0
    basis[planes, second, first] = -1.0
    return basis


def _cayley(X: Floats, by: Algebra) -> Floats:
    """Return ``inv(I - X/2) (I + X/2)``: orthogonal, and exp(X) to second order.

    With X skew this is ``(I + X/2)^2 inv(I - X^2/4)``, the inverse of a positive definite matrix.
    """
    half = (np.eye(len(X)) + 0.5 * X)[None]
    root, _ = by.factorise(np.eye(len(X)) + 0.25 * by.multiply(X.T[None], X[None]))
    inverse = by.multiply(root, root.transpose(0, 2, 1))
    return by.multiply(by.multiply(half, half), inverse)

"""Principal axes that all components share, while their shapes differ: EVE and VVE.

For axes D, an orthogonal matrix, the variances along the axes follow from the diagonals
``omega_j = diag(D^T W_j D)`` of the rotated scatters in closed form, and what is left is to be
minimised over D:

    VVE    sum_j n_j sum_a log omega_ja,
    EVE    n d log sum_j root_j,    root_j = exp(1/d sum_a log omega_ja).

Turning two axes a and b by an angle t keeps the mean m_j of omega_ja and omega_jb, and half their
difference becomes ``g_j = delta_j cos(2 t) + e_j sin(2 t)``, where e_j is the entry (a, b) of the
rotated scatter. The function depends on the products ``omega_ja omega_jb = m_j^2 - g_j^2`` alone,
and is concave in them. So it is nowhere above its tangent, which is least for the angle that
maximises

    sum_j w_j g_j(t)^2,    w_j = c_j / (omega_ja omega_jb) at t = 0,    c_j = n_j or root_j.

A sweep takes one plane after the other and never goes up [1]_, [2]_. In a sweep of EVE, c_j follows
the tangent of root_j, which is above it.

An update that is given the previous axes makes a few sweeps from there: EM needs no more than an
increase, and the next update continues. The function may have several minima. So an update without
previous axes tries the axes of the pooled scatter and of each component, and makes sweeps until
they gain nothing.

.. [1] B. N. Flury, W. Gautschi, "An algorithm for simultaneous orthogonal transformation of several
   positive definite symmetric matrices to nearly diagonal form", SIAM Journal on Scientific and
   Statistical Computing 7, 169-184, 1986.
.. [2] R. P. Browne, P. D. McNicholas, "Estimating common principal components in high dimensions",
   Advances in Data Analysis and Classification 8, 217-226, 2014.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from mixtura.algebra import Algebra
from mixtura.shapes import EPS, Floats

__all__ = ["axes_of_one", "common_axes", "turned"]

WARM_SWEEPS = 12  # at most, from previous axes
LEAST_PROGRESS = 0.03  # of what all sweeps of an update have gained; less ends it
TRIAL_SWEEPS = 5  # from each of the axes that are tried where none are given
COLD_SWEEPS = 200  # from the best of them
LEAST_GAIN = 1e-14  # of a sweep, per row; less is rounding
LEAST_TURN = 1e-18  # the gain, per row, below which a plane is not turned
SOUND = 1e-10  # ratio of eigenvalues above which a component's own axes are tried


def common_axes(
    scatter: Floats,
    counts: Floats,
    by: Algebra,
    *,
    equal_volumes: bool,
    previous: Floats | None = None,
) -> Floats:
    """Return axes D of large likelihood, shape (n_features, n_features), a column each.

    Parameters
    ----------
    scatter : ndarray of shape (n_components, n_features, n_features)
    counts : ndarray of shape (n_components,)
        Positive weights.
    by : Algebra
    equal_volumes : bool
        EVE instead of VVE.
    previous : ndarray of shape (n_features, n_features), optional
        Axes to start from. The likelihood is not below theirs.
    """
    traces = np.einsum("jaa->j", scatter)
    counts, scatter = counts[traces > 0.0], scatter[traces > 0.0]
    if len(scatter) == 0:
        return np.eye(scatter.shape[1])

    def stand(axes: Floats) -> _OnAxes:
        return _OnAxes(scatter, counts, axes, equal_volumes, by)

    if previous is not None:
        return stand(previous).descend(WARM_SWEEPS, LEAST_PROGRESS).axes
    ends = [stand(axes).descend(TRIAL_SWEEPS, 0.0) for axes in _candidates(scatter, by)]
    best = min(ends, key=lambda end: end.value)
    return stand(best.axes).descend(COLD_SWEEPS, 0.0).axes


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
    of_all = by.eigh(scatter.sum(axis=0, keepdims=True))[1][0]
    return [one[:, ::-1] for one in (of_all, *axes[sound])]


class _OnAxes:
    """The function of the head of this file, on axes that are turned plane by plane."""

    def __init__(
        self, scatter: Floats, counts: Floats, axes: Floats, equal_volumes: bool, by: Algebra
    ) -> None:
        self.counts, self.equal_volumes = counts, equal_volumes
        self.axes, self.traces = axes.copy(), np.einsum("jaa->j", scatter)
        self.V = turned(scatter / self.traces[:, None, None], axes, by)
        self.value = self._weigh()

    def descend(self, most_sweeps: int, least_progress: float) -> _OnAxes:
        """Make sweeps, until one gains less than a part of what all have."""
        total = 0.0
        for _ in range(most_sweeps):
            gain = sum(self._turn_plane(a, b) for a, b in combinations(range(len(self.axes)), 2))
            self.value = self._weigh()
            total += gain
            if not (gain > LEAST_GAIN and gain > least_progress * total):
                break
        return self

    def _weigh(self) -> float:
        """Return the function per row; keep the shares c_j, of sum one."""
        logs = np.log(_sound(np.einsum("jaa->ja", self.V))).sum(axis=1)
        d = len(self.axes)
        shares = self.traces * np.exp(logs / d) if self.equal_volumes else self.counts
        self.shares = shares / shares.sum()
        return float(d * np.log(shares.sum()) if self.equal_volumes else self.shares @ logs)

    def _turn_plane(self, a: int, b: int) -> float:
        """Turn two axes; return by how much the tangent falls."""
        V, planes = self.V, [a, b]
        delta, e = 0.5 * (V[:, a, a] - V[:, b, b]), V[:, a, b]
        before = _sound(V[:, a, a]) * _sound(V[:, b, b])
        w = self.shares / before
        along, across = w @ (delta * delta - e * e), w @ (2.0 * delta * e)
        height = np.hypot(along, across)
        # A difference of nearly equal numbers would lose digits.
        gain = 0.5 * (across**2 / (height + along) if along > 0.0 else height - along)
        if not gain > LEAST_TURN:
            return 0.0
        angle = 0.25 * np.arctan2(across, along)
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        V[:, :, planes] = V[:, :, planes] @ turn
        V[:, planes] = turn.T @ V[:, planes]
        self.axes[:, planes] = self.axes[:, planes] @ turn
        if self.equal_volumes:
            after = _sound(V[:, a, a]) * _sound(V[:, b, b])
            self.shares *= 1.0 + (after / before - 1.0) / len(self.axes)
        return float(gain)


def _sound(omega: Floats) -> Floats:
    """Variances of scatters of trace one; a smaller one is rounding."""
    return np.maximum(omega, EPS)

"""Agglomeration in plain NumPy: what `mixtura.kernels.agglomerate` computes, by definition."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.data.checks import TreeModel, check_agglomerate
from mixtura.shapes import Floats

__all__ = ["agglomerate"]


def agglomerate(
    X: ArrayLike,
    *,
    model: TreeModel,
    blur: float,
    sample_weight: ArrayLike | None = None,
) -> tuple[NDArray[np.int64], Floats]:
    """Merge rows, two clusters at a time, always the two whose merger costs least.

    With n_c, m_c and S_c the weight, mean and scatter of cluster c, each of its rows blurred by a
    variance r, ``S_c = sum_i w_i [(x_i - m_c)(x_i - m_c)^T + r I]``, a merger costs what it adds to

    - VVV: ``sum_c n_c log |S_c / n_c|``,
    - VII: ``sum_c n_c d log(tr S_c / (n_c d))``,
    - EEE: ``log |sum_c S_c|``,
    - EII: ``sum_c tr S_c``, which is Ward's method.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features), float32 or float64
        The rows, of about unit spread and near zero.
    model : {"VVV", "EEE", "VII", "EII"}
        What is minimised.
    blur : float, squared units of the features
        The variance r, positive.
    sample_weight : array_like of shape (n_samples,), optional
        Positive; None is one for each row.

    Returns
    -------
    merges : ndarray of shape (n_samples - 1, 2), int64
        The two clusters of each merger, the lower number first: rows are numbered from 0, what
        merger t makes is n_samples + t.
    losses : ndarray of shape (n_samples - 1,)
        The cost of each merger; none is negative, but by rounding.

    Raises
    ------
    ValueError
        For no rows, values that are not finite, weights or a blur that are not positive, or an
        unknown model.
    TypeError
        For values that are not real numbers.

    Notes
    -----
    Costs are those of [1]_ and [2]_. Of equal ones, the first pair counts. Cost O(n^3 d^3) here;
    compiled, about O(n^2 d^3) for VVV and O(n^2 d) for the others, in memory O(n d^2) and O(n d).

    References
    ----------
    .. [1] J. D. Banfield, A. E. Raftery, "Model-based Gaussian and non-Gaussian clustering",
       Biometrics 49, 803-821, 1993.
    .. [2] C. Fraley, "Algorithms for model-based Gaussian hierarchical clustering", SIAM Journal on
       Scientific Computing 20, 270-281, 1998.

    Examples
    --------
    >>> from mixtura import reference
    >>> merges, losses = reference.agglomerate([[0.0], [1.0], [3.0]], model="EII", blur=1e-3)
    >>> merges
    array([[0, 1],
           [2, 3]])
    >>> losses.round(3)
    array([0.5  , 4.167])
    """
    rows, model, blur, weight = check_agglomerate(X, model, blur, sample_weight)
    n = len(rows)
    numbers, members = list(range(n)), [[i] for i in range(n)]
    parts = [_moments(rows, weight, cluster, blur) for cluster in members]
    merges, losses = np.empty((n - 1, 2), dtype=np.int64), np.empty(n - 1)
    costs = np.full((n, n), np.inf)
    changed = list(combinations(range(n), 2))
    for t in range(n - 1):
        within = np.sum([scatter for _, scatter in parts], axis=0)
        for i, j in changed:
            union = _moments(rows, weight, members[i] + members[j], blur)
            if model == "EEE":
                grown = within - parts[i][1] - parts[j][1] + union[1]
                costs[i, j] = _log_det(grown) - _log_det(within)
            else:
                before = _value(model, *parts[i]) + _value(model, *parts[j])
                costs[i, j] = _value(model, *union) - before
        i, j = divmod(int(np.argmin(costs)), len(parts))
        merges[t] = sorted((numbers[i], numbers[j]))
        losses[t] = costs[i, j]
        numbers[i], members[i] = n + t, members[i] + members[j]
        parts[i] = _moments(rows, weight, members[i], blur)
        del numbers[j], members[j], parts[j]
        costs = np.delete(np.delete(costs, j, axis=0), j, axis=1)
        changed = list(combinations(range(len(parts)), 2))
        if model != "EEE":  # where costs of other pairs do not depend on the merger
            changed = [(min(i, c), max(i, c)) for c in range(len(parts)) if c != i]
    return merges, losses


def _moments(rows: Floats, weight: Floats, members: list[int], blur: float) -> tuple[float, Floats]:
    """Weight and scatter of a cluster."""
    w = weight[members]
    z = rows[members] - w @ rows[members] / w.sum()
    return float(w.sum()), (w[:, None] * z).T @ z + w.sum() * blur * np.eye(rows.shape[1])


def _value(model: TreeModel, mass: float, scatter: Floats) -> float:
    """What a cluster of this weight and scatter adds to the sum."""
    d, trace = len(scatter), float(np.trace(scatter))
    if model == "VVV":
        return mass * _log_det(scatter / mass)
    return trace if model == "EII" else mass * d * math.log(trace / (mass * d))


def _log_det(matrix: Floats) -> float:
    return float(np.linalg.slogdet(matrix)[1])

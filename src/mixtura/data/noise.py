"""Noise of each row: checks of what users pass in, and the rows with it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.data.array import ArrayRows
from mixtura.data.frames import real_array
from mixtura.data.index import check_index
from mixtura.data.missing import Accepted
from mixtura.data.row_checks import check_column_names
from mixtura.data.source import RowSource
from mixtura.data.values import refuse_negative, refuse_non_finite, rounding_unit
from mixtura.shapes import EPS, Floats

__all__ = ["accepted", "variances_of", "with_noise"]

CHUNK = 1 << 13  # rows whose matrices are looked at together
ROUNDINGS = 64.0  # of the largest variance of a row: what an eigenvalue may be below zero


def accepted(missing: Accepted, noise_covariance: ArrayLike | None) -> Accepted:
    """Return what checks of rows are told: with noise, "raise" offers a projection, not "em"."""
    return "noisy" if missing == "raise" and noise_covariance is not None else missing


def with_noise(
    source: RowSource,
    noise_covariance: ArrayLike | None,
    projection: ArrayLike | None = None,
    *,
    n_features: int | None = None,
) -> RowSource:
    """Rows with noise of their own, checked, in the form "noisy"; as they are without noise.

    Parameters
    ----------
    source : RowSource
        What was observed of each row, checked, shape (n, m).
    noise_covariance : array_like of shape (n,), (n, m) or (n, m, m), optional
    projection : array_like of shape (n, m, n_features), optional
        None: each feature was observed, and m is n_features.
    n_features : int, optional
        Of the mixture, where there is one.

    Returns
    -------
    RowSource
        Of n_features columns. Where there is a projection, its `X` is what is expected of the true
        rows under one Gaussian, and all of it is in memory.

    Raises
    ------
    ValueError
        For shapes that do not fit the rows, for values that are not finite, variances that are
        negative and matrices that are not symmetric and positive semi-definite, by their row. For
        projections of which some combination of numbers has neither a variance nor noise, by their
        row. Without a mixture, for a feature that is observed in no row.
    TypeError
        For values that are not real numbers.
    """
    if noise_covariance is None:
        if projection is not None:
            raise ValueError(
                "projection must come with noise_covariance; got none. Pass the covariance of the "
                "noise, np.zeros(len(X)) where there is none."
            )
        return source
    source.refuse_array("noise_covariance", "Pass rows that are in memory or in files.")
    if source.form != "whole":
        raise ValueError(
            "X must have all its numbers where noise_covariance is given; some are missing. Leave "
            "these out of X by projection=, the rows of the identity that were observed."
        )
    absent = _absent(source)
    noise = _check_noise(noise_covariance, source, absent)
    if projection is None:
        return source.with_extras("noisy", {"noise": noise})
    check_index(projection, source.index, "projection")
    projected = _without_absent(np.asarray(real_array(projection, "projection")[0]), absent)
    n, m = source.n_samples, source.n_features
    wanted = "n_features" if n_features is None else n_features
    sound = projected.ndim == 3 and projected.shape[:2] == (n, m) and projected.shape[2] > 0
    if not sound or n_features not in (None, projected.shape[2]):
        raise ValueError(
            f"projection must have shape ({n}, {m}, {wanted}), a matrix for each row from the "
            f"features of the mixture to the columns of X; got {projected.shape}. Give each row "
            f"one, such as np.broadcast_to(R, ({n}, *R.shape)) for the same one."
        )
    refuse_non_finite(projected, "projection", ("row", "column", "feature"), "Drop the row.")
    projected = np.ascontiguousarray(projected, dtype=np.float64)
    observed = np.concatenate([block.X for block in source.blocks()]).astype(np.float64, order="C")
    weights = source.weights()
    if n_features is None:
        _refuse_unobserved(projected)
    _refuse_singular(projected, noise, absent)
    stand_in = _expected(observed, noise, projected, weights)
    extras = {"noise": noise, "observed": observed, "projection": projected}
    rows = ArrayRows(stand_in, weights, None, form="noisy", extras=extras)
    rows.index = source.index
    return rows


def variances_of(noise: NDArray[Any]) -> NDArray[Any]:
    """Return the variances (n, m), or (n, 1) for all columns, of the noise of rows."""
    if noise.ndim == 3:
        return np.asarray(np.einsum("iaa->ia", noise))
    return noise if noise.ndim == 2 else noise[:, None]


def _absent(source: RowSource) -> NDArray[np.bool_] | None:
    """Which rows have no weight; None where all have some."""
    weights = source.weights()
    return None if weights is None or weights.all() else weights == 0.0


def _without_absent(array: NDArray[Any], absent: NDArray[np.bool_] | None) -> NDArray[Any]:
    """Return an array of rows with zeros where a row has no weight: it may hold anything."""
    if absent is None or array.ndim == 0 or len(array) != len(absent):
        return array
    array = array.copy()
    array[absent] = 0.0
    return array


def _check_noise(
    noise_covariance: ArrayLike, source: RowSource, absent: NDArray[np.bool_] | None
) -> NDArray[Any]:
    name = "noise_covariance"
    check_index(noise_covariance, source.index, name)
    array, names = real_array(noise_covariance, name)
    noise = _without_absent(np.asarray(array), absent)
    n, m = source.n_samples, source.n_features
    if noise.shape not in [(n,), (n, m), (n, m, m)]:
        raise ValueError(
            f"{name} must have shape ({n},), one variance for each row of X, ({n}, {m}), variances "
            f"of its columns, or ({n}, {m}, {m}), covariances; got {noise.shape}. Give each row "
            f"its noise, such as np.broadcast_to(N, ({n}, {m}, {m})) for one matrix N."
        )
    if noise.ndim == 2:
        check_column_names(names, source.feature_names, name)
    axes = ("row", "column", "column")[: noise.ndim]
    refuse_non_finite(noise, name, axes, "Give a finite number, or drop the row.")
    noise = _as_doubles(noise)
    if noise.ndim < 3:
        refuse_negative(noise, name, axes, "Pass variances, not below 0.")
        return noise
    return _check_matrices(noise, name, max(EPS, rounding_unit(noise_covariance, name)))


def _as_doubles(noise: NDArray[Any]) -> Floats:
    """Return float64, where the numbers of a row lie side by side; one row may serve for all."""
    doubles = noise.astype(np.float64, copy=False)
    whole = doubles.ndim > 1 and len(doubles) > 0 and doubles[0].flags.c_contiguous
    return doubles if whole and doubles.strides[0] % 8 == 0 else np.ascontiguousarray(doubles)


def _check_matrices(noise: Floats, name: str, unit: float) -> Floats:
    """Refuse matrices that are not symmetric and positive semi-definite, but for rounding."""
    d = noise.shape[1]
    exact = True
    for start in range(0, len(noise), CHUNK):
        part = noise[start : start + CHUNK]
        largest = np.abs(part).max(axis=(1, 2), initial=0.0)
        allowed = ROUNDINGS * d * unit * largest
        off = np.abs(part - part.swapaxes(1, 2))
        exact &= not off.any()
        wrong = (off > allowed[:, None, None]).any(axis=(1, 2))
        if wrong.any():
            i = int(np.argmax(wrong))
            a, b = np.unravel_index(int(off[i].argmax()), off[i].shape)
            raise ValueError(
                f"{name} must be symmetric; row {start + i} has {part[i, a, b]} in place "
                f"({a}, {b}) and {part[i, b, a]} in ({b}, {a}). Average it with its transpose."
            )
        lowest = _lowest_eigenvalue(part, allowed)
        if (lowest < -allowed).any():
            i = int(np.argmax(lowest < -allowed))
            raise ValueError(
                f"{name} must be positive semi-definite; row {start + i} has the eigenvalue "
                f"{lowest[i]:.6g}. Pass covariances of the noise: variances on the diagonal, not "
                f"standard deviations or precisions."
            )
    return noise if exact else 0.5 * (noise + noise.swapaxes(1, 2))


def _lowest_eigenvalue(matrices: Floats, allowed: Floats) -> Floats:
    """Return lowest eigenvalues, or zeros where a Cholesky factorisation shows that all are sound.

    It takes a fraction of the time.
    """
    ridge = np.where(allowed > 0.0, allowed, 1.0)[:, None, None] * np.eye(matrices.shape[1])
    try:
        np.linalg.cholesky(matrices + ridge)
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.eigvalsh(matrices)[:, 0], dtype=np.float64)
    return np.zeros(len(matrices))


def _refuse_singular(
    projection: Floats, noise: NDArray[Any], absent: NDArray[np.bool_] | None
) -> None:
    """Refuse rows of which ``R C R^T + N`` is singular whatever C is.

    Then there is a v with ``R^T v = 0`` and ``N v = 0``. To tell, features are in units of their
    largest number in any projection, and rows of projections have length one.
    """
    m = projection.shape[1]
    tolerance = ROUNDINGS * m * EPS
    unit = np.abs(projection).max(axis=(0, 1), initial=0.0)
    unit[unit == 0.0] = 1.0
    for start in range(0, len(projection), CHUNK):
        R = projection[start : start + CHUNK] / unit
        largest = np.abs(R).max(axis=2, keepdims=True)
        largest[largest == 0.0] = 1.0
        R /= largest  # first, so that no square leaves a float's range
        length = np.linalg.norm(R, axis=2, keepdims=True)
        length[length == 0.0] = 1.0
        R /= length
        values, vectors = np.linalg.eigh(R @ R.swapaxes(1, 2))
        blind = values <= tolerance  # directions in which a row's projection sees nothing
        if absent is not None:
            blind[absent[start : start + CHUNK]] = False
        rows = np.flatnonzero(blind.any(axis=1))
        if not len(rows):
            continue
        # In numbers of X, not of rows of length one: v / scale.
        scale = (largest * length)[rows]
        seen, own = ~blind[rows], _as_matrices(noise[start : start + CHUNK][rows], m)
        V = vectors[rows] / scale
        V /= np.abs(V).max(axis=1, keepdims=True)
        left = V.swapaxes(1, 2) @ own @ V
        most = np.einsum("iab,iaa->ib", np.square(V), own)
        left[seen] = 0.0
        left.swapaxes(1, 2)[seen] = 0.0
        diagonal = np.einsum("iaa->ia", left)
        diagonal[seen] = 1.0
        silent = diagonal <= tolerance * np.where(seen, 0.0, most)
        # Noise that is regular by itself is so however far its variances are apart.
        wrong = silent.any(axis=1) | _is_singular(left, tolerance)
        wrong &= _is_singular(own, tolerance)
        if wrong.any():
            i = start + int(rows[np.argmax(wrong)])
            raise ValueError(
                f"projection must see each number of a row that has no noise by itself; of row "
                f"{i}, a combination of its numbers has neither noise nor a part in any feature. "
                f"Give it noise, or drop numbers that others determine."
            )


def _is_singular(matrices: Floats, tolerance: float) -> NDArray[np.bool_]:
    """Whether correlations are singular, or a variance is zero."""
    diagonal = np.einsum("iaa->ia", matrices)
    positive = (diagonal > 0.0).all(axis=1)
    root = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    lowest = np.linalg.eigvalsh(matrices / root[:, :, None] / root[:, None, :])[:, 0]
    singular: NDArray[np.bool_] = ~positive | (lowest <= tolerance)
    return singular


def _as_matrices(noise: NDArray[Any], m: int) -> Floats:
    """Return noise of any shape as matrices."""
    if noise.ndim == 3:
        return noise
    variances = noise[:, None] if noise.ndim == 1 else noise
    return variances[:, :, None] * np.eye(m)


def _refuse_unobserved(projection: Floats) -> None:
    """Refuse features of which no row says anything."""
    largest = np.abs(projection).max(axis=(0, 1), initial=0.0)
    if len(projection) and not largest.all():
        a = int(np.argmin(largest))
        raise ValueError(
            f"projection must let each feature be observed in some row; feature {a} has zeros in "
            f"all. Drop the feature from the projections, or start at a mixture, of which it then "
            f"stays as it is."
        )


def _expected(
    observed: Floats, noise: NDArray[Any], projection: Floats, weights: Floats | None
) -> Floats:
    """Return what is expected of the true rows under one Gaussian, the least squares over all rows.

    Its mean is the least-squares solution of all rows together, drawn to zero where they say
    nothing of a direction. Its variance along each feature is that of the residuals, in the mean.
    """
    n, _, d = projection.shape
    weight = np.ones(n) if weights is None else weights
    gram = np.einsum("i,ima,imb->ab", weight, projection, projection)
    ridge = EPS * d * max(float(np.trace(gram)), np.finfo(np.float64).tiny) * np.eye(d)
    mean = np.linalg.solve(gram + ridge, np.einsum("i,ima,im->a", weight, projection, observed))
    residual = observed - projection @ mean
    size = np.einsum("i,ima,ima->", weight, projection, projection)
    variance = np.einsum("i,im,im->", weight, residual, residual) / max(size, 1e-300)
    stand_in = np.empty((n, d))
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        R = projection[part]
        total = variance * R @ R.swapaxes(1, 2)
        diagonal = np.einsum("imm->im", total)
        own = noise[part]
        if own.ndim == 3:
            total += own
        else:
            diagonal += own[:, None] if own.ndim == 1 else own
        scale = diagonal.max(axis=1, initial=0.0)
        diagonal += (1e-10 * scale + (scale == 0.0))[:, None]  # regular, whatever R and the noise
        slope = np.linalg.solve(total, residual[part][:, :, None])
        stand_in[part] = mean + variance * (R.swapaxes(1, 2) @ slope)[:, :, 0]
    return stand_in

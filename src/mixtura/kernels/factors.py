"""Precision factors of many covariances at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dtrtri

from mixtura.kernels.instruction_set import compiled_kernels
from mixtura.shapes import MOST_INFLATION, Floats

__all__ = ["factorise"]

LEAST_LAPACK = 200  # features; fewer are factored sooner by loops of our own, and on one thread


def factorise(covariances: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Precision factors, and which matrices have none: `mixtura.reference.factorise`, compiled."""
    factors = np.zeros(covariances.shape)
    regular = np.zeros(len(covariances), dtype=bool)
    if covariances.shape[1] < LEAST_LAPACK:
        in_order = np.ascontiguousarray(covariances)
        compiled_kernels.factorise(in_order, factors, regular, MOST_INFLATION)
        return factors, ~regular
    for j, covariance in enumerate(covariances):
        lower, info = dpotrf(covariance, lower=1, clean=1)
        if info == 0:
            factors[j], regular[j] = dtrtri(lower, lower=1)[0].T, True
    with np.errstate(over="ignore", invalid="ignore"):
        deviations = np.sqrt(np.einsum("jaa->ja", covariances))
        inflation = np.square(factors * deviations[:, :, None]).sum(axis=(1, 2))
    return factors, ~(regular & (inflation < MOST_INFLATION))  # false for NaN

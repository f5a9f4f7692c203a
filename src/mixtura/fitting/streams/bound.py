"""What a stream can tell of the evidence lower bound of its rows."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mixtura.exceptions import FitError
from mixtura.fitting.streams.learner import Learner

__all__ = ["BoundEstimate", "estimated_bound"]

LEAST = 2  # batches from which noise can be told


class BoundEstimate(NamedTuple):
    """An estimate of the evidence lower bound of the rows of a stream.

    Attributes
    ----------
    value : float, nats
    standard_error : float, nats
        What differences between batches make of it.
    """

    value: float
    standard_error: float


def estimated_bound(learner: Learner, n_batches: int) -> BoundEstimate:
    """Return the bound of rows like those of the last batches: see `StepwiseGMM.elbo_estimate`."""
    means, sizes = learner.history[-n_batches:], learner.sizes[-n_batches:]
    n = len(means)
    if n < LEAST:
        raise FitError(
            f"elbo_estimate needs {LEAST} batches after the start; got {n}. Call update with more "
            f"rows."
        )
    weight = learner.counted
    share = sizes / sizes.sum()
    mean = float(share @ means)
    spread = np.square(share * (means - mean)).sum() * n / (n - 1)
    divergence = learner.basis.update(weight).penalty(learner.parameters, weight) * weight
    return BoundEstimate(weight * mean - divergence, weight * math.sqrt(spread))

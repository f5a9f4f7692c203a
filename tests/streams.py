"""Rows of a stream, and streams that are compared bit by bit."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from clusters import clustered

from mixtura import StepwiseGMM
from mixtura.shapes import Floats

K, D, N = 3, 2, 3000


def shuffled(seed: int = 0, n: int = N, d: int = D, k: int = K, spread: float = 3.0) -> Floats:
    X = clustered(n, d, k, seed=seed, spread=spread)[0]
    return np.random.default_rng(seed).permutation(X)


def cut(X: Any, size: int) -> Iterator[Any]:
    return (X[first : first + size] for first in range(0, len(X), size))


def learned(X: Floats, size: int = 200, *, k: int = K, epochs: int = 1, **options: Any) -> Any:
    stream = StepwiseGMM(k, **{"rng": 0, **options})
    for _ in range(epochs):
        for batch in cut(X, size):
            stream.update(batch)
    return stream


def assert_same_bits(one: StepwiseGMM, other: StepwiseGMM) -> None:
    assert one.model == other.model
    np.testing.assert_array_equal(one.precisions_cholesky, other.precisions_cholesky)
    np.testing.assert_array_equal(one.history, other.history)
    facts = [
        (each.n_updates, each.n_samples, each.weight_sum, each.events, each.is_started)
        for each in (one, other)
    ]
    assert facts[0] == facts[1]

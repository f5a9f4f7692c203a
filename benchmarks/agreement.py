"""Nothing is timed before it agrees with something else that computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura import Statistics

# Relative. Of float32 data the sums are float64 here, but not everywhere that we compare with.
TOLERANCES = {"float64": 1e-9, "float32": 1e-5}
CHECKED_ROWS = 5_000  # at most: the reference is slow, and these fill many tiles


def assert_agreement(computed: Any, expected: Any, dtype: str) -> None:
    """Expect numbers, arrays, tuples of them or statistics to agree, as a share of the largest."""
    for one, other in zip(_parts(computed), _parts(expected), strict=True):
        tolerance = TOLERANCES[dtype] * np.max(np.abs(other), initial=0.0)
        np.testing.assert_allclose(one, other, rtol=0.0, atol=tolerance)


def _parts(result: Any) -> tuple[Any, ...]:
    if isinstance(result, Statistics):
        return result.resp_sum, result.resp_x, result.resp_xx, result.log_likelihood
    return result if isinstance(result, tuple) else (result,)

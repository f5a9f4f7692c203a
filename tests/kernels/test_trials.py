"""Iterations from each of several beginnings in one call, against the reference's loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES

from mixtura import kernels, reference
from mixtura.schedules.changes import Halves
from mixtura.shapes import SHAPES, Floats

LETTERS = {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII"}


def beginnings(X: Floats, covariance_type: str, n_starts: int = 4) -> Halves:
    """Statistics of two components about rows drawn at random."""
    rng, (n, d) = np.random.default_rng(1), X.shape
    shape = SHAPES[covariance_type]
    scatter = shape.coarsened(np.tile(0.5 * n * np.cov(X.T, ddof=0).reshape(d, d), (2, 1, 1)))
    return Halves(
        shape,
        X[rng.integers(n, size=(n_starts, 2))],
        0.5 * n * rng.dirichlet([5.0, 5.0], size=n_starts),
        np.array([scatter] * n_starts),
        float(n),
    )


def rows(n: int, d: int) -> Floats:
    rng = np.random.default_rng(n + d)
    return rng.normal(size=(n, d)) + 3.0 * rng.integers(2, size=n)[:, None]


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize(("n", "d"), [(31, 1), (65, 2), (129, 5), (1000, 9)])
@pytest.mark.parametrize("ridge", [None, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_trials_of_the_kernel_are_those_of_the_reference(
    weighted: bool, ridge: float | None, n: int, d: int, covariance_type: str
) -> None:
    X = rows(n, d)
    weight = np.random.default_rng(0).exponential(size=n) if weighted else None
    starts = beginnings(X, covariance_type)
    variances = None if ridge is None else np.full(d, ridge)
    step: Any = kernels.m_step(LETTERS[covariance_type], starts.shape, variances)
    n_iter = [1, 2, 3, 5]
    found, reached = kernels.trials(kernels.Rows(X, weight), "soft", step, starts, n_iter, 1)
    reference_rows = reference.Rows(X, weight)
    expected, ends = reference.trials(reference_rows, "soft", step, starts, n_iter, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    for place in range(4):
        for name in ("centres", "resp_sum", "resp_x", "resp_xx"):
            one, other = (getattr(each(place), name) for each in (reached, ends))
            np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-8 * n, err_msg=name)
        assert reached(place).log_likelihood == found[place]


def test_trial_of_a_component_without_parameters_is_nan_and_others_go_on() -> None:
    X = rows(100, 2)
    starts = beginnings(X, "full")
    starts.resp_sum[1, 0] = 0.0
    starts.resp_xx[2, 1] = 0.0
    step: Any = kernels.m_step("VVV", starts.shape, None)
    for engine in (kernels, reference):
        found, _ = engine.trials(engine.Rows(X, None), "soft", step, starts, [2] * 4, 1)
        assert np.isnan(found).tolist() == [False, True, True, False]

"""Extreme deconvolution: figures of independent software, to all their digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from noisy import CASES, rows_of

from mixtura import GaussianMixture, GMMFit, fit_gmm

every_case = pytest.mark.parametrize("name", list(CASES))
both_backends = pytest.mark.parametrize("backend", ["compiled", "reference"])


def mixture_of(numbers: dict[str, Any], covariance_type: str) -> GaussianMixture:
    weights = np.array(numbers["weights"])
    return GaussianMixture(
        weights / weights.sum(), numbers["means"], numbers["covariances"], covariance_type
    )


def plain_em(name: str, max_iter: int, backend: str = "compiled") -> GMMFit:
    """So many iterations from the start of a case."""
    case = CASES[name]
    X, noise = rows_of(case)
    covariance_type = case["covariance_type"]
    return fit_gmm(
        X, case["n_components"], covariance_type=covariance_type, noise_covariance=noise,
        init=mixture_of(case["start"], covariance_type), reg_covar=0.0, tol=0.0,
        max_iter=max_iter, backend=backend,
    )  # fmt: skip


@both_backends
@every_case
def test_em_goes_through_the_published_likelihoods(name: str, backend: str) -> None:
    path = CASES[name]["loglik_after_em_iterations"]
    for iterations in (1, 2, 5, 10):
        fit = plain_em(name, iterations, backend)
        assert fit.log_likelihood == pytest.approx(path[str(iterations)], rel=1e-10)
    rows = len(rows_of(CASES[name])[0])
    assert fit.history[0] == pytest.approx(path["1"] / rows, rel=1e-10)


@both_backends
@every_case
def test_em_ends_at_the_published_maximum(name: str, backend: str) -> None:
    case = CASES[name]
    fit = plain_em(name, 60, backend)
    assert fit.log_likelihood == pytest.approx(case["loglik"], rel=1e-10)
    np.testing.assert_allclose(fit.weights, case["weights"], rtol=1e-8)
    np.testing.assert_allclose(fit.means, case["means"], rtol=1e-8)
    np.testing.assert_allclose(fit.covariances, case["covariances"], rtol=1e-8)

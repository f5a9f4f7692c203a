"""Differences of large numbers against mpmath, and bounds of fits under strong priors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from clusters import clustered

from mixtura import fit_bayesian_gmm, reference
from mixtura.conjugate import WEIGHT_LAWS, PriorLaws, laws
from mixtura.conjugate.gammas import excess_of_trace, log_gamma_ratio, stirling_rest
from mixtura.shapes import SHAPE_NAMES, SHAPES

FEW = np.random.default_rng(3).normal(size=(50, 2))
X, LABELS = clustered()


@pytest.mark.parametrize("x", [1e-300, 0.5, 40.0, 999.0, 1001.0, 1e5, 1e7, 3e9, 1e15])
@pytest.mark.parametrize("a", [0.0, 0.5, 32.0, 1e6])
def test_ratio_of_gamma_functions_has_all_digits(x: float, a: float) -> None:
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(40):
        exact = float(mpmath.loggamma(mpmath.mpf(x) + mpmath.mpf(a)) - mpmath.loggamma(x))
    assert log_gamma_ratio(x, a) == pytest.approx(exact, rel=1e-14, abs=2e-12 * (x < 1e3))


@pytest.mark.parametrize("x", [3.0, 1001.0, 1e5, 3e9, 1e15])
@pytest.mark.parametrize("b", [0.0, 0.5, 2.0])
def test_rest_of_gamma_function_has_all_digits(x: float, b: float) -> None:
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(60):
        of = mpmath.mpf(x)
        exact = float(mpmath.loggamma(of - b) - of * mpmath.log(of) + of)
    assert stirling_rest(x, b) == pytest.approx(exact, rel=1e-13)


def test_excess_of_a_trace_has_the_digits_of_small_numbers() -> None:
    rng = np.random.default_rng(0)
    off = rng.normal(size=(3, 4, 4)) * np.array([1e-9, 1e-3, 0.05])[:, None, None]
    off += off.swapaxes(1, 2)
    values = np.linalg.eigvalsh(off)
    # As a series: the logarithm of NumPy leaves no digit of a square of 1e-9.
    expected = sum((-1) ** p * (values**p).sum(axis=1) / p for p in range(2, 40))
    found = excess_of_trace(off)
    assert found is not None
    np.testing.assert_allclose(found[1:], expected[1:], rtol=1e-12)
    assert found[0] == pytest.approx(expected[0], abs=1e-24)
    assert excess_of_trace(np.array([[0.1, 0.6], [0.0, 0.0]])) is None
    assert excess_of_trace(np.array([[0.1, np.nan]])) is None


# From mpmath with 60 digits: the log evidence of these rows.
@pytest.mark.parametrize(("freedom", "exact"), [(1e16, -157.063)])
@pytest.mark.parametrize("covariance_type", SHAPE_NAMES)
def test_bound_under_certain_covariances_is_the_log_evidence(
    freedom: float, exact: float, covariance_type: str
) -> None:
    scatter = {"diag": np.ones(2), "spherical": 1.0}.get(covariance_type, np.eye(2))
    fit = fit_bayesian_gmm(
        FEW, 1, covariance_type=covariance_type, mean=[0, 0], mean_precision=0.01,
        degrees_of_freedom=freedom, covariance=freedom * scatter,
    )  # fmt: skip
    assert fit.elbo == pytest.approx(exact, abs=1e-3)
    # Where the covariance is known for certain, the evidence is a normal density.
    n, share = len(FEW), 0.01 / (0.01 + len(FEW))
    squares = np.square(FEW).sum() - (1.0 - share) * n * np.square(FEW.mean(axis=0)).sum()
    known = -0.5 * squares - n * np.log(2.0 * np.pi) + np.log(share)
    assert fit.elbo == pytest.approx(known, rel=1e-11)


@pytest.mark.parametrize("covariance_type", SHAPE_NAMES)
def test_bound_is_smooth_where_the_formula_changes(covariance_type: str) -> None:
    scatter = {"diag": np.ones(2), "spherical": 2.0}.get(covariance_type, np.eye(2) + 0.3)
    bounds = [
        fit_bayesian_gmm(
            FEW, 2, covariance_type=covariance_type, init=FEW[:2], tol=0, max_iter=5,
            degrees_of_freedom=freedom, covariance=1e3 * scatter,
        ).elbo
        for freedom in (1e3 - 1e-6, 1e3)
    ]  # fmt: skip
    assert bounds[0] == pytest.approx(bounds[1], abs=1e-6)


@pytest.mark.parametrize("weight_prior", ["dirichlet", "stick-breaking"])
@pytest.mark.parametrize(
    "strong",
    [
        {"concentration": 1e15},
        {"concentration": 1e-300},
        {"mean_precision": 1e15},
        {"degrees_of_freedom": 1e15, "covariance": 1e15 * np.array([[1.0, 0.4], [0.4, 1.0]])},
        {"degrees_of_freedom": 1e15, "covariance": np.eye(2)},
    ],
)
def test_bound_never_falls_under_a_strong_prior(weight_prior: str, strong: dict[str, Any]) -> None:
    fit = fit_bayesian_gmm(
        X, 3, init=LABELS, weight_prior=weight_prior, tol=0, max_iter=20, accelerate=False, **strong
    )
    history = np.array(fit.history)
    assert (np.diff(history) >= -1e-12 * np.abs(history[:-1])).all()


@pytest.mark.parametrize("covariance_type", SHAPE_NAMES)
def test_divergence_from_a_strong_prior_is_that_of_the_plain_formula(
    covariance_type: str,
) -> None:
    shape = SHAPES[covariance_type]
    statistics = reference.accumulate_resp(
        X, np.eye(3)[LABELS], np.zeros((3, 2)), covariance_type=covariance_type
    )
    prior = PriorLaws(
        WEIGHT_LAWS["dirichlet"], 2e3, 0.5, X.mean(axis=0), 1e5,
        1e5 * shape.single_from_variances(X.var(axis=0)), shape,
    )  # fmt: skip
    after, _ = prior.posterior(statistics, reference)
    found = prior.divergence(after, reference)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(laws, "STRONG", np.inf)
        assert prior.divergence(after, reference) == pytest.approx(found, abs=1e-7)

"""Log-likelihood and criteria: against the textbook's formulas, with weights, in chunks."""

import math

import numpy as np
import pytest
from mixtures import D, K, expected_component_log_prob, make, rows
from scipy.special import logsumexp

from mixtura import GaussianMixture, WeightsWarning, datasets, fit_gmm, scan
from mixtura.shapes import SHAPE_NAMES, Floats

each_type = pytest.mark.parametrize("covariance_type", SHAPE_NAMES)
each_criterion = pytest.mark.parametrize("name", ["aic", "bic", "icl"])


@each_type
def test_log_likelihood_with_sample_weight_is_weighted_total(covariance_type: str) -> None:
    mixture, X = make(covariance_type), rows()
    sample_weight = np.random.default_rng(1).exponential(size=len(X))
    expected = sample_weight @ logsumexp(expected_component_log_prob(covariance_type, X), axis=1)
    assert mixture.log_likelihood(X, sample_weight) == pytest.approx(expected, rel=1e-13)


def naive_criteria(covariance_type: str, X: Floats, sample_weight: Floats) -> dict[str, float]:
    """The textbook's formulas, one row at a time."""
    joint = expected_component_log_prob(covariance_type, X)
    n = sample_weight.sum()
    n_covariance = {"full": 9, "tied": 3, "diag": 6, "spherical": 3}[covariance_type]
    n_parameters = (K - 1) + K * D + n_covariance
    log_likelihood = completed = 0.0
    for weight, row in zip(sample_weight, joint, strict=True):
        log_likelihood += weight * math.log(sum(math.exp(value) for value in row))
        completed += weight * max(row)  # the likelihood of the row and its label
    return {
        "aic": -2.0 * log_likelihood + 2.0 * n_parameters,
        "bic": -2.0 * log_likelihood + n_parameters * math.log(n),
        "icl": -2.0 * completed + n_parameters * math.log(n),
    }


@each_type
@each_criterion
@pytest.mark.parametrize("weighted", [False, True])
def test_criterion_of_rows_equals_naive_formula(
    covariance_type: str, name: str, weighted: bool
) -> None:
    X = rows()
    sample_weight = np.random.default_rng(1).exponential(size=len(X))
    criterion = getattr(make(covariance_type), name)
    if weighted:
        expected = naive_criteria(covariance_type, X, sample_weight)[name]
        assert criterion(X, sample_weight) == pytest.approx(expected, rel=1e-12)
    else:
        expected = naive_criteria(covariance_type, X, np.ones(len(X)))[name]
        assert criterion(X) == pytest.approx(expected, rel=1e-12)


@each_criterion
def test_criterion_with_whole_weights_equals_that_of_repeated_rows(name: str) -> None:
    X, counts = rows(), np.random.default_rng(2).integers(0, 4, size=40)
    X[counts == 0] = 1e200  # absent, whatever it holds
    criterion = getattr(make(), name)
    repeated = criterion(np.repeat(X, counts, axis=0))
    assert criterion(X, counts) == pytest.approx(repeated, rel=1e-13)


@each_criterion
def test_criterion_of_many_components_is_right_although_rows_are_taken_in_chunks(
    name: str,
) -> None:
    k, n = 1 << 13, 300  # responsibilities of 129 rows are in memory at a time
    rng = np.random.default_rng(1)
    mixture = GaussianMixture(
        rng.dirichlet(np.ones(k)), rng.normal(size=(k, 1)), rng.uniform(0.5, 2.0, k), "spherical"
    )
    X, sample_weight = rng.normal(size=(n, 1)), rng.exponential(size=n)
    log_likelihood = sample_weight @ mixture.log_prob(X)
    completed = sample_weight @ mixture.component_log_prob(X).max(axis=1)
    log_n = math.log(sample_weight.sum())
    expected = {
        "aic": -2.0 * log_likelihood + 2.0 * mixture.n_parameters,
        "bic": -2.0 * log_likelihood + mixture.n_parameters * log_n,
        "icl": -2.0 * completed + mixture.n_parameters * log_n,
    }[name]
    assert getattr(mixture, name)(X, sample_weight) == pytest.approx(expected, rel=1e-13)


def test_icl_of_separate_components_equals_bic() -> None:
    mixture = GaussianMixture([0.5, 0.5], [[-1e3], [1e3]], [1.0, 1.0], "spherical")
    X, _ = mixture.sample(100, rng=0)
    assert mixture.icl(X) == mixture.bic(X)


def test_bic_of_published_fit_equals_published_figure() -> None:
    X = datasets.load_faithful().data
    model = fit_gmm(X, 2, reg_covar=0, tol=1e-12, rng=0).model
    assert model.log_likelihood(X) == pytest.approx(-1130.263960, abs=5e-7)
    assert model.bic(X) == pytest.approx(2322.191743, abs=1e-6)


@each_criterion
def test_criterion_of_no_rows_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="X must have at least 1 row; got 0"):
        getattr(make(), name)(np.empty((0, D)))


@pytest.mark.parametrize("name", ["log_likelihood", "aic", "bic", "icl"])
@pytest.mark.parametrize(
    ("sample_weight", "message"),
    [
        ([1.0, -0.5], "sample_weight must be non-negative; row 1 is -0.5"),
        ([1.0, np.nan], "sample_weight must be finite; row 1 is nan"),
        ([0.0, 0.0], "sample_weight must not be zero for all rows"),
        ([1.0], r"sample_weight must have shape \(2,\), one for each row"),
    ],
)
def test_method_with_bad_sample_weight_is_refused(
    name: str, sample_weight: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(make(), name)(rows(2), sample_weight)


@each_criterion
def test_criterion_with_weights_far_below_the_rows_warns_and_says_what_to_do(name: str) -> None:
    X, weight = rows(), np.full(40, 1 / 40)
    X[:4], weight[:4] = 1e200, 0.0
    fit = fit_gmm(X, 2, sample_weight=weight, rng=0)
    blocks = scan([X[:9], X[9:]]).reweighted(weight)
    for criterion, arguments in (
        (getattr(fit, name), (X, weight)),
        (getattr(fit.model, name), (X, weight)),
        (getattr(fit.model, name), (blocks,)),
    ):
        with pytest.warns(WeightsWarning) as caught:
            criterion(*arguments)
        (warning,) = caught
        assert warning.filename == __file__
        assert str(warning.message) == (
            "the weights of the 36 rows sum to 0.9, and bic, aic, icl and elbo count weights as "
            "rows: their penalties do not fit so small a log-likelihood. If each row is one "
            "observation, multiply the weights by n / sum, 40."
        )


@each_criterion
def test_criterion_with_weights_of_half_a_row_or_with_absent_rows_does_not_warn(name: str) -> None:
    X = rows()
    for weight in (np.full(40, 0.5), np.where(np.arange(40) < 10, 1.0, 0.0)):
        assert np.isfinite(getattr(make(), name)(X, weight))

"""Questions to mixtures about noisy rows."""

from __future__ import annotations

import re
from dataclasses import replace

import noisy
import numpy as np
import pytest
from mixtures import random_parameters

from mixtura import GaussianMixture, bootstrap_lrt, fit_gmm, scan, select_gmm


@pytest.mark.parametrize("name", list(noisy.CASES))
def test_answers_about_rows_are_the_published_figures(name: str) -> None:
    case = noisy.CASES[name]
    X, noise = noisy.rows_of(case)
    mixture = GaussianMixture(
        case["weights"], case["means"], case["covariances"], case["covariance_type"]
    )
    log_prob = mixture.log_prob(X, noise_covariance=noise)
    resp = mixture.responsibilities(X, noise_covariance=noise)
    labels = mixture.predict(X, noise_covariance=noise)
    expected, covariances = mixture.denoise(X, noise, return_cov=True)
    for row in case["rows"]:
        i = row["row"]
        assert log_prob[i] == pytest.approx(row["log_prob"], rel=1e-8)
        np.testing.assert_allclose(resp[i], row["responsibilities"], rtol=1e-7)
        assert labels[i] == np.argmax(row["responsibilities"])
        np.testing.assert_allclose(expected[i], row["expected_true_value"], rtol=1e-8)
        wanted = row["covariance_of_true_value"]
        np.testing.assert_allclose(covariances[i], wanted, rtol=1e-7, atol=1e-10)
    total = mixture.log_likelihood(X, noise_covariance=noise)
    assert total == pytest.approx(case["loglik"], rel=1e-10)
    assert mixture.aic(X, noise_covariance=noise) == pytest.approx(
        -2.0 * total + 2.0 * mixture.n_parameters, rel=1e-12
    )


@pytest.mark.parametrize("kind", noisy.KINDS)
def test_answers_are_those_of_the_definition(kind: str) -> None:
    rows, parameters = noisy.rows(kind, 20, 3, 1), random_parameters("full", 2, 3, 2)
    mixture = GaussianMixture(*parameters[:3])
    observed, noise = rows.known.get("observed", rows.X), rows.known["noise"]
    options = {"noise_covariance": noise, "projection": rows.known.get("projection")}
    one = noisy.by_loops(rows, parameters)
    joint = one.log_density + np.log(parameters.weights)
    np.testing.assert_allclose(mixture.component_log_prob(observed, **options), joint, rtol=1e-9)
    total = np.log(np.exp(joint).sum(axis=1))
    np.testing.assert_allclose(mixture.log_prob(observed, **options), total, rtol=1e-9)
    resp = np.exp(joint - total[:, None])
    np.testing.assert_allclose(mixture.responsibilities(observed, **options), resp, rtol=1e-8)
    assert mixture.predict(observed, **options).tolist() == joint.argmax(axis=1).tolist()
    likelihood = mixture.log_likelihood(observed, **options)
    assert likelihood == pytest.approx(total.sum(), rel=1e-9)
    k_log_n = mixture.n_parameters * np.log(20.0)
    assert mixture.bic(observed, **options) == pytest.approx(k_log_n - 2.0 * likelihood)
    assigned = -2.0 * np.log(resp.max(axis=1)).sum()
    icl = mixture.icl(observed, **options)
    assert icl == pytest.approx(k_log_n - 2.0 * likelihood + assigned)
    expected = np.einsum("ij,ija->ia", resp, one.mean)
    np.testing.assert_allclose(mixture.denoise(observed, **options), expected, rtol=1e-8)
    chunked, covariances = mixture.denoise(observed, **options, return_cov=True)
    np.testing.assert_array_equal(chunked, mixture.denoise(observed, **options))
    assert np.linalg.eigvalsh(covariances).min() > -1e-12


def test_rows_without_noise_stay_as_they_are() -> None:
    mixture = GaussianMixture(*random_parameters("full", 3, 2, 3)[:3])
    X = np.random.default_rng(4).normal(size=(30, 2))
    expected, covariances = mixture.denoise(X, np.zeros(30), return_cov=True)
    np.testing.assert_allclose(expected, X, rtol=1e-12)
    np.testing.assert_allclose(covariances, 0.0, atol=1e-14)
    plain = mixture.log_prob(X)
    np.testing.assert_allclose(mixture.log_prob(X, noise_covariance=np.zeros(30)), plain)


def test_rows_in_blocks_have_the_same_answers() -> None:
    mixture = GaussianMixture(*random_parameters("full", 2, 3, 5)[:3])
    rows = noisy.rows("matrices", 25, 3, 6)
    blocks, noise = scan([rows.X[:7], rows.X[7:]]), rows.known["noise"]
    one, other = (mixture.denoise(X, noise, return_cov=True) for X in (rows.X, blocks))
    for found, expected in zip(one, other, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)


def test_what_cannot_be_denoised_is_refused() -> None:
    mixture = GaussianMixture(*random_parameters("full", 2, 3, 7)[:3])
    X = np.zeros((4, 3))
    with pytest.raises(ValueError, match=r"noise_covariance must have shape \(4,\)"):
        mixture.denoise(X, np.zeros(5))
    with pytest.raises(ValueError, match=r"projection must have shape \(4, 3, 3\)"):
        mixture.denoise(X, np.zeros(4), np.zeros((4, 3, 2)))
    with pytest.raises(TypeError, match="return_cov must be True or False; got 1"):
        mixture.denoise(X, np.zeros(4), return_cov=1)
    with pytest.raises(ValueError, match="projection must come with noise_covariance"):
        mixture.log_prob(X, projection=np.zeros((4, 3, 3)))


def test_missing_numbers_of_rows_with_noise_are_refused_with_a_projection_to_pass() -> None:
    mixture = GaussianMixture([1.0], [[0.0, 0.0]], [1.0], "spherical")
    X, noise = np.array([[1.0, 2.0], [np.nan, 3.0], [2.0, 1.0]]), np.ones(3)
    message = (
        "X must be finite; row 1, column 0 is nan. Drop the row, or leave the value out of X by "
        "projection=, the rows of the identity that were observed."
    )
    for ask in (
        lambda: mixture.denoise(X, noise),
        lambda: mixture.predict(X, noise_covariance=noise),
        lambda: mixture.bic(X, noise_covariance=noise),
        lambda: fit_gmm(X, 1, noise_covariance=noise),
        lambda: select_gmm(X, 1, noise_covariance=noise),
        lambda: bootstrap_lrt(X, 1, noise_covariance=noise),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            ask()
    offered = "some are missing. Leave these out of X by projection="
    with pytest.raises(ValueError, match=re.escape(offered)):
        mixture.predict(X, missing="em", noise_covariance=noise)
    with pytest.raises(ValueError, match=re.escape(offered)):
        replace(mixture, missing="em").denoise(X, noise)
    X[1, 0] = np.inf
    with pytest.raises(ValueError, match=r"0 is inf. Drop the row or fill in the value\.$"):
        mixture.denoise(X, noise)

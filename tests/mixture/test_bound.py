"""The evidence lower bound: against its definition by scipy, and against the log-likelihood."""

import dataclasses
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from clusters import clustered, maximised
from holes import holed_clusters, joint_of_observed
from mixtures import K, expected_component_log_prob, make, random_parameters, rows
from noisy import by_loops
from noisy import rows as noisy_rows
from scipy.special import logsumexp, rel_entr, softmax

from mixtura import GaussianMixture, fit_gmm, scan
from mixtura.shapes import SHAPE_NAMES, Floats

each_type = pytest.mark.parametrize("covariance_type", SHAPE_NAMES)
X = rows()


def shares(n: int = len(X), k: int = K, seed: int = 3) -> Floats:
    """Responsibilities of no mixture; a third of them is zero, and some rows have one component."""
    rng = np.random.default_rng(seed)
    resp = rng.dirichlet(np.ones(k), size=n) * (rng.random((n, k)) < 0.67)
    resp[:4] = 0.0
    resp[resp.sum(axis=1) == 0.0, 1] = 1.0
    return resp / resp.sum(axis=1, keepdims=True)


def expected_bound(joint: Floats, resp: Floats, weight: Floats | None = None) -> float:
    """The log-likelihood less the divergence from the posterior, by another formula than ours."""
    weight = np.ones(len(joint)) if weight is None else weight
    divergence = rel_entr(resp, softmax(joint, axis=1)).sum(axis=1)
    return float(weight @ logsumexp(joint, axis=1) - weight @ divergence)


@each_type
@pytest.mark.parametrize("weighted", [False, True])
def test_log_likelihood_less_elbo_is_divergence_from_posterior(
    covariance_type: str, weighted: bool
) -> None:
    weight = np.random.default_rng(1).exponential(size=len(X)) if weighted else None
    expected = expected_bound(expected_component_log_prob(covariance_type, X), shares(), weight)
    mixture = make(covariance_type)
    assert mixture.elbo(X, shares(), weight) == pytest.approx(expected, rel=1e-13)
    assert mixture.elbo(X, shares(), weight) < mixture.log_likelihood(X, weight) - 1.0


@each_type
def test_elbo_of_own_responsibilities_is_log_likelihood(covariance_type: str) -> None:
    mixture, weight = make(covariance_type), np.arange(float(len(X)))
    assert mixture.elbo(X) == mixture.log_likelihood(X)
    assert mixture.elbo(X, None, weight) == mixture.log_likelihood(X, weight)
    own = mixture.responsibilities(X)
    assert mixture.elbo(X, own) == pytest.approx(mixture.log_likelihood(X), rel=1e-14)
    assert mixture.elbo(X, own, weight) == pytest.approx(
        mixture.log_likelihood(X, weight), rel=1e-14
    )


def test_component_of_weight_zero_counts_only_where_it_has_a_share() -> None:
    without = make()
    mixture = GaussianMixture(
        [*without.weights, 0.0],
        np.vstack([without.means, [[0.0, 1.0]]]),
        np.concatenate([without.covariances, [np.eye(2)]]),
    )
    resp = np.column_stack([shares(), np.zeros(len(X))])
    assert mixture.elbo(X, resp) == pytest.approx(without.elbo(X, shares()), rel=1e-14)
    resp[5] = [0.5, 0.0, 0.0, 0.5]
    assert mixture.elbo(X, resp) == -math.inf
    weight = np.ones(len(X))
    weight[5] = 0.0
    assert math.isfinite(mixture.elbo(X, resp, weight))


def test_row_at_zero_density_makes_bound_infinite_unless_its_weight_is_zero() -> None:
    far = np.vstack([X, [[1e200, 0.0]]])
    resp = shares(len(far))
    weight = np.append(np.ones(len(X)), 0.0)
    assert make().elbo(far, resp) == -math.inf
    assert make().elbo(far, resp, weight) == pytest.approx(make().elbo(X, resp[:-1]), rel=1e-14)
    far[-1] = np.nan
    assert make().elbo(far, resp, weight) == pytest.approx(make().elbo(X, resp[:-1]), rel=1e-14)


def test_whole_weights_are_those_of_repeated_rows() -> None:
    counts = np.random.default_rng(2).integers(0, 4, len(X))
    repeated = make().elbo(np.repeat(X, counts, axis=0), np.repeat(shares(), counts, axis=0))
    assert make().elbo(X, shares(), counts) == pytest.approx(repeated, rel=1e-13)


@each_type
def test_bound_far_from_the_origin_is_the_same(covariance_type: str) -> None:
    near = clustered()[0]
    resp, mixture = shares(len(near)), make(covariance_type)
    away = dataclasses.replace(mixture, means=mixture.means + 1e8)
    assert away.elbo(near + 1e8, resp) == pytest.approx(mixture.elbo(near, resp), rel=1e-13)


@each_type
def test_rows_and_responsibilities_in_float32_are_used_in_float64(covariance_type: str) -> None:
    mixture, short, resp = make(covariance_type), X.astype(np.float32), shares().astype(np.float32)
    expected = mixture.elbo(short.astype(float), resp)
    assert mixture.elbo(short, resp) == pytest.approx(expected, rel=1e-13)
    exact = resp.astype(float)
    exact /= exact.sum(axis=1, keepdims=True)
    assert mixture.elbo(short, exact) == pytest.approx(expected, rel=1e-14)


def test_bound_of_responsibilities_that_sum_to_a_little_more_is_still_a_bound() -> None:
    mixture, far = make(), 1e6 + X
    own = mixture.responsibilities(far)
    assert mixture.elbo(far, own * (1 - 5e-7)) == pytest.approx(mixture.elbo(far, own), rel=1e-14)


@pytest.mark.parametrize("is_counted", [True, False])
def test_rows_in_blocks_have_the_bound_of_one_array(is_counted: bool) -> None:
    parts = [X[:7], X[7:7], X[7:30], X[30:]]
    blocks = scan(parts) if is_counted else scan(lambda: iter(parts))
    assert make().elbo(blocks, shares()) == pytest.approx(make().elbo(X, shares()), rel=1e-14)
    weight = np.arange(float(len(X)))
    expected = make().elbo(X, shares(), weight)
    assert make().elbo(scan(parts), shares(), weight) == pytest.approx(expected, rel=1e-14)


def test_rows_of_a_file_have_the_bound_of_the_array(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    found = make().elbo(scan(tmp_path / "x.npy", block_size=16), shares())
    assert found == pytest.approx(make().elbo(X, shares()), rel=1e-14)


def test_bound_of_many_components_is_right_although_rows_are_taken_in_chunks() -> None:
    k, n = 1 << 13, 300  # responsibilities of 129 rows are in memory at a time
    rng = np.random.default_rng(1)
    mixture = GaussianMixture(
        rng.dirichlet(np.ones(k)), rng.normal(size=(k, 1)), rng.uniform(0.5, 2.0, k), "spherical"
    )
    many, weight, resp = rng.normal(size=(n, 1)), rng.exponential(size=n), shares(n, k)
    expected = expected_bound(mixture.component_log_prob(many), resp, weight)
    assert mixture.elbo(many, resp, weight) == pytest.approx(expected, rel=1e-12)


def test_bound_has_the_same_bits_for_any_number_of_threads() -> None:
    assert len({make().elbo(X, shares(), n_threads=n) for n in (1, 2, 3, 7)}) == 1


@each_type
def test_rows_with_missing_numbers_have_the_bound_of_those_observed(covariance_type: str) -> None:
    holed = holed_clusters()
    mixture = fit_gmm(
        holed, 2, missing="em", covariance_type=covariance_type, max_iter=3, tol=0, rng=0
    ).model
    resp, weight = shares(len(holed), 2), np.arange(float(len(holed)))
    joint = joint_of_observed(holed, mixture)
    assert mixture.elbo(holed, resp, weight) == pytest.approx(
        expected_bound(joint, resp, weight), rel=1e-12
    )
    with pytest.raises(ValueError, match=r'X must be finite; row .* or pass missing="em"'):
        mixture.elbo(holed, resp, missing="raise")


@pytest.mark.parametrize("kind", ["variances", "projected"])
def test_rows_with_noise_have_the_bound_of_their_own_densities(kind: str) -> None:
    parameters, noisy = random_parameters("full", 2, 3, 0), noisy_rows(kind, 30, 3, 1)
    mixture = GaussianMixture._of("full", parameters)
    joint = by_loops(noisy, parameters).log_density + np.log(parameters.weights)
    found = mixture.elbo(
        noisy.known.get("observed", noisy.X), shares(30, 2),
        noise_covariance=noisy.known["noise"], projection=noisy.known.get("projection"),
    )  # fmt: skip
    assert found == pytest.approx(expected_bound(joint, shares(30, 2)), rel=1e-11)


@each_type
def test_m_step_is_the_maximum_of_the_bound_for_fixed_responsibilities(
    covariance_type: str,
) -> None:
    data = clustered()[0]
    resp, rng = shares(len(data)), np.random.default_rng(4)
    best = maximised(data, resp, covariance_type)
    for _ in range(10):
        weights = best.weights * rng.uniform(0.95, 1.05, K)
        other = dataclasses.replace(
            best,
            weights=weights / weights.sum(),
            means=best.means + 0.05 * rng.normal(size=best.means.shape),
            covariances=best.covariances * rng.uniform(0.95, 1.05),
        )
        assert other.elbo(data, resp) < best.elbo(data, resp)


def test_bound_touches_the_likelihood_at_each_iteration_and_lies_below_the_next() -> None:
    data = clustered()[0]
    fits = [fit_gmm(data, 3, init=make(), reg_covar=0, tol=0, max_iter=m) for m in range(1, 6)]
    for one, later in pairwise(fits):
        resp = one.responsibilities(data)
        before, bound = one.log_likelihood, later.elbo(data, resp)
        assert one.elbo(data, resp) == pytest.approx(before, rel=1e-12)
        assert before < bound < later.log_likelihood


def test_no_rows_have_a_bound_of_zero() -> None:
    assert make().elbo(np.empty((0, 2)), np.empty((0, K))) == 0.0


@pytest.mark.parametrize(
    ("resp", "message"),
    [
        (shares()[:-1], r"resp must have shape \(40, 3\), \(n_samples, n_components\); got \(39"),
        (np.zeros(len(X)), r"resp must have shape \(40, 3\).*; got \(40,\)\. Give each row one"),
        (shares() - 1e-3, r"resp must be non-negative; row .* Set it to 0 for no share"),
        (np.where(shares() > 0.9, np.nan, shares()), "resp must be finite; row .* is nan"),
        (shares() * 1.001, "resp must sum to one in every row; row 0 sums to 1.001"),
    ],
)
def test_responsibilities_that_cannot_be_used_are_refused(resp: Floats, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make().elbo(X, resp)


def test_responsibilities_of_other_rows_are_refused() -> None:
    frame = pd.DataFrame(X, columns=["a", "b"])
    resp = pd.DataFrame(shares()).sample(frac=1.0, random_state=0)
    with pytest.raises(ValueError, match="resp must have the index of X; row 0"):
        make().elbo(frame, resp)
    assert make().elbo(frame, resp.loc[frame.index]) == make().elbo(X, shares())


def test_rows_that_other_processes_work_on_take_no_responsibilities(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    far = scan(tmp_path / "x.npy", block_size=16, executor=map)
    with pytest.raises(ValueError, match=r"resp must not be an array.*Leave out resp, or pass"):
        make().elbo(far, shares())
    assert make().elbo(far) == pytest.approx(make().log_likelihood(X), rel=1e-14)


def test_fit_of_noisy_rows_asks_for_the_noise() -> None:
    fit = fit_gmm(X, 2, noise_covariance=np.full(len(X), 0.1), max_iter=1, tol=0, rng=0)
    with pytest.raises(ValueError, match="noise_covariance must be given"):
        fit.elbo(X)
    assert fit.elbo(X, noise_covariance=np.full(len(X), 0.1)) <= 0.0

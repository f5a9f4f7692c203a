"""What is known of the components of rows: both engines against SciPy and plain loops."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from helpers import BACKENDS, random_mixture, random_rows
from scipy import stats

from mixtura.parameters import Seen
from mixtura.shapes import SHAPES, Floats

each_backend = pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
each_form = pytest.mark.parametrize("form", ["whole", "incomplete"])
N, D, K = 40, 3, 3


def example(form: str, seed: int = 0) -> tuple[Floats, Seen, Floats, Floats, Floats]:
    """Rows, a mixture, log-priors, codes, and the joint densities by SciPy."""
    rng = np.random.default_rng(seed)
    mixture = random_mixture(rng, "full", K, D, spread=0.5)
    covariances = np.linalg.inv(mixture.factors @ mixture.factors.transpose(0, 2, 1))
    seen = Seen(
        np.log(mixture.weights), mixture.means, covariances, mixture.factors, SHAPES["full"]
    )
    X = random_rows(rng, mixture, N)
    if form == "incomplete":
        X[rng.random(X.shape) < 0.3] = np.nan
        X[:, 0] = rng.normal(size=N)
    plausible = np.array([[1, 1, 1], [0, 1, 0], [1, 0, 1], [0.5, 0.2, 0.0], [0, 0, 1e-9]])
    code = rng.integers(len(plausible), size=N)
    joint = np.empty((N, K))
    for i, row in enumerate(X):
        o = np.flatnonzero(~np.isnan(row))
        for j in range(K):
            of_row = stats.multivariate_normal(mixture.means[j, o], covariances[j][np.ix_(o, o)])
            joint[i, j] = plausible[code[i], j] * mixture.weights[j] * of_row.pdf(row[o])
    with np.errstate(divide="ignore"):
        prior = np.log(plausible)
    return X, seen._replace(extras={"prior": prior}), prior, code, joint


def rows_of(backend: ModuleType, form: str, *args: object, **options: object) -> object:
    forms = BACKENDS["reference"].FORMS | backend.FORMS
    return forms[form](*args, **options)


@each_backend
@each_form
def test_soft_shares_are_of_prior_times_joint_density(backend: ModuleType, form: str) -> None:
    X, seen, _, code, joint = example(form)
    resp, log_prob, labels = np.empty((N, K)), np.empty(N), np.empty(N, dtype=np.int64)
    rows = rows_of(backend, form, X, code=code)
    rows.evaluate("soft", seen, 1, resp=resp, log_prob=log_prob, labels=labels)
    np.testing.assert_allclose(log_prob, np.log(joint.sum(axis=1)), rtol=1e-10)
    np.testing.assert_allclose(resp, joint / joint.sum(axis=1, keepdims=True), rtol=1e-9)
    np.testing.assert_array_equal(labels, joint.argmax(axis=1))
    found = rows.accumulate("soft", seen, 1)
    np.testing.assert_allclose(found.resp_sum, resp.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.log_likelihood, log_prob.sum(), rtol=1e-12)


@each_backend
@each_form
def test_hard_labels_are_among_the_allowed_components(backend: ModuleType, form: str) -> None:
    X, seen, _, code, joint = example(form, 1)
    log_prob, labels = np.empty(N), np.empty(N, dtype=np.int64)
    rows = rows_of(backend, form, X, code=code)
    rows.evaluate("hard", seen, 1, log_prob=log_prob, labels=labels)
    np.testing.assert_array_equal(labels, joint.argmax(axis=1))
    np.testing.assert_allclose(log_prob, np.log(joint.max(axis=1)), rtol=1e-10)
    found = rows.accumulate("hard", seen, 1)
    np.testing.assert_array_equal(found.resp_sum, np.bincount(labels, minlength=K))


@each_backend
def test_log_density_and_distances_do_not_know_the_prior(backend: ModuleType) -> None:
    X, seen, _, code, _ = example("whole")
    one, other = np.empty((2, N, K))
    rows_of(backend, "whole", X, code=code).evaluate("soft", seen, 1, log_density=one)
    rows_of(backend, "whole", X).evaluate("soft", seen, 1, log_density=other)
    np.testing.assert_array_equal(one, other)
    centers = Seen.of_centers(seen.means, SHAPES["spherical"])._replace(extras=seen.extras)
    labels, plain = np.empty((2, N), dtype=np.int64)
    rows_of(backend, "whole", X, code=code).evaluate("nearest", centers, 1, labels=labels)
    rows_of(backend, "whole", X).evaluate("nearest", centers, 1, labels=plain)
    np.testing.assert_array_equal(labels, plain)


@each_backend
def test_prior_of_zeros_changes_no_bit(backend: ModuleType) -> None:
    X, seen, *_ = example("whole")
    seen = seen._replace(extras={"prior": np.zeros((1, K))})
    for em in ("soft", "hard"):
        one = rows_of(backend, "whole", X, code=np.zeros(N, dtype=np.int64))
        found, expected = (
            rows.accumulate(em, seen, 1) for rows in (one, rows_of(backend, "whole", X))
        )
        np.testing.assert_array_equal(found.resp_xx, expected.resp_xx)
        assert found.log_likelihood == expected.log_likelihood


@each_backend
def test_far_row_is_shared_among_its_allowed_components_by_their_weights(
    backend: ModuleType,
) -> None:
    """Its density is zero under all of them; it must not leave its label for a heavier one."""
    X = np.full((4, 1), 1e200)
    weights, means = np.array([0.5, 0.3, 0.2, 0.0]), np.zeros((4, 1))
    seen = Seen.of_factors(weights, means, np.ones(4), SHAPES["spherical"])
    plausible = np.array([[1, 1, 1, 1], [0, 0, 1, 0], [0, 0.5, 1, 0], [0, 0, 0, 0.7]])
    with np.errstate(divide="ignore"):
        seen = seen._replace(extras={"prior": np.log(plausible)})
    expected = [[0.5, 0.3, 0.2, 0], [0, 0, 1, 0], [0, 3 / 7, 4 / 7, 0], [0, 0, 0, 1]]
    resp, log_prob, labels = np.empty((4, 4)), np.empty(4), np.empty(4, dtype=np.int64)
    rows = rows_of(backend, "whole", X, code=np.arange(4))
    rows.evaluate("soft", seen, 1, resp=resp, log_prob=log_prob, labels=labels)
    np.testing.assert_allclose(resp, expected, rtol=1e-12)
    np.testing.assert_array_equal(labels, [0, 2, 2, 3])
    np.testing.assert_array_equal(log_prob, -np.inf)
    rows.evaluate("hard", seen, 1, labels=labels)
    np.testing.assert_array_equal(labels, [0, 2, 2, 3])

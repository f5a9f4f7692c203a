"""Log-priors of rows by every compiled module; reference/test_prior.py has their definition."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES, assert_same_bits, random_mixture, random_rows

from mixtura import reference

each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


@pytest.mark.parametrize("em", ["soft", "hard"])
@pytest.mark.parametrize(("n", "d", "k"), [(1, 1, 1), (65, 2, 3), (700, 5, 9), (1000, 14, 4)])
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@each_type
def test_statistics_with_priors_are_those_of_the_reference(
    module: ModuleType,
    covariance_type: str,
    em: str,
    n: int,
    d: int,
    k: int,
    single: bool,
    weighted: bool,
) -> None:
    rng = np.random.default_rng(n + d)
    mixture = random_mixture(rng, covariance_type, k, d, spread=1.0)
    X = random_rows(rng, mixture, n).astype(np.float32)
    weight = rng.exponential(size=n) * (rng.random(n) < 0.8) if weighted and n > 1 else None
    plausible = np.vstack([np.ones(k), np.eye(k), rng.random((3, k))])
    with np.errstate(divide="ignore"):
        seen = mixture.seen()._replace(extras={"prior": np.log(plausible)})
    code = rng.integers(len(plausible), size=n)
    expected = reference.Rows(X, weight, code=code).accumulate(em, seen, 1)
    rows = module.Rows(X, weight, mixture.means.mean(axis=0), single=single, code=code)
    found = rows.accumulate(em, seen, 1)
    tolerance = 2e-5 if single else 1e-11
    for name in ("resp_sum", "resp_x", "resp_xx", "log_likelihood", "weight_sum"):
        own = np.asarray(getattr(expected, name))
        scale = np.abs(own).max(initial=1.0)
        np.testing.assert_allclose(
            getattr(found, name), own, rtol=tolerance, atol=tolerance * scale, err_msg=name
        )
    for n_threads in (2, 3, 7):
        assert_same_bits(rows.accumulate(em, seen, n_threads), found)


def test_rows_of_another_order_of_codes_are_told_apart(module: ModuleType) -> None:
    """A code is that of its own row, in every tile and slot."""
    rng = np.random.default_rng(0)
    mixture = random_mixture(rng, "diag", 4, 2)
    X, code = random_rows(rng, mixture, 3000), rng.integers(4, size=3000)
    with np.errstate(divide="ignore"):
        seen = mixture.seen()._replace(extras={"prior": np.log(np.eye(4))})
    labels = np.empty(3000, dtype=np.int64)
    module.Rows(X, code=code).accumulate("soft", seen, 2, labels=labels)
    np.testing.assert_array_equal(labels, code)

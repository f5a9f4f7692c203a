"""Parameters of clusters that are only guesses, in one call: those of passes one by one."""

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from clusters import clustered
from helpers import COVARIANCE_TYPES, LAYOUTS

from mixtura import reference
from mixtura.covariance import FAMILIES
from mixtura.parameters import Parameters
from mixtura.shapes import MOST_INFLATION, SHAPES, Floats
from mixtura.updates import Ridge

SHARE = 0.5
each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


def step_by_step(
    X: Floats, weight: Floats | None, labels: np.ndarray, k: int, name: str, ridge: Floats
) -> Parameters:
    """What the reference and the update make of labels."""
    rows, shape = reference.Rows(X, weight), SHAPES[name]
    first = rows.given(labels, np.tile(X.mean(axis=0), (k, 1)), shape, 1)
    statistics = rows.given(labels, first.means(), shape, 1).centred()
    scatter = shape.shrunk_to_pooled(statistics.resp_xx, statistics.resp_sum, SHARE)
    found, failed = Ridge(FAMILIES[name], ridge, reference).update(
        replace(statistics, resp_xx=scatter)
    )
    assert not failed.any()
    return found


@each_type
@pytest.mark.parametrize(("n", "d", "k"), [(50, 1, 1), (64, 2, 3), (700, 5, 4), (900, 20, 9)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("apart", [0.0, 1e6])
@pytest.mark.parametrize("layout", ["c-order", "fortran-order", "read-only"])
def test_guess_in_one_call_is_that_of_passes_one_by_one(
    module: ModuleType,
    covariance_type: str,
    n: int,
    d: int,
    k: int,
    weighted: bool,
    apart: float,
    layout: str,
) -> None:
    labels = np.arange(n) % k
    X = clustered(n, d, k)[0] + apart * labels[:, None]
    weight = np.random.default_rng(n).exponential(size=n) if weighted else None
    ridge = np.linspace(0.0, 1e-3, d)
    step = module.MStep(
        FAMILIES[covariance_type].letters, SHAPES[covariance_type], ridge, MOST_INFLATION
    )
    rows = module.Rows(LAYOUTS[layout](X), weight)
    found = rows.guess(step, labels, X.mean(axis=0), k, SHARE, 1)
    expected = step_by_step(X, weight, labels, k, covariance_type, ridge)
    np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-13)
    np.testing.assert_allclose(found.means, expected.means, rtol=1e-13, atol=1e-13)
    for one, other in zip(found[2:4], expected[2:4], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
    for n_threads in (2, 3, 7):
        again = rows.guess(step, labels, X.mean(axis=0), k, SHARE, n_threads)
        for one, other in zip(again.arrays(), found.arrays(), strict=True):
            np.testing.assert_array_equal(one, other)


@each_type
@pytest.mark.parametrize("fault", ["empty", "singular"])
def test_guess_is_none_where_a_component_has_no_parameters(
    module: ModuleType, covariance_type: str, fault: str
) -> None:
    X, labels = clustered(60, 2, 3)[0], np.arange(60) % 3
    if fault == "empty":
        labels[labels == 1] = 0
    else:
        X[:] = 1.0
    step = module.MStep(
        FAMILIES[covariance_type].letters, SHAPES[covariance_type], None, MOST_INFLATION
    )
    assert module.Rows(X).guess(step, labels, X.mean(axis=0), 3, SHARE, 1) is None

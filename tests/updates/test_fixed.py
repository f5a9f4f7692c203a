"""The update that holds parameters: its formulas, whatever the centres of the statistics are."""

import numpy as np
import pytest
from clusters import clustered
from helpers import COVARIANCE_TYPES

from mixtura import GaussianMixture, reference
from mixtura.covariance import FAMILIES
from mixtura.shapes import Floats
from mixtura.updates import Fixed, Ridge

X = clustered(120, 3, 2)[0]
RESP = np.random.default_rng(1).dirichlet(np.ones(3), size=len(X))
RIDGE = np.array([0.5, 0.1, 2.0])
MEANS = np.random.default_rng(3).normal(size=(3, 3))


def update_of(covariance_type: str, fixed: object) -> Fixed:
    family = FAMILIES[covariance_type]
    covariances = family.shape.from_matrices(np.tile(np.diag([1.0, 2.0, 3.0]), (3, 1, 1)))
    if covariance_type == "spherical":
        covariances = np.ones(3)
    start = GaussianMixture([0.2, 0.3, 0.5], MEANS, covariances, covariance_type)
    inner = Ridge(family, RIDGE, reference)
    return Fixed(inner, start._parameters(), np.array(fixed), shared=family.is_shared)


def scatter_about(mean: Floats, resp: Floats) -> Floats:
    return (resp[:, None] * (X - mean)).T @ (X - mean) + resp.sum() * np.diag(RIDGE)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("centres", [0.0, 5.0])
def test_covariances_are_those_about_the_fixed_means(covariance_type: str, centres: float) -> None:
    statistics = reference.accumulate_resp(
        X, RESP, np.full((3, 3), centres), covariance_type=covariance_type
    )
    update = update_of(covariance_type, [[False] * 3, [True, False, True], [False] * 3])
    parameters, failed = update.update(statistics)
    counts = RESP.sum(axis=0)
    means = np.where([[True], [False], [True]], MEANS, RESP.T @ X / counts[:, None])
    scatters = np.array([scatter_about(means[j], RESP[:, j]) for j in range(3)])
    expected = {
        "full": scatters / counts[:, None, None],
        "tied": scatters.sum(axis=0) / len(X),
        "diag": np.einsum("jaa->ja", scatters) / counts[:, None],
        "spherical": np.einsum("jaa->j", scatters) / (3 * counts),
    }[covariance_type]
    assert not failed.any()
    np.testing.assert_allclose(parameters.means, means, rtol=1e-12)
    np.testing.assert_allclose(parameters.covariances, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(parameters.weights, counts / len(X), rtol=1e-12)


def test_free_weights_share_what_the_fixed_ones_leave_by_their_rows() -> None:
    statistics = reference.accumulate_resp(X, RESP, MEANS, covariance_type="diag")
    update = update_of("diag", [[False, True, False], [False] * 3, [False] * 3])
    weights = update.update(statistics)[0].weights
    counts = RESP.sum(axis=0)[[0, 2]]
    assert weights[1] == 0.3
    np.testing.assert_allclose(weights[[0, 2]], 0.7 * counts / counts.sum(), rtol=1e-14)


def test_selected_update_holds_the_components_that_are_left() -> None:
    update = update_of("diag", [[False, False, True]] * 3).select(np.array([1, 2]))
    rows = reference.accumulate_resp(X, RESP[:, 1:], MEANS[1:], covariance_type="diag")
    parameters, _ = update.update(rows)
    assert parameters.weights.tolist() == [0.5, 0.5]
    np.testing.assert_array_equal(parameters.means[1], MEANS[2])
    np.testing.assert_array_equal(parameters.covariances[1], [1.0, 2.0, 3.0])

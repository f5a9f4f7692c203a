"""The same mixture with its components in another order."""

import re

import numpy as np
import pytest
from mixtures import rows

from mixtura import GaussianMixture, datasets, fit_gmm
from mixtura.covariance import CELEUX_GOVAERT
from mixtura.mixture.reordering import heaviest_first
from mixtura.shapes import SHAPE_NAMES

X = datasets.load_iris().data


@pytest.mark.parametrize("covariance_type", [*SHAPE_NAMES, *CELEUX_GOVAERT])
def test_reordered_mixture_is_the_same_with_its_components_elsewhere(covariance_type: str) -> None:
    model = fit_gmm(X, 3, covariance_type=covariance_type, rng=0, max_iter=5, tol=0.0).model
    for order in ([2, 0, 1], np.array([2, 0, 1], dtype=np.uint8), (2, 0, 1)):
        other = model.reordered(order)
        assert type(other) is GaussianMixture
        assert other.covariance_type == covariance_type
        for name in ("weights", "means"):
            np.testing.assert_array_equal(getattr(other, name), getattr(model, name)[[2, 0, 1]])
        np.testing.assert_array_equal(
            other.covariance_matrices(), model.covariance_matrices()[[2, 0, 1]]
        )
        np.testing.assert_allclose(
            other.component_log_prob(X), model.component_log_prob(X)[:, [2, 0, 1]], rtol=1e-11
        )
        np.testing.assert_array_equal(other.volume[np.argsort([2, 0, 1])], model.volume)
        assert other.reordered(np.argsort([2, 0, 1])) == model
    assert model.reordered([0, 1, 2]) == model
    assert not other.means.flags.writeable


def test_reordered_mixture_keeps_weights_that_miss_one_and_names() -> None:
    weights = [0.3 + 5e-9, 0.0, 0.7]
    model = GaussianMixture(
        weights, np.eye(3, 2), [1.0, 2.0, 3.0], "spherical", feature_names=["a", "b"]
    )
    other = model.reordered([1, 2, 0])
    assert other.weights.tolist() == [0.0, 0.7, weights[0]]
    assert other.feature_names == ("a", "b")
    np.testing.assert_allclose(other.log_prob(rows()), model.log_prob(rows()), rtol=1e-14)


@pytest.mark.parametrize(
    ("order", "error", "got"),
    [
        ([0, 1], ValueError, "once; got [0, 1]. Use argsort of what you sort by."),
        ([0, 1, 1], ValueError, "once; got [0, 1, 1]. Use argsort of what you sort by."),
        ([1, 2, 3], ValueError, "once; got [1, 2, 3]."),
        ([-1, 0, 1], ValueError, "once; got [-1, 0, 1]."),
        ([[0, 1, 2]], ValueError, "once; got [[0, 1, 2]]."),
        ([], ValueError, "once; got []."),
        (
            [0.0, 1.0, 2.0],
            TypeError,
            "once, as integers; got an array of dtype float64. Use argsort of what you sort by.",
        ),
        ([True, False, True], TypeError, "once, as integers; got an array of dtype bool."),
    ],
)
def test_order_that_is_none_is_refused(order: object, error: type[Exception], got: str) -> None:
    model = GaussianMixture(np.full(3, 1 / 3), np.eye(3), np.ones(3), "spherical")
    message = re.escape(f"order must hold each of the numbers 0 to 2 {got}")
    with pytest.raises(error, match=f"^{message}"):
        model.reordered(order)


def test_heaviest_comes_first_and_of_equal_ones_the_smaller_mean() -> None:
    weights = np.array([0.1, 0.3, 0.3, 0.3])
    means = np.array([[0.0, 0.0], [1.0, 2.0], [0.5, 9.0], [1.0, 1.0]])
    assert heaviest_first(weights, means).tolist() == [2, 3, 1, 0]

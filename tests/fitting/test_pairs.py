"""Features that are never observed together: their covariance, and the warning."""

import warnings

import numpy as np
import pytest
from tables import pandas

from mixtura import UnobservedPairsWarning, fit_gmm, scan, select_gmm
from mixtura.shapes import Floats

CORRELATIONS = np.array([[1.0, 0.8, 0.8], [0.8, 1.0, 0.75], [0.8, 0.75, 1.0]])


def fused(n: int = 2000, *, shift: tuple[float, ...] = (0.0, 0.0, 0.0)) -> Floats:
    """Rows of three features, the last two never observed together; two rows of five shifted."""
    rng = np.random.default_rng(0)
    X = rng.multivariate_normal(np.zeros(3), CORRELATIONS, n)
    X[rng.random(n) < 0.4] += shift
    X[: n // 2, 1], X[n // 2 :, 2] = np.nan, np.nan
    return X


@pytest.mark.parametrize("init", ["kmeans", "random", "labels"])
def test_undetermined_covariance_is_that_of_conditional_independence(init: str) -> None:
    """It was 0.32, with a partial correlation of -0.95."""
    X = fused()
    begin = np.zeros(len(X), dtype=int) if init == "labels" else init
    with pytest.warns(UnobservedPairsWarning, match="features 1 and 2 are never observed together"):
        fit = fit_gmm(X, 1, missing="em", init=begin, rng=0)
    covariance = fit.covariances[0]
    independent = covariance[0, 1] * covariance[0, 2] / covariance[0, 0]
    assert covariance[1, 2] == pytest.approx(independent, abs=0.04)
    assert fit.n_iter < 20


def test_undetermined_covariances_of_two_clusters_are_sensible() -> None:
    X = fused(shift=(5.0, 0.0, -3.0))
    with pytest.warns(UnobservedPairsWarning, match="features 1 and 2"):
        fit = fit_gmm(X, 2, missing="em", rng=0)
    np.testing.assert_allclose(fit.weights, [0.6, 0.4], atol=0.03)
    for covariance in fit.covariances:
        inverse = np.linalg.inv(covariance)
        partial = -inverse[1, 2] / np.sqrt(inverse[1, 1] * inverse[2, 2])
        assert abs(partial) < 0.5


def test_warning_counts_the_pairs_names_the_features_and_points_at_the_caller() -> None:
    X = np.column_stack([fused(600), fused(600)[:, 2]])
    frame = pandas("DataFrame", X, columns=["size", "age", "dose", "again"])
    with pytest.warns(UnobservedPairsWarning) as caught:
        fit_gmm(frame, 1, missing="em", rng=0, reg_covar=1e-2)
    assert str(caught[0].message) == (
        "features 'age' and 'dose' are never observed together, nor is 1 other pair: the rows do "
        "not determine their covariance, and it stays near that of the start. Automatic starts "
        'have them independent given the other features. Use covariance_type="diag", or drop one '
        "of them."
    )
    assert (len(caught), caught[0].filename) == (1, __file__)
    with pytest.warns(UnobservedPairsWarning, match="features 1 and 2 are never") as caught:
        select_gmm(fused(300), 1, ["EII", "VVV"], missing="em", rng=0)
    assert (len(caught), caught[0].filename) == (1, __file__)


def test_no_warning_where_nothing_depends_on_it_or_one_row_has_both() -> None:
    X = fused(300)
    both = np.concatenate([X, [[0.0, 0.1, 0.2]]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_gmm(X, 1, covariance_type="diag", missing="em", rng=0)
        select_gmm(X, 1, ["EII", "VVI"], missing="em", rng=0)
        fit_gmm(scan([both[:200], both[200:]]), 1, missing="em", rng=0)

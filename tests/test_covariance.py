"""The covariance families: against formulas evaluated naively, textbooks and exact inverses."""

import numpy as np
import pytest
from helpers import EPS
from scipy.linalg import hilbert, invhilbert

from mixtura import reference
from mixtura.covariance import FAMILIES, CovarianceFamily
from mixtura.statistics import FACTOR_SHAPES, Floats

N, D, K = 60, 3, 4

each_family = pytest.mark.parametrize(
    "family", [FAMILIES[name] for name in FACTOR_SHAPES], ids=FACTOR_SHAPES
)
each_matrix_family = pytest.mark.parametrize("name", ["full", "tied"])


def random_covariances(family: CovarianceFamily, k: int = K, d: int = D, seed: int = 2) -> Floats:
    """Regular covariances of the family's shape."""
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(k, d, d))
    full = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(d)
    variances = rng.uniform(0.5, 3.0, size=(k, d))
    return {"full": full, "tied": full[0], "diag": variances, "spherical": variances[:, 0]}[
        family.name
    ]


def as_matrices(name: str, covariances: Floats, k: int, d: int) -> Floats:
    """Full matrices, written out."""
    if name == "full":
        return covariances
    if name == "tied":
        return np.stack([covariances] * k)
    if name == "diag":
        return np.stack([np.diag(variances) for variances in covariances])
    return np.stack([variance * np.identity(d) for variance in covariances])


class Sample:
    """Rows with weighted responsibilities, and what the textbook makes of them by plain loops."""

    def __init__(self, offset: float = 0.0) -> None:
        rng = np.random.default_rng(3)
        self.X = rng.normal(size=(N, D)) @ rng.normal(size=(D, D)) + offset
        self.resp = rng.dirichlet(np.full(K, 0.5), size=N)
        self.sample_weight = rng.exponential(size=N)
        self.share = self.resp * self.sample_weight[:, None]
        self.totals = self.share.sum(axis=0)
        self.means = np.array([self.share[:, j] @ self.X / self.totals[j] for j in range(K)])
        scatters = np.zeros((K, D, D))
        for j in range(K):
            for i in range(N):
                z = self.X[i] - self.means[j]
                scatters[j] += self.share[i, j] * np.outer(z, z)
        self.scatters = scatters

    def covariances(self, name: str) -> Floats:
        each = self.scatters / self.totals[:, None, None]
        if name == "full":
            return each
        if name == "tied":
            return self.scatters.sum(axis=0) / self.sample_weight.sum()
        if name == "diag":
            return np.array([matrix.diagonal() for matrix in each])
        return np.array([np.trace(matrix) / D for matrix in each])

    def updated(self, family: CovarianceFamily) -> Floats:
        """What the family makes of the statistics."""
        statistics = reference.accumulate_resp(
            self.X,
            self.resp,
            self.means,
            covariance_type=family.factor_shape,
            sample_weight=self.sample_weight,
        )
        return family.update(statistics.recentred(statistics.means()))

    def expected_log_likelihood(self, matrices: Floats) -> float:
        """Sum of responsibilities times log-densities, as a function of the covariances."""
        total = 0.0
        for j, matrix in enumerate(matrices):
            _, log_det = np.linalg.slogdet(2.0 * np.pi * matrix)
            distances = np.trace(np.linalg.solve(matrix, self.scatters[j]))
            total -= 0.5 * (self.totals[j] * log_det + distances)
        return float(total)


@each_family
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_update_from_statistics_equals_formulas_on_rows(
    family: CovarianceFamily, offset: float
) -> None:
    sample = Sample(offset)
    expected = sample.covariances(family.name)
    tolerance = 50.0 * N * EPS * (1.0 + offset) * abs(expected).max()
    np.testing.assert_allclose(sample.updated(family), expected, rtol=0.0, atol=tolerance)


@each_family
def test_update_when_perturbed_lowers_expected_log_likelihood(family: CovarianceFamily) -> None:
    sample, rng = Sample(), np.random.default_rng(4)
    best = sample.updated(family)
    highest = sample.expected_log_likelihood(family.matrices(best, K, D))
    for _ in range(100):
        step = rng.normal(size=best.shape)
        if family.factor_shape in ("full", "tied"):
            step = step + step.swapaxes(-1, -2)
        for size in (1e-3, -1e-3):
            matrices = family.matrices(best + size * step, K, D)
            assert sample.expected_log_likelihood(matrices) < highest


@each_family
def test_update_of_one_feature_is_the_same_for_each_own_variance(family: CovarianceFamily) -> None:
    X, resp = np.array([[0.0], [2.0], [7.0]]), np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    statistics = reference.accumulate_resp(
        X, resp, [[1.0], [7.0]], covariance_type=family.factor_shape
    )
    expected = [2.0 / 3.0] if family.name == "tied" else [1.0, 0.0]
    np.testing.assert_allclose(family.update(statistics).ravel(), expected, rtol=4 * EPS)


@pytest.mark.parametrize(
    ("name", "counts"),
    # k, d and the numbers in Table 1 of Celeux and Govaert, Pattern Recognition 28 (1995).
    [
        ("full", {(3, 4): 30, (1, 1): 1, (2, 2): 6, (5, 10): 275}),
        ("tied", {(3, 4): 10, (1, 1): 1, (2, 2): 3, (5, 10): 55}),
        ("diag", {(3, 4): 12, (1, 1): 1, (2, 2): 4, (5, 10): 50}),
        ("spherical", {(3, 4): 3, (1, 1): 1, (2, 2): 2, (5, 10): 5}),
    ],
)
def test_n_parameters_for_known_sizes_equals_textbook_counts(
    name: str, counts: dict[tuple[int, int], int]
) -> None:
    assert {size: FAMILIES[name].n_parameters(*size) for size in counts} == counts


@each_family
@pytest.mark.parametrize("d", [1, 2, 7, 40])
def test_factorise_of_regular_covariances_gives_upper_root_of_inverse(
    family: CovarianceFamily, d: int
) -> None:
    covariances = random_covariances(family, d=d)
    factors, failed = family.factorise(covariances)
    assert factors.shape == covariances.shape == family.shape(K, d)
    assert failed.shape == ((1,) if family.name == "tied" else (K,))
    assert not failed.any()
    assert factors.flags.c_contiguous
    for matrix, U in zip(
        as_matrices(family.name, covariances, K, d),
        as_matrices(family.name, factors, K, d),
        strict=True,
    ):
        np.testing.assert_array_equal(U, np.triu(U))
        assert (U.diagonal() > 0.0).all()
        inverse = np.linalg.inv(matrix)
        atol = 20.0 * d * EPS * np.linalg.cond(matrix) * abs(inverse).max()
        np.testing.assert_allclose(U @ U.T, inverse, rtol=0.0, atol=atol)


@each_matrix_family
@pytest.mark.parametrize("size", [4, 8, 10])
def test_factorise_of_ill_conditioned_matrix_is_as_good_as_its_condition(
    name: str, size: int
) -> None:
    matrix, exact = hilbert(size), invhilbert(size)
    factor, failed = FAMILIES[name].factorise(matrix if name == "tied" else matrix[None])
    assert not failed.any()
    U = factor.reshape(size, size)
    error = np.linalg.norm(U @ U.T - exact) / np.linalg.norm(exact)
    assert error <= size * EPS * np.linalg.cond(matrix)


@each_matrix_family
def test_factorise_of_features_in_other_units_gives_scaled_factors(name: str) -> None:
    family = FAMILIES[name]
    covariances = random_covariances(family, d=5)
    units = 2.0 ** np.array([-300, 400, 0, -20, 60])
    factors, _ = family.factorise(covariances)
    scaled, failed = family.factorise(covariances * units[:, None] * units)
    assert not failed.any()
    np.testing.assert_array_equal(scaled, factors / units[:, None])


SINGULAR = {
    "zero": np.zeros((3, 3)),
    "rank one": np.ones((3, 3)),
    "a feature twice": np.array([[2.0, 1.0, 2.0], [1.0, 3.0, 1.0], [2.0, 1.0, 2.0]]),
    "a constant feature": np.diag([1.0, 0.0, 1.0]),
    "equal but for rounding": np.array([[1, 1 - EPS, 0], [1 - EPS, 1, 0], [0, 0, 1.0]]),
    "indefinite": np.array([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    "negative": -np.eye(3),
    "nan": np.full((3, 3), np.nan),
    "nan beside the diagonal": np.array([[1, np.nan, 0], [np.nan, 1, 0], [0, 0, 1.0]]),
    "infinite": np.diag([1.0, np.inf, 1.0]),
}


@each_matrix_family
@pytest.mark.parametrize("matrix", SINGULAR.values(), ids=SINGULAR)
def test_factorise_of_singular_matrix_marks_it_alone(name: str, matrix: Floats) -> None:
    family = FAMILIES[name]
    if name == "tied":
        assert family.factorise(matrix)[1].tolist() == [True]
        return
    covariances = np.stack([np.eye(3), matrix, 4.0 * np.eye(3)])
    factors, failed = family.factorise(covariances)
    assert failed.tolist() == [False, True, False]
    np.testing.assert_array_equal(factors[0], np.eye(3))
    np.testing.assert_array_equal(factors[2], 0.5 * np.eye(3))


@pytest.mark.parametrize("d", [2, 3, 8, 32, 100])
def test_factorise_of_scatter_of_too_few_rows_fails_whatever_the_rounding(d: int) -> None:
    rng = np.random.default_rng(d)
    rows = rng.normal(size=(100, d, d)) * 10.0 ** rng.uniform(-4.0, 4.0, size=d)
    rows -= rows.mean(axis=1, keepdims=True)
    scatter = rows.transpose(0, 2, 1) @ rows
    _, failed = FAMILIES["full"].factorise(0.5 * (scatter + scatter.transpose(0, 2, 1)))
    assert failed.all()


@pytest.mark.parametrize("d", [2, 3, 8, 32, 100])
def test_factorise_of_dependent_feature_fails_whatever_the_rounding(d: int) -> None:
    rng = np.random.default_rng(d)
    for _ in range(50):
        X = rng.normal(size=(5 * d, d)) * 10.0 ** rng.uniform(-4.0, 4.0, size=d)
        X[:, -1] = X[:, :-1] @ rng.normal(size=d - 1)
        covariance = np.cov(X.T, bias=True)
        assert FAMILIES["full"].factorise(covariance[None])[1].all()


def test_factorise_of_strong_but_honest_correlation_succeeds() -> None:
    for correlation in (0.999999, -1.0 + 1e-12):
        covariance = np.array([[[1.0, correlation], [correlation, 1.0]]])
        assert not FAMILIES["full"].factorise(covariance)[1].any()


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf, 1e-310])
def test_factorise_of_unusable_variance_marks_it_alone(wrong: float) -> None:
    _, failed = FAMILIES["diag"].factorise(np.array([[1.0, 2.0], [1.0, wrong], [3.0, 1.0]]))
    assert failed.tolist() == [False, True, False]
    _, failed = FAMILIES["spherical"].factorise(np.array([1.0, wrong, 3.0]))
    assert failed.tolist() == [False, True, False]


@each_family
def test_trace_with_variances_equals_trace_of_product(family: CovarianceFamily) -> None:
    covariances, variances = random_covariances(family), np.array([0.5, 0.0, 3.0])
    factors, failed = family.factorise(covariances)
    expected = [
        np.trace(np.linalg.inv(matrix) @ np.diag(variances))
        for matrix in as_matrices(family.name, covariances, K, D)
    ]
    trace = family.trace_with(factors, variances)
    assert trace.shape == failed.shape
    np.testing.assert_allclose(np.broadcast_to(trace, K), expected, rtol=1e-12)


@each_family
def test_matrices_of_covariances_are_their_full_form(family: CovarianceFamily) -> None:
    covariances = random_covariances(family)
    kept = covariances.copy()
    matrices = family.matrices(covariances, K, D)
    np.testing.assert_array_equal(matrices, as_matrices(family.name, covariances, K, D))
    for j in range(K):
        np.testing.assert_array_equal(family.matrix(covariances, j, D), matrices[j])
    matrices[:] = np.nan
    np.testing.assert_array_equal(covariances, kept)


@each_family
def test_select_of_components_gives_their_covariances_in_order(family: CovarianceFamily) -> None:
    covariances = random_covariances(family)
    chosen = np.array([2, 0, 2])
    selected = family.select(covariances, chosen)
    np.testing.assert_array_equal(
        family.matrices(selected, len(chosen), D), family.matrices(covariances, K, D)[chosen]
    )


@each_family
def test_check_of_sound_covariances_gives_them_with_factors(family: CovarianceFamily) -> None:
    covariances = random_covariances(family)
    checked, factors = family.check(covariances.tolist(), K, D)
    np.testing.assert_array_equal(checked, covariances)
    np.testing.assert_array_equal(factors, family.factorise(covariances)[0])

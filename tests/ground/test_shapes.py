"""The four shapes: every method against full matrices."""

import copy
import pickle

import numpy as np
import pytest
from helpers import EPS

from mixtura import reference
from mixtura.shapes import DIAG, FULL, SHAPE_NAMES, SHAPES, SPHERICAL, TIED, Floats, Shape

K, D = 4, 3
each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def random_covariances(shape: Shape, k: int = K, d: int = D, seed: int = 0) -> Floats:
    """Regular covariances in this shape."""
    rng = np.random.default_rng((k, d, seed))
    roots = rng.normal(size=(k, d, d))
    full = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(d)
    variances = rng.uniform(0.5, 3.0, size=(k, d))
    arrays = {FULL: full, TIED: full[0], DIAG: variances, SPHERICAL: variances[:, 0]}
    return arrays[shape]


def as_matrices(shape: Shape, array: Floats, k: int = K, d: int = D) -> Floats:
    """Full matrices, written out."""
    if shape is FULL:
        return array
    if shape is TIED:
        return np.stack([array] * k)
    if shape is DIAG:
        return np.stack([np.diag(variances) for variances in array])
    return np.stack([variance * np.identity(d) for variance in array])


def kept(shape: Shape, matrices: Floats) -> Floats:
    """What statistics of this shape keep of the scatters of the components."""
    if shape is FULL:
        return matrices
    if shape is TIED:
        return sum(matrices[1:], start=matrices[0])
    diagonals = np.array([np.diag(matrix) for matrix in matrices])
    return diagonals if shape is DIAG else diagonals.sum(axis=1)


def upper_factors(shape: Shape, seed: int = 0) -> tuple[Floats, Floats]:
    """Covariances, and their precision factors by LAPACK."""
    covariances = random_covariances(shape, seed=seed)
    return covariances, shape.factorise(covariances, reference)[0]


@each_shape
def test_shape_has_one_object_that_survives_pickling_and_copies(shape: Shape) -> None:
    assert pickle.loads(pickle.dumps(shape)) is shape
    assert copy.deepcopy(shape) is copy.copy(shape) is shape
    assert repr(shape) == shape.name
    assert SHAPES[shape.name] is shape


def test_names_are_those_of_scikit_learn_in_its_order() -> None:
    assert SHAPE_NAMES == tuple(SHAPES) == ("full", "tied", "diag", "spherical")
    assert [shape.is_diagonal for shape in SHAPES.values()] == [False, False, True, True]
    assert [shape.is_shared for shape in SHAPES.values()] == [False, True, False, False]


@each_shape
def test_array_shape_has_one_axis_for_each_name(shape: Shape) -> None:
    assert shape.array_shape(K, D) == random_covariances(shape).shape
    assert len(shape.array_shape(K, D)) == len(shape.axes)


@each_shape
def test_matrices_are_the_full_form_in_memory_of_its_own(shape: Shape) -> None:
    array = random_covariances(shape)
    before = array.copy()
    matrices = shape.matrices(array, K, D)
    np.testing.assert_array_equal(matrices, as_matrices(shape, array))
    for j in range(K):
        np.testing.assert_array_equal(shape.matrix(array, j, D), matrices[j])
    np.testing.assert_array_equal(shape.from_matrices(matrices), array)
    matrices[:] = np.nan
    np.testing.assert_array_equal(array, before)


@each_shape
def test_select_gives_the_components_in_order(shape: Shape) -> None:
    array, chosen = random_covariances(shape), np.array([2, 0, 2])
    selected = shape.select(array, chosen)
    np.testing.assert_array_equal(
        as_matrices(shape, selected, 3), as_matrices(shape, array)[chosen]
    )


@each_shape
def test_average_is_the_weighted_sum_of_the_matrices(shape: Shape) -> None:
    array, weights = random_covariances(shape), np.array([0.1, 0.2, 0.3, 0.4])
    expected = sum(w * m for w, m in zip(weights, as_matrices(shape, array), strict=True))
    average = shape.average(array, weights)
    full = np.diag(np.broadcast_to(average, D)) if shape.is_diagonal else average
    np.testing.assert_allclose(full, expected, rtol=1e-13)


@each_shape
def test_scatters_joined_are_what_is_kept_of_outer_products(shape: Shape) -> None:
    rng = np.random.default_rng(1)
    z, weight = rng.normal(size=(K, 20, D)), rng.exponential(size=(K, 20))
    scatters = [shape.scatter(w[:, None] * rows, rows) for w, rows in zip(weight, z, strict=True)]
    outer = np.einsum("ji,jia,jib->jab", weight, z, z)
    joined = shape.joined(scatters)
    assert joined.shape == shape.array_shape(K, D)
    np.testing.assert_allclose(joined, kept(shape, outer), rtol=1e-12)


@each_shape
def test_product_is_the_symmetric_part_of_the_outer_product(shape: Shape) -> None:
    rng = np.random.default_rng(2)
    left, right = rng.normal(size=(2, K, D))
    outer = np.array([np.outer(x, y) for x, y in zip(left, right, strict=True)])
    expected = kept(shape, 0.5 * (outer + outer.transpose(0, 2, 1)))
    np.testing.assert_allclose(shape.product(left, right), expected, rtol=1e-12, atol=1e-15)


@each_shape
def test_blurred_adds_the_variance_of_each_row(shape: Shape) -> None:
    scatters = random_covariances(FULL)
    resp_sum, variance = np.array([1.0, 0.0, 2.5, 7.0]), np.array([0.5, 0.0, 3.0])
    more = np.array([n * np.diag(variance) for n in resp_sum])
    array = kept(shape, scatters)
    before = array.copy()
    blurred = shape.blurred(array, resp_sum, variance)
    np.testing.assert_allclose(blurred, kept(shape, scatters + more), rtol=1e-14)
    np.testing.assert_array_equal(array, before)


@each_shape
def test_coarsened_is_what_is_kept_of_full_scatters(shape: Shape) -> None:
    scatters = random_covariances(FULL)
    np.testing.assert_allclose(shape.coarsened(scatters), kept(shape, scatters), rtol=1e-15)


@each_shape
def test_per_feature_turns_a_trace_into_its_mean(shape: Shape) -> None:
    scatter = kept(shape, random_covariances(FULL))
    expected = scatter / D if shape is SPHERICAL else scatter
    np.testing.assert_array_equal(shape.per_feature(scatter, D), expected)


@each_shape
def test_shrunk_to_pooled_lends_each_component_pooled_rows(shape: Shape) -> None:
    scatter, resp_sum = random_covariances(shape), np.array([1.0, 2.0, 3.0, 10.0])
    shrunk = shape.shrunk_to_pooled(scatter, resp_sum, 0.5)
    if shape is TIED:
        np.testing.assert_array_equal(shrunk, scatter)
        return
    lent = 0.5 * resp_sum.mean()
    for j, n in enumerate(resp_sum):
        pooled = sum(scatter[i] for i in range(K)) / resp_sum.sum()
        expected = n * (scatter[j] + lent * pooled) / (n + lent)
        np.testing.assert_allclose(shrunk[j], expected, rtol=1e-13)


@each_shape
def test_units_are_those_of_a_scatter_of_scaled_rows(shape: Shape) -> None:
    scale = np.array([2.0, 0.5, 4.0])
    if shape is SPHERICAL:  # of the trace, for which there is one unit for all features
        assert shape.units(scale) == 4.0 + 0.25 + 16.0
        return
    scatters = random_covariances(FULL)
    scaled = kept(shape, scale[:, None] * scatters * scale)
    np.testing.assert_array_equal(scaled / shape.units(scale), kept(shape, scatters))


@each_shape
@pytest.mark.parametrize("d", [1, 2, 7, 40])
def test_factorise_gives_the_upper_root_of_the_inverse(shape: Shape, d: int) -> None:
    covariances = random_covariances(shape, d=d)
    factors, failed = shape.factorise(covariances, reference)
    assert factors.shape == covariances.shape
    assert failed.shape == ((1,) if shape is TIED else (K,))
    assert not failed.any()
    assert factors.flags.c_contiguous
    for matrix, U in zip(
        as_matrices(shape, covariances, K, d), as_matrices(shape, factors, K, d), strict=True
    ):
        np.testing.assert_array_equal(U, np.triu(U))
        assert (U.diagonal() > 0.0).all()
        inverse = np.linalg.inv(matrix)
        atol = 20.0 * d * EPS * np.linalg.cond(matrix) * abs(inverse).max()
        np.testing.assert_allclose(U @ U.T, inverse, rtol=0.0, atol=atol)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf, 1e-310])
def test_factorise_of_unusable_variance_marks_it_alone(wrong: float) -> None:
    by = reference
    _, failed = DIAG.factorise(np.array([[1.0, 2.0], [1.0, wrong], [3.0, 1.0]]), by)
    assert failed.tolist() == [False, True, False]
    _, failed = SPHERICAL.factorise(np.array([1.0, wrong, 3.0]), by)
    assert failed.tolist() == [False, True, False]


@each_shape
def test_from_precisions_gives_covariances_and_the_same_factors(shape: Shape) -> None:
    covariances, factors = upper_factors(shape)
    precisions = shape.precisions(factors)
    expected = np.linalg.inv(as_matrices(shape, covariances))
    np.testing.assert_allclose(as_matrices(shape, precisions), expected, rtol=1e-11)
    again, same = shape.from_precisions(precisions)
    np.testing.assert_allclose(again, covariances, rtol=1e-10)
    np.testing.assert_allclose(same, factors, rtol=1e-10, atol=1e-12)
    assert same.flags.c_contiguous


@each_shape
def test_from_precisions_refuses_what_is_not_positive_definite(shape: Shape) -> None:
    precisions = -random_covariances(shape)
    with pytest.raises(np.linalg.LinAlgError):
        shape.from_precisions(precisions)
    if not shape.is_diagonal:
        precisions = random_covariances(shape)
        precisions[..., 0, 1] += 1.0
        with pytest.raises(np.linalg.LinAlgError, match="not symmetric"):
            shape.from_precisions(precisions)


@each_shape
def test_below_diagonal_and_diagonal_are_parts_of_the_factors(shape: Shape) -> None:
    _, factors = upper_factors(shape)
    assert not shape.below_diagonal(factors).any()
    diagonals = [U.diagonal() for U in as_matrices(shape, factors)]
    diagonal = shape.diagonal(factors)
    column = diagonal[:, None] if shape is SPHERICAL else diagonal
    np.testing.assert_array_equal(np.broadcast_to(column, (K, D)), diagonals)
    if not shape.is_diagonal:
        factors[..., 2, 1] = 5.0
        below = shape.below_diagonal(factors)
        assert (below[..., 2, 1] == 5.0).all()
        assert np.count_nonzero(below) == below[..., 0, 0].size


@each_shape
def test_mismatch_is_that_of_the_matrices(shape: Shape) -> None:
    covariances, factors = upper_factors(shape)
    scales = np.linspace(1.0, 2.0, K).reshape(-1, *(1,) * (covariances.ndim - 1))
    others = covariances * (3.0 if shape.is_shared else scales)
    off, inflation = shape.mismatch(others, factors)
    U, C = as_matrices(shape, factors), as_matrices(shape, others)
    whitened = U.swapaxes(1, 2) @ C @ U
    expected = np.abs(whitened - np.eye(D)).max(axis=(1, 2))
    np.testing.assert_allclose(np.broadcast_to(off, K), expected, atol=1e-12)
    deviations = np.sqrt(np.einsum("jaa->ja", C))
    sums = np.square(U * deviations[:, :, None]).sum(axis=(1, 2))
    if not shape.is_diagonal:
        np.testing.assert_allclose(np.broadcast_to(inflation, K), sums, rtol=1e-12)
    assert (inflation >= 1.0 - 1e-12).all()
    assert np.isnan(shape.mismatch(-others, factors)[0]).all() or shape.is_diagonal


@each_shape
def test_log_dets_and_traces_are_those_of_the_matrices(shape: Shape) -> None:
    covariances, factors = upper_factors(shape)
    variances = np.array([0.5, 0.0, 3.0])
    log_dets, traces = shape.log_dets(factors, D), shape.trace_with(factors, variances)
    assert log_dets.shape == traces.shape == ((1,) if shape is TIED else (K,))
    for j, matrix in enumerate(as_matrices(shape, covariances)):
        log_det = -0.5 * np.linalg.slogdet(matrix)[1]
        assert np.broadcast_to(log_dets, K)[j] == pytest.approx(log_det, rel=1e-12)
        trace = np.trace(np.linalg.inv(matrix) @ np.diag(variances))
        assert np.broadcast_to(traces, K)[j] == pytest.approx(trace, rel=1e-12)


@each_shape
def test_whitened_rows_have_the_distances_of_mahalanobis(shape: Shape) -> None:
    covariances, factors = upper_factors(shape)
    z = np.random.default_rng(3).normal(size=(K, 10, D))
    lengths = np.array([shape.whitened_lengths(factors, z[:, i]) for i in range(10)])
    for j, matrix in enumerate(as_matrices(shape, covariances)):
        expected = np.einsum("ia,ab,ib->i", z[j], np.linalg.inv(matrix), z[j])
        whitened = shape.whiten(z[j], factors, j)
        np.testing.assert_allclose(np.square(whitened).sum(axis=1), expected, rtol=1e-11)
        np.testing.assert_allclose(np.square(lengths[:, j]), expected, rtol=1e-11)


@each_shape
@pytest.mark.parametrize("size", [1e-12, 1e-3, 0.03, 1.0])
def test_least_stretch_is_below_every_singular_value(shape: Shape, size: float) -> None:
    covariances, factors = upper_factors(shape)
    other, _ = upper_factors(shape, seed=1)
    later, _ = shape.factorise(covariances + size * other, reference)
    least = shape.least_stretch(covariances, factors, later, reference)
    assert least.shape == ((1,) if shape is TIED else (K,))
    change = [
        np.linalg.svd(new.T @ np.linalg.inv(old.T), compute_uv=False)[-1]
        for old, new in zip(as_matrices(shape, factors), as_matrices(shape, later), strict=True)
    ]
    assert (least <= np.array(change) * (1.0 + 4 * EPS)).all()
    if size <= 0.03:  # and not far below, where little has changed
        assert (least >= 1.0 - 50.0 * size - 1e-10).all()


@each_shape
@pytest.mark.parametrize("variance", [0.0, 0.5])
def test_is_narrower_tells_by_the_largest_generalised_eigenvalue(
    shape: Shape, variance: float
) -> None:
    covariances, _ = upper_factors(shape)
    weights, extra = np.array([0.1, 0.2, 0.3, 0.4]), np.full(D, variance)
    average = shape.average(covariances, weights)
    bound = np.diag(np.broadcast_to(average, D)) if shape.is_diagonal else average
    largest = np.array(
        [
            np.linalg.eigvals(np.linalg.solve(matrix, bound + np.diag(extra))).real.max()
            for matrix in as_matrices(shape, covariances)
        ]
    )
    for threshold in (*(0.999 / largest), *(1.001 / largest), 1e-6):
        narrower = shape.is_narrower(covariances, threshold * average, threshold * extra, reference)
        assert narrower.shape == ((1,) if shape is TIED else (K,))
        np.testing.assert_array_equal(np.broadcast_to(narrower, K), threshold * largest > 1.0)


@each_shape
def test_is_narrower_by_more_than_a_float_holds_is_true(shape: Shape) -> None:
    covariances, _ = upper_factors(shape)
    average = 1e300 * shape.average(covariances, np.full(K, 0.25))
    assert shape.is_narrower(covariances, average, np.full(D, 1e300), reference).all()


@each_shape
def test_variances_are_the_diagonals_of_the_matrices(shape: Shape) -> None:
    covariances = random_covariances(shape)
    variances = shape.variances(covariances, K, D)
    expected = np.einsum("jaa->ja", as_matrices(shape, covariances))
    np.testing.assert_array_equal(variances, expected)


@each_shape
def test_widest_direction_is_that_of_the_largest_scaled_eigenvalue(shape: Shape) -> None:
    covariances, scale = random_covariances(shape), np.array([0.5, 2.0, 1.0])
    for j, matrix in enumerate(as_matrices(shape, covariances)):
        scaled = matrix / np.outer(scale, scale)
        step = shape.widest(covariances, j, scale, reference) / scale
        largest = np.linalg.eigvalsh(scaled)[-1]
        assert step @ step == pytest.approx(largest, rel=1e-12)
        np.testing.assert_allclose(scaled @ step, largest * step, atol=1e-12)


@each_shape
def test_widest_direction_in_units_far_apart_is_finite(shape: Shape) -> None:
    covariances = 1e280 * random_covariances(shape)
    step = shape.widest(covariances, 0, np.array([1e-140, 1.0, 1e140]), reference)
    assert np.isfinite(step).all()
    assert np.abs(step).argmax() == 0


@each_shape
def test_difference_of_components_is_that_of_their_matrices(shape: Shape) -> None:
    covariances, factors = upper_factors(shape)
    matrices, uppers = as_matrices(shape, covariances), as_matrices(shape, factors)
    expected = np.linalg.norm(uppers[1].T @ matrices[2] @ uppers[1] - np.eye(D))
    found = shape.difference(factors, covariances, 1, 2, D)
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-12)

"""The compiled kernels against the reference, and what holds for both whatever the numbers."""

from dataclasses import replace
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
from helpers import (
    BACKENDS,
    COVARIANCE_TYPES,
    LAYOUTS,
    Bounds,
    Mixture,
    all_results,
    assert_equal_bits,
    assert_same_bits,
    assert_same_statistics,
    assert_within,
    random_mixture,
    random_rows,
    results_of_module,
    statistics_bounds,
    unchanged,
    usable_instruction_sets,
)

from mixtura import kernels, reference
from mixtura.shapes import Floats

each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
OFFSET = 1e8  # of data with unit variance: two digits are left of the variance if it is not centred


class Case(NamedTuple):
    """A corner of the product that every kernel has to get right."""

    n: int
    d: int
    k: int
    layout: str
    offset: float
    empty_component: bool
    far_row: bool
    sample_weight: str

    def __str__(self) -> str:
        flags = [name for name in ("empty_component", "far_row") if getattr(self, name)]
        offset = ["offset"] if self.offset else []
        size = f"n{self.n}-d{self.d}-k{self.k}"
        return "-".join([size, self.layout, *offset, *flags, f"{self.sample_weight}_weights"])


# Tiles have 64 to 256 rows, vectors 2 to 8 lanes, blocks of the triangle 4 rows: sizes beside each.
N_SAMPLES = [0, 1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000]
N_FEATURES = [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 20, 33, 45]
N_COMPONENTS = [1, 2, 3, 4, 7, 9, 40]
SAMPLE_WEIGHTS = ["no", "random", "some_zero"]


def covering_design() -> list[Case]:
    """Every pair of sizes, and every size in every layout: lengths without a common factor."""
    rng = np.random.default_rng(0)
    layouts = list(LAYOUTS)
    cases = []
    for i in range(len(N_SAMPLES) * len(N_FEATURES)):
        offset, empty_component, far_row = rng.random(3) < 1 / 3
        sizes = (
            N_SAMPLES[i % len(N_SAMPLES)],
            N_FEATURES[i % len(N_FEATURES)],
            N_COMPONENTS[i % len(N_COMPONENTS)],
        )
        weights = str(rng.choice(SAMPLE_WEIGHTS))
        flags = OFFSET * offset, bool(empty_component), bool(far_row), weights
        cases.append(Case(*sizes, layouts[i % len(layouts)], *flags))
    return cases


CASES = covering_design()


def example(case: Case, covariance_type: str, dtype: type) -> tuple[Floats, Mixture, Floats | None]:
    """Rows, a mixture and sample weights."""
    rng = np.random.default_rng(case.n + 1000 * case.d + 100_000 * case.k)
    mixture = random_mixture(rng, covariance_type, case.k, case.d)
    X = random_rows(rng, mixture, case.n)
    if case.offset:
        mixture, X = mixture.shifted(case.offset), X + case.offset
    if case.empty_component and case.k > 1:
        mixture.weights[rng.integers(case.k)] = 0.0
    if case.far_row and case.n > 1 and dtype is np.float64:
        # In a unit this small a row is out of reach of every component, yet its square is finite.
        mixture, X = mixture.scaled(1e-100), X * 1e-100
        X[rng.integers(case.n)] = 1e60
    sample_weight = None if case.sample_weight == "no" else rng.exponential(size=case.n)
    if case.sample_weight == "some_zero" and case.n > 1:
        absent = rng.random(case.n) < 0.3
        absent[rng.integers(case.n)] = False
        sample_weight[absent] = 0.0
        X[absent] = 3e38 if dtype is np.float32 else 1e300
    return X.astype(dtype), mixture, sample_weight


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS)
def backend(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
@each_type
def test_kernels_over_the_product_agree_with_the_reference(
    covariance_type: str, case: Case, dtype: type
) -> None:
    X, mixture, sample_weight = example(case, covariance_type, dtype)
    resp = np.random.default_rng(0).random((case.n, case.k)).round(1)
    bounds = Bounds(X, mixture)
    of_resp = statistics_bounds(X, resp, mixture.means, covariance_type, sample_weight)
    of_mixture, of_hard = bounds.statistics(sample_weight), bounds.hard(sample_weight)
    expected = all_results(reference, X.astype(np.float64), resp, mixture, sample_weight)
    lay_out = LAYOUTS[case.layout]
    laid_out_X, laid_out_resp = lay_out(X), lay_out(resp)
    for name, module in usable_instruction_sets().items():
        with unchanged(laid_out_X, laid_out_resp, sample_weight, *vars(mixture).values()):
            computed = results_of_module(module, laid_out_X, laid_out_resp, mixture, sample_weight)
        assert_within(computed[0], expected[0], bounds.log_density, f"{name} log_density")
        assert_within(computed[1], expected[1], bounds.resp, f"{name} resp")
        assert_within(computed[2], expected[2], bounds.log_prob, f"{name} log_prob")
        assert_same_statistics(computed[3], expected[3], of_mixture)
        assert_same_statistics(computed[4], expected[4], of_resp)
        assert_same_statistics(computed[5], expected[5], of_hard)


def test_covering_design_meets_every_pair_of_sizes_and_layouts() -> None:
    assert len({(case.n, case.d) for case in CASES}) == len(N_SAMPLES) * len(N_FEATURES)
    assert len({(case.n, case.k) for case in CASES}) == len(N_SAMPLES) * len(N_COMPONENTS)
    assert len({(case.d, case.k) for case in CASES}) == len(N_FEATURES) * len(N_COMPONENTS)
    for size in ("n", "d", "k"):
        sizes = {getattr(case, size) for case in CASES}
        pairs = {(getattr(case, size), case.layout) for case in CASES}
        assert len(pairs) == len(sizes) * len(LAYOUTS)
    lost = [
        np.isneginf(reference.responsibilities(X, **mixture.parameters)[1]).any()
        for case in CASES
        if case.far_row and case.n > 1
        for X, mixture, _ in [example(case, "full", np.float64)]
    ]
    assert lost
    assert all(lost)


@pytest.mark.parametrize("d", [1, 3, 8, 33])
@each_type
def test_float32_rows_at_the_means_or_out_of_reach_agree_with_the_reference(
    covariance_type: str, d: int
) -> None:
    # No factor brings float32 both within reach and out of it, unless within is exactly at a mean.
    rng = np.random.default_rng(d)
    mixture = random_mixture(rng, covariance_type, 3, d)
    mixture = replace(
        mixture,
        means=mixture.means.astype(np.float32).astype(np.float64),
        factors=mixture.factors * 1e125,
    )
    X = mixture.means[rng.integers(3, size=70)].astype(np.float32)
    X[::7] = 1e30
    expected_resp, expected_log_prob = reference.responsibilities(X, **mixture.parameters)
    assert np.isneginf(expected_log_prob[::7]).all()
    resp, log_prob = kernels.responsibilities(X, **mixture.parameters)
    np.testing.assert_allclose(resp, expected_resp, rtol=1e-15)
    np.testing.assert_allclose(log_prob, expected_log_prob, rtol=1e-14)


@pytest.mark.parametrize("distance", [1e2, 1e6, 1e12])
@each_type
def test_components_far_from_each_other_agree_with_the_reference(
    covariance_type: str, distance: float
) -> None:
    rng = np.random.default_rng(4)
    mixture = random_mixture(rng, covariance_type, 3, 5)
    mixture = replace(mixture, means=mixture.means + distance * np.arange(3)[:, None])
    X = random_rows(rng, mixture, 200)
    computed = kernels.log_density(X, **mixture.components)
    expected = reference.log_density(X, **mixture.components)
    assert_within(computed, expected, Bounds(X, mixture).log_density, "log_density")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_type
def test_results_of_any_layout_are_equal_to_the_bit(covariance_type: str, dtype: type) -> None:
    rng = np.random.default_rng(12)
    mixture = random_mixture(rng, covariance_type, 3, 5)
    X = random_rows(rng, mixture, 300).astype(dtype)
    resp, sample_weight = rng.random((300, 3)), rng.exponential(size=300)
    expected = all_results(kernels, X, resp, mixture, sample_weight)
    backwards = sample_weight[::-1].copy()[::-1]
    for lay_out in LAYOUTS.values():
        assert_equal_bits(
            all_results(kernels, lay_out(X), lay_out(resp), mixture, backwards), expected
        )


@each_type
def test_parameters_of_any_layout_give_results_equal_to_the_bit(
    backend: ModuleType, covariance_type: str
) -> None:
    rng = np.random.default_rng(13)
    mixture = random_mixture(rng, covariance_type, 3, 5)
    X = random_rows(rng, mixture, 40)
    expected = backend.responsibilities(X, **mixture.parameters)
    mixture.weights.flags.writeable = False
    for lay_out in LAYOUTS.values():
        factors = mixture.factors
        if factors.ndim == 2:
            factors = lay_out(factors)
        elif factors.ndim == 3:
            factors = np.stack([lay_out(factor) for factor in factors], axis=2).transpose(2, 0, 1)
        strange = replace(mixture, means=lay_out(mixture.means), factors=factors)
        computed = backend.responsibilities(X, **strange.parameters)
        np.testing.assert_array_equal(computed[0], expected[0])
        np.testing.assert_array_equal(computed[1], expected[1])


@pytest.fixture(params=COVARIANCE_TYPES)
def sample(request: pytest.FixtureRequest) -> tuple[Floats, Mixture]:
    """Rows and a mixture whose components overlap."""
    rng = np.random.default_rng(14)
    mixture = random_mixture(rng, request.param, 4, 3, spread=1.5)
    return random_rows(rng, mixture, 400), mixture


def test_weight_of_a_row_equals_its_repetition(
    backend: ModuleType, sample: tuple[Floats, Mixture]
) -> None:
    X, mixture = sample
    times = np.random.default_rng(15).integers(0, 4, size=len(X))
    repeated = np.repeat(X, times, axis=0)
    computed = backend.accumulate(X, **mixture.parameters, sample_weight=times)
    expected = backend.accumulate(repeated, **mixture.parameters)
    assert_same_statistics(computed, expected, Bounds(repeated, mixture).statistics())


def test_row_of_weight_zero_is_absent_whatever_stands_in_it(
    backend: ModuleType, sample: tuple[Floats, Mixture]
) -> None:
    X, mixture = sample
    present = np.random.default_rng(16).random(len(X)) < 0.5
    with_junk = np.where(present[:, None], X, 1e300)
    computed = backend.accumulate(with_junk, **mixture.parameters, sample_weight=present)
    expected = backend.accumulate(X[present], **mixture.parameters)
    assert_same_statistics(computed, expected, Bounds(X[present], mixture).statistics())
    other_junk = np.where(present[:, None], X, -7.0)
    again = backend.accumulate(other_junk, **mixture.parameters, sample_weight=present)
    assert_same_bits(again, computed)


@each_type
def test_row_of_weight_zero_may_be_too_far_for_a_difference(
    backend: ModuleType, covariance_type: str
) -> None:
    far = 1.7e308
    mixture = random_mixture(np.random.default_rng(0), covariance_type, 1, 2)
    mixture = replace(mixture, means=np.full((1, 2), far))
    X = np.array([[-far, -far], [far, far]])
    statistics = backend.accumulate(X, **mixture.parameters, sample_weight=[0.0, 1.0])
    np.testing.assert_array_equal(statistics.resp_sum, [1.0])
    assert not statistics.resp_x.any()
    assert not statistics.resp_xx.any()
    assert np.isfinite(statistics.log_likelihood)


def test_parts_of_the_rows_add_up_to_the_whole(
    backend: ModuleType, sample: tuple[Floats, Mixture]
) -> None:
    X, mixture = sample
    parts = [backend.accumulate(part, **mixture.parameters) for part in np.array_split(X, 7)]
    whole = backend.accumulate(X, **mixture.parameters)
    bounds = Bounds(X, mixture).statistics()
    assert_same_statistics(sum(parts[1:], start=parts[0]), whole, bounds)


def test_order_of_the_rows_does_not_matter(
    backend: ModuleType, sample: tuple[Floats, Mixture]
) -> None:
    X, mixture = sample
    order = np.random.default_rng(17).permutation(len(X))
    computed = backend.accumulate(X[order], **mixture.parameters)
    expected = backend.accumulate(X, **mixture.parameters)
    assert_same_statistics(computed, expected, Bounds(X, mixture).statistics())


def test_order_of_the_components_is_that_of_the_results(
    backend: ModuleType, sample: tuple[Floats, Mixture]
) -> None:
    X, mixture = sample
    order = np.array([2, 0, 3, 1])
    permuted = replace(
        mixture,
        weights=mixture.weights[order],
        means=mixture.means[order],
        factors=mixture.factors if mixture.covariance_type == "tied" else mixture.factors[order],
    )
    bounds = Bounds(X, mixture)
    resp, log_prob = backend.responsibilities(X, **mixture.parameters)
    permuted_resp, permuted_log_prob = backend.responsibilities(X, **permuted.parameters)
    assert_within(permuted_resp, resp[:, order], bounds.resp[:, order], "resp")
    assert_within(permuted_log_prob, log_prob, bounds.log_prob, "log_prob")


def test_shift_of_rows_and_means_changes_no_bit(
    backend: ModuleType, sample: tuple[Floats, Mixture]
) -> None:
    X, mixture = sample
    grid, far = 2.0**-20, 2.0**30  # on this grid the shift itself rounds nothing
    X = np.round(X / grid) * grid
    mixture = replace(mixture, means=np.round(mixture.means / grid) * grid)
    here = backend.accumulate(X, **mixture.parameters)
    there = backend.accumulate(X + far, **mixture.shifted(far).parameters)
    assert_same_bits(there, here)


def test_unit_of_the_features_scales_the_results(
    backend: ModuleType, sample: tuple[Floats, Mixture]
) -> None:
    X, mixture = sample
    unit = 2.0**100
    bounds = Bounds(X, mixture)
    here = backend.accumulate(X, **mixture.parameters)
    there = backend.accumulate(X * unit, **mixture.scaled(unit).parameters)
    of_statistics = bounds.statistics()
    assert_within(there.resp_sum, here.resp_sum, of_statistics["resp_sum"], "resp_sum")
    assert_within(there.resp_x / unit, here.resp_x, of_statistics["resp_x"], "resp_x")
    assert_within(there.resp_xx / unit**2, here.resp_xx, of_statistics["resp_xx"], "resp_xx")
    expected = here.log_likelihood - len(X) * X.shape[1] * np.log(unit)
    np.testing.assert_allclose(there.log_likelihood, expected, rtol=1e-13)


def test_accumulate_equals_accumulate_resp_of_the_responsibilities(
    backend: ModuleType, sample: tuple[Floats, Mixture]
) -> None:
    X, mixture = sample
    sample_weight = np.random.default_rng(18).exponential(size=len(X))
    resp, log_prob = backend.responsibilities(X, **mixture.parameters)
    computed = backend.accumulate(X, **mixture.parameters, sample_weight=sample_weight)
    expected = backend.accumulate_resp(
        X,
        resp,
        mixture.means,
        covariance_type=mixture.covariance_type,
        sample_weight=sample_weight,
    )
    expected = replace(expected, log_likelihood=float(sample_weight @ log_prob))
    assert_same_statistics(computed, expected, Bounds(X, mixture).statistics(sample_weight))

"""Compiled passes over rows with missing values against the reference, and at hard points."""

from __future__ import annotations

import tracemalloc
from types import ModuleType
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest
from helpers import COVARIANCE_TYPES, LAYOUTS, assert_same_bits, unchanged
from numpy.typing import NDArray

from mixtura import kernels, reference
from mixtura.kernels.patterns import sort_by_pattern
from mixtura.parameters import Parameters, Seen
from mixtura.shapes import SHAPES, SPHERICAL, Floats
from mixtura.statistics import Statistics

each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
Reference = reference.FORMS["incomplete"]


def mixture(name: str, k: int, d: int, seed: int, *, spread: float = 1.5) -> Parameters:
    """Components of about unit size, some features strongly correlated."""
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(k, d, d + 1))
    full = np.einsum("jac,jbc->jab", roots, roots) / d + 0.1 * np.eye(d)
    shape = SHAPES[name]
    if name == "tied":
        full[:] = full[0]
    covariances = shape.from_matrices(full if not shape.is_diagonal else full * np.eye(d)).copy()
    factors, failed = shape.factorise(covariances, reference)
    assert not failed.any()
    return Parameters(
        rng.dirichlet(np.full(k, 3.0)),
        spread * rng.normal(size=(k, d)),
        covariances,
        factors,
        shape,
    )


def draw(parameters: Parameters, n: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    k, d = parameters.means.shape
    return parameters.means[rng.integers(k, size=n)] + rng.normal(size=(n, d))


def seen_by(em: str, parameters: Parameters) -> Seen:
    if em == "nearest":
        return Seen.of_centers(parameters.means, SPHERICAL)
    return parameters.seen()


# Which numbers are missing, for (n, d): places, as true.
def at_random(share: float) -> Any:
    return lambda rng, n, d: rng.random((n, d)) < share


def monotone(rng: np.random.Generator, n: int, d: int) -> NDArray[np.bool_]:
    last = rng.integers(0, 4, size=n) * d // 4
    return np.arange(d) >= d - last[:, None]


def all_but_one(rng: np.random.Generator, n: int, d: int) -> NDArray[np.bool_]:
    return np.arange(d) != rng.integers(d, size=n)[:, None]


def all_of_some_rows(rng: np.random.Generator, n: int, d: int) -> NDArray[np.bool_]:
    return np.broadcast_to(rng.random(n) < 0.4, (d, n)).T


MISSING = {
    "none": at_random(0.0),
    "few": at_random(0.05),
    "some": at_random(0.3),
    "most": at_random(0.85),
    "all": at_random(1.0),
    "monotone": monotone,
    "all_but_one": all_but_one,
    "whole_rows": all_of_some_rows,
}


class Case(NamedTuple):
    """A corner of the product that the passes have to get right."""

    n: int
    d: int
    k: int
    missing: str
    layout: str
    weights: str
    dtype: str

    def __str__(self) -> str:
        n, d, k, *rest = self
        return "-".join([f"n{n}-d{d}-k{k}", *rest])


def covering_design() -> list[Case]:
    """Every pair of sizes and patterns: lengths without a common factor."""
    # Tiles have 32 to 256 rows; runs at least 32 d; d up to 12 is narrow.
    n_samples = [0, 1, 31, 33, 64, 65, 257, 1000, 2900]
    n_features = [1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 17]
    n_components = [1, 2, 3, 5]
    layouts = [name for name in LAYOUTS if name not in ("other-byte-order", "unaligned")]
    return [
        Case(
            n_samples[i % len(n_samples)],
            n_features[i % len(n_features)],
            n_components[(i // 3) % len(n_components)],
            list(MISSING)[i % len(MISSING)],
            layouts[(i // 5) % len(layouts)],
            ["no", "random", "some_zero"][(i // 2) % 3],
            ["float64", "float32"][(i // 7) % 2],
        )
        for i in range(99)
    ]


def example(case: Case) -> tuple[Floats, Floats | None]:
    rng = np.random.default_rng([case.n, case.d, case.k])
    X = draw(mixture("full", case.k, case.d, case.d), case.n, case.n)
    X[MISSING[case.missing](rng, case.n, case.d)] = np.nan
    weight = None if case.weights == "no" else rng.exponential(size=case.n)
    if case.weights == "some_zero" and case.n > 1:
        absent = rng.random(case.n) < 0.3
        absent[rng.integers(case.n)] = False
        weight[absent] = 0.0
        X[absent] = 3e38 if case.dtype == "float32" else 1e300
    return X.astype(case.dtype), weight


def assert_close(computed: Any, expected: Any, name: str, rtol: float = 1e-10) -> None:
    """Expect arrays to agree, as a share of the largest number."""
    computed, expected = np.asarray(computed), np.asarray(expected)
    assert computed.shape == expected.shape, name
    assert not np.isnan(computed).any(), name
    atol = rtol * max(1.0, np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(computed, expected, rtol=0.0, atol=atol, err_msg=name)


def assert_agree(computed: Statistics, expected: Statistics, rtol: float = 1e-10) -> None:
    np.testing.assert_array_equal(computed.centres, expected.centres)
    for name in ("resp_sum", "resp_x", "resp_xx", "log_likelihood", "weight_sum"):
        assert_close(getattr(computed, name), getattr(expected, name), name, rtol)
    assert set(computed.extras) == set(expected.extras)
    for name, total in expected.extras.items():
        assert_close(computed.extras[name], total, name, rtol)


def evaluated(rows: Any, em: str, seen: Seen, n: int) -> dict[str, NDArray[Any]]:
    out: dict[str, NDArray[Any]] = {
        name: np.full((n, len(seen.means)), np.nan) for name in ("log_density", "resp")
    }
    if em == "nearest":
        del out["log_density"]
    out |= {"log_prob": np.full(n, np.nan), "labels": np.full(n, -1)}
    rows.evaluate(em, seen, 1, **out)
    return out


@pytest.mark.parametrize("case", covering_design(), ids=str)
@each_type
def test_passes_over_the_product_agree_with_the_reference(
    module: ModuleType, covariance_type: str, case: Case
) -> None:
    X, weight = example(case)
    parameters = mixture(covariance_type, case.k, case.d, case.d)
    laid_out = LAYOUTS[case.layout](X)
    present = np.ones(case.n, dtype=bool) if weight is None else weight > 0.0
    expected_rows = Reference(np.where(present[:, None], X, 0.0).astype(np.float64), weight)
    with unchanged(laid_out, weight):
        rows = module.IncompleteRows(laid_out, weight)
        for em in ("soft", "hard") if covariance_type != "spherical" else ("soft", "nearest"):
            seen = seen_by(em, parameters)
            labels, expected_labels = np.full((2, case.n), -1)
            computed = rows.accumulate(em, seen, 1, labels=labels)
            expected = expected_rows.accumulate(em, seen, 1, labels=expected_labels)
            assert_agree(computed, expected)
            np.testing.assert_array_equal(labels[present], expected_labels[present])
            if not present.all():  # evaluated whatever their weight
                continue
            found = evaluated(rows, em, seen, case.n)
            for name, array in evaluated(expected_rows, em, seen, case.n).items():
                assert_close(found[name], array, name)
    if present.all():
        out, expected_out = np.full((2, case.n, case.d), np.nan)
        rows.complete(parameters.seen(), 1, out=out)
        expected_rows.complete(parameters.seen(), 1, out=expected_out)
        assert_close(out, expected_out, "complete")
        np.testing.assert_array_equal(out[~np.isnan(X)], X[~np.isnan(X)])


def test_design_meets_runs_and_mixed_rows_narrow_and_wide() -> None:
    met = set()
    for case in covering_design():
        X, _ = example(case)
        _, runs, most_missing = sort_by_pattern(X)
        if len(X) and (len(runs) == 0 or runs[0] > 0):
            met.add(("mixed", case.d > 12, most_missing > case.d / 2))
        if len(runs) > 2:
            met.add(("runs", case.d > 12, False))
    assert {kind[:2] for kind in met} == {
        (kind, wide) for kind in ("mixed", "runs") for wide in (False, True)
    }


@pytest.mark.parametrize("d", [1, 3, 8, 12, 13, 30])
@pytest.mark.parametrize("share", [0.05, 0.5])
@each_type
def test_mixed_rows_and_runs_of_the_same_rows_agree(
    module: ModuleType,
    covariance_type: str,
    d: int,
    share: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parameters = mixture(covariance_type, 3, d, d)
    X = draw(parameters, 400, 1)
    X[np.random.default_rng(2).random(X.shape) < share] = np.nan
    found, completed = [], []
    for least in (1, 10**9):
        monkeypatch.setattr(
            "mixtura.kernels.patterns.least_run", lambda _, m, least=least: np.full(len(m), least)
        )
        rows, out = module.IncompleteRows(X), np.empty(X.shape)
        found.append(rows.accumulate("soft", parameters.seen(), 1))
        rows.complete(parameters.seen(), 1, out=out)
        completed.append(out)
    assert_agree(found[0], found[1])
    assert_close(completed[0], completed[1], "complete")


@pytest.mark.parametrize("d", [2, 8, 14])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.7])
@each_type
def test_bits_do_not_depend_on_the_number_of_threads(
    module: ModuleType, covariance_type: str, d: int, share: float
) -> None:
    parameters = mixture(covariance_type, 3, d, d)
    X = draw(parameters, 5001, 1)
    X[np.random.default_rng(2).random(X.shape) < share] = np.nan
    for em in ("soft", "hard") if covariance_type != "spherical" else ("soft", "nearest"):
        seen = seen_by(em, parameters)
        rows = module.IncompleteRows(X)
        serial = rows.accumulate(em, seen, 1)
        for n_threads in (2, 3, 7, None):
            threaded = rows.accumulate(em, seen, n_threads)
            assert_same_bits(threaded, serial)
            for name, total in serial.extras.items():
                np.testing.assert_array_equal(threaded.extras[name], total)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_type
def test_bits_do_not_depend_on_the_layout(
    module: ModuleType, covariance_type: str, dtype: type
) -> None:
    parameters = mixture(covariance_type, 3, 5, 5)
    X = draw(parameters, 300, 1).astype(dtype)
    X[np.random.default_rng(2).random(X.shape) < 0.3] = np.nan
    expected = module.IncompleteRows(X).accumulate("soft", parameters.seen(), 1)
    for name, lay_out in LAYOUTS.items():
        if name not in ("other-byte-order", "unaligned"):
            rows = module.IncompleteRows(lay_out(X))
            assert_same_bits(rows.accumulate("soft", parameters.seen(), 1), expected)
    strange = np.full((600, 10), -1.0)
    rows.complete(parameters.seen(), 1, out=strange[::2, ::2])
    out = np.empty((300, 5))
    rows.complete(parameters.seen(), 1, out=out)
    np.testing.assert_array_equal(strange[::2, ::2], out)
    assert (strange[1::2] == -1.0).all()


@pytest.mark.parametrize("em", ["soft", "hard"])
@pytest.mark.parametrize("d", [2, 12, 13])
@each_type
def test_complete_rows_have_the_statistics_of_whole_ones(
    module: ModuleType, covariance_type: str, d: int, em: str
) -> None:
    parameters = mixture(covariance_type, 3, d, d)
    X = draw(parameters, 3000, 1)
    seen = parameters.seen()
    incomplete = module.IncompleteRows(X).accumulate(em, seen, 1)
    whole = module.Rows(X).accumulate(em, seen, 1)
    for name in ("resp_sum", "resp_x", "resp_xx", "log_likelihood", "weight_sum"):
        assert_close(getattr(incomplete, name), getattr(whole, name), name, 1e-13)


def test_more_features_than_bits_in_a_word_are_sorted_by_all_of_them(module: ModuleType) -> None:
    d = 70
    parameters = mixture("full", 2, d, d)
    X = draw(parameters, 40, 1)
    X[:30, 3] = np.nan
    X[10:20, 66] = np.nan
    X[35] = np.nan
    order = sort_by_pattern(X)
    assert sorted(order.rows.tolist()) == list(range(40))
    assert order.most_missing == 2
    assert_agree(
        module.IncompleteRows(X).accumulate("soft", parameters.seen(), 1),
        Reference(X).accumulate("soft", parameters.seen(), None),
    )


def test_order_has_mixed_rows_then_runs_then_complete_rows() -> None:
    nan = np.nan
    X = np.ones((700, 4))
    X[1::2, 2] = nan  # 350 rows: a run
    X[5, 2:] = nan  # one row: mixed
    X[[7, 9]] = nan  # nothing at all: a run, whatever its length
    X[11] = [nan, nan, 1.0, 1.0]
    order = sort_by_pattern(X)
    assert order.rows[:2].tolist() in ([5, 11], [11, 5])
    assert order.rows[2:4].tolist() == [7, 9]
    assert order.rows[4:350].tolist() == [i for i in range(1, 700, 2) if i not in (5, 7, 9, 11)]
    assert order.rows[350:].tolist() == list(range(0, 700, 2))
    assert order.runs.tolist() == [2, 4, 350]
    assert order.most_missing == 2


@pytest.mark.parametrize("d", [2, 20])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_order_takes_little_memory_beside_itself(share: float, d: int) -> None:
    n = 500_000
    rng = np.random.default_rng(0)
    X = np.zeros((n, d))
    lacking = np.flatnonzero(rng.random(n) < share)
    X[lacking, rng.integers(0, d, len(lacking))] = np.nan
    tracemalloc.start()
    order = sort_by_pattern(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(order.rows) == n
    assert peak < 8 * n + n + 8 * len(lacking) + 2**22


@each_type
def test_component_without_weight_and_rows_out_of_reach_agree_with_the_reference(
    module: ModuleType, covariance_type: str
) -> None:
    parameters = mixture(covariance_type, 4, 6, 6)
    parameters.weights[2] = 0.0
    X = draw(parameters, 500, 1)
    X[np.random.default_rng(2).random(X.shape) < 0.3] = np.nan
    X[7, 0], X[9, 1] = 1e9, -1e12
    seen = parameters.seen()
    for em in ("soft", "hard"):
        computed = module.IncompleteRows(X).accumulate(em, seen, 1)
        with np.errstate(all="ignore"):
            expected = Reference(X).accumulate(em, seen, None)
        assert_agree(computed, expected)
        assert computed.resp_sum[2] == 0.0


def exactly(X: Floats, mean: Floats, covariance: Floats) -> tuple[list[Any], Any]:
    """Log-densities of the observed numbers, and scatter of the rows completed, in 60 digits."""
    log_probs, scatter = [], mpmath.zeros(len(mean))
    whole = mpmath.matrix(covariance.tolist())
    for row in X:
        o, m = np.flatnonzero(~np.isnan(row)).tolist(), np.flatnonzero(np.isnan(row)).tolist()
        z = mpmath.zeros(len(mean), 1)
        for a in o:
            z[a] = mpmath.mpf(float(row[a])) - mpmath.mpf(float(mean[a]))
        inner = mpmath.matrix([[whole[a, b] for b in o] for a in o])
        across = mpmath.matrix([[whole[a, b] for b in o] for a in m])
        solved = mpmath.lu_solve(inner, mpmath.matrix([z[a] for a in o]))
        squared = sum(z[a] * solved[i] for i, a in enumerate(o))
        log_det = mpmath.log(mpmath.det(inner))
        log_probs.append(-(len(o) * mpmath.log(2 * mpmath.pi) + log_det + squared) / 2)
        if m:
            rest = across * mpmath.inverse(inner) * across.T
            expected = across * solved
            for i, a in enumerate(m):
                z[a] = expected[i]
        scatter += z * z.T
        for i, a in enumerate(m):
            for j, b in enumerate(m):
                scatter[a, b] += whole[a, b] - rest[i, j]
    return log_probs, scatter


@pytest.mark.parametrize("least", [1, 10**9], ids=["runs", "mixed"])
@pytest.mark.parametrize("offset", [0.0, 1e8])
@pytest.mark.parametrize("scale", [1.0, 1e8])
@pytest.mark.parametrize("condition", [1.0, 1e4, 1e10])
def test_hard_points_are_as_near_to_the_truth_as_the_condition_allows(
    condition: float,
    scale: float,
    offset: float,
    least: int,
    module: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Features 1e8 apart in scale and an offset cost no digits; a condition number costs its own.
    monkeypatch.setattr("mixtura.kernels.patterns.least_run", lambda _, m: np.full(len(m), least))
    rng, d, n = np.random.default_rng(3), 5, 20
    axes = np.linalg.qr(rng.normal(size=(d, d)))[0]
    units = np.geomspace(1.0, scale, d)
    covariance = (axes * np.geomspace(1.0, 1.0 / condition, d)) @ axes.T * np.outer(units, units)
    covariance = (covariance + covariance.T) / 2.0
    factors, failed = reference.factorise(covariance[None])
    assert not failed.any()
    mean = offset * units
    X = rng.normal(size=(n, d)) @ np.linalg.cholesky(covariance).T + mean
    X[:-1][rng.random((n - 1, d)) < 0.4] = np.nan
    X[np.isnan(X).all(axis=1), 0] = mean[0]
    with mpmath.workdps(60):
        log_probs, scatter = exactly(X, mean, covariance)
        parameters = Parameters(np.ones(1), mean[None], covariance[None], factors, SHAPES["full"])
        rows, log_prob = module.IncompleteRows(X), np.empty(n)
        rows.evaluate("soft", parameters.seen(), 1, log_prob=log_prob)
        found = rows.accumulate("soft", parameters.seen(), 1).resp_xx[0]
        for a in range(n):
            assert abs(log_prob[a] - log_probs[a]) < 1e-14 * max(30.0, condition)
        error = np.array([[float(found[a, b] - scatter[a, b]) for b in range(d)] for a in range(d)])
    deviations = np.sqrt(np.diag(covariance))
    assert np.abs(error / np.outer(deviations, deviations)).max() < n * 1e-16 * max(
        30.0, 10.0 * condition**0.5
    )
    # In units of the covariance itself, where a small eigenvalue shows.
    whitened = factors[0].T @ error @ factors[0]
    assert np.abs(whitened).max() < n * 1e-15 * max(1.0, condition)


def test_pass_stays_within_a_few_tiles_of_memory(module: ModuleType) -> None:
    parameters = mixture("full", 8, 20, 1)
    X = draw(parameters, 40_000, 1)
    X[np.random.default_rng(2).random(X.shape) < 0.1] = np.nan
    rows = module.IncompleteRows(X)
    tracemalloc.start()
    try:
        rows.accumulate("soft", parameters.seen(), 1)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        module.IncompleteRows(X)
        sorting = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert used < 0.1 * X.nbytes
    assert sorting < 0.6 * X.nbytes


def test_form_is_compiled_and_takes_what_the_reference_takes() -> None:
    X = np.array([[1.0, np.nan], [np.nan, np.nan], [2.0, 3.0]])
    rows = kernels.FORMS["incomplete"](X, None, np.zeros(2), single=True)
    expected = Reference(X, None, np.zeros(2), single=True)
    assert type(rows) is not type(expected)
    assert (rows.extras, rows.n_samples, rows.n_features) == (
        expected.extras,
        expected.n_samples,
        expected.n_features,
    )
    parameters = mixture("diag", 2, 2, 1)
    assert rows.n_tiles(2, parameters.shape) == 1
    assert_agree(
        rows.accumulate("soft", parameters.seen(), None, carry=None),
        expected.accumulate("soft", parameters.seen(), None),
    )
    assert rows.computed == 1.0


def test_unknown_e_step_of_incomplete_rows_is_an_error(module: ModuleType) -> None:
    seen = Seen.of_centers(np.zeros((1, 2)), SPHERICAL)
    with pytest.raises(ValueError, match="harder"):
        module.IncompleteRows(np.zeros((3, 2))).accumulate("harder", seen, 1)

"""Compiled passes over rows with missing values against the reference, and at hard points."""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple

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
each_em = pytest.mark.parametrize("em", ["soft", "hard", "nearest"])
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
        rng.dirichlet(np.full(k, 3.0)), spread * rng.normal(size=(k, d)), covariances, factors, shape
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
        for i in range(198)
    ]


def example(case: Case) -> tuple[Floats, Floats | None, Parameters]:
    rng = np.random.default_rng([case.n, case.d, case.k])
    parameters = mixture(case.missing and "full", case.k, case.d, case.d)
    X = draw(parameters, case.n, case.n)
    X[MISSING[case.missing](rng, case.n, case.d)] = np.nan
    weight = None if case.weights == "no" else rng.exponential(size=case.n)
    if case.weights == "some_zero" and case.n > 1:
        absent = rng.random(case.n) < 0.3
        absent[rng.integers(case.n)] = False
        weight[absent] = 0.0
        X[absent] = 3e38 if case.dtype == "float32" else 1e300
    return X.astype(case.dtype), weight, parameters


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
    X, weight, _ = example(case)
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

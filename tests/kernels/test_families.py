"""The compiled rules of the covariance families, against those of `mixtura.covariance`."""

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from helpers import unchanged, usable_instruction_sets

from mixtura import kernels, reference
from mixtura.covariance import CELEUX_GOVAERT, FAMILIES, CovarianceFamily
from mixtura.shapes import FULL, TIED, Floats
from mixtura.statistics import Statistics

RULES = {
    family.rule_name or family.letters: family
    for one in CELEUX_GOVAERT
    for family in (FAMILIES[one], FAMILIES[one].alternative)
    if family is not None
}
each_rule = pytest.mark.parametrize("name", list(kernels.covariance_rules))
TOLERANCE = 1e-10  # of the largest entry; axes of variances that are near each other need some
# Common axes without any to begin with: sweeps end where the function is least to rounding, and
# there the axes have half as many digits.
ROOT_TOLERANCE = 1e-5


@pytest.fixture(params=usable_instruction_sets(), autouse=True)
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `kernels` use one instruction set after the other."""
    module = usable_instruction_sets()[request.param]
    monkeypatch.setattr("mixtura.kernels.families.compiled_kernels", module)


def statistics(
    family: CovarianceFamily, matrices: Floats, counts: Floats, unit: float = 1.0
) -> Statistics:
    """Statistics about the means, in the family's shape, from scatters as matrices."""
    k, d = matrices.shape[:2]
    scatter = (
        unit
        * {
            "full": matrices,
            "tied": matrices.sum(axis=0),
            "diag": np.einsum("jaa->ja", matrices),
            "spherical": np.einsum("jaa->j", matrices),
        }[family.shape.name]
    )
    nowhere = np.zeros((k, d))
    return Statistics(family.shape.name, nowhere, counts, nowhere, scatter, 0.0, counts.sum())


def scatters(k: int, d: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Of ordinary components, as matrices, and weights."""
    rng = np.random.default_rng((k, d, seed))
    counts = rng.uniform(2.0, 6.0, size=k) * (d + 1)
    roots = rng.normal(size=(k, 2 * d + 3, d)) * rng.uniform(0.3, 3.0, size=(k, 1, d))
    return roots.transpose(0, 2, 1) @ roots, counts


def updated(name: str, given: Statistics, previous: Floats | None = None) -> Floats:
    """What the compiled rule makes of statistics."""
    scatter = RULES[name].shape.per_feature(given.resp_xx, given.centres.shape[1])
    return kernels.covariance_rules[name](scatter, given.resp_sum, previous)


@cache
def example(name: str, k: int, d: int, unit: float, warm: bool) -> tuple[Any, ...]:
    """Statistics, covariances before, and what the rule in Python makes of them."""
    family = RULES[name]
    given = statistics(family, *scatters(k, d), unit)
    previous = None
    if warm:
        previous = family.update(statistics(family, *scatters(k, d, 1), unit), reference)
    return given, previous, family.update(given, reference, previous)


def tolerance(name: str, *, warm: bool) -> float:
    return TOLERANCE if warm or name[1:3] != "VE" else ROOT_TOLERANCE


def assert_close(found: Floats, expected: Floats, tolerance: float) -> None:
    bound = tolerance * np.abs(expected[np.isfinite(expected)]).max()
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=bound)


@each_rule
@pytest.mark.parametrize("k", range(1, 6))
def test_covariances_are_those_of_the_rule_in_python(name: str, k: int) -> None:
    for d, unit, warm in product(range(1, 8), (1e-6, 1.0, 1e6), (False, True)):
        given, previous, expected = example(name, k, d, unit, warm)
        with unchanged(given.resp_xx, given.resp_sum, previous):
            found = updated(name, given, previous)
        assert_close(found, expected, tolerance(name, warm=warm))


@each_rule
@pytest.mark.parametrize("warm", [False, True])
def test_components_without_covariance_fail_and_leave_the_others_alone(
    name: str, warm: bool
) -> None:
    family, d = RULES[name], 3
    matrices, counts = scatters(7, d)
    matrices[1] = np.nan
    counts[2] = 0.0
    matrices[3] = 0.0
    matrices[4] = np.outer([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    matrices[5, 0, 0] = np.inf
    if family.shape is TIED:
        matrices[[1, 5]] = np.eye(d)
    given = statistics(family, matrices, counts)
    previous = None
    if warm:
        previous = family.update(statistics(family, *scatters(7, d, 1)), reference)
    with np.errstate(all="ignore"):
        expected = family.update(given, reference, previous)
        found = updated(name, given, previous)
    for j in range(1 if family.shape is TIED else 7):
        pair = np.array(
            [array if family.shape is TIED else array[j] for array in (found, expected)]
        )
        if family.shape is not FULL and family.shape is not TIED:
            failed = ~((pair > 0.0) & (pair < np.inf)).reshape(2, -1).all(axis=1)
        else:
            failed = reference.factorise(pair)[1]
        assert failed[0] == failed[1], j
        # Without scatter, any axes are right; and one component without scatter in some direction
        # makes axes that all share depend on rounding.
        if not failed[0] and j not in (3, 4) and name[1:3] != "VE":
            assert_close(*pair, TOLERANCE)


@each_rule
def test_covariances_may_be_written_where_those_before_are(name: str) -> None:
    family, (k, d) = RULES[name], (3, 4)
    given = statistics(family, *scatters(k, d))
    previous = family.update(statistics(family, *scatters(k, d, 1)), reference)
    expected = updated(name, given, previous)
    scatter = family.shape.per_feature(given.resp_xx, d)
    both = previous.reshape(-1)
    kernels.families.compiled_kernels.maximise_covariances(
        name, d if family.shape.name != "spherical" else 1, scatter.reshape(-1), given.resp_sum,
        both, both,
    )  # fmt: skip
    np.testing.assert_array_equal(previous, expected)


@each_rule
def test_units_of_weight_that_are_powers_of_two_change_no_bit(name: str) -> None:
    family = RULES[name]
    matrices, counts = scatters(3, 4)
    expected = updated(name, statistics(family, matrices, counts))
    for unit in (2.0**-600, 2.0**500):
        given = statistics(family, matrices, counts * unit, unit)
        np.testing.assert_array_equal(updated(name, given), expected)


def test_all_rules_are_compiled_and_reference_has_none() -> None:
    assert not reference.covariance_rules
    assert set(kernels.covariance_rules) == set(RULES)


@pytest.mark.parametrize(
    ("scatter", "counts", "previous", "message"),
    [
        (np.ones((2, 3)), np.ones(2), None, "scatter must have the shape of 'VVV'"),
        (np.ones((2, 3, 2)), np.ones(2), None, "scatter must have the shape of 'VVV'"),
        (np.ones((2, 3, 3)), np.ones(3), None, "scatter must have the shape of 'VVV'"),
        (np.ones((2, 3, 3)), np.ones((2, 1)), None, "scatter must have the shape of 'VVV'"),
        (np.ones((0, 3, 3)), np.ones(0), None, "scatter must have the shape of 'VVV'"),
        (np.ones((2, 0, 0)), np.ones(2), None, "scatter must have the shape of 'VVV'"),
        (np.ones((2, 3, 3)), np.ones(2), np.ones((1, 3, 3)), "previous must have the shape of"),
    ],
)
def test_arrays_of_other_shapes_are_refused(
    scatter: Floats, counts: Floats, previous: Floats | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kernels.maximise_covariances("VVV", scatter, counts, previous)

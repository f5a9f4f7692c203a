"""Components with few rows: how many a family needs, and which components have less than twice."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES, random_mixture

from mixtura import Event, fit_gmm, reference
from mixtura.covariance import CELEUX_GOVAERT, FAMILIES, family_named
from mixtura.data import ArrayRows
from mixtura.parameters import Parameters
from mixtura.shapes import SHAPES, Floats
from mixtura.updates import Guard


def own_part(letters: str, scatter: Floats) -> list[float]:
    """What a component adds to the factors that are its own; zero where it is singular.

    A common orientation adapts to the component, so that its own shape may be singular as well.
    """
    volume, shape, orientation = letters
    own = [np.trace(scatter)] if volume == "V" else []
    if shape == "V":
        own += [min(np.diag(scatter) if orientation == "I" else np.linalg.eigvalsh(scatter))]
    return [float(each) for each in own]


@pytest.mark.parametrize("name", CELEUX_GOVAERT)
@pytest.mark.parametrize("d", [2, 3, 5])
def test_least_rows_of_one_are_those_of_which_its_own_part_is_regular(d: int, name: str) -> None:
    X = np.random.default_rng(d).normal(size=(d + 2, d))
    for m in range(1, d + 3):
        own = own_part(FAMILIES[name].letters, m * np.atleast_2d(np.cov(X[:m].T, ddof=0)))
        if all(part > 1e-9 for part in own):
            break
    assert FAMILIES[name].least_rows_of_one(d) == m


@pytest.mark.parametrize(("name", "expected"), [("E", 1), ("V", 2), ("VVV", 2), ("tied", 1)])
def test_least_rows_of_one_in_one_dimension_are_those_of_its_variance(
    name: str, expected: int
) -> None:
    assert family_named(name, 1).least_rows_of_one(1) == expected


def with_weights(weights: list[float], covariance_type: str = "full") -> Parameters:
    mixture = random_mixture(np.random.default_rng(0), covariance_type, len(weights), 2)
    shape = SHAPES[covariance_type]
    return Parameters(
        np.array(weights), mixture.means, shape.inverses(mixture.factors), mixture.factors, shape
    )


def guard(**facts: float) -> Guard:
    return Guard(np.zeros(2), np.ones(2), reference, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_components_with_less_than_twice_the_least_rows_are_few(covariance_type: str) -> None:
    parameters = with_weights([0.06, 0.5, 0.059, 0.381], covariance_type)
    assert guard(n_rows=100, least_rows=3).few(parameters) == [2]
    assert guard(n_rows=99, least_rows=3).few(parameters) == [0, 2]
    assert guard(n_rows=100, least_rows=0).few(parameters) == []
    assert guard().few(parameters) == []


def test_component_that_has_all_rows_is_not_few() -> None:
    assert guard(n_rows=3, least_rows=3).few(with_weights([1.0])) == []


@pytest.mark.parametrize(
    ("weight", "expected"),
    [(None, 10.0), (2.0, 20.0), (0.5, 10.0), (1e-9, 10.0)],
)
def test_guard_of_other_rows_counts_weights_above_one(
    weight: float | None, expected: float
) -> None:
    sample_weight = None if weight is None else np.full(10, weight)
    rows = ArrayRows(np.zeros((10, 2)), sample_weight)
    among = guard(n_rows=7, least_rows=3).among(rows)
    assert (among.n_rows, among.least_rows) == (expected, 3)


def test_guard_of_other_rows_does_not_count_those_without_weight() -> None:
    rows = ArrayRows(np.zeros((10, 2)), np.repeat([1.0, 0.0], 5))
    assert guard().among(rows).n_rows == 5.0


def outliers(n: int) -> tuple[Floats, np.ndarray]:
    """Rows of a cluster and a few far away, and which is which."""
    X = np.random.default_rng(3).normal(size=(100 + n, 2))
    X[100:] += 30.0
    return X, np.repeat([0, 1], [100, n])


def few_in(X: Floats, labels: np.ndarray, **options: object) -> list[Event]:
    fit = fit_gmm(X, 2, init=labels, **options)  # type: ignore[arg-type]
    return [event for event in fit.events if event.cause == "few"]


def test_fit_reports_components_with_few_rows() -> None:
    X, labels = outliers(5)
    (event,) = few_in(X, labels)
    assert (event.component, event.action) == (1, "kept")
    assert few_in(X, labels, covariance_type="VII") == []
    assert few_in(X, labels, avoid_spurious=False) == []
    assert few_in(X, labels, prior="default") == []
    assert few_in(*outliers(6)) == []


def test_row_of_weight_two_counts_as_two_rows() -> None:
    X, labels = outliers(5)
    weight = np.where(labels == 1, 2.0, 1.0)
    assert few_in(X, labels, sample_weight=weight) == []
    again, twice = np.repeat(X, weight.astype(int), axis=0), np.repeat(labels, weight.astype(int))
    assert few_in(again, twice) == []


def test_rows_of_small_weight_are_not_fewer() -> None:
    X, labels = outliers(6)
    assert few_in(X, labels, sample_weight=np.full(len(X), 0.1)) == []

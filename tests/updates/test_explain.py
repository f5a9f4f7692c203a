"""Why a fit cannot continue: component, iteration, cause and remedy, in one message."""

import numpy as np
import pytest
from clusters import clustered
from helpers import COVARIANCE_TYPES

from mixtura import reference
from mixtura.covariance import FAMILIES
from mixtura.parameters import Parameters
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.updates import AbsoluteRidge, Ridge, Update

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
X, LABELS = clustered(60, 2, 3)
SCALE = X.std(axis=0)
RESEED = ', or on_collapse="reseed"'
SINGULAR = "Use reg_covar > 0, fewer components, more rows, or drop features that others determine"
CONSTANT = "Use reg_covar > 0, fewer components, or drop the feature"


def of_rows(covariance_type: str, rows: Floats, resp: Floats) -> Statistics:
    centres = resp.T @ rows / np.maximum(resp.sum(axis=0), 1.0)[:, None]
    return reference.accumulate_resp(rows, resp, centres, covariance_type=covariance_type)


def updates(covariance_type: str, ridge: Floats) -> list[Update]:
    """Of every kind that there is: they explain alike."""
    family = FAMILIES[covariance_type]
    return [
        Ridge(family, ridge, reference),
        AbsoluteRidge(family, ridge, reference, mends_empty=True),
    ]


def explained(update: Update, statistics: Statistics, iteration: int) -> str:
    parameters, failed = update.update(statistics)
    assert failed.any()
    return update.explain(statistics, parameters, failed, iteration, SCALE)


@every_type
@pytest.mark.parametrize(
    ("iteration", "doing", "when"), [(0, "start", ""), (3, "continue", " at iteration 3")]
)
def test_explanation_of_a_component_without_weight(
    covariance_type: str, iteration: int, doing: str, when: str
) -> None:
    resp = np.eye(4)[LABELS + (LABELS > 0)]  # nobody in 1
    for update in updates(covariance_type, np.zeros(2)):
        assert explained(update, of_rows(covariance_type, X, resp), iteration) == (
            f"the fit cannot {doing}: component 1 has no weight{when}. "
            f"Use fewer components{RESEED}."
        )


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
@pytest.mark.parametrize("iteration", [0, 12])
def test_explanation_of_a_component_of_equal_rows(covariance_type: str, iteration: int) -> None:
    rows = X.copy()
    rows[LABELS == 2] = rows[-1]
    feature, doing, when = 0, "start", ""
    if iteration:
        doing, when = "continue", " at iteration 12"
    (update, _) = updates(covariance_type, np.zeros(2))
    message = explained(update, of_rows(covariance_type, rows, np.eye(3)[LABELS]), iteration)
    assert message == (
        f"the fit cannot {doing}: component 2 has a singular covariance{when}, constant in feature "
        f"{feature}. {CONSTANT}{RESEED}."
    )


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_explanation_of_a_component_that_is_constant_in_one_feature(covariance_type: str) -> None:
    rows = X.copy()
    rows[LABELS == 1, 1] = 5.0
    (update, _) = updates(covariance_type, np.zeros(2))
    assert explained(update, of_rows(covariance_type, rows, np.eye(3)[LABELS]), 4) == (
        f"the fit cannot continue: component 1 has a singular covariance at iteration 4, constant "
        f"in feature 1. {CONSTANT}{RESEED}."
    )


def test_explanation_of_rows_on_a_line() -> None:
    rows = X.copy()
    on_line = LABELS == 0
    rows[on_line, 1] = 3.0 * rows[on_line, 0]
    for update in updates("full", np.zeros(2)):
        assert explained(update, of_rows("full", rows, np.eye(3)[LABELS]), 1) == (
            f"the fit cannot continue: component 0 has a singular covariance at iteration 1. "
            f"{SINGULAR}{RESEED}."
        )


def test_explanation_where_no_component_is_left_does_not_advise_to_reseed() -> None:
    rows = X.copy()
    rows[:, 1] = 3.0 * rows[:, 0]
    for update in updates("tied", np.zeros(2)):
        assert explained(update, of_rows("tied", rows, np.eye(3)[LABELS]), 1) == (
            f"the fit cannot continue: component 0 has a singular covariance at iteration 1, and "
            f"no other is left. {SINGULAR}."
        )


@every_type
@pytest.mark.parametrize("ridge", [0.0, 1e-3])
@pytest.mark.parametrize("distance", [1e9, 1e200])
def test_explanation_of_a_component_whose_distances_have_no_digits_left(
    covariance_type: str, ridge: float, distance: float
) -> None:
    centres = np.array([[0.0, 0.0], [distance, 0.0], [0.0, 0.0]])
    resp = np.eye(3)[LABELS]
    with np.errstate(over="ignore", invalid="ignore"):
        far = reference.accumulate_resp(X, resp, centres, covariance_type=covariance_type)
    failed = np.array([False, True, False])
    for update in updates(covariance_type, np.full(2, ridge)):
        with np.errstate(invalid="ignore"):
            parameters, _ = update.update(far)
            message = update.explain(far, parameters, failed, 2, SCALE)
        assert message == (
            f"the fit cannot continue: component 1 is so far from the rows at iteration 2 that "
            f"distances have no digits left. Start nearer to them, or drop rows that are far from "
            f"all others{RESEED}."
        )


def test_explanation_does_not_take_a_large_ridge_for_distance() -> None:
    """The ridge may be as large as it likes: it is not scatter of the rows."""
    statistics = of_rows("diag", X, np.eye(3)[LABELS])
    update = updates("diag", np.full(2, 1e6))[0]
    parameters, _ = update.update(statistics)
    failed = np.array([True, False, False])
    message = update.explain(statistics, parameters, failed, 2, SCALE)
    assert message.startswith("the fit cannot continue: component 0 has a singular covariance")


def test_explanation_names_the_first_component_that_failed() -> None:
    statistics = of_rows("diag", X, np.eye(3)[LABELS])
    update = updates("diag", np.zeros(2))[0]
    parameters: Parameters = update.update(statistics)[0]
    message = update.explain(statistics, parameters, np.array([False, True, True]), 2, SCALE)
    assert "component 1 " in message

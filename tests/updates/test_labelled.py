"""The update for rows with log-priors: what E-steps see, and which components may go."""

import re

import numpy as np
import pytest
from clusters import clustered

from mixtura import FitError, reference
from mixtura.covariance import FAMILIES
from mixtura.updates import Fixed, Labelled, Ridge

X, LABELS = clustered(90, 2, 3)
N = -np.inf
PRIOR = np.array([[0.0, 0.0, 0.0], [N, 0.0, N], [0.0, N, np.log(0.5)]])
INNER = Ridge(FAMILIES["full"], np.full(2, 0.1), reference)


def test_parameters_are_those_of_the_inner_update() -> None:
    statistics = reference.accumulate_labels(X, LABELS, np.zeros((3, 2)), covariance_type="full")
    update = Labelled(INNER, PRIOR)
    (one, failed), (other, _) = update.update(statistics), INNER.update(statistics)
    assert not failed.any()
    for mine, theirs in zip(one.arrays(), other.arrays(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    seen, offset = update.as_seen(one)
    np.testing.assert_array_equal(seen.log_weights, INNER.as_seen(one)[0].log_weights)
    np.testing.assert_array_equal(seen.extras["prior"], PRIOR)
    assert (offset, update.penalty(one, 1.0)) == (0.0, INNER.penalty(one, 1.0))
    assert update.blurred(one) == INNER.blurred(one)
    scale = np.ones(2)
    said = update.explain(statistics, one, np.array([True, False, False]), 3, scale)
    assert said == INNER.explain(statistics, one, np.array([True, False, False]), 3, scale)


def test_selected_components_keep_their_columns() -> None:
    statistics = reference.accumulate_labels(
        X, np.minimum(LABELS, 1), np.zeros((2, 2)), covariance_type="full"
    )
    update = Labelled(INNER, PRIOR).select(np.array([1, 2]))
    seen = update.as_seen(update.update(statistics)[0])[0]
    np.testing.assert_array_equal(seen.extras["prior"], PRIOR[:, 1:])
    assert seen.extras["prior"].flags.c_contiguous


def test_component_that_a_row_needs_is_not_dropped() -> None:
    message = "component 1 collapsed, and may not be dropped, as there are rows that labels give"
    with pytest.raises(FitError, match=re.escape(message)):
        Labelled(INNER, PRIOR).select(np.array([0, 2]))
    with pytest.raises(FitError, match=re.escape("component 0 collapsed")):
        Labelled(INNER, PRIOR).select(np.array([1]))  # the more plausible of two


def test_update_with_fixed_parameters_around_it_still_shows_the_priors() -> None:
    statistics = reference.accumulate_labels(X, LABELS, np.zeros((3, 2)), covariance_type="full")
    start, _ = INNER.update(statistics)
    fixed = np.zeros((3, 3), dtype=bool)
    fixed[1, 0] = True
    update = Fixed(Labelled(INNER, PRIOR), start, fixed, shared=False)
    np.testing.assert_array_equal(update.as_seen(start)[0].extras["prior"], PRIOR)
    left = update.select(np.array([0, 1]))
    seen = left.as_seen(start.select(np.array([0, 1])))[0]
    np.testing.assert_array_equal(seen.extras["prior"], PRIOR[:, :2])

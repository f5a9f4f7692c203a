"""Shares of components in rows: what moves are ranked by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES
from scipy.special import softmax
from searches import log_joint, outcome_from, overlapping

from mixtura.search import shares
from mixtura.search.shares import LEAST_SHARE, Shares


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_shares_are_responsibilities_whatever_rows_weigh(covariance_type: str) -> None:
    X, labels = overlapping()
    weight = np.random.default_rng(0).uniform(0.5, 3.0, size=len(X))
    outcome, em = outcome_from(X, labels, covariance_type, sample_weight=weight)
    found = Shares(outcome, em)
    expected = softmax(log_joint(X, outcome), axis=1)
    np.testing.assert_allclose(found.resp, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.weight, weight)


def test_rows_of_a_component_weigh_as_much_as_it_has_of_them() -> None:
    X, labels = overlapping()
    weight = np.random.default_rng(0).uniform(0.5, 3.0, size=len(X))
    outcome, em = outcome_from(X, labels, sample_weight=weight)
    found = Shares(outcome, em)
    for j in range(3):
        own = found.rows_of(j)
        chosen = found.resp[:, j] > LEAST_SHARE
        np.testing.assert_array_equal(own.X, X[chosen])
        np.testing.assert_allclose(own.weights(), (weight * found.resp[:, j])[chosen])
        assert 0 < own.n_samples < len(X)


def test_shares_of_many_rows_are_those_of_some_that_weigh_as_much(monkeypatch: Any) -> None:
    X, labels = overlapping()
    outcome, em = outcome_from(X, labels)
    monkeypatch.setattr(shares, "MOST_SHARES", 3 * 40)
    found = Shares(outcome, em)
    assert len(found.resp) <= 40
    np.testing.assert_allclose(found.weight.sum(), len(X))
    again = Shares(outcome, em)
    np.testing.assert_array_equal(found.resp, again.resp)

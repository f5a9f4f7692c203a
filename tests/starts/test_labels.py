"""The start from labels alone: its sums against plain formulas, for rows of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from clusters import clustered
from helpers import COVARIANCE_TYPES

from mixtura import reference
from mixtura.data import ArrayRows
from mixtura.data.labels import check_row_labels
from mixtura.passes import Backend, RowsPass
from mixtura.shapes import SHAPES
from mixtura.starts.labels import FromLabels, labelled_rows, statistics_of_labels

X, TRUTH = clustered(120, 3, 3)
LABELS = np.where(np.arange(120) % 4 == 0, TRUTH, -1)


@pytest.mark.parametrize("name", COVARIANCE_TYPES)
@pytest.mark.parametrize("backend", ["compiled", "reference"])
@pytest.mark.parametrize("unit", [1e-100, 1.0, 1e100])
def test_sums_are_those_of_given_responsibilities(name: str, backend: Any, unit: float) -> None:
    weight = np.random.default_rng(0).exponential(size=120)
    table = np.full((120, 3), 1.0)
    table[LABELS >= 0] = np.eye(3)[LABELS[LABELS >= 0]]
    table[1] = [0.6, 0.2, 0.0]
    source = ArrayRows(X * unit, weight)
    known = check_row_labels(table, None, source, 3)
    assert known is not None
    rows = RowsPass(known.marked(source), SHAPES[name], Backend(backend), em="hard")
    found = statistics_of_labels(
        FromLabels(known.prior), rows, unit * X.mean(axis=0), unit * X.std(axis=0)
    )
    resp = table / table.sum(axis=1, keepdims=True)
    expected = reference.accumulate_resp(
        X * unit, resp, found.centres, covariance_type=name, sample_weight=weight
    )
    np.testing.assert_allclose(found.resp_sum, expected.resp_sum, rtol=1e-12)
    np.testing.assert_allclose(found.resp_x / unit, expected.resp_x / unit, atol=1e-11)
    # Sums of squares about the means of the components themselves.
    np.testing.assert_allclose(found.resp_x / unit, 0.0, atol=1e-11)
    np.testing.assert_allclose(
        found.resp_xx / unit**2, expected.resp_xx / unit**2, rtol=1e-10, atol=1e-10
    )


def test_rows_that_are_not_whole_keep_their_labels() -> None:
    """Whole rows stand for them; the codes go with these."""
    source = ArrayRows(X).with_extras("incomplete", {})
    known = check_row_labels(TRUTH, None, source, 3)
    assert known is not None
    rows = RowsPass(known.marked(source), SHAPES["diag"], Backend("reference"))
    found = statistics_of_labels(FromLabels(known.prior), rows, X.mean(axis=0), X.std(axis=0))
    np.testing.assert_allclose(found.resp_sum, np.bincount(TRUTH))


def test_labelled_rows_of_a_sample_are_few_of_each_component() -> None:
    labels = np.where(np.arange(120) < 100, 0, -1)
    labels[[110, 115]] = 1
    weight = np.ones(120)
    weight[115] = 0.0
    source = ArrayRows(X, weight)
    known = check_row_labels(labels, None, source, 3)
    assert known is not None
    rows = labelled_rows(known.marked(source), known.prior, 30)
    assert 110 in rows
    assert 115 not in rows
    assert 5 <= np.count_nonzero(rows < 100) <= 10
    assert set(np.unique(labels[rows])) == {0, 1}

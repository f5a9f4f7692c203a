"""Pictures of rows that are not in memory show a sample of them."""

import numpy as np
import pytest
from clusters import clustered

from mixtura import fit_gmm, scan

pytest.importorskip("matplotlib")

from mixtura.plot.rows import data_to_draw

X = clustered()[0]


def test_few_rows_elsewhere_are_drawn_all() -> None:
    model = fit_gmm(X, 2, rng=0, max_iter=1, tol=0).model
    rows, weight, _ = data_to_draw(model, scan(lambda: iter([X[:99], X[99:]])), None, None)
    np.testing.assert_array_equal(rows, X)
    assert weight is None


def test_many_rows_elsewhere_are_drawn_as_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mixtura.plot.rows.MOST_READ", 50)
    model = fit_gmm(X, 2, rng=0, max_iter=1, tol=0).model
    weighted = np.column_stack([X, np.arange(len(X)) % 2])
    source = scan(lambda: iter([weighted[:99], weighted[99:]]), weight=X.shape[1])
    rows, weight, _ = data_to_draw(model, source, None, None)
    assert len(rows) <= 50
    assert weight is None or weight.sum() == 50.0
    assert {row.tobytes() for row in rows} <= {row.tobytes() for row in X[1::2]}

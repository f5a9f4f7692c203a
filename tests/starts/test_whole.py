"""Whole rows that stand for incomplete ones at the start."""

import numpy as np
import pytest
from clusters import clustered
from holes import with_holes

from mixtura.data import RowSource, open_rows, scan
from mixtura.passes import Backend
from mixtura.shapes import Floats
from mixtura.starts import whole
from mixtura.starts.whole import whole_rows

BACKEND = Backend(n_threads=1)


def filled(X: object, **options: object) -> Floats:
    rows = whole_rows(open_rows(X, missing="em", **options), BACKEND)
    assert rows.form == "whole"
    return rows.take(range(rows.n_samples))


def correlated(n: int = 3000) -> Floats:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    return np.column_stack(
        [5.0 + x, 100.0 * (0.9 * x + 0.4 * rng.normal(size=n)), rng.normal(size=n)]
    )


def test_observed_numbers_stay_and_whole_rows_are_themselves() -> None:
    X = with_holes(correlated())
    found = filled(X)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[~np.isnan(X)], X[~np.isnan(X)])
    rows = open_rows(correlated(), missing="em")
    assert whole_rows(rows, BACKEND) is rows
    assert whole_rows(rows.with_extras("labels", {"y": np.zeros(3000)}), BACKEND).form == "whole"


def test_filled_numbers_vary_and_correlate_as_the_observed_ones_do() -> None:
    X = correlated()
    found = filled(with_holes(X, 0.4))
    np.testing.assert_allclose(found.mean(axis=0) / X.std(axis=0), X.mean(axis=0) / X.std(axis=0),
                               atol=0.1)  # fmt: skip
    np.testing.assert_allclose(found.std(axis=0), X.std(axis=0), rtol=0.05)
    np.testing.assert_allclose(np.corrcoef(found.T), np.corrcoef(X.T), atol=0.06)


def test_numbers_far_away_neither_spoil_the_rest_nor_change() -> None:
    X = with_holes(correlated(), 0.3)
    X[5] = [np.nan, -99999.0, np.nan]
    X[6, 2] = 1e9
    found = filled(X)
    assert (found[5, 1], found[6, 2]) == (-99999.0, 1e9)
    others = np.delete(found, [5, 6], axis=0)
    assert np.abs(others - others.mean(axis=0)).max() < 6.0 * 100.0
    assert np.abs(found[5, [0, 2]]).max() < 15.0


def test_blocks_chunks_and_weights_do_not_change_what_is_filled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X = with_holes(correlated(500))
    weight = np.random.default_rng(3).choice([0.0, 1.0, 2.0], 500)

    def several(rows: RowSource) -> RowSource:
        return whole_rows(rows, BACKEND)

    expected = filled(X)
    for cut in (X, scan([X[:7], X[7:7], X[7:]])):
        monkeypatch.setattr(whole, "CHUNK", 64)
        rows = several(open_rows(cut, missing="em"))
        assert len(list(rows.blocks())) > 7
        found = rows.take(range(500))
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        again = rows.take(range(500))
        np.testing.assert_array_equal(again, found)
        weighted = several(open_rows(X, weight, missing="em"))
        np.testing.assert_array_equal(weighted.weights(), weight)
        assert (weighted.n_rows, weighted.is_weighted) == (np.count_nonzero(weight), True)


@pytest.mark.parametrize("d", [3, whole.MOST_FEATURES + 1])
def test_features_never_seen_together_and_many_features(d: int) -> None:
    X = clustered(200, d, 2)[0]
    X[::2, 0], X[1::2, 1] = np.nan, np.nan
    found = filled(X)
    assert np.isfinite(found).all()
    for a in range(d):
        observed = X[~np.isnan(X[:, a]), a]
        assert found[:, a].std() == pytest.approx(observed.std(), rel=0.3)


def test_unknown_correlations_are_those_of_independence_given_the_others() -> None:
    """Two sets of features that are never observed together; their inverse is zero there."""
    truth = np.cov(np.random.default_rng(4).normal(size=(6, 20)))
    truth /= np.sqrt(np.outer(truth.diagonal(), truth.diagonal()))
    unknown = np.zeros((6, 6), dtype=bool)
    unknown[:2, 4:] = unknown[4:, :2] = True
    found = whole._independent(np.where(unknown, 0.0, truth), unknown, BACKEND.algebra)
    np.testing.assert_allclose(found[~unknown], truth[~unknown], atol=1e-12)
    np.testing.assert_allclose(np.linalg.inv(found)[unknown], 0.0, atol=1e-5)
    assert np.linalg.eigvalsh(found).min() > 0.0

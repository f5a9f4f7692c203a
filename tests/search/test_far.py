"""Small clusters far away, of which the sample of a search has a row or none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mixtura import FitInterrupted, fit_gmm
from mixtura.passes import RowsPass
from mixtura.schedules import EM
from mixtura.search import MaximumSearch
from mixtura.shapes import Floats

MANY = 20_000  # more than twice a sample


def far_cluster(size: int, apart: float, d: int, seed: int) -> Floats:
    """Two large clusters, and at the end a small one, `apart` deviations from both."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(MANY, d))
    X[: MANY // 2, 0] += 4.0
    X[-size:, 0] -= X[-size:, 0].mean()
    X[-size:, -1] += apart
    return X


# Few rows very far away, and ten for each feature ten deviations off.
SMALL = [(25, 25.0, 3), (20, 10.0, 2), (30, 10.0, 3), (50, 10.0, 5)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("size", "apart", "d"), SMALL)
def test_fit_finds_a_small_cluster_far_away(size: int, apart: float, d: int, seed: int) -> None:
    X = far_cluster(size, apart, d, seed)
    labels = fit_gmm(X, 3, rng=seed).model.predict(X)
    own = labels[-1]
    np.testing.assert_array_equal(np.flatnonzero(labels == own), np.arange(MANY - size, MANY))


def test_sample_alone_misses_a_small_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests above test something."""
    monkeypatch.setattr(MaximumSearch, "_with_unlikely_rows", lambda *arguments: arguments[3].best)
    X = far_cluster(20, 10.0, 2, 5)
    labels = fit_gmm(X, 3, rng=5).model.predict(X)
    assert np.bincount(labels).min() > 1000


def test_last_look_keeps_only_what_is_better_for_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that moves find in the sample is not taken where all rows are said to lose."""
    heights = iter(range(0, -1000, -1))
    monkeypatch.setattr(EM, "objective", lambda *_: float(next(heights)))
    X = far_cluster(20, 10.0, 2, 5)
    labels = fit_gmm(X, 3, rng=5).model.predict(X)
    assert np.bincount(labels).min() != 20
    assert next(heights) < -1  # there was more than one leader


@pytest.mark.parametrize("where", ["lowest densities", "moves", "objective"])
def test_fit_that_is_interrupted_in_the_last_look_holds_the_best_of_the_sample(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    X = far_cluster(20, 10.0, 2, 5)
    begun = [where != "moves"]
    least_likely, run, objective = RowsPass.least_likely, EM.run, EM.objective

    def stopped_least_likely(self: RowsPass, *arguments: Any) -> Any:
        if self.source.n_samples == MANY:
            if where == "lowest densities":
                raise KeyboardInterrupt
            begun[0] = True
        return least_likely(self, *arguments)

    def stopped_run(self: EM, *arguments: Any, **options: Any) -> Any:
        if where == "moves" and begun[0]:
            raise KeyboardInterrupt
        return run(self, *arguments, **options)

    def stopped_objective(self: EM, *arguments: Any) -> float:
        if where == "objective":
            raise KeyboardInterrupt
        return objective(self, *arguments)

    monkeypatch.setattr(RowsPass, "least_likely", stopped_least_likely)
    monkeypatch.setattr(EM, "run", stopped_run)
    monkeypatch.setattr(EM, "objective", stopped_objective)
    with pytest.raises(FitInterrupted) as caught:
        fit_gmm(X, 3, rng=5)
    fit = caught.value.fit
    assert fit is not None
    assert fit.stop_reason == "interrupted"
    assert fit.n_samples == MANY

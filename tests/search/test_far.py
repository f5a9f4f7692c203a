"""Small clusters far away, of which the sample of a search has a row or none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mixtura import FitInterrupted, fit_gmm
from mixtura.passes import RowsPass
from mixtura.schedules import EM, Outcome
from mixtura.search import MaximumSearch
from mixtura.search.all_rows import AllRows
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
SMALL = [(8, 8.0, 2), (25, 25.0, 3), (20, 10.0, 2), (30, 10.0, 3), (50, 10.0, 5)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("size", "apart", "d"), SMALL)
def test_fit_finds_a_small_cluster_far_away(size: int, apart: float, d: int, seed: int) -> None:
    X = far_cluster(size, apart, d, seed)
    labels = fit_gmm(X, 3, rng=seed).model.predict(X)
    own = labels[-1]
    np.testing.assert_array_equal(np.flatnonzero(labels == own), np.arange(MANY - size, MANY))


@pytest.mark.filterwarnings("ignore::mixtura.ConvergenceWarning")
def test_sample_alone_misses_a_small_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests above test something."""
    monkeypatch.setattr(MaximumSearch, "_with_unlikely_rows", lambda *arguments: arguments[3].best)
    X = far_cluster(8, 8.0, 2, 1)
    labels = fit_gmm(X, 3, rng=1).model.predict(X)
    assert np.bincount(labels).min() > 1000


def test_report_of_a_search_has_the_maximum_that_the_last_look_has_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X = far_cluster(8, 8.0, 2, 1)
    search = fit_gmm(X, 3, rng=1).search
    monkeypatch.setattr(MaximumSearch, "_with_unlikely_rows", lambda *arguments: arguments[3].best)
    before = fit_gmm(X, 3, rng=1, max_iter=1, tol=0.0).search
    assert search is not None
    assert before is not None
    assert {each.objective for each in before.maxima} < {each.objective for each in search.maxima}


@pytest.mark.filterwarnings("ignore::mixtura.ConvergenceWarning")
def test_all_rows_decide_between_leaders() -> None:
    """Suspects first, then the objective of all rows; that of the sample does not count."""
    X = far_cluster(20, 10.0, 2, 5)
    leaders = [Outcome(fit_gmm(X, 2, rng=0, max_iter=i + 1).model._parameters()) for i in range(4)]
    heights = {id(leaders[i]): height for i, height in enumerate([2.0, 1.0, 3.0, 4.0])}

    class OfAll:
        def objective(self, leader: Outcome) -> float:
            return heights[id(leader)]

        def judge(self, seen: Outcome) -> None:
            seen.few = [0] if seen.objective == 4.0 else []

    of_all = AllRows(OfAll())  # type: ignore[arg-type]
    best = []
    for leader in leaders:
        of_all.compare(leader)
        assert of_all.best is not None
        best.append(of_all.best.objective)
    assert best == [2.0, 2.0, 3.0, 3.0]
    assert of_all.best.parameters is leaders[2].parameters


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
    assert fit.search is not None
    assert fit.search.n_rows < MANY
    assert fit.search.n_starts == (1 if where == "objective" else 10)

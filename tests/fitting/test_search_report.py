"""What users see of the search for a start: `fit.search`, its line in summaries, and files."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clusters import clustered
from kills import Killed, kill_at

import mixtura
from mixtura import (
    BayesianGMMFit,
    FitInterrupted,
    GMMFit,
    SearchReport,
    State,
    files,
    fit_bayesian_gmm,
    fit_binned,
    fit_gmm,
)
from mixtura.files import Contents
from mixtura.parameters import Parameters, Seen
from mixtura.passes import RowsPass
from mixtura.search import Maximum, MaximumSearch, SearchInterrupted
from mixtura.search.contest import Contest, Verdict
from mixtura.search.search import Found
from mixtura.statistics import Statistics

X, LABELS = clustered()
Fit = Callable[..., GMMFit | BayesianGMMFit]
BOTH = pytest.mark.parametrize("function", [fit_gmm, fit_bayesian_gmm])


def report(
    *maxima: tuple[float, int] | tuple[float, int, int], n_starts: int = 10, n_moves: int = 14
) -> SearchReport:
    found = tuple(Maximum(each[0], each[1], 4, *each[2:]) for each in maxima)
    return SearchReport(found, n_starts, n_moves, 3, 240)


# The line


@pytest.mark.parametrize(
    ("search", "line"),
    [
        (
            report((-4.155382, 4), (-4.160211, 1), (-4.171102, 2)),
            (
                "search: 10 starts and 14 moves found 3 maxima, the best 4 times "
                "(-4.155382, -4.160211, -4.171102 nats per row)"
            ),
        ),
        (
            report((-1.0, 1), (-2.0, 1), (-3.0, 1), (-4.0, 9), n_moves=1),
            (
                "search: 10 starts and 1 move found 4 maxima, the best once "
                "(best 3: -1.000000, -2.000000, -3.000000 nats per row)"
            ),
        ),
        (
            report((-1.0, 3), n_starts=3, n_moves=0),
            "search: 3 starts found 1 maximum 3 times (-1.000000 nats per row)",
        ),
        (
            report((-2.0, 3), (-3.0, 1), (-1.0, 1, 1), (-0.5, 2, 2)),
            (
                "search: 10 starts and 14 moves found 2 maxima, the best 3 times "
                "(-2.000000, -3.000000 nats per row), and ruled out 2"
            ),
        ),
        (
            report((-2.0, 3, 1), (-1.0, 1, 2), n_starts=3, n_moves=0),
            (
                "search: 3 starts found 1 suspect maximum 3 times (-2.000000 nats per row), "
                "and ruled out 1"
            ),
        ),
        (report(n_starts=1, n_moves=0), "search: 1 start found no maximum"),
    ],
)
def test_report_as_a_line_counts_runs_and_maxima(search: SearchReport, line: str) -> None:
    assert str(search) == line


def test_report_in_a_notebook_is_a_table() -> None:
    assert "<th" in report((-1.0, 3))._repr_html_()


# In fits


@BOTH
def test_fit_from_an_automatic_start_has_what_the_search_found(function: Fit) -> None:
    fit = function(X, 3, rng=0)
    assert isinstance(fit.search, SearchReport)
    assert fit.search.n_rows == len(X)
    assert fit.search.maxima[0].objective == pytest.approx(fit.history[-1], abs=1e-3)
    assert str(fit.search) in fit.summary().splitlines()
    assert mixtura.text.short(fit.search)[:12] in repr(fit)


@BOTH
@pytest.mark.parametrize("init", [LABELS, X[[0, 100, 200]], np.eye(3)[LABELS]])
def test_fit_from_a_given_start_has_no_search(function: Fit, init: Any) -> None:
    fit = function(X, 3, init=init)
    assert fit.search is None
    assert "search" not in fit.summary()


def test_fit_of_one_component_has_no_line_of_the_search() -> None:
    fit = fit_gmm(X, 1, rng=0)
    assert fit.search is not None
    assert fit.search.n_starts == 1
    assert "search" not in fit.summary()


def test_summary_of_many_rows_says_that_the_search_saw_a_sample() -> None:
    many = np.random.default_rng(0).normal(size=(20_000, 2)) + 9.0 * np.arange(2)[:, None, None]
    fit = fit_gmm(many.reshape(-1, 2), 2, rng=0)
    assert fit.search is not None
    assert f"{fit.search}, in a sample of {fit.search.n_rows} rows\n" in fit.summary()
    assert fit.search.n_rows < 40_000


def test_fit_of_a_selection_has_a_search_only_if_it_comes_from_one() -> None:
    fits = mixtura.select_gmm(X, 3, ["EEE", "VEE", "VVV"], rng=0).fits.values()
    assert all(fit.search is None or fit.search.n_rows == len(X) for fit in fits)
    fits = mixtura.select_gmm(X, 3, ["EEE", "VVV"], init=LABELS).fits.values()
    assert all(fit.search is None for fit in fits)


@pytest.mark.parametrize(
    "function",
    [
        fit_gmm,
        fit_bayesian_gmm,
        fit_binned,
        mixtura.select_gmm,
        mixtura.bootstrap_lrt,
        mixtura.StepwiseGMM,
    ],
)
def test_starts_are_of_mixed_kinds_by_default(function: Callable[..., Any]) -> None:
    assert inspect.signature(function).parameters["init"].default == "mixed"


def test_search_puts_spurious_maxima_last_and_does_not_show_them() -> None:
    search = fit_gmm(mixtura.datasets.load_iris().data, 4, rng=0).search
    assert search is not None
    suspects = [each.n_suspects for each in search.maxima]
    assert suspects == sorted(suspects)
    assert suspects[-1] > suspects[0]
    assert f"{search.maxima[-1].objective:.6f}" not in str(search)


def test_search_says_how_much_effort_it_took() -> None:
    noise = np.random.default_rng(1).normal(size=(300, 2))
    few, many = (fit_gmm(noise, 4, n_init=n, rng=0).search for n in (2, 10))
    assert few is not None
    assert many is not None
    assert (few.n_starts, few.n_moves) == (2, 0)
    assert many.n_starts == 10
    assert many.n_moves > 0
    assert many.maxima[0].objective >= few.maxima[0].objective


def test_fit_that_was_interrupted_in_the_search_says_what_that_had_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = Contest.run

    def interrupt(self: Contest, start: Parameters) -> Verdict:
        if self.leader is not None:
            raise SearchInterrupted(self.leader)
        return run(self, start)

    monkeypatch.setattr(Contest, "run", interrupt)
    with pytest.raises(FitInterrupted) as caught:
        fit_gmm(X, 3, rng=0, reg_covar=0.0)
    fit = caught.value.fit
    assert (fit.stop_reason, fit.converged) == ("interrupted", False)
    assert (fit.search.n_starts, fit.search.n_moves) == (2, 0)
    (maximum,) = fit.search.maxima
    assert (maximum.times, maximum.objective) == (1, fit.history[-1])
    assert fit.n_iter > 0
    assert np.isnan(fit.log_likelihood)  # of all rows, which the search has not seen


def test_fit_that_was_interrupted_later_has_its_search() -> None:
    def interrupt(_: State) -> None:
        raise KeyboardInterrupt

    with pytest.raises(FitInterrupted) as caught:
        fit_gmm(X, 3, rng=0, callback=interrupt, tol=0.0)
    assert caught.value.fit.search == fit_gmm(X, 3, rng=0).search


def interrupt_after_search(
    monkeypatch: pytest.MonkeyPatch, *, searches: int = 1, passes: int = 0
) -> list[Parameters]:
    """Press Ctrl-C so many passes after a search; return what searches have found."""
    found: list[Parameters] = []
    left = [passes]
    best, accumulate, follow = MaximumSearch.best, RowsPass.accumulate, RowsPass.follow

    def search(self: MaximumSearch, *args: Any) -> Found:
        done = best(self, *args)
        found.append(done.parameters)
        return done

    def interrupt(self: RowsPass, seen: Seen, *args: Any) -> Statistics:
        if len(found) == searches:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        return accumulate(self, seen, *args)

    def interrupt_several(self: RowsPass, *args: Any) -> Any:
        if len(found) == searches:
            raise KeyboardInterrupt
        return follow(self, *args)

    monkeypatch.setattr(RowsPass, "follow", interrupt_several)
    monkeypatch.setattr(MaximumSearch, "best", search)
    monkeypatch.setattr(RowsPass, "accumulate", interrupt)
    return found


@BOTH
@pytest.mark.parametrize("passes", [0, 1])
def test_fit_that_was_interrupted_before_its_first_iteration_has_what_the_search_found(
    passes: int, function: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = function(X, 3, rng=0)
    found = interrupt_after_search(monkeypatch, passes=passes)
    with pytest.raises(FitInterrupted, match="`fit` holds what was done") as caught:
        function(X, 3, rng=0)
    fit = caught.value.fit
    assert (fit.stop_reason, fit.converged, fit.n_iter) == ("interrupted", False, 1)
    assert fit.search == whole.search
    assert fit.history.tolist() == [fit.search.maxima[0].objective]
    np.testing.assert_array_equal(np.sort(fit.means, axis=0), np.sort(found[0].means, axis=0))
    np.testing.assert_allclose(np.sort(fit.means, axis=0), np.sort(whole.means, axis=0), atol=0.1)
    assert "interrupted" in fit.summary()


TIES = np.round(np.random.default_rng(0).normal(size=(150, 2)), 1)
TIES[:40] = [0.0, 0.1]


@pytest.mark.parametrize("last", ["first fit", "second search"])
def test_fit_that_was_interrupted_when_begun_again_has_what_was_there(
    last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows on ties: the first fit ends on them, and a second one has them spread."""
    whole = fit_gmm(TIES, 2, rng=0, n_init=1)
    assert [event.action for event in whole.events][:1] == ["smoothed"]
    if last == "first fit":
        best = MaximumSearch.best
        searches: list[None] = []

        def interrupt(self: MaximumSearch, *args: Any) -> Found:
            searches.append(None)
            if len(searches) == 2:
                raise KeyboardInterrupt
            return best(self, *args)

        monkeypatch.setattr(MaximumSearch, "best", interrupt)
    else:
        found = interrupt_after_search(monkeypatch, searches=2)
    with pytest.raises(FitInterrupted) as caught:
        fit_gmm(TIES, 2, rng=0, n_init=1)
    fit = caught.value.fit
    assert fit.stop_reason == "interrupted"
    assert fit.search is not None
    if last == "first fit":
        assert {(event.cause, event.action) for event in fit.events} >= {("spurious", "kept")}
        assert fit.n_iter > 1
    else:
        assert fit.events[0].action == "smoothed"
        assert fit.search == whole.search
        order = np.lexsort(found[1].means.T)
        np.testing.assert_array_equal(fit.means[np.lexsort(fit.means.T)], found[1].means[order])


def test_fit_of_bins_has_what_the_search_found() -> None:
    counts, edges = np.histogram(X[:, 0], 12)
    fit = fit_binned(edges, counts, 2, rng=0)
    assert fit.search is not None
    assert str(fit.search) in fit.summary().splitlines()


# In files


@BOTH
def test_fit_from_a_file_has_the_same_search(function: Fit, tmp_path: Path) -> None:
    for init in ("mixed", LABELS):
        fit = function(X, 3, init=init, rng=0)
        fit.save(tmp_path / "fit.npz")
        assert mixtura.load(tmp_path / "fit.npz").search == fit.search
        assert pickle.loads(pickle.dumps(fit)).search == fit.search
        assert copy.deepcopy(fit).search == fit.search


@BOTH
def test_file_of_earlier_versions_has_no_search(function: Fit, tmp_path: Path) -> None:
    contents = function(X, 3, rng=0)._contents()
    del contents.facts["search"]
    files.write(tmp_path / "fit.npz", function(X, 3, rng=0).__class__.__name__, contents)
    assert mixtura.load(tmp_path / "fit.npz").search is None


FACTS = report((-1.0, 3)).to_facts()


@pytest.mark.parametrize(
    "facts",
    [
        7,
        {},
        [],
        {**FACTS, "n_starts": -1},
        {**FACTS, "n_moves": True},
        {**FACTS, "n_rows": 2.0},
        {**FACTS, "more": 1},
        {**FACTS, "maxima": 7},
        {**FACTS, "maxima": [[-1.0]]},
        {**FACTS, "maxima": [[-1.0, 0, 3, 0]]},
        {**FACTS, "maxima": [[-1.0, 2, 0, 0]]},
        {**FACTS, "maxima": [[-1.0, 2, 3, -1]]},
        {**FACTS, "maxima": [[-1, 2, 3, 0]]},
        {**FACTS, "maxima": [["-1.0", 2, 3, 0]]},
        {**FACTS, "maxima": [[float("nan"), 2, 3, 0]]},
    ],
)
def test_file_with_a_search_that_is_none_is_refused(facts: Any, tmp_path: Path) -> None:
    contents = fit_gmm(X, 3, rng=0)._contents()
    damaged = Contents({**contents.facts, "search": facts}, contents.arrays)
    files.write(tmp_path / "fit.npz", "GMMFit", damaged)
    with pytest.raises(ValueError, match=re.escape(f"its search is {facts!r}")):
        mixtura.load(tmp_path / "fit.npz")


@BOTH
def test_fit_that_continues_from_a_checkpoint_has_the_search_before(
    function: Fit, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"rng": 0, "tol": 0.0, "max_iter": 8}
    checkpoint = {"checkpoint": tmp_path / "c", "checkpoint_every": 0.0}
    whole = function(X, 3, **options)
    with pytest.raises(Killed):
        function(X, 3, callback=kill_at(5), **options, **checkpoint)
    continued = function(X, 3, **options, **checkpoint)
    assert continued.history.tobytes() == whole.history.tobytes()
    assert continued.search == whole.search
    assert continued.search is not None

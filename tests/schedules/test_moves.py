"""Moves: redundant components are merged, junk is deleted, nothing else is touched."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES, EPS
from kills import Killed, kill_at
from loops import Watched, at, never
from numpy.typing import NDArray

from mixtura import Statistics, reference
from mixtura.conjugate import WEIGHT_LAWS
from mixtura.data import open_rows
from mixtura.data.labels import check_row_labels
from mixtura.fitting.bayesian.estimate import VariationalBayes
from mixtura.fitting.checkpoint import Checkpoint
from mixtura.fitting.settings import Settings
from mixtura.fitting.stages import Fitting
from mixtura.fitting.survey import Survey
from mixtura.passes import Backend
from mixtura.schedules import Look, Moves, MovesState, Outcome, Plain, Point, Squarem, Step
from mixtura.schedules.changes import emptied, merged, reordered
from mixtura.schedules.moves import DELETIONS, LOOKS, MERGES, PAIRS, PERIOD
from mixtura.shapes import Floats

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
every_law = pytest.mark.parametrize("weights", WEIGHT_LAWS)
Labels = NDArray[np.int64]

CENTRES = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])


def clusters(n: int = 300, seed: int = 0) -> tuple[Floats, Labels]:
    """Three round clusters apart, of which all four shapes are true."""
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.choice(3, size=n, p=[0.5, 0.3, 0.2]))
    return CENTRES[labels] + rng.normal(size=(n, 2)), labels


X, LABELS = clusters()
HALVED = np.where((LABELS == 0) & (X[:, 0] > 0.0), 3, LABELS)  # one cluster in two components
UNRELATED = np.arange(len(X)) % 9  # to the clusters, so that a fit from them takes long
JUNK = np.where(np.linalg.norm(X - CENTRES[LABELS], axis=1) > 2.6, 3, LABELS)


def fitting(
    rows: Any = X,
    n_components: int = 4,
    covariance_type: str = "full",
    weights: Any = "dirichlet",
    *,
    sample_weight: Floats | None = None,
    labels: Any = None,
    backend: Backend | None = None,
    callback: Callable[..., object] | None = None,
    checkpoint: Checkpoint | None = None,
    **options: Any,
) -> Fitting:
    """A fit by variational Bayes, with moves unless they are switched off."""
    source = open_rows(rows, sample_weight, missing="em" if np.isnan(rows).any() else None)
    known = check_row_labels(labels, None, source, n_components)
    priors = {} if known is None else {n_components: known.prior}
    source = source if known is None else known.marked(source)
    settings = Settings(
        reg_covar=0.0, avoid_spurious=False, n_init=2, estimate=VariationalBayes(weights),
        **{"moves": True, **options},
    )  # fmt: skip
    survey = Survey(source, backend or Backend(n_threads=1), priors)
    return Fitting(
        survey, settings, covariance_type, n_components, callback=callback, checkpoint=checkpoint
    )


def run(begin: Any, *arguments: Any, **options: Any) -> Outcome:
    return fitting(*arguments, **options).run(begin, np.random.default_rng(0))


def live(outcome: Outcome, least: float = 1.0) -> list[int]:
    assert outcome.statistics is not None
    return np.flatnonzero(outcome.statistics.resp_sum >= least).tolist()


def assert_never_falls(outcome: Outcome) -> None:
    falls = [before - after for before, after in pairwise(outcome.history)]
    assert max(falls) <= 16.0 * EPS * max(1.0, np.abs(outcome.history).max())
    assert outcome.objective == outcome.history[-1]


def assert_same(one: Outcome, other: Outcome) -> None:
    assert one.history == other.history
    assert one.stop_reason == other.stop_reason
    for a, b in zip(one.parameters.arrays(), other.parameters.arrays(), strict=True):
        np.testing.assert_array_equal(a, b)


# Whole fits


@every_type
@every_law
def test_two_components_of_one_cluster_are_merged(covariance_type: str, weights: str) -> None:
    rows, labels = clusters(2000)
    halved = np.where((labels == 0) & (rows[:, 0] > 0.0), 3, labels)
    with_moves = run(halved, rows, 4, covariance_type, weights)
    without = run(halved, rows, 4, covariance_type, weights, moves=False)
    assert with_moves.stop_reason == "converged"
    assert len(live(with_moves)) == 3
    assert with_moves.objective >= without.objective - 1e-12
    assert len(with_moves.history) < len(without.history) + PERIOD
    assert_never_falls(with_moves)


def test_component_that_iterations_do_not_empty_is_merged_early() -> None:
    rows, labels = clusters(2000)
    halved = np.where((labels == 0) & (rows[:, 0] > 0.0), 3, labels)
    with_moves, without = (run(halved, rows, moves=moves) for moves in (True, False))
    assert len(with_moves.history) < min(PERIOD + 5, len(without.history))
    assert with_moves.objective > without.objective + 1e-3
    assert (len(live(with_moves)), len(live(without))) == (3, 4)


class Deleting:
    """A judge that knows of no merge."""

    def gains_of_merging(self, _: Statistics, one: Any, other: Any) -> Floats:
        assert len(one) == len(other)
        return np.full(len(one), -1.0)

    def gain_of_order(self, _: Statistics, order: Any) -> float:
        return 0.0 * len(order)


@every_type
@every_law
def test_component_on_scattered_rows_is_deleted(covariance_type: str, weights: str) -> None:
    """It has rows of all clusters, so it is not a part of any other component."""
    assert len(set(LABELS[JUNK == 3])) > 1
    fit = fitting(X, 4, covariance_type, weights)
    fit._judge = Deleting()
    outcome = fit.run(JUNK, np.random.default_rng(0))
    without = run(JUNK, X, 4, covariance_type, weights, moves=False)
    assert len(live(outcome)) == 3
    assert outcome.objective >= without.objective
    assert_never_falls(outcome)


@every_type
@every_law
def test_many_components_end_as_many_as_there_are_clusters(
    covariance_type: str, weights: str
) -> None:
    outcome = run("kmeans", X, 9, covariance_type, weights)
    assert len(live(outcome)) == 3
    without = run("kmeans", X, 9, covariance_type, weights, moves=False)
    # Components that sticks put last may lose their rows by iterations alone.
    assert len(live(without)) > 3 or weights == "stick-breaking"
    assert outcome.objective >= without.objective - 1e-4
    best = run(LABELS, X, 9, covariance_type, weights)
    assert outcome.objective == pytest.approx(best.objective, abs=1e-4)
    assert_never_falls(outcome)


@pytest.mark.parametrize("seed", range(3))
def test_many_full_components_stay_without_moves(seed: int) -> None:
    rows, _ = clusters(seed=seed)
    with_moves, without = (run("kmeans", rows, 9, moves=moves) for moves in (True, False))
    assert len(live(with_moves)) == 3 < len(live(without))
    assert with_moves.objective > without.objective + 1e-3


@every_type
@every_law
def test_fit_with_as_many_components_as_clusters_keeps_them(
    covariance_type: str, weights: str
) -> None:
    with_moves = run(LABELS, X, 3, covariance_type, weights)
    assert len(live(with_moves)) == 3
    without = run(LABELS, X, 3, covariance_type, weights, moves=False)
    assert with_moves.objective >= without.objective - 1e-12


@pytest.mark.parametrize("spread", [2.5, 3.5])
@every_law
def test_components_that_overlap_and_are_true_are_kept(weights: str, spread: float) -> None:
    rng = np.random.default_rng(3)
    truth = np.arange(2000) % 2
    rows = spread * truth[:, None] * [1.0, 0.0] + rng.normal(size=(2000, 2))
    outcome = run(truth, rows, 2, "spherical", weights)
    assert len(live(outcome)) == 2
    nothing = np.zeros(2000, dtype=np.int64)
    alone = run(nothing, rows, 2, "spherical", weights, moves=False)
    assert outcome.objective > alone.objective


@every_law
def test_sticks_are_put_in_the_order_of_their_weights(weights: str) -> None:
    backwards = 2 - LABELS
    for free in (True, False):  # a start that the user gives keeps its order
        fit = fitting(X, 3, "full", weights)
        fit._reorders = free
        outcome = fit._em(fit._update).run(fit._started(fit._update, backwards), 1000)
        assert outcome.statistics is not None
        found = outcome.statistics.resp_sum
        counts = np.bincount(LABELS if free and weights == "stick-breaking" else backwards)
        np.testing.assert_allclose(found, counts, atol=1.0)
        assert_never_falls(outcome)


def test_fit_without_tolerance_makes_no_move() -> None:
    fit = fitting(tol=0.0)
    em = fit._em(fit._update)
    rows = Watched(em.rows)
    start = fit._started(fit._update, HALVED)
    outcome = replace(em, rows=rows).run(start, 3 * PERIOD)
    assert len(outcome.history) == 3 * PERIOD
    assert len(rows.seen) == 3 * PERIOD + 1


def test_brief_runs_make_no_moves() -> None:
    fit = fitting()
    assert isinstance(fit._em(fit._update).schedule, Moves)
    assert not isinstance(fit._search_em(fit._update, open_rows(X)).schedule, Moves)


def test_moves_of_an_annealed_fit_are_made_at_the_end() -> None:
    outcome = run(HALVED, em="annealed")
    assert len(live(outcome)) == 3
    assert outcome.inverse_temperature == 1.0


# Other kinds of rows


@every_law
def test_components_that_labels_name_are_kept(weights: str) -> None:
    known = np.where(np.arange(len(X)) % 5 == 0, HALVED, -1)
    outcome = run(HALVED, X, 4, "full", weights, labels=known)
    assert len(live(outcome)) == 4
    assert_never_falls(outcome)
    assert len(live(run(HALVED, X, 4, "full", weights, labels=np.full(len(X), -1)))) == 3


@every_type
def test_missing_numbers_do_not_prevent_moves(covariance_type: str) -> None:
    rows, rng = X.copy(), np.random.default_rng(1)
    rows[rng.random(X.shape) < 0.1] = np.nan
    outcome = run(HALVED, rows, 4, covariance_type)
    assert len(live(outcome)) == 3
    assert_never_falls(outcome)


@every_law
def test_weight_of_a_row_is_as_many_rows(weights: str) -> None:
    repeats = 1 + np.arange(len(X)) % 2
    whole = run(np.repeat(HALVED, repeats), np.repeat(X, repeats, axis=0), 4, "full", weights)
    weighted = run(HALVED, X, 4, "full", weights, sample_weight=repeats.astype(float))
    assert len(live(weighted)) == len(live(whole)) == 3
    assert weighted.objective == pytest.approx(whole.objective, rel=1e-6)


def test_equal_rows_and_a_row_far_away_are_no_obstacle() -> None:
    rows = np.round(X)
    rows[0] = 1e6
    outcome = run(HALVED, rows)
    assert outcome.stop_reason == "converged"
    assert_never_falls(outcome)


# Bits


@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_fit_with_moves_is_the_same_for_any_number_of_threads(n_threads: int) -> None:
    rows, labels = clusters(3000)
    halved = np.where((labels == 0) & (rows[:, 0] > 0.0), 3, labels)
    one, other = (
        run(halved, rows, 4, backend=Backend(n_threads=count)) for count in (1, n_threads)
    )
    assert len(live(one)) == 3
    assert_same(one, other)


def test_backends_make_the_same_moves() -> None:
    one, other = (run(HALVED, backend=Backend(name, 1)) for name in ("compiled", "reference"))
    assert one.objective == pytest.approx(other.objective, rel=1e-9)
    assert live(one) == live(other)


@every_law
@pytest.mark.parametrize("iteration", [2, PERIOD, PERIOD + 1, PERIOD + 5])
def test_fit_that_is_killed_and_resumed_ends_with_the_same_bits(
    tmp_path: Path, weights: str, iteration: int
) -> None:
    whole = run(UNRELATED, X, 9, "full", weights)
    assert len(whole.history) > PERIOD + 5
    path = tmp_path / "c"
    with pytest.raises(Killed), Checkpoint(path, 0.0, {}) as checkpoint:
        run(UNRELATED, X, 9, "full", weights, checkpoint=checkpoint, callback=kill_at(iteration))
    with Checkpoint(path, 0.0, {}) as checkpoint:
        resumed = run(UNRELATED, X, 9, "full", weights, checkpoint=checkpoint)
        checkpoint.remove()
    assert_same(whole, resumed)


def test_state_without_an_inner_one_is_impossible() -> None:
    assert not MovesState(None).is_possible()
    assert Moves(Plain(1e-3), Deleting(), 1e-3, EPS, np.ones(2)).begin(at(0.0)).is_possible()


# The rule, step by step


@dataclass
class Scripted:
    """A look that returns prepared objectives, and remembers the statistics it was given."""

    objectives: list[float | None]
    asked: list[Statistics] = field(default_factory=list)

    def __call__(self, statistics: Statistics) -> Point | None:
        self.asked.append(statistics)
        objective = self.objectives.pop(0)
        return None if objective is None else at(objective, statistics)


class Finished(Plain):
    """An inner schedule that has always finished, and still expects to gain something."""

    def __init__(self, expected: float = 0.0, *, finished: bool = True) -> None:
        super().__init__(1e-3)
        self._expected, self._finished = expected, finished

    def step(self, state: Any, point: Point, look: Look) -> Step:
        after = super().step(state, point, look).state._replace(predicted_gain=self._expected)
        return Step(after, point, self._finished)


@dataclass
class Judged:
    """A judge with one gain for all pairs."""

    gain: float
    of_order: float = 0.0
    n_pairs: int = 0

    def gains_of_merging(self, _: Statistics, one: Any, other: Any) -> Floats:
        self.n_pairs = len(one)
        assert (one != other).all()
        return np.full(len(one), self.gain)

    def gain_of_order(self, _: Statistics, order: Any) -> float:
        return self.of_order * len(order)


def some_statistics(k: int = 5) -> Statistics:
    rng = np.random.default_rng(0)
    resp_sum = np.arange(1.0, k + 1.0)
    sums = rng.normal(size=(k, 2)), 9.0 + rng.random((k, 2))
    return Statistics("diag", rng.normal(size=(k, 2)), resp_sum, *sums, -9.0, resp_sum.sum())


def stepped(
    inner: Plain, judge: Any, look: Any, statistics: Statistics | None = None, since: int = 0
) -> Step:
    moves = Moves(inner, judge, 1e-3, EPS, np.ones(2))
    point = at(-5.0, some_statistics() if statistics is None else statistics)
    return moves.step(moves.begin(point)._replace(since=since), point, look)


def test_fit_is_finished_when_no_candidate_is_higher() -> None:
    look = Scripted([-6.0, -6.0 + 1e-9] * (MERGES + DELETIONS))
    step = stepped(Finished(), Judged(1.0), look)
    assert step.finished
    assert step.point.objective == -5.0
    assert not look.objectives  # a second iteration that gains little is the last
    moved = [int((s.resp_sum == 0.0).sum()) for s in look.asked]
    assert moved == [1] * len(moved)
    kept = [s.resp_sum.sum() for s in look.asked[::2]]
    assert kept == [15.0] * MERGES + [14.0, 13.0, 12.0]


def test_candidate_gets_a_few_iterations_while_these_gain_enough() -> None:
    assert LOOKS == 3
    look = Scripted([-60.0, -6.0, -4.0, None])
    step = stepped(Finished(), Judged(1.0), look)
    assert (step.point.objective, step.finished) == (-4.0, False)
    assert step.state == MovesState(Plain(1e-3).begin(at(0.0)), 0)
    assert look.asked[1] is look.asked[0]  # as the look returns what it was given


def test_candidate_is_given_up_after_its_last_iteration() -> None:
    look = Scripted([-60.0, -30.0, -10.0] + [None] * (MERGES + DELETIONS - 1))
    assert stepped(Finished(), Judged(1.0), look).finished
    assert not look.objectives


@pytest.mark.parametrize("objective", [None, math.nan, -math.inf, -5.0, -5.0 + 1e-3])
def test_candidate_that_fails_or_gains_no_more_than_tol_is_not_taken(
    objective: float | None,
) -> None:
    look = Scripted([objective] * 30)
    assert stepped(Finished(), Judged(1.0), look).finished
    assert len(look.asked) in (MERGES + DELETIONS, 2 * (MERGES + DELETIONS))


def test_moves_follow_each_other_as_long_as_the_first_candidate_helps() -> None:
    look = Scripted([-4.0, -3.0, -2.0, None])
    step = stepped(Finished(), Judged(1.0), look)
    assert step.point.objective == -2.0
    assert not look.objectives
    assert [int((s.resp_sum == 0.0).sum()) for s in look.asked] == [1, 2, 3, 4]


def test_merges_that_cannot_gain_are_not_tried() -> None:
    look = Scripted([None] * DELETIONS)
    assert stepped(Finished(), Judged(-1.0), look).finished
    assert [s.resp_sum.sum() for s in look.asked] == [14.0, 13.0, 12.0]


@pytest.mark.parametrize("since", [0, PERIOD - 2, PERIOD])
def test_iterations_between_two_tries_make_no_look(since: int) -> None:
    step = stepped(Finished(0.1, finished=False), Judged(1.0), never, since=since)
    assert (step.state.since, step.finished) == (since + 1, False)


def test_first_candidate_is_tried_now_and_then_before_the_end() -> None:
    look = Scripted([None])
    step = stepped(Finished(0.1, finished=False), Judged(1.0), look, since=PERIOD - 1)
    assert (step.state.since, step.finished) == (PERIOD, False)
    assert len(look.asked) == 1


@pytest.mark.parametrize(("objective", "taken"), [(-4.89, True), (-4.91, False)])
def test_move_has_to_gain_more_than_iterations_are_expected_to(
    objective: float, taken: bool
) -> None:
    look = Scripted([objective, objective] + [None] * taken)
    step = stepped(Finished(0.1, finished=False), Judged(1.0), look, since=PERIOD - 1)
    assert (step.point.objective == objective) == taken


def test_no_move_is_tried_while_nothing_can_be_expected() -> None:
    step = stepped(Finished(math.inf, finished=False), Judged(1.0), never, since=PERIOD - 1)
    assert not step.finished


@pytest.mark.parametrize("resp_sum", [[0.0, 7.0, 0.0], [1e-12, 7.0, 0.0]])
def test_empty_components_are_not_merged(resp_sum: list[float]) -> None:
    statistics = Statistics(
        "diag", np.zeros((3, 2)), np.array(resp_sum), np.zeros((3, 2)), np.ones((3, 2)), 0.0, 7.0
    )
    judge = Judged(1.0)
    assert stepped(Finished(), judge, never, statistics).finished
    assert judge.n_pairs == 0


def test_order_is_tried_first_where_it_gains() -> None:
    look = Scripted([-4.0, None])
    step = stepped(Finished(), Judged(1.0, of_order=1.0), look)
    assert step.point.statistics.resp_sum.tolist() == [5.0, 4.0, 3.0, 2.0, 1.0]


def test_of_many_components_the_closest_pairs_are_judged() -> None:
    judge = Judged(1.0)
    look = Scripted([None] * (MERGES + DELETIONS))
    assert stepped(Finished(), judge, look, some_statistics(80)).finished
    assert judge.n_pairs == PAIRS


# Changed statistics


def statistics_of(labels: Labels, covariance_type: str) -> Statistics:
    resp = np.eye(4)[labels]
    resp[labels < 0] = 0.0
    centres = np.append(CENTRES, [[1.0, 2.0]], axis=0)
    return reference.accumulate_resp(X, resp, centres, covariance_type=covariance_type)


def assert_same_sums(one: Statistics, other: Statistics) -> None:
    one = one.recentred(other.centres)
    for name in ("resp_sum", "resp_x", "resp_xx"):
        a, b = getattr(one, name), getattr(other, name)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=name)


@every_type
@pytest.mark.parametrize(("into", "other"), [(0, 3), (3, 0), (2, 1)])
def test_merged_statistics_are_those_of_merged_labels(
    covariance_type: str, into: int, other: int
) -> None:
    before = statistics_of(HALVED, covariance_type)
    expected = statistics_of(np.where(other == HALVED, into, HALVED), covariance_type)
    kept = before.resp_xx.copy(), before.resp_sum.copy(), before.centres.copy()
    assert_same_sums(merged(before, into, other), expected)
    for array, copy in zip((before.resp_xx, before.resp_sum, before.centres), kept, strict=True):
        np.testing.assert_array_equal(array, copy)


@every_type
def test_emptied_statistics_are_those_of_the_other_rows(covariance_type: str) -> None:
    before = statistics_of(HALVED, covariance_type)
    found = emptied(before, 1)
    expected = statistics_of(np.where(HALVED == 1, -1, HALVED), covariance_type)
    if before.shape.is_shared:  # which part is the component's is not known
        share = (HALVED == 1).mean()
        np.testing.assert_allclose(found.resp_xx, (1.0 - share) * before.resp_xx, rtol=1e-12)
    else:
        assert_same_sums(found, expected)
    np.testing.assert_array_equal(found.resp_sum, expected.resp_sum)


@every_type
def test_reordered_statistics_are_those_of_renamed_labels(covariance_type: str) -> None:
    order = np.array([2, 0, 3, 1])
    found = reordered(statistics_of(HALVED, covariance_type), order)
    expected = statistics_of(np.argsort(order)[HALVED], covariance_type)
    assert_same_sums(found, expected)


def test_moves_wrap_any_schedule() -> None:
    """The state is the inner one's and has its temperature and prediction."""
    for inner in (Plain(1e-3), Squarem(1e-3, EPS, np.ones(2))):
        moves = Moves(inner, Deleting(), 1e-3, EPS, np.ones(2))
        state = moves.begin(at(-1.0))
        assert state == MovesState(inner.begin(at(-1.0)))
        assert moves.disturbed(state._replace(since=7)) == MovesState(inner.disturbed(state.inner))
        assert (state.inverse_temperature, state.predicted_gain) == (1.0, math.inf)

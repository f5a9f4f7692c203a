"""Moves: which are ranked first, and where they lead to, for every family and backend."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES
from loops import ONE_THREAD
from searches import misplaced, outcome_from, pair_update

from mixtura.covariance import CELEUX_GOVAERT
from mixtura.passes import Backend
from mixtura.schedules import EM, Outcome
from mixtura.schedules.changes import emptied, merged
from mixtura.search.groups import Group
from mixtura.search.moves import KEPT, Move, ranked_moves, without
from mixtura.search.splits import Split
from mixtura.shapes import Floats

BACKENDS = [ONE_THREAD, Backend("reference", 1)]
both_backends = pytest.mark.parametrize("backend", BACKENDS, ids=lambda each: each.name)


def moves_of(
    outcome: Outcome, em: EM, X: Floats, name: str = "full", backend: Backend = ONE_THREAD,
    ridge: float = 0.0,
) -> list[Move]:  # fmt: skip
    d = X.shape[1]
    pair = pair_update(name, d, backend, ridge)
    return ranked_moves(outcome, em, pair, np.ones(d), backend.algebra)


@both_backends
@pytest.mark.parametrize("name", CELEUX_GOVAERT)
def test_best_move_of_every_family_splits_what_is_two_and_joins_what_is_one(
    name: str, backend: Backend
) -> None:
    X, labels = misplaced()
    outcome, em = outcome_from(X, labels, name, n_iter=3, backend=backend)
    best, *others = moves_of(outcome, em, X, name, backend)
    assert isinstance(best.target, Split)
    assert best.target.component == 0
    assert best.freed in (1, 2)
    assert best.score > 0.0
    assert all(best.score >= other.score for other in others)
    assert outcome.statistics is not None
    changed = best.applied(outcome.statistics)
    parameters, failed = em.update.update(changed, outcome.parameters)
    assert not failed.any()
    end = em.run(parameters, 200)
    assert end.objective > outcome.objective + 0.05
    np.testing.assert_allclose(sorted(end.parameters.means[:, 0]), [0.0, 10.0, 20.0], atol=0.5)


@both_backends
@pytest.mark.parametrize("name", CELEUX_GOVAERT)
@pytest.mark.parametrize("d", [1, 2, 4])
def test_every_move_gives_parameters_or_says_which_failed(
    d: int, name: str, backend: Backend
) -> None:
    """Of five components, one has rows that are all the same, and one hardly any."""
    rng = np.random.default_rng(d)
    labels = np.repeat([0, 1, 2, 3, 4], [40, 30, 20, 10, 2])
    X = rng.normal(size=(102, d)) + 4.0 * labels[:, None]
    X[labels == 3] = 12.0
    outcome, em = outcome_from(X, labels, name, n_iter=2, backend=backend, ridge=1e-3)
    assert outcome.statistics is not None
    moves = moves_of(outcome, em, X, name, backend, ridge=1e-3)
    assert moves
    n_good = 0
    for move in moves:
        changed = move.applied(outcome.statistics)
        parameters, failed = em.update.update(changed, outcome.parameters)
        fine = ~failed if len(failed) == len(parameters.weights) else np.repeat(~failed, 5)
        assert np.isfinite(parameters.means).all()
        assert np.isfinite(em.rows.accumulate(parameters.seen()).log_likelihood) or not fine.all()
        n_good += bool(fine.all())
    assert n_good > 0


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_move_keeps_the_weight_and_the_mean_of_rows_that_are_merged(covariance_type: str) -> None:
    X, labels = misplaced()
    outcome, em = outcome_from(X, labels, covariance_type, n_iter=3)
    statistics = outcome.statistics
    assert statistics is not None
    moves = [move for move in moves_of(outcome, em, X, covariance_type) if move.into is not None]
    assert moves
    for move in moves:
        target = move.target
        assert isinstance(target, Split)
        assert len({target.component, move.freed, move.into}) == 3
        changed = move.applied(statistics)
        assert changed.resp_sum.sum() == pytest.approx(len(X))
        own, halves = changed.resp_sum, target.halves.resp_sum
        ratio = own[[target.component, move.freed]] / statistics.resp_sum[target.component]
        np.testing.assert_allclose(ratio, halves / halves.sum())
        into, pair = move.into, [move.into, move.freed]
        mean = np.average(statistics.means()[pair], axis=0, weights=statistics.resp_sum[pair])
        np.testing.assert_allclose(changed.means()[into], mean)
        np.testing.assert_allclose(own[into], statistics.resp_sum[pair].sum())


def test_move_to_a_group_that_no_component_explains_finds_it() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [400, 400, 20])
    X = rng.normal(size=(820, 2))
    X[labels == 1, 0] += 10.0
    X[labels == 2, 1] += 60.0
    cut_in_two = np.where(labels == 0, X[:, 0] > 0.0, 2).astype(np.int64)
    outcome, em = outcome_from(X, cut_in_two, n_iter=2)
    (move, *_) = [m for m in moves_of(outcome, em, X) if isinstance(m.target, Group)]
    assert isinstance(move.target, Group)
    assert {move.freed, move.into} == {0, 1}
    assert 6 <= move.target.weight <= 20
    np.testing.assert_allclose(move.target.row, [0.0, 60.0], atol=3.0)
    assert outcome.statistics is not None
    changed = move.applied(outcome.statistics)
    assert changed.resp_sum[move.freed] == pytest.approx(move.target.weight)
    end = em.run(em.update.update(changed, outcome.parameters)[0], 200)
    np.testing.assert_allclose(np.sort(end.parameters.weights) * 820, [20, 400, 400], atol=1.0)


def test_component_is_taken_away_by_emptying_or_by_merging() -> None:
    X, labels = misplaced()
    outcome, _ = outcome_from(X, labels, n_iter=3)
    statistics = outcome.statistics
    assert statistics is not None
    for found, expected in [
        (without(statistics, 2, None), emptied(statistics, 2)),
        (without(statistics, 2, 1), merged(statistics, 1, 2)),
    ]:
        np.testing.assert_array_equal(found.resp_sum, expected.resp_sum)
        np.testing.assert_array_equal(found.resp_xx, expected.resp_xx)
        assert found.resp_sum[2] == 0.0


def test_moves_are_different_ranked_and_not_too_many() -> None:
    X = np.random.default_rng(0).normal(size=(400, 2))
    labels = np.arange(400) % 8
    X += np.stack([8.0 * (labels % 4), 8.0 * (labels // 4)], axis=1)
    outcome, em = outcome_from(X, labels, n_iter=2)
    moves = moves_of(outcome, em, X)
    scores = [move.score for move in moves]
    assert scores == sorted(scores, reverse=True)
    assert len(moves) == KEPT
    kinds = {(id(move.target), frozenset((move.freed, move.into))) for move in moves}
    assert len(kinds) == KEPT
    for move in moves:
        assert move.freed != move.into
        if isinstance(move.target, Split):
            assert move.target.component not in (move.freed, move.into)


def test_moves_of_either_backend_and_any_number_of_threads_are_the_same() -> None:
    X, labels = misplaced(1500)
    found = []
    for backend in (*BACKENDS, Backend("compiled", 2), Backend("compiled", 3)):
        outcome, em = outcome_from(X, labels, n_iter=3, backend=backend)
        found.append(moves_of(outcome, em, X, backend=backend))
    one, reference, *others = found
    for other in others:
        assert [move.score for move in other] == [move.score for move in one]
    assert [move[2:] for move in reference] == [move[2:] for move in one]
    np.testing.assert_allclose([m.score for m in reference], [m.score for m in one], rtol=1e-6)

"""A chain: starts first, then moves on the best of them."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from loops import ONE_THREAD, start_of
from numpy.typing import NDArray
from searches import misplaced, pair_update, search_em

from mixtura.covariance import CELEUX_GOVAERT
from mixtura.data import ArrayRows
from mixtura.search import chain as of_chains
from mixtura.search.chain import FAILURES, SWAPS, Chain
from mixtura.search.contest import Contest
from mixtura.search.memory import Memory
from mixtura.search.moves import Move, widened
from mixtura.search.report import Record
from mixtura.shapes import Floats

ROWS, WRONG = misplaced()
RIGHT = np.repeat(np.arange(3), 50)


def chain_on(
    X: Floats,
    starts: Iterable[NDArray[np.int64]],
    name: str = "full",
    *,
    moves: bool = True,
    memory: Memory | None = None,
) -> tuple[Chain, Record]:
    d = X.shape[1]
    em, record, scale = search_em(ArrayRows(X), name, ridge=1e-6), Record(), np.ones(d)
    contest = Contest(em, scale, record)
    parameters = (start_of(em, labels) for labels in starts)
    pair = pair_update(name, d, ridge=1e-6) if moves else None
    rng = np.random.default_rng(0)
    by = ONE_THREAD.algebra
    return Chain(contest, parameters, pair, record, scale, by, rng, memory), record


def test_chain_runs_from_each_start_once() -> None:
    chain, record = chain_on(ROWS, [WRONG, RIGHT, WRONG])
    assert [chain.start() for _ in range(4)] == ["leads", "leads", "behind", None]
    assert (record.n_starts, record.n_moves) == (3, 0)
    assert chain.leader is chain.contest.leader


@pytest.mark.parametrize("name", CELEUX_GOVAERT)
def test_moves_lead_from_misplaced_components_to_the_clusters(name: str) -> None:
    chain, record = chain_on(ROWS, [WRONG], name)
    chain.start()
    chain.move()
    leader = chain.leader
    assert leader is not None
    np.testing.assert_allclose(sorted(leader.parameters.means[:, 0]), [0, 10, 20], atol=0.5)
    assert record.n_moves >= SWAPS


def test_moves_on_the_best_leave_it_as_it_is() -> None:
    chain, record = chain_on(ROWS, [RIGHT])
    chain.start()
    before = chain.leader
    chain.move()
    assert chain.leader is before
    assert record.n_moves <= SWAPS + FAILURES


@pytest.mark.parametrize(("hopeless", "n_tries"), [(100.0, FAILURES), (0.0, 0)])
def test_moves_that_seem_to_lose_much_are_not_tried(
    monkeypatch: pytest.MonkeyPatch, hopeless: float, n_tries: int
) -> None:
    """All do where each cluster has its component; not where the leader has suspects."""
    monkeypatch.setattr(of_chains, "HOPELESS", hopeless)
    chain, record = chain_on(ROWS, [RIGHT])
    chain.start()
    chain.move(n_swaps=0)
    assert record.n_moves == n_tries
    assert chain.leader is not None
    chain.leader.few = [1]
    made, record = chain_on(ROWS, [RIGHT])
    made.contest.leader = chain.leader
    made.move(n_swaps=0)
    assert record.n_moves > n_tries


def test_chain_that_comes_to_an_earlier_leader_tries_the_next_moves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(of_chains, "HOPELESS", 100.0)
    tried: list[float] = []
    applied = Move.applied

    def noted(self: Move, statistics: Any) -> Any:
        tried.append(self.score)
        return applied(self, statistics)

    monkeypatch.setattr(Move, "applied", noted)
    first, _ = chain_on(ROWS, [RIGHT])
    first.start()
    first.move(n_swaps=0)
    second, _ = chain_on(ROWS, [RIGHT], memory=first._memory)
    second.contest.leader = first.leader
    second.move(n_swaps=0)
    assert len(tried) > FAILURES
    assert tried == sorted(tried, reverse=True)
    assert len(set(tried)) == len(tried)


def test_chain_does_not_move_without_an_update_for_two_components() -> None:
    chain, record = chain_on(ROWS, [WRONG], moves=False)
    chain.start()
    chain.move()
    assert record.n_moves == 0


def test_chain_does_not_move_a_single_component_or_nothing() -> None:
    chain, record = chain_on(ROWS, [np.zeros(150, dtype=np.int64)])
    chain.move()
    chain.start()
    chain.move()
    assert record.n_moves == 0


def test_chain_that_comes_to_where_moves_began_before_goes_to_where_they_ended() -> None:
    first, _ = chain_on(ROWS, [WRONG])
    first.start()
    begun = first.leader
    first.move()
    second, record = chain_on(ROWS, [WRONG], memory=first._memory)
    second.contest.leader = begun
    second.move(n_swaps=0)
    assert second.leader is first.leader
    assert second.leader is not begun
    assert record.n_moves <= FAILURES


def test_move_whose_parameters_cannot_be_estimated_fails_alone(monkeypatch: Any) -> None:
    chain, record = chain_on(ROWS, [WRONG])
    chain.start()
    leader, update = chain.leader, chain.contest.em.update

    def update_failing(statistics: Any, previous: Any = None) -> Any:
        parameters, failed = update.update(statistics, previous)
        return parameters, np.ones_like(failed)

    parts = {name: getattr(update, name) for name in ("as_seen", "as_plain")}
    wrapped = SimpleNamespace(update=update_failing, **parts)
    em = chain.contest.em
    monkeypatch.setattr(chain.contest, "em", type(em)(
        em.rows, wrapped, em.schedule, em.collapse, em.guard  # type: ignore[arg-type]
    ))  # fmt: skip
    chain.move()
    assert chain.leader is leader
    assert record.n_moves >= SWAPS


@pytest.mark.parametrize(
    ("verdicts", "n_tries"),
    [("bb", 2), ("blbb", 4), ("lbb", 3)],
)
def test_ranked_moves_end_after_failures_in_a_row(
    monkeypatch: pytest.MonkeyPatch, verdicts: str, n_tries: int
) -> None:
    tries, script = 0, [{"l": "leads", "b": "behind"}[each] for each in verdicts]

    def tried(*_: Any) -> Any:
        nonlocal tries
        tries += 1
        return script.pop(0)

    monkeypatch.setattr(of_chains, "HOPELESS", 100.0)
    monkeypatch.setattr(Chain, "_try", tried)
    made, _ = chain_on(ROWS, [WRONG])
    made.start()
    made.move(n_swaps=0)
    assert tries == n_tries


def test_leader_with_suspects_is_widened_before_any_other_move(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first: list[Any] = []
    made, _ = chain_on(ROWS, [WRONG])
    made.start()
    leader = made.leader
    assert leader is not None
    leader.few = [1]

    def tried(_: Chain, changed: Any) -> Any:
        first.append(changed)
        return "behind"

    monkeypatch.setattr(Chain, "_try", tried)
    made.move(n_swaps=0)
    np.testing.assert_array_equal(first[0].resp_xx, widened(leader).resp_xx)

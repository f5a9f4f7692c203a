"""Random swaps: what they may do to the statistics, and how often."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES
from loops import ONE_THREAD
from searches import misplaced, outcome_from

from mixtura.covariance import CELEUX_GOVAERT
from mixtura.passes import Backend
from mixtura.search.swaps import SPREADS, WEIGHTS, swapped

BY = ONE_THREAD.algebra


def swap(outcome: Any, em: Any, rng: np.random.Generator, *, splits: bool) -> Any:
    return swapped(outcome, em.rows.source, np.ones(2), BY, rng, splits=splits)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_swap_by_splitting_leaves_two_halves_of_one_component(covariance_type: str) -> None:
    X, labels = misplaced()
    outcome, em = outcome_from(X, labels, covariance_type, n_iter=2)
    rng, seen = np.random.default_rng(0), set()
    for _ in range(40):
        changed = swap(outcome, em, rng, splits=True)
        halves = np.flatnonzero((changed.resp_sum == changed.resp_sum[:, None]).sum(axis=1) == 2)
        assert len(halves) == 2
        assert (changed.resp_sum > 0.0).all()
        seen.add((*map(int, halves), round(changed.resp_sum.sum()) == len(X)))
    assert {merges for *_, merges in seen} == {False, True}
    assert {pair for *pair, _ in map(list, seen) for pair in [tuple(pair)]} == {
        (0, 1), (0, 2), (1, 2)
    }  # fmt: skip


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_swap_to_a_row_has_a_component_about_it(covariance_type: str) -> None:
    X, labels = misplaced()
    weight = np.where(X[:, 0] > 5.0, 1.0, 2.0)
    weight[labels == 2] = 0.0
    X, labels, weight = (
        np.concatenate([X, X[:2]]),
        np.concatenate([labels, [2, 2]]),
        np.concatenate([weight, [3.0, 3.0]]),
    )
    outcome, em = outcome_from(X, labels, covariance_type, n_iter=0, sample_weight=weight)
    outcome.statistics = em.rows.accumulate(outcome.parameters.seen())
    rng, total = np.random.default_rng(0), weight.sum()
    drawn, shares, spreads = set(), set(), set()
    for _ in range(60):
        changed = swap(outcome, em, rng, splits=False)
        means = changed.means()
        at = (means[:, None] == X[weight > 0.0]).all(axis=2)
        new = int(np.flatnonzero(at.any(axis=1))[0])
        drawn.add(int(np.flatnonzero(at[new])[0]))
        shares.add(round(3.0 * changed.resp_sum[new] / total, 6))
        others = np.delete(changed.resp_xx, new, axis=0).sum(axis=0)
        rest = changed.resp_sum.sum() - changed.resp_sum[new]
        ratio = changed.resp_xx[new] / others * rest / changed.resp_sum[new]
        spreads.add(round(float(np.ravel(ratio)[0]), 6))
    assert shares == set(WEIGHTS)
    assert spreads == set(SPREADS)
    assert len(drawn) > 20


@pytest.mark.parametrize("name", CELEUX_GOVAERT)
@pytest.mark.parametrize("backend", [ONE_THREAD, Backend("reference", 1)], ids=lambda b: b.name)
@pytest.mark.parametrize("d", [1, 3])
def test_swap_of_every_family_gives_parameters_or_says_which_failed(
    d: int, backend: Backend, name: str
) -> None:
    """A component narrower than its model has no halves, as volumes are equal."""
    X, labels = misplaced(d=d)
    outcome, em = outcome_from(X, labels, name, n_iter=2, backend=backend)
    rng, n_good = np.random.default_rng(0), 0
    for i in range(8):
        changed = swapped(
            outcome, em.rows.source, X.std(axis=0), backend.algebra, rng, splits=i % 2 == 0  # type: ignore[attr-defined]
        )  # fmt: skip
        parameters, failed = em.update.update(changed, outcome.parameters)
        if not failed.any():
            n_good += 1
            assert np.isfinite(em.run(parameters, 2).objective)
    assert n_good == 8 if name[:2] != "EV" else n_good >= 4


def test_swap_takes_the_same_from_equal_random_numbers() -> None:
    X, labels = misplaced()
    outcome, em = outcome_from(X, labels, n_iter=2)
    one, other = (swap(outcome, em, np.random.default_rng(4), splits=False) for _ in range(2))
    np.testing.assert_array_equal(one.resp_xx, other.resp_xx)

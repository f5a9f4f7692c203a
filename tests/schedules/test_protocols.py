"""A schedule and an update of one's own, in a few lines each: the protocols are enough for them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, NamedTuple

import numpy as np
import pytest
from clusters import clustered, joint_log_density, objective
from helpers import EPS
from loops import Watched, em_on, mixture_of, start_of
from numpy.typing import NDArray
from scipy.special import logsumexp

from mixtura import Statistics, reference
from mixtura.parameters import Parameters, Seen
from mixtura.schedules import Look, Plain, Point, Squarem, Step
from mixtura.shapes import DIAG, Floats
from mixtura.updates import Update
from mixtura.updates.explain import explain

NOISE = 16.0 * EPS  # of two evaluations of the objective, as in test_em


# A schedule: the temperature goes down and up again, a few times


class CyclicState(NamedTuple):
    iteration: int = 0
    inverse_temperature: float = 0.4
    predicted_gain: float = math.inf


class Cyclic:
    """Some cycles of rising inverse temperature, one iteration at each; then it stays at one."""

    values = (0.4, 0.6, 0.8, 1.0)

    def __init__(self, n_cycles: int) -> None:
        self._n_cycles = n_cycles

    def begin(self, _: Point) -> CyclicState:
        return CyclicState()

    def several(self, *_: object) -> None:
        return None

    def disturbed(self, state: CyclicState) -> CyclicState:
        return state

    def step(self, state: CyclicState, point: Point, _: Look) -> Step:
        cycle, place = divmod(state.iteration + 1, len(self.values))
        value = self.values[place] if cycle < self._n_cycles else 1.0
        return Step(CyclicState(state.iteration + 1, value), point, finished=False)


def test_cyclic_schedule_steers_the_temperatures_of_the_passes() -> None:
    X, labels = clustered(spread=1.5)
    em = em_on(X, "diag", Cyclic(2))
    rows, parameters = Watched(em.rows), []
    outcome = replace(em, rows=rows).run(
        start_of(em, labels), 200, callback=lambda state: parameters.append(state.parameters)
    )
    found = [
        np.square(seen.precisions_cholesky / each.precisions_cholesky).mean()
        for seen, each in zip(rows.seen[1:], parameters, strict=True)
    ]
    expected = [*Cyclic.values, *Cyclic.values, *[1.0] * 192]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    for value, each, after in zip(expected, parameters, outcome.history, strict=True):
        joint = joint_log_density(X, mixture_of(each, "diag"))
        energy = (logsumexp(value * joint, axis=1) / value).mean()
        assert after == pytest.approx(energy, rel=1e-12)
    cold = outcome.history[7:]
    assert max(a - b for a, b in pairwise(cold)) <= NOISE * np.abs(cold).max()
    plain = replace(em, schedule=Plain(0.0)).run(start_of(em, labels), 1000)
    assert outcome.objective == pytest.approx(plain.objective, rel=1e-9)


# An update: a Laplace prior on the means


@dataclass(frozen=True)
class LaplaceMeans:
    """Diagonal components whose means have the prior density ``exp(-strength |mean|)``.

    First the means for the variances before, by soft thresholds; then the variances about them.
    """

    strength: Floats  # of each component
    m_step: ClassVar[None] = None

    def update(
        self, statistics: Statistics, previous: Parameters | None = None
    ) -> tuple[Parameters, NDArray[np.bool_]]:
        empty = statistics.resp_sum == 0.0
        centred, counts = statistics.centred(), (statistics.resp_sum + empty)[:, None]
        before = centred.resp_xx / counts if previous is None else previous.covariances
        threshold = self.strength[:, None] * before / counts
        means = np.sign(centred.centres) * np.maximum(np.abs(centred.centres) - threshold, 0.0)
        variances = centred.recentred(means).resp_xx / counts
        weights = statistics.resp_sum / statistics.resp_sum.sum()
        factors, singular = DIAG.factorise(variances, reference)
        return Parameters(weights, means, variances, factors, DIAG), singular | empty

    def as_seen(self, parameters: Parameters) -> tuple[Seen, float]:
        return parameters.seen(), 0.0

    def as_plain(self, parameters: Parameters) -> Seen:
        return self.as_seen(parameters)[0]

    def penalty(self, parameters: Parameters, weight_sum: float) -> float:
        return float(self.strength @ np.abs(parameters.means).sum(axis=1)) / weight_sum

    def select(self, components: NDArray[np.intp]) -> Update:
        return LaplaceMeans(self.strength[components])

    def explain(
        self,
        statistics: Statistics,
        parameters: Parameters,
        failed: NDArray[np.bool_],
        iteration: int,
        scale: Floats,
    ) -> str:
        return explain(statistics, parameters, failed, iteration, scale, None)


def penalised(X: Floats, parameters: Parameters, strength: Floats) -> float:
    penalty = (strength[:, None] * np.abs(parameters.means)).sum()
    return objective(X, mixture_of(parameters, "diag")) - penalty / len(X)


@pytest.mark.parametrize("strength", [0.0, 3.0, 100.0])
@pytest.mark.parametrize("spread", [1.0, 3.0])
def test_penalised_objective_with_a_laplace_prior_on_the_means_never_falls(
    strength: float, spread: float
) -> None:
    X, labels = clustered(400, 3, 3, spread=spread)
    update = LaplaceMeans(np.full(3, strength))
    em = replace(em_on(X, "diag"), update=update)
    start, found = start_of(em, labels), []
    outcome = em.run(start, 100, callback=lambda state: found.append(state.parameters))
    falls = [a - b for a, b in pairwise(outcome.history)]
    assert max(falls) <= NOISE * max(1.0, np.abs(outcome.history).max())
    assert outcome.history[-1] > outcome.history[0]
    for parameters, value in zip(found[::20], outcome.history[::20], strict=True):
        expected = penalised(X, parameters, update.strength)
        assert value == pytest.approx(expected, rel=1e-12)
    plain = em_on(X, "diag").run(start, 100)
    if strength == 0.0:
        np.testing.assert_allclose(outcome.history, plain.history, rtol=1e-12)
    else:
        assert outcome.objective > penalised(X, plain.parameters, update.strength)
        assert np.abs(outcome.parameters.means).sum() < np.abs(plain.parameters.means).sum()
    if strength == 100.0:
        assert (outcome.parameters.means == 0.0).any()


def test_end_with_a_laplace_prior_is_a_maximum_of_the_penalised_objective() -> None:
    X, labels = clustered(400, 3, 3)
    update = LaplaceMeans(np.full(3, 30.0))
    em = replace(em_on(X, "diag"), update=update)
    end = em.run(start_of(em, labels), 1000).parameters
    best = penalised(X, end, update.strength)
    rng = np.random.default_rng(0)
    for _ in range(50):
        step = 1e-3 * rng.normal(size=(2, *end.means.shape))
        other = end._replace(means=end.means + step[0], covariances=end.covariances + step[1])
        assert penalised(X, other, update.strength) < best


@pytest.mark.parametrize("accelerated", [False, True])
def test_schedules_and_updates_of_ones_own_go_together(accelerated: bool) -> None:
    X, labels = clustered(400, 3, 3, spread=1.0)
    update = LaplaceMeans(np.array([0.0, 5.0, 50.0]))
    schedule = Squarem(1e-10, EPS, X.std(axis=0)) if accelerated else Cyclic(2)
    em = replace(em_on(X, "diag", schedule), update=update)
    outcome = em.run(start_of(em, labels), 1500)
    cold = outcome.history if accelerated else outcome.history[7:]
    assert max(a - b for a, b in pairwise(cold)) <= NOISE * max(1.0, np.abs(cold).max())
    expected = penalised(X, outcome.parameters, update.strength)
    assert outcome.objective == pytest.approx(expected, rel=1e-12)
    if accelerated:
        plain = replace(em, schedule=Plain(1e-10)).run(start_of(em, labels), 3000)
        assert (outcome.stop_reason, plain.stop_reason) == ("converged", "converged")
        assert len(outcome.history) < len(plain.history)
        assert outcome.objective == pytest.approx(plain.objective, abs=1e-8)


def test_update_of_ones_own_is_asked_for_the_components_that_are_left() -> None:
    """Its strengths are those of components: they move with them when one is dropped."""
    X, labels = clustered(400, 3, 3)
    strength = np.array([1.0, 0.0, 100.0])
    em = replace(em_on(X, "diag", on_collapse="drop"), update=LaplaceMeans(strength))
    start = start_of(em, labels)
    far = start._replace(
        means=start.means + 1e4 * np.array([[0.0], [1.0], [0.0]]),
        covariances=np.full((3, 3), 0.01), precisions_cholesky=np.full((3, 3), 10.0),
    )  # fmt: skip
    outcome = em.run(far, 50)
    assert [(event.component, event.action) for event in outcome.events] == [(1, "dropped")]
    expected = penalised(X, outcome.parameters, strength[[0, 2]])
    assert outcome.objective == pytest.approx(expected, rel=1e-12)
    whole = em.run(far, 80)
    continued = em.run(outcome, 80)
    np.testing.assert_array_equal(continued.history, whole.history)

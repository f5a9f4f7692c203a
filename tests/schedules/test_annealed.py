"""Deterministic annealing: the temperatures, what passes see of them, and where fits end."""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pytest
from clusters import Rounding, clustered, joint_log_density
from helpers import COVARIANCE_TYPES, EPS, random_mixture, random_rows
from loops import Watched, at, em_on, largest_fall, mixture_of, never, start_of
from scipy.special import logsumexp, softmax

from mixtura import Statistics, fit_gmm
from mixtura.data import ArrayRows
from mixtura.parameters import Parameters, Seen
from mixtura.passes import Backend, RowsPass
from mixtura.passes.backend import BACKENDS
from mixtura.schedules import Annealed, AnnealedState, Look, LowerBound, Plain, Point, Squarem, Step
from mixtura.schedules.annealed import FIRST, GROWTH
from mixtura.schedules.plain import PlainState
from mixtura.schedules.squarem import SquaremState
from mixtura.shapes import DIAG, SHAPES, Floats

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
NOISE = 16.0 * EPS  # of two evaluations of the objective, as in test_em


# The rule


def rule() -> list[float]:
    """The inverse temperature of each pass, until it is one."""
    values = [FIRST]
    while values[-1] < 1.0:
        values.append(min(1.0, values[-1] * GROWTH))
    return values


def test_inverse_temperature_rises_to_exactly_one_by_the_rule() -> None:
    schedule = Annealed(Plain(1e-3))
    state = schedule.begin(at(-5.0))
    assert state == AnnealedState(FIRST)
    found = [state.inverse_temperature]
    for _ in range(8):
        point = at(-5.0)
        state, after, finished = schedule.step(state, point, never)
        assert after is point
        assert not finished
        assert state.inner is None
        assert state.predicted_gain == math.inf
        found.append(state.inverse_temperature)
    assert found == rule()
    assert found[:3] == [0.5, 0.55, pytest.approx(0.605)]
    assert found[-1] == 1.0
    assert np.all(np.diff(found) > 0.0)


def test_passes_of_an_annealed_fit_are_made_at_the_temperatures_of_the_rule() -> None:
    """The first pass is under the start itself; then sqrt(b) times the factors are seen."""
    X, labels = clustered()
    em = em_on(X, "spherical", Annealed(Plain(0.0)))
    rows, parameters = Watched(em.rows), []
    replace(em, rows=rows).run(
        start_of(em, labels), 12, callback=lambda state: parameters.append(state.parameters)
    )
    found = [
        seen.precisions_cholesky / each.precisions_cholesky
        for seen, each in zip(rows.seen[1:], parameters, strict=True)
    ]
    expected = np.sqrt([*rule(), 1.0, 1.0, 1.0])
    np.testing.assert_allclose(found, expected[:, None] * np.ones(3), rtol=1e-15)
    assert rows.seen[-1].precisions_cholesky is parameters[
        -1
    ].precisions_cholesky or np.shares_memory(
        rows.seen[-1].precisions_cholesky, parameters[-1].precisions_cholesky
    )


@pytest.mark.parametrize(
    ("inner", "states"),
    [
        (Plain(1e-3), PlainState),
        (Squarem(1e-3, EPS, np.ones(2)), SquaremState),
        (LowerBound(1e-3), tuple),
    ],
    ids=["plain", "squarem", "lower bound"],
)
def test_inner_schedule_decides_once_the_inverse_temperature_is_one(
    inner: Plain | LowerBound, states: type
) -> None:
    schedule = Annealed(inner)
    state = AnnealedState(1.0)
    expected = inner.begin(at(-5.0))
    finished = False
    for objective in [-5.0, -4.0, -4.0 + 1e-9, -4.0 + 1e-9]:
        point = at(objective, None)
        state, after, finished = schedule.step(state, point, never)
        step = inner.step(expected, point, never)
        expected = step.state
        assert isinstance(state.inner, states)
        assert (state.inner, after, finished) == (expected, step.point, step.finished)
        assert state.inverse_temperature == 1.0
        assert state.predicted_gain == expected.predicted_gain
    assert finished


def test_point_that_the_inner_schedule_has_found_is_where_the_fit_continues() -> None:
    """Such as the end of an extrapolation."""
    better = at(-1.0)

    class Moving(Plain):
        def step(self, state: PlainState, point: Point, look: Look) -> Step:
            return super().step(state, point, look)._replace(point=better)

    step = Annealed(Moving(1e-3)).step(AnnealedState(1.0), at(-2.0), never)
    assert step.point is better


def test_disturbance_of_an_annealed_fit_keeps_its_temperature() -> None:
    schedule = Annealed(Plain(1e-3))
    assert schedule.disturbed(AnnealedState(0.7)) == AnnealedState(0.7)
    late = AnnealedState(1.0, PlainState((-2.0, -1.0), 0.5))
    assert schedule.disturbed(late) == AnnealedState(1.0, PlainState())


# What a pass sees


@every_type
@pytest.mark.parametrize("b", [1e-3, 0.3, 1.0, 1.7])
@pytest.mark.parametrize("backend", BACKENDS)
def test_pass_under_tempered_components_shares_rows_by_powers_of_the_densities(
    backend: str, b: float, covariance_type: str
) -> None:
    rng = np.random.default_rng(1)
    mixture = random_mixture(rng, covariance_type, 4, 3)
    X = random_rows(rng, mixture, 300)
    shape = SHAPES[covariance_type]
    seen = Seen.of_factors(mixture.weights, mixture.means, mixture.factors, shape)
    tempered, offset = seen.tempered(b)
    joint = BACKENDS["reference"].log_density(X, **mixture.components) + np.log(mixture.weights)
    rows = RowsPass(ArrayRows(X), shape, Backend(backend, 1))
    resp, log_prob = np.empty((300, 4)), np.empty(300)
    rows.evaluate(tempered, resp=resp, log_prob=log_prob)
    np.testing.assert_allclose(resp, softmax(b * joint, axis=1), rtol=1e-11, atol=1e-300)
    np.testing.assert_allclose(log_prob + offset, logsumexp(b * joint, axis=1), rtol=1e-11)
    statistics = rows.accumulate(tempered)
    np.testing.assert_allclose(statistics.resp_sum, resp.sum(axis=0), rtol=1e-12)
    assert tempered.means is seen.means


@every_type
def test_tempered_components_without_weight_get_no_rows(covariance_type: str) -> None:
    rng = np.random.default_rng(2)
    mixture = random_mixture(rng, covariance_type, 3, 2)
    weights = np.array([0.4, 0.0, 0.6])
    shape = SHAPES[covariance_type]
    seen = Seen.of_factors(weights, mixture.means, mixture.factors, shape).tempered(0.5)[0]
    rows = RowsPass(ArrayRows(random_rows(rng, mixture, 50)), shape, Backend(n_threads=1))
    assert rows.accumulate(seen).resp_sum[1] == 0.0


@every_type
def test_tempered_covariances_are_the_inverses_of_the_precisions(covariance_type: str) -> None:
    """Bounds that are carried from one temperature to the next rely on that."""
    X, labels = clustered()
    em = em_on(X, covariance_type)
    seen = start_of(em, labels).seen().tempered(0.3)[0]
    matrices, factors = (
        seen.shape.matrices(array, 3, 2) for array in (seen.covariances, seen.precisions_cholesky)
    )
    identities = matrices @ factors @ factors.transpose(0, 2, 1)
    np.testing.assert_allclose(identities, np.broadcast_to(np.eye(2), (3, 2, 2)), atol=1e-12)


# The objective


class HeldState(NamedTuple):
    inverse_temperature: float
    predicted_gain: float = math.inf


@dataclass
class Held:
    """Iterates at one temperature without end."""

    inverse_temperature: float

    def begin(self, _: Point) -> HeldState:
        return HeldState(self.inverse_temperature)

    def several(self, *_: object) -> None:
        return None

    def disturbed(self, state: HeldState) -> HeldState:
        return state

    def step(self, state: HeldState, point: Point, _: object) -> Step:
        return Step(state, point, finished=False)


def free_energy(X: Floats, joint: Floats, b: float, sample_weight: Floats | None = None) -> float:
    """The mean of ``1/b log sum_j (w_j N_ij)^b``."""
    assert len(joint) == len(X)
    return float(np.average(logsumexp(b * joint, axis=1) / b, weights=sample_weight))


@every_type
@pytest.mark.parametrize("b", [0.2, 0.6, 1.0])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_objective_at_a_temperature_is_the_free_energy(
    covariance_type: str, b: float, ridge: float, weighted: bool
) -> None:
    X, labels = clustered(seed=1)
    ridges = ridge * np.array([1.0, 3.0])
    rng = np.random.default_rng(5)
    sample_weight = rng.choice([0.0, 0.5, 1.0, 3.0], size=len(X)) if weighted else None
    em = em_on(X, covariance_type, Held(b), ridge=ridges, sample_weight=sample_weight)
    outcome = em.run(start_of(em, labels), 3)
    model = mixture_of(outcome.parameters, covariance_type)
    expected = free_energy(X, joint_log_density(X, model, ridges), b, sample_weight)
    assert outcome.objective == pytest.approx(expected, rel=Rounding(X, model).relative)


@every_type
@pytest.mark.parametrize("b", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
@pytest.mark.parametrize("spread", [1.0, 4.0])
def test_objective_at_one_temperature_never_falls(
    covariance_type: str, b: float, ridge: float, spread: float
) -> None:
    X, _ = clustered(400, 3, 4, spread=spread)
    labels = np.random.default_rng(0).integers(4, size=len(X))
    em = em_on(X, covariance_type, Held(b), ridge=ridge)
    outcome = em.run(start_of(em, labels), 60)
    assert len(outcome.events) <= 1
    size = max(1.0, np.abs(outcome.history).max()) / b  # of what is divided by b in the end
    assert largest_fall(outcome.history, outcome.events) <= NOISE * size
    assert outcome.history[-1] > outcome.history[0]


class HeldAndLooking(Held):
    """Looks, after each iteration, where the next one will lead."""

    def __init__(self, inverse_temperature: float) -> None:
        super().__init__(inverse_temperature)
        self.found: list[float] = []

    def step(self, state: HeldState, point: Point, look: Look) -> Step:
        there = look(point.statistics)
        assert there is not None
        self.found.append(there.objective)
        return super().step(state, point, look)


@pytest.mark.parametrize("b", [0.5, 1.0])
def test_look_ahead_is_made_at_the_temperature_of_the_iteration(b: float) -> None:
    X, labels = clustered()
    schedule = HeldAndLooking(b)
    em = em_on(X, "full", schedule)
    outcome = em.run(start_of(em, labels), 6)
    assert schedule.found[:-1] == outcome.history[1:]


class Emptying:
    """A pass over no rows: component 0 is empty after the third, and the first ones are higher."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def follow(self, *_: object) -> None:
        return None

    def accumulate(self, seen: Seen) -> Statistics:
        self.seen.append(seen)
        k = len(seen.means)
        resp_sum = np.where((np.arange(k) == 0) & (len(self.seen) == 3), 0.0, 10.0)
        sums = np.zeros((k, 1)), 10.0 * np.ones((k, 1))
        return Statistics("diag", seen.means, resp_sum, *sums, -10.0 * len(self.seen), 10.0 * k)


@pytest.mark.parametrize("schedule", [Annealed(Plain(0.0)), Plain(0.0)], ids=["annealed", "plain"])
def test_parameters_from_before_a_recovery_are_kept_only_where_temperatures_are_one(
    schedule: Annealed | Plain,
) -> None:
    """The objective at another temperature says nothing of how good they are."""
    rows, ones = Emptying(), np.ones((3, 1))
    em = replace(em_on(np.array([[-1.0], [1.0]]), "diag", schedule), rows=rows)
    outcome = em.run(Parameters(np.full(3, 1 / 3), np.eye(3)[:, :1], ones, ones, DIAG), 12)
    assert [event.action for event in outcome.events] == ["reseeded"]
    assert outcome.history[1] > outcome.history[-1]
    kept = rows.seen[2 if isinstance(schedule, Plain) else -1]
    assert outcome.parameters.means is kept.means


# Whole fits


@every_type
@pytest.mark.parametrize("accelerate", [False, True])
def test_annealed_fit_from_a_good_start_ends_at_the_maximum_of_plain_iterations(
    covariance_type: str, accelerate: bool
) -> None:
    X, labels = clustered(spread=6.0)
    settings = {
        "covariance_type": covariance_type, "init": labels, "tol": 1e-12, "reg_covar": 0.0,
        "accelerate": accelerate,
    }  # fmt: skip
    plain, annealed = (fit_gmm(X, 3, em=em, **settings) for em in ("soft", "annealed"))
    assert plain.converged
    assert annealed.converged
    assert annealed.n_iter > len(rule())
    assert annealed.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-9)
    np.testing.assert_allclose(annealed.model.means, plain.model.means, rtol=1e-4)
    assert annealed.history[-1] == pytest.approx(annealed.log_likelihood / len(X), rel=1e-12)


@pytest.mark.parametrize("first", [3, len(rule()) - 1, len(rule()), len(rule()) + 3])
def test_annealed_fit_that_is_continued_ends_with_the_bits_of_one_run(first: int) -> None:
    X, labels = clustered(spread=1.5)
    em = em_on(X, "full", Annealed(Squarem(1e-12, EPS, X.std(axis=0))))
    start = start_of(em, labels)
    whole = em.run(start, 40)
    parts = em.run(em.run(start, first), 40)
    assert len(whole.history) > first + 3
    assert parts.history == whole.history
    for one, other in zip(parts.parameters.arrays(), whole.parameters.arrays(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("max_iter", [1, 3, 8, 9, 10])
@pytest.mark.parametrize("reg_covar", [0.0, 0.1])
def test_annealed_fit_that_ends_early_reports_the_likelihood_of_its_model(
    max_iter: int, reg_covar: float
) -> None:
    """Whatever the temperature of its last pass was, which the history has."""
    X, labels = clustered()
    fit = fit_gmm(X, 3, init=labels, em="annealed", tol=0.0, max_iter=max_iter, reg_covar=reg_covar)
    assert fit.log_likelihood == pytest.approx(fit.model.log_likelihood(X), rel=1e-12)
    b = [*rule(), 1.0][max_iter - 1]
    joint = joint_log_density(X, fit.model, reg_covar * X.var(axis=0))
    assert fit.history[-1] == pytest.approx(free_energy(X, joint, b), rel=1e-12)
    resp = fit.model.responsibilities(X)
    entropy = -np.where(resp > 0.0, resp * np.log(np.where(resp > 0.0, resp, 1.0)), 0.0).sum()
    assert fit.entropy == pytest.approx(entropy, rel=1e-9)

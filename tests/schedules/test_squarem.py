"""Extrapolation steps: where they lead, that nothing falls, and that they save passes."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from clusters import clustered
from helpers import COVARIANCE_TYPES, EPS
from loops import Watched, at, em_on, never, start_of

from mixtura import datasets, fit_gmm, reference
from mixtura.schedules import Look, Plain, Point, Schedule, Squarem, SquaremState, Step
from mixtura.schedules.plain import PlainState
from mixtura.schedules.squarem import (
    CONFIRM,
    FIRST_LENGTH,
    LARGE_GAIN,
    LEAST_LENGTH,
    PATIENCE,
    STRETCH,
)
from mixtura.shapes import Floats, ShapeName
from mixtura.statistics import Statistics

K, D = 3, 2
SCALE = np.array([1e-3, 1e4])
NOISE = 64.0 * EPS
SUMS = ("resp_sum", "resp_x", "resp_xx")
PATIENT = SquaremState(plain=PATIENCE)  # has seen its plain iterations
every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


def overlapping(n: int = 2000) -> Floats:
    """Rows of two close components, three quarters from the first."""
    rng = np.random.default_rng(0)
    return np.where(rng.random((n, 1)) < 0.75, 0.0, 1.6) + rng.normal(size=(n, 1))


def statistics(covariance_type: ShapeName, seed: int) -> Statistics:
    """Of rows drawn anew: a hundred in each of three components."""
    rng = np.random.default_rng(seed)
    X, resp = SCALE * rng.normal(size=(300, D)), rng.dirichlet(np.ones(K), 300)
    return reference.accumulate_resp(X, resp, np.zeros((K, D)), covariance_type=covariance_type)


def on_the_way(limit: Statistics, gap: Statistics, share: float) -> Statistics:
    """`limit` plus a share of `gap`, whose centres are the same."""
    sums = {name: getattr(limit, name) + share * getattr(gap, name) for name in SUMS}
    return replace(limit, **sums)


@dataclass
class Lookout:
    """Keeps the statistics of every extrapolation, and says how high it ends; None for nowhere."""

    objective: float | None = 0.0
    ahead: list[Statistics] = field(default_factory=list)

    def __call__(self, ahead: Statistics) -> Point | None:
        self.ahead.append(ahead)
        return None if self.objective is None else at(self.objective, ahead)


def led(
    state: SquaremState, sequence: list[Statistics], look: Look, objective: float = 0.0
) -> Step:
    """What the schedule decides after the last of some iterations."""
    schedule = Squarem(1e-6, EPS, SCALE)
    for found in sequence:
        step = schedule.step(state, at(objective, found), look)
        state = step.state
    return step


def of_rate(covariance_type: ShapeName, rate: float) -> list[Statistics]:
    """Three iterations that approach a limit at one rate."""
    limit, gap = statistics(covariance_type, 1), statistics(covariance_type, 2)
    return [on_the_way(limit, gap, rate**i) for i in range(3)]


# One extrapolation


def test_first_iterations_are_plain() -> None:
    schedule, limit, gap = Squarem(1e-6, EPS, SCALE), statistics("diag", 1), statistics("diag", 2)
    sequence = [on_the_way(limit, gap, 0.9**i) for i in range(PATIENCE + 3)]
    state = schedule.begin(at(-1.0))
    assert state == SquaremState()
    for i, found in enumerate(sequence[:-1]):
        point = at(1e-4 * i, found)
        state, after, _ = schedule.step(state, point, never)
        assert after is point
    assert state.plain == PATIENCE + 2
    assert state.seen == tuple(sequence[-3:-1])
    look = Lookout(objective=100.0)
    _, after, _ = schedule.step(state, at(1e-4 * i, sequence[-1]), look)
    assert after.statistics is look.ahead[0]


@every_type
@pytest.mark.parametrize("rate", [0.3, 0.7])
def test_extrapolation_along_one_direction_of_linear_convergence_ends_in_the_limit(
    covariance_type: ShapeName, rate: float
) -> None:
    limit, seen = statistics(covariance_type, 1), of_rate(covariance_type, rate)
    seen[1] = seen[1].recentred(seen[1].means())
    look = Lookout()
    led(PATIENT, seen, look)
    (ahead,) = look.ahead
    ahead = ahead.recentred(limit.centres)
    np.testing.assert_allclose(ahead.resp_sum, limit.resp_sum, rtol=1e-12)
    for name in ("resp_x", "resp_xx"):
        expected = getattr(limit, name)
        np.testing.assert_allclose(getattr(ahead, name) / expected, 1.0, rtol=1e-9, err_msg=name)


@every_type
def test_extrapolation_is_s0_and_twice_a_r_and_a_squared_v(covariance_type: ShapeName) -> None:
    """By the formula, with the length |r| / |v| in units of the features."""
    seen = [statistics(covariance_type, seed) for seed in range(3)]
    for i, each in enumerate(seen):
        seen[i] = replace(
            on_the_way(seen[0], each, 0.1 * i * (3 - i)),
            extras={"count": 10.0 + i * (3 - i), "outer": np.eye(2) * i**2},
            log_likelihood=float(i),
        )
    square = {
        "full": np.outer(SCALE, SCALE), "tied": np.outer(SCALE, SCALE), "diag": SCALE**2,
        "spherical": SCALE @ SCALE,
    }[covariance_type]  # fmt: skip
    units = {"resp_sum": 1.0, "resp_x": SCALE, "resp_xx": square}
    values = {name: [getattr(each, name) for each in seen] for name in SUMS}
    r = {name: s1 - s0 for name, (s0, s1, _) in values.items()}
    v = {name: (s2 - s1) - (s1 - s0) for name, (s0, s1, s2) in values.items()}
    size_r, size_v = (
        np.sqrt(sum(np.square(part[name] / units[name]).sum() for name in SUMS)) for part in (r, v)
    )
    a = size_r / size_v
    assert 1.0 < a < FIRST_LENGTH
    look = Lookout()
    state = led(PATIENT, seen, look).state
    (ahead,) = look.ahead
    for name in SUMS:
        expected = values[name][0] + 2.0 * a * r[name] + a * a * v[name]
        np.testing.assert_allclose(getattr(ahead, name), expected, rtol=1e-9, err_msg=name)
    count, outer = ([each.extras[name] for each in seen] for name in ("count", "outer"))
    for name, (s0, s1, s2) in {"count": count, "outer": outer}.items():
        expected = s0 + 2.0 * a * (s1 - s0) + a * a * (s2 - 2.0 * s1 + s0)
        np.testing.assert_allclose(ahead.extras[name], expected, rtol=1e-9, err_msg=name)
    assert ahead.weight_sum == pytest.approx(300.0, rel=1e-12)
    assert state.slowest == pytest.approx(a, rel=1e-9)


def test_extrapolation_of_statistics_that_hardly_turn_is_bounded() -> None:
    limit, gap = statistics("diag", 1), statistics("diag", 2)
    look = Lookout()
    led(PATIENT, of_rate("diag", 0.999), look)
    (ahead,) = look.ahead
    # limit + (1 + 2 a (rate - 1) + a^2 (1 - rate)^2) gap = limit + (1 - a (1 - rate))^2 gap
    left = ((ahead.resp_sum - limit.resp_sum) / gap.resp_sum).mean()
    assert (1.0 - np.sqrt(left)) / 0.001 == pytest.approx(FIRST_LENGTH)


def test_extrapolation_no_longer_than_an_iteration_is_none() -> None:
    """Where |r| <= |v|, the third iteration is already as far."""
    limit, gap = statistics("diag", 1), statistics("diag", 2)
    seen = [on_the_way(limit, gap, share) for share in (0.3, 0.2, 0.3)]
    step = led(PATIENT, seen, never)
    assert step.point.statistics is seen[-1]
    assert step.state.longest == FIRST_LENGTH
    assert step.state.seen == (seen[-1],)


def test_extrapolations_grow_while_they_are_taken_and_shrink_when_refused() -> None:
    seen = of_rate("diag", 0.999)
    taken = led(PATIENT, seen, Lookout(1.0)).state
    assert taken.longest == FIRST_LENGTH * STRETCH
    refused = led(taken._replace(seen=()), seen, Lookout(-1.0)).state
    assert refused.longest == FIRST_LENGTH
    lost = led(refused._replace(seen=()), seen, Lookout(None)).state
    assert lost.longest == max(FIRST_LENGTH / STRETCH, LEAST_LENGTH)
    again = led(lost._replace(seen=()), seen, Lookout(None)).state
    assert again.longest == LEAST_LENGTH
    shorter = led(PATIENT, of_rate("diag", 0.5), Lookout(1.0)).state
    assert shorter.longest == FIRST_LENGTH  # it was not of the longest length


@pytest.mark.parametrize(("objective", "taken"), [(-1e-9, False), (0.0, True), (1e-9, True)])
def test_extrapolation_that_ends_lower_is_not_taken(objective: float, taken: bool) -> None:
    seen, look = of_rate("diag", 0.7), Lookout(objective)
    step = led(PATIENT, seen, look)
    assert (step.point.statistics is look.ahead[0]) == taken
    assert (step.point.statistics is seen[-1]) != taken
    assert step.point.objective == (objective if taken else 0.0)
    assert step.state.seen == (step.point.statistics,)


@pytest.mark.parametrize("objective", [np.nan, None])
def test_extrapolation_that_ends_nowhere_is_not_taken(objective: float | None) -> None:
    seen = of_rate("diag", 0.7)
    step = led(PATIENT, seen, Lookout(objective))
    assert step.point.statistics is seen[-1]
    assert step.state.longest < FIRST_LENGTH


@every_type
def test_extrapolation_to_sums_that_no_rows_have_is_refused(covariance_type: ShapeName) -> None:
    """Along this gap a component loses its weight."""
    limit, gap = statistics(covariance_type, 1), statistics(covariance_type, 2)
    below = replace(limit, resp_sum=0.0 * gap.resp_sum - 0.1)
    seen = [on_the_way(below, gap, 0.7**i) for i in range(3)]
    step = led(PATIENT, seen, never)
    assert step.point.statistics is seen[-1]
    assert step.state.longest < FIRST_LENGTH


def test_schedule_after_a_disturbance_begins_anew() -> None:
    state = led(PATIENT, of_rate("diag", 0.7), Lookout(1.0)).state
    assert state != SquaremState()
    assert Squarem(1e-6, EPS, SCALE).disturbed(state) == SquaremState()


def test_gain_predicted_after_an_extrapolation_is_the_last_gain_times_the_slowest_rate() -> None:
    """Aitken's extrapolation is of no use there: extrapolations gain more than what went before."""
    schedule = Squarem(1e-6, EPS, SCALE)
    first = led(PATIENT, of_rate("diag", 0.7), Lookout(1.0))
    slowest = first.state.slowest
    assert slowest == pytest.approx(1.0 / (1.0 - 0.7), rel=1e-6)
    after = schedule.step(first.state, at(1.25, statistics("diag", 1)), never).state
    assert after.predicted_gain == pytest.approx(0.25 * slowest)
    fallen = schedule.step(first.state, at(0.75, statistics("diag", 1)), never).state
    assert fallen.predicted_gain == np.inf


@pytest.mark.parametrize(("gain", "n_steps"), [(2.0 * LARGE_GAIN, 0), (0.5 * LARGE_GAIN, 1)])
def test_extrapolations_begin_when_iterations_gain_little(gain: float, n_steps: int) -> None:
    schedule, state, look = Squarem(1e-9, EPS, SCALE), PATIENT, Lookout(1.0)
    for i, found in enumerate(of_rate("diag", 0.7)):
        state, _, _ = schedule.step(state, at(gain * i, found), look)
    assert len(look.ahead) == n_steps


@pytest.mark.parametrize(("rate", "ends"), [(0.5, True), (1.01, False)])
def test_end_after_extrapolations_is_confirmed_by_plain_iterations(rate: float, ends: bool) -> None:
    """Gains that grow are those of a plateau, however small they are."""
    schedule = Squarem(1.0, EPS, SCALE)
    state = PATIENT._replace(recent=(-1.0,), slowest=2.0)
    finished, height = [], -1.0
    for i in range(CONFIRM + 1):
        height += 0.1 * rate**i
        point = at(height, statistics("diag", 1))
        state, after, end = schedule.step(state, point, never)
        assert after is point
        finished.append(end)
    assert finished == [False] * CONFIRM + [ends]
    assert (state.confirming == 0) == (not ends)


# Whole fits


@every_type
@pytest.mark.parametrize("reg_covar", [0.0, 1e-6, 0.1])
@pytest.mark.parametrize("name", ["faithful", "iris", "banknote", "galaxies"])
def test_objective_of_an_accelerated_fit_never_falls(
    name: str, covariance_type: str, reg_covar: float
) -> None:
    X = getattr(datasets, f"load_{name}")().data
    fit = fit_gmm(
        X, 3, covariance_type=covariance_type, reg_covar=reg_covar, tol=1e-12, max_iter=3000,
        init="random", n_init=1, rng=3,
    )  # fmt: skip
    named = {event.iteration for event in fit.events}
    falls = [
        fit.history[i] - fit.history[i + 1] for i in range(fit.n_iter - 1) if i + 2 not in named
    ]
    assert max(falls, default=0.0) <= NOISE * max(1.0, np.abs(fit.history).max())


@dataclass
class Heights:
    """Statistics before and after each step of a schedule, and the steps' objectives."""

    inner: Schedule
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)

    def begin(self, start: Point) -> object:
        return self.inner.begin(start)

    def several(self, *_: object) -> None:
        return None

    def disturbed(self, state: object) -> object:
        return self.inner.disturbed(state)

    def step(self, state: object, point: Point, look: Look) -> Step:
        step = self.inner.step(state, point, look)
        self.before.append(point.objective)
        self.after.append(step.point.objective)
        return step


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_accelerated_fit_of_overlapping_components_reaches_the_same_stop_in_fewer_passes(
    covariance_type: str,
) -> None:
    X = overlapping()
    labels = (X[:, 0] > np.quantile(X, 0.75)).astype(np.int64)
    n_passes, ends = [], []
    for schedule in (Plain(1e-6), Squarem(1e-6, EPS, X.std(axis=0))):
        em = em_on(X, covariance_type, schedule)
        rows = Watched(em.rows)
        ends.append(replace(em, rows=rows).run(start_of(em, labels), 5000))
        n_passes.append(len(rows.seen))
    plain, fewer = n_passes
    assert [end.stop_reason for end in ends] == ["converged"] * 2
    assert plain > 60
    assert fewer <= plain / 2
    limit = em_on(X, covariance_type).run(ends[-1].parameters, 5000).objective
    for end in ends:
        assert -1e-12 <= limit - end.objective <= 1e-6


@every_type
def test_extrapolations_of_a_fit_are_taken_and_lead_no_lower(covariance_type: str) -> None:
    X, labels = clustered(spread=1.0)
    heights = Heights(Squarem(1e-9, EPS, X.std(axis=0)))
    em = em_on(X, covariance_type, heights, ridge=1e-3)
    outcome = em.run(start_of(em, labels), 500)
    assert outcome.stop_reason == "converged"
    assert heights.after == outcome.history
    gains = np.subtract(heights.after, heights.before)
    assert gains.min() >= 0.0
    assert (gains > 0.0).sum() > 1
    assert (gains[:PATIENCE] == 0.0).all()


@pytest.mark.parametrize("em", ["soft", "hard"])
def test_fit_of_tolerance_zero_makes_plain_iterations(em: str) -> None:
    X = overlapping(300)
    init = fit_gmm(X, 2, rng=0, max_iter=1, tol=0.0, n_init=1).model
    plain, accelerated = (
        fit_gmm(
            X, 2, rng=0, tol=0.0, max_iter=50, n_init=1, accelerate=accelerate, init=init, em=em
        )
        for accelerate in (False, True)
    )
    assert plain.history.tolist() == accelerated.history.tolist()


def test_accelerated_fit_does_not_depend_on_units() -> None:
    X, labels = clustered(spread=1.0)
    one, other = (
        fit_gmm(X * unit, 3, init=labels, tol=1e-9)
        for unit in (np.ones(2), np.array([2.0**-30, 2.0**20]))
    )
    assert one.n_iter == other.n_iter > PATIENCE + 3
    np.testing.assert_allclose(one.history + 10 * np.log(2.0), other.history, rtol=1e-8)


BROKEN = {
    "negative": lambda s: replace(s, resp_sum=s.resp_sum * np.array([-1.0, 1.0, 1.0])),
    "indefinite": lambda s: replace(s, resp_xx=-s.resp_xx),
    "lower": lambda s: replace(s, resp_xx=100.0 * s.resp_xx),
}


class Extrapolating(Plain):
    """Looks, after every iteration, at statistics that lead nowhere, or lower."""

    def __init__(self, broken: str) -> None:
        super().__init__(1e-6)
        self._broken = BROKEN[broken]
        self.ends: list[Point | None] = []

    def several(self, *_: object) -> None:
        return None

    def step(self, state: PlainState, point: Point, look: Look) -> Step:
        there = look(self._broken(point.statistics))
        self.ends.append(there)
        assert there is None or there.objective < point.objective
        return super().step(state, point, look)


@pytest.mark.parametrize("broken", BROKEN)
def test_look_that_leads_nowhere_or_lower_changes_nothing(broken: str) -> None:
    X, labels = clustered(spread=1.5, seed=3)
    schedule = Extrapolating(broken)
    em = em_on(X, "full", Plain(1e-6))
    start = start_of(em, labels)
    plain = em.run(start, 1000)
    accelerated = replace(em, schedule=schedule).run(start, 1000)
    assert accelerated.history == plain.history
    assert len(schedule.ends) == len(plain.history)
    assert all((end is not None) == (broken == "lower") for end in schedule.ends)

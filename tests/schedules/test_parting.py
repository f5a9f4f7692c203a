"""Components that are alike where iterations stop: they are parted, and the objective gains."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES
from loops import at, em_on, mixture_of, parameters_of

from mixtura import GaussianMixture, datasets, fit_gmm
from mixtura.covariance import FAMILIES
from mixtura.parameters import Parameters
from mixtura.schedules import Look, Parting, Plain, PlainState, Point, Step
from mixtura.schedules.parting import MOST_PARTINGS, SOON, PartingState, alike
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

ACIDITY = datasets.load_acidity().data
FAITHFUL = datasets.load_faithful().data
BEST = {"acidity": -185.949264, "faithful": -1140.186759}


def random_responsibilities(n: int, k: int, seed: int) -> Floats:
    return np.random.default_rng(seed).dirichlet(np.ones(k), n)


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("accelerate", [False, True])
@pytest.mark.parametrize("name", BEST)
def test_fit_from_random_responsibilities_does_not_stop_where_components_are_alike(
    name: str, accelerate: bool, seed: int
) -> None:
    X, family = {"acidity": (ACIDITY, "E"), "faithful": (FAITHFUL, "tied")}[name]
    init = random_responsibilities(len(X), 2, seed)
    fit = fit_gmm(X, 2, covariance_type=family, init=init, accelerate=accelerate, max_iter=3000)
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(BEST[name], abs=1e-3)
    assert np.diff(fit.history).min() >= -1e-12


@pytest.mark.parametrize("seed", range(3))
def test_component_that_became_light_beside_one_it_is_like_is_parted_from_it(seed: int) -> None:
    """Two groups take one component each, and the others lose all but a share of a row."""
    rng = np.random.default_rng(7)
    X = np.vstack([rng.normal(size=(500, 1)) + centre for centre in (0.0, 2.5, 20.0, 22.5)])
    fit = fit_gmm(X, 4, init=random_responsibilities(len(X), 4, seed))
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(-5110.664, abs=1e-2)
    assert np.diff(fit.history).min() >= -1e-12


def mixture(means: Any, covariance_type: str, weights: Any = None) -> GaussianMixture:
    k, d = np.shape(means)
    matrices = np.tile(np.eye(d) + 0.5 * (np.eye(d) == 0.0), (k, 1, 1))
    covariances = FAMILIES[covariance_type].shape.from_matrices(matrices)
    weights = np.full(k, 1.0 / k) if weights is None else weights
    return GaussianMixture(weights, means, covariances, covariance_type)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_alike_are_components_half_a_deviation_apart_at_most(covariance_type: str) -> None:
    def groups(*offsets: float, weights: Any = None) -> list[list[int]]:
        means = np.array([[offset, 0.0] for offset in offsets])
        parameters = parameters_of(mixture(means, covariance_type, weights))
        return [group.tolist() for group in alike(parameters)]

    assert groups(0.0, 3.0, 6.0) == []
    assert groups(0.0, 3.0, 0.0) == [[0, 2]]
    assert groups(0.0, 0.4, 6.0) == [[0, 1]]
    assert groups(0.0, 0.7, 6.0) == []
    assert groups(0.0, 0.0, 6.0, 6.1, weights=[0.1, 0.2, 0.4, 0.3]) == [[2, 3], [1, 0]]
    assert groups(0.0, 0.0, weights=[1.0, 0.0]) == []
    assert groups(0.0, 0.0, 6.0, 6.1, weights=[1.0 - 4e-4, 1e-4, 1e-4, 2e-4]) == [[0, 1]]


def test_alike_are_no_components_whose_covariances_differ() -> None:
    one = mixture(np.zeros((2, 2)), "full")
    parameters = GaussianMixture(one.weights, one.means, [np.eye(2), 2.0 * np.eye(2)], "full")
    assert alike(parameters_of(parameters)) == []


class Recorded:
    """Keeps what it is asked to look at, and answers with given objectives in turn."""

    def __init__(self, at: Point, *objectives: float) -> None:
        self.asked: list[Statistics] = []
        self._at, self._objectives = at, list(objectives)

    def __call__(self, statistics: Statistics) -> Point | None:
        self.asked.append(statistics)
        return self._at._replace(statistics=statistics, objective=self._objectives.pop(0))


class Over:
    """A schedule that stops at once."""

    def begin(self, start: Point) -> PlainState:  # noqa: ARG002
        return PlainState()

    def several(self, *_: object) -> None:
        return None

    def disturbed(self, state: PlainState) -> PlainState:  # noqa: ARG002
        return PlainState()

    def step(self, state: PlainState, point: Point, look: Look) -> Step:  # noqa: ARG002
        return Step(PlainState((point.objective,), 0.5), point, finished=True)


def stopped(covariance_type: str, means: Any, X: Floats = FAITHFUL) -> Point:
    """A point with some means at which the schedule of ordinary iterations stops."""
    k = len(means)
    resp = random_responsibilities(len(X), k, 0)
    begin = fit_gmm(X, k, covariance_type=covariance_type, init=resp, tol=0.0, max_iter=1)
    parameters = parameters_of(begin.model)._replace(means=np.asarray(means, dtype=float))
    outcome = em_on(X, covariance_type).run(parameters, 0)
    assert outcome.statistics is not None
    return Point(parameters, outcome.statistics, -4.0)


def parting(tol: float = 1e-6) -> Parting:
    return Parting(Over(), tol, 1e-16, FAITHFUL.std(axis=0))


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_parted_statistics_are_of_the_same_rows(covariance_type: str) -> None:
    point = stopped(covariance_type, [FAITHFUL.mean(axis=0)] * 2)
    look = Recorded(point, *[-5.0, -np.inf] * 10)
    step = parting().step(PartingState(PlainState()), point, look)
    assert step.finished
    assert step.point is point
    first = point.statistics.recentred(np.tile(FAITHFUL.mean(axis=0), (2, 1)))
    shared = first.shape.is_shared
    parted = [each for each in look.asked if each.resp_x.any() or not shared]
    assert len(parted) >= 2
    for each in parted:
        each = each.recentred(first.centres)
        np.testing.assert_allclose(each.resp_sum, first.resp_sum)
        np.testing.assert_allclose(each.resp_x.sum(axis=0), first.resp_x.sum(axis=0), atol=1e-6)
        total, expected = (s.resp_xx if shared else s.resp_xx.sum(axis=0) for s in (each, first))
        np.testing.assert_allclose(total, expected, rtol=1e-9)


def test_light_component_gets_half_the_weight_of_the_one_it_is_like() -> None:
    point = stopped("full", [FAITHFUL.mean(axis=0)] * 2)
    weights = np.array([1.0 - 1e-4, 1e-4])
    of_light = point.statistics
    resp_sum = of_light.resp_sum.sum() * weights
    means = of_light.means()
    light = replace(of_light.recentred(means), resp_sum=resp_sum, resp_x=np.zeros_like(means))
    point = point._replace(statistics=light, parameters=point.parameters._replace(weights=weights))
    look = Recorded(point, *[-np.inf] * 10)
    parting().step(PartingState(PlainState()), point, look)
    assert len(look.asked) >= 3
    whole = light.recentred(np.tile(resp_sum @ means / resp_sum.sum(), (2, 1)))
    for each in look.asked:
        each = each.recentred(whole.centres)
        np.testing.assert_allclose(each.resp_sum, 0.5 * resp_sum.sum())
        np.testing.assert_allclose(each.resp_x.sum(axis=0), 0.0, atol=1e-6)
        np.testing.assert_allclose(each.resp_xx.sum(axis=0), whole.resp_xx.sum(axis=0))


def test_parting_that_gains_no_more_than_tol_is_not_taken() -> None:
    point = stopped("tied", [FAITHFUL.mean(axis=0)] * 2)
    for gain, taken in ((0.5e-3, False), (2e-3, True)):
        look = Recorded(point, *[-4.0 + gain] * 100)
        step = parting(1e-3).step(PartingState(PlainState()), point, look)
        assert step.finished != taken
        assert (step.point.objective > point.objective) == taken
        inner = PlainState() if taken else PlainState((-4.0,), 0.5)
        assert step.state == PartingState(inner, 0 if taken else 1, int(taken))


def test_parting_whose_gains_fade_is_given_up() -> None:
    point = stopped("tied", [FAITHFUL.mean(axis=0)] * 2)
    look = Recorded(point, *[-5.0, -4.5, -4.4] * 4)
    assert parting().step(PartingState(PlainState()), point, look).finished
    assert len(look.asked) % 3 == 0


def test_fit_whose_components_are_apart_needs_no_more_passes() -> None:
    def never(_: Statistics) -> None:
        raise AssertionError("nothing is alike here")

    point = stopped("tied", [[2.0, 54.0], [4.3, 80.0]])
    assert parting().step(PartingState(PlainState()), point, never).finished


def test_parting_is_tried_where_gains_below_tol_do_not_end() -> None:
    """After 16 iterations, 32, 64, ...: gains that grow are no reason to stop."""
    point = stopped("tied", [FAITHFUL.mean(axis=0)] * 2)
    rule = Parting(Plain(1e-6), 1e-6, 1e-16, FAITHFUL.std(axis=0))
    for gain, expected in ((1e-8, [SOON, 2 * SOON, 4 * SOON]), (1e-3, [])):
        state, tried = rule.begin(point), []
        for iteration in range(1, 5 * SOON):
            look = Recorded(point, *[-np.inf] * 100)
            here = point._replace(objective=-4.0 + gain * 1.01**iteration)
            state, _, finished = rule.step(state, here, look)
            assert not finished
            tried += [iteration] * bool(look.asked)
        assert tried == expected


def test_fit_whose_parted_component_failed_parts_no_more() -> None:
    point = stopped("tied", [FAITHFUL.mean(axis=0)] * 2)
    look = Recorded(point, *[0.0] * 10)
    state = PartingState(PlainState(), 5, MOST_PARTINGS)
    assert parting().step(state, point, look).finished
    assert not look.asked


def test_parting_after_a_disturbance_begins_anew() -> None:
    rule = Parting(Plain(1e-6), 1e-6, 1e-16, np.ones(1))
    state = PartingState(PlainState((1.0,), 2.0), 7)
    assert rule.begin(at(0.0)) == rule.disturbed(state) == PartingState(PlainState())
    assert rule.disturbed(state._replace(partings=1)).partings == MOST_PARTINGS
    assert state.inverse_temperature == 1.0
    assert state.predicted_gain == 2.0


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_fit_from_identical_components_parts_them(covariance_type: str) -> None:
    begin = mixture_of(_identical(FAITHFUL, 2, covariance_type), covariance_type)
    fit = fit_gmm(FAITHFUL, 2, covariance_type=covariance_type, init=begin)
    best = fit_gmm(FAITHFUL, 2, covariance_type=covariance_type, rng=0)
    assert not fit.events
    assert fit.log_likelihood == pytest.approx(best.log_likelihood, abs=1e-2)


def test_fit_of_tolerance_zero_parts_nothing() -> None:
    begin = mixture_of(_identical(FAITHFUL, 2, "full"), "full")
    fit = fit_gmm(FAITHFUL, 2, init=begin, tol=0.0, max_iter=30)
    assert fit.n_iter == 30
    assert [event.cause for event in fit.events] == ["identical"]


def _identical(X: Floats, k: int, covariance_type: str) -> Parameters:
    one = fit_gmm(X, 1, covariance_type=covariance_type).model
    parameters = parameters_of(one).select(np.zeros(k, dtype=int))
    return parameters._replace(weights=np.full(k, 1.0 / k))

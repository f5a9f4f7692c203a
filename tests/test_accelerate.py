"""Leaps between iterations: where they lead, that nothing falls, and that they save passes."""

from dataclasses import replace

import numpy as np
import pytest
from clusters import clustered
from helpers import COVARIANCE_TYPES, EPS

from mixtura import GMMFit, datasets, fit_gmm, reference
from mixtura.accelerate import FIRST_LENGTH, LEAST_LENGTH, PATIENCE, STRETCH, Leaps, Squarem
from mixtura.passes import CompiledPass
from mixtura.statistics import FactorShape, Floats, Statistics

K, D = 3, 2
SCALE = np.array([1e-3, 1e4])
NOISE = 64.0 * EPS
every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


def overlapping(n: int = 2000) -> Floats:
    """Rows of two close components, three quarters from the first."""
    rng = np.random.default_rng(0)
    return np.where(rng.random((n, 1)) < 0.75, 0.0, 1.6) + rng.normal(size=(n, 1))


def statistics(covariance_type: FactorShape, seed: int) -> Statistics:
    """Of rows drawn anew: a hundred in each of three components."""
    rng = np.random.default_rng(seed)
    X, resp = SCALE * rng.normal(size=(300, D)), rng.dirichlet(np.ones(K), 300)
    return reference.accumulate_resp(X, resp, np.zeros((K, D)), covariance_type=covariance_type)


def on_the_way(limit: Statistics, gap: Statistics, share: float) -> Statistics:
    """`limit` plus a share of `gap`."""
    return Statistics(
        limit.covariance_type, limit.centres, limit.resp_sum + share * gap.resp_sum,
        limit.resp_x + share * gap.resp_x, limit.resp_xx + share * gap.resp_xx, 0.0, 300.0,
    )  # fmt: skip


def patient(tol: float = 1e-6) -> Squarem:
    """A schedule that has seen its plain iterations."""
    schedule = Squarem(tol, EPS, SCALE, Leaps())
    for i in range(PATIENCE):
        assert schedule.leap(statistics("diag", 0), float(i)) is None
    return schedule


@every_type
@pytest.mark.parametrize("rate", [0.3, 0.7])
def test_leap_along_one_direction_of_linear_convergence_ends_in_the_limit(
    covariance_type: FactorShape, rate: float
) -> None:
    limit, gap = statistics(covariance_type, 1), statistics(covariance_type, 2)
    schedule = patient()
    seen = [on_the_way(limit, gap, rate**i) for i in range(3)]
    assert schedule.leap(seen[0], 0.0) is None
    assert schedule.leap(seen[1].recentred(seen[1].means()), 0.0) is None
    ahead = schedule.leap(seen[2], 0.0)
    assert ahead is not None
    np.testing.assert_allclose(ahead.resp_sum, limit.resp_sum, rtol=1e-12)
    for name in ("resp_x", "resp_xx"):
        expected = getattr(limit, name)
        np.testing.assert_allclose(getattr(ahead, name) / expected, 1.0, rtol=1e-9, err_msg=name)


def leap_length(schedule: Squarem, rate: float) -> float:
    """How far the next leap goes on a sequence of this rate, in iterations of its first gain."""
    limit, gap = statistics("diag", 1), statistics("diag", 2)
    while (ahead := schedule.leap(on_the_way(limit, gap, 1.0), 0.0)) is None:
        schedule._leaps.seen[1:] = [on_the_way(limit, gap, rate)]
        schedule._leaps.seen[0] = on_the_way(limit, gap, 1.0)
        ahead = schedule.leap(on_the_way(limit, gap, rate**2), 0.0)
        if ahead is not None:
            break
    # ahead = limit + (1 + 2 a (rate - 1) + a^2 (1 - rate)^2) gap = limit + (1 - a (1 - rate))^2 gap
    left = ((ahead.resp_sum - limit.resp_sum) / gap.resp_sum).mean()
    return float((1.0 - np.sqrt(left)) / (1.0 - rate))


def test_leaps_grow_while_they_are_taken_and_shrink_when_refused() -> None:
    schedule = patient()
    assert leap_length(schedule, 0.999) == pytest.approx(FIRST_LENGTH)
    schedule.landed(statistics("diag", 1))
    assert leap_length(schedule, 0.999) == pytest.approx(FIRST_LENGTH * STRETCH)
    schedule.refused()
    assert leap_length(schedule, 0.999) == pytest.approx(FIRST_LENGTH)
    for _ in range(3):
        schedule.refused()
        schedule._leaps.length = leap_length(schedule, 0.999)
    assert leap_length(schedule, 0.999) == pytest.approx(LEAST_LENGTH)


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


def passes_of(
    monkeypatch: pytest.MonkeyPatch, X: Floats, accelerate: bool, covariance_type: str
) -> tuple[int, GMMFit]:
    """A fit from one start, and the passes that it made."""
    start = fit_gmm(
        X, 2, init="random", n_init=1, rng=1, tol=0.0, max_iter=1, covariance_type=covariance_type
    ).model
    calls = []
    accumulate = CompiledPass.accumulate

    def counted(self: CompiledPass, parameters: object) -> object:
        calls.append(None)
        return accumulate(self, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(CompiledPass, "accumulate", counted)
        fit = fit_gmm(
            X, 2, init=start, reg_covar=0.0, accelerate=accelerate, max_iter=5000,
            covariance_type=covariance_type,
        )  # fmt: skip
    return len(calls), fit


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_accelerated_fit_of_overlapping_components_reaches_the_same_stop_in_fewer_passes(
    monkeypatch: pytest.MonkeyPatch, covariance_type: str
) -> None:
    X = overlapping()
    plain, slow = passes_of(monkeypatch, X, False, covariance_type)
    fewer, fast = passes_of(monkeypatch, X, True, covariance_type)
    assert slow.converged
    assert fast.converged
    assert plain > 60
    assert fewer <= plain / 2
    limit = fit_gmm(
        X, 2, init=fast.model, reg_covar=0.0, tol=0.0, max_iter=5000,
        covariance_type=covariance_type,
    ).history[-1]  # fmt: skip
    for fit in (slow, fast):
        assert -1e-12 <= limit - fit.history[-1] <= 1e-6


def test_fit_of_tolerance_zero_makes_plain_iterations() -> None:
    X = overlapping(300)
    plain, leaping = (
        fit_gmm(X, 2, rng=0, tol=0.0, max_iter=50, n_init=1, accelerate=accelerate, init=init)
        for init in [fit_gmm(X, 2, rng=0, max_iter=1, tol=0.0, n_init=1).model]
        for accelerate in (False, True)
    )
    assert plain.history.tolist() == leaping.history.tolist()


def test_accelerated_fit_does_not_depend_on_units() -> None:
    X, labels = clustered(spread=1.0)
    one, other = (
        fit_gmm(X * unit, 3, init=labels, tol=1e-9)
        for unit in (np.ones(2), np.array([2.0**-30, 2.0**20]))
    )
    assert one.n_iter == other.n_iter > PATIENCE + 3
    np.testing.assert_allclose(one.history + 10 * np.log(2.0), other.history, rtol=1e-10)


@every_type
def test_leap_to_sums_that_no_rows_have_is_refused(covariance_type: FactorShape) -> None:
    """Along the first of these gaps a component loses its weight, along the other its scatter."""
    limit, gap = statistics(covariance_type, 1), statistics(covariance_type, 2)
    for vanishing in (
        replace(limit, resp_sum=0.0 * gap.resp_sum),
        replace(limit, resp_xx=0.0 * gap.resp_xx),
    ):
        schedule = patient()
        below = replace(
            vanishing,
            resp_sum=vanishing.resp_sum - 0.1,
            resp_xx=vanishing.resp_xx - 0.1 * limit.resp_xx,
        )
        ahead = [schedule.leap(on_the_way(below, gap, 0.7**i), 0.0) for i in range(3)]
        assert ahead == [None] * 3
        assert schedule._leaps.longest < FIRST_LENGTH


@pytest.mark.parametrize("broken", ["negative", "indefinite", "lower"])
def test_leap_that_leads_nowhere_is_not_taken(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    X, labels = clustered(spread=1.5, seed=3)
    start = fit_gmm(X, 3, init=labels, tol=0.0, max_iter=1).model
    plain = fit_gmm(X, 3, init=start, accelerate=False)
    refused = []

    def leap(_: Squarem, found: Statistics, __: float) -> Statistics:
        sums = found.resp_sum.copy()
        if broken == "negative":
            sums[0] *= -1.0
        scatter = found.resp_xx * {"indefinite": -1.0, "lower": 100.0}.get(broken, 1.0)
        return Statistics("full", found.centres, sums, found.resp_x, scatter, 0.0, found.weight_sum)

    monkeypatch.setattr(Squarem, "leap", leap)
    monkeypatch.setattr(Squarem, "refused", lambda _: refused.append(None))
    fit = fit_gmm(X, 3, init=start)
    assert fit.history.tolist() == plain.history.tolist()
    assert len(refused) == fit.n_iter

"""The search for the highest maximum: effort, sources of rows, kinds of fits, and Ctrl-C."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from clusters import Rounding, assert_same_fit_bits, clustered
from helpers import COVARIANCE_TYPES
from loops import ONE_THREAD, mixture_of
from searches import pair_update, search_em

from mixtura import FitError, FitInterrupted, GMMFit, datasets, fit_gmm, reference, scan
from mixtura.data import ArrayRows, RowSource
from mixtura.passes import Backend
from mixtura.passes.backend import BACKENDS
from mixtura.schedules import EM, Outcome
from mixtura.search import MaximumSearch, SearchInterrupted
from mixtura.search.contest import SAME
from mixtura.search.search import AGREE, MOST_KNOWN, SHARE_AGREES, STARTS, Found, _Best
from mixtura.shapes import Floats
from mixtura.starts import INIT_METHODS, Beginnings

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
every_method = pytest.mark.parametrize("method", INIT_METHODS)


def found(
    X: Floats, method: str = "mixed", *, k: int = 3, n_init: int = 3, weight: Floats | None = None,
    seed: int = 0, covariance_type: str = "full", make_em: Any = None, moves: bool = True,
    backend: Backend = ONE_THREAD,
) -> Found:  # fmt: skip
    def make(sample: RowSource) -> EM:
        return search_em(sample, covariance_type, backend, ridge=1e-6)

    d = X.shape[1]
    pair = pair_update(covariance_type, d, backend, ridge=1e-6) if moves else None
    beginnings = Beginnings(method, k, backend)  # type: ignore[arg-type]
    search = MaximumSearch(beginnings, n_init, make_em or make, pair, np.ones(d))
    return search.best(ArrayRows(X, weight), np.random.default_rng(seed))


def suspects(fit: GMMFit) -> int:
    return len({e.component for e in fit.events if e.cause in ("few", "spurious")})


# What is found


@every_method
@every_type
def test_search_among_clear_clusters_finds_them(method: str, covariance_type: str) -> None:
    cluster = np.repeat(np.arange(3), 100)
    X = np.random.default_rng(0).normal(size=(300, 2)) + 50.0 * np.eye(3)[cluster][:, :2]
    parameters = found(X, method, covariance_type=covariance_type, n_init=10).parameters
    np.testing.assert_allclose(parameters.weights, 1 / 3, atol=1e-6)
    expected = [X[cluster == j].mean(axis=0) for j in range(3)]
    distances = np.linalg.norm(parameters.means[:, None] - expected, axis=2)
    assert sorted(distances.argmin(axis=1)) == [0, 1, 2]
    assert distances.min(axis=1).max() < 1e-6


@pytest.mark.parametrize("name", ["elongated", "badly scaled"])
def test_fit_of_clusters_that_kmeans_cannot_see_finds_them(name: str) -> None:
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(4), 250)
    X = rng.normal(size=(1000, 2)) * [10.0, 0.3] + np.outer(3.0 * cluster, [0.0, 1.0])
    if name == "badly scaled":
        X *= [1e6, 1e-4]
    labels = fit_gmm(X, 4, rng=0).model.predict(X)
    for j in range(4):
        assert np.bincount(labels[cluster == j]).max() >= 245


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("name", "covariance_type", "k", "expected"),
    [
        ("galaxies", "V", 4, -765.69),
        ("acidity", "V", 3, -178.75),
        ("faithful", "full", 3, -1114.44),
    ],
)
def test_fit_by_default_ends_at_the_best_known_maximum(
    name: str, covariance_type: str, k: int, expected: float, seed: int
) -> None:
    X = getattr(datasets, f"load_{name}")().data
    fit = fit_gmm(X, k, covariance_type=covariance_type, rng=seed)
    assert fit.log_likelihood == pytest.approx(expected, abs=0.006)


# Effort

PROBLEMS = [
    ("galaxies", "V", 4, 0),
    ("acidity", "V", 3, 0),
    ("faithful", "VVV", 3, 5),
    ("faithful", "VVI", 5, 2),
    ("iris", "EEI", 5, 0),
    ("thyroid", "VVV", 4, 0),
    ("diabetes_reaven_miller", "VII", 4, 0),
]


@pytest.mark.parametrize(("name", "covariance_type", "k", "seed"), PROBLEMS)
def test_fit_of_more_starts_is_never_worse(
    name: str, covariance_type: str, k: int, seed: int
) -> None:
    """Fewer suspects come before a higher objective."""
    X = getattr(datasets, f"load_{name}")().data
    least, highest = k, -np.inf
    for n_init in (1, 2, 3, 5, 7, 10, 20, 40):
        fit = fit_gmm(X, k, covariance_type=covariance_type, n_init=n_init, rng=seed)
        own, height = suspects(fit), fit.history[-1]
        assert own <= least
        if own == least:
            assert height >= highest - 1e-6
        least, highest = own, height


def test_search_with_more_starts_has_the_maxima_of_fewer() -> None:
    X = datasets.load_galaxies().data
    before: list[float] = []
    for n_init in (1, 3, 5, 8, 20):
        maxima = [each.objective for each in found(X, k=6, n_init=n_init).report.maxima]
        assert all(np.abs(np.subtract(maxima, each)).min() < 2 * SAME for each in before)
        before = maxima
    assert len(before) > 2


@pytest.mark.parametrize("n_init", [1, 5, 7, 10])
def test_runs_of_few_starts_are_the_first_of_more(n_init: int) -> None:
    X = clustered(400, 2, 6, spread=1.0)[0]

    def heights(n_init: int) -> list[float]:
        runs: list[float] = []
        search = MaximumSearch(
            Beginnings("mixed", 6, ONE_THREAD), n_init, search_em, pair_update("full", 2),
            np.ones(2), lambda outcome: runs.append(outcome.objective),
        )  # fmt: skip
        search.best(ArrayRows(X), np.random.default_rng(0))
        return runs

    few, more = heights(n_init), heights(14)
    assert len(more) > len(few)
    assert more[: len(few)] == few


def test_best_of_chains_has_the_fewest_suspects_whatever_its_objective() -> None:
    def chain(objective: float, spurious: list[int], n_agree: int = 1) -> Any:
        parameters: Any = SimpleNamespace(weights=np.ones(2))
        leader = Outcome(parameters, objective, spurious=spurious)
        return SimpleNamespace(leader=leader, n_agree=n_agree, sound=[leader])

    best, clean = _Best(), chain(1.0, [])
    for each in (chain(5.0, [1]), clean, chain(9.0, [0])):
        best.take(each)
    assert best.outcome is clean.leader
    best.take(chain(1.0, [], 3))
    assert (best.outcome, best.n_agree) == (clean.leader, 4)
    higher = chain(2.0, [])
    best.take(higher)
    assert (best.outcome, best.n_agree) == (higher.leader, 1)


def test_best_of_chains_knows_the_highest_of_their_leaders() -> None:
    parameters: Any = SimpleNamespace(weights=np.ones(2))
    outcomes = [Outcome(parameters, float(height)) for height in range(MOST_KNOWN + 2)]

    def chain_of(sound: list[Outcome]) -> Any:
        return SimpleNamespace(leader=sound[-1], n_agree=1, sound=sound)

    best = _Best()
    for some in (outcomes[:3], outcomes[2:]):
        best.take(chain_of(some))
    assert best.known == outcomes[:1:-1]


def test_search_ends_where_starts_agree() -> None:
    """After a chain, however many chains it takes until enough starts agree."""
    cluster = np.repeat(np.arange(3), 100)
    X = np.random.default_rng(0).normal(size=(300, 2)) + 50.0 * np.eye(3)[cluster][:, :2]
    assert AGREE <= STARTS
    assert found(X, "kmeans", n_init=20).report.n_starts == STARTS
    report = found(X, "kmeans", n_init=12 * STARTS).report
    assert report.n_starts == 12 * STARTS // SHARE_AGREES
    (maximum,) = report.maxima
    assert maximum.times >= report.n_starts


@pytest.mark.parametrize("n_init", [1, 4, 5, 7, 10])
def test_chains_move_once_they_have_all_their_starts(n_init: int) -> None:
    report = found(clustered(400, 2, 6, spread=1.0)[0], k=5, n_init=n_init).report
    assert report.n_starts == n_init
    assert (report.n_moves > 0) == (n_init >= STARTS)
    assert found(clustered()[0], k=3, n_init=n_init, moves=False).report.n_moves == 0


def test_report_is_of_the_parameters_that_were_found() -> None:
    X = clustered(400, 2, 5, spread=1.5)[0]
    search = found(X, k=4, n_init=10)
    em = search_em(ArrayRows(X), ridge=1e-6)
    statistics = em.rows.accumulate(em.update.as_seen(search.parameters)[0])
    best = search.report.maxima[0]
    assert statistics.log_likelihood / 400 == pytest.approx(best.objective, abs=SAME)
    runs = search.report.n_starts + search.report.n_moves
    assert sum(each.times for each in search.report.maxima) <= runs
    assert search.report.n_rows == 400


def test_search_where_every_start_fails_says_why() -> None:
    class Failing(EM):
        def run(self, *_: Any, **__: Any) -> Outcome:
            raise FitError("this one fails")

    def make_em(sample: RowSource) -> EM:
        return Failing(**vars(search_em(sample)))

    with pytest.raises(FitError, match="this one fails"):
        found(clustered()[0], make_em=make_em)


# The same from everywhere


@every_method
def test_search_with_weights_is_that_of_repeated_rows(method: str) -> None:
    X = clustered(80)[0]
    times = np.random.default_rng(7).integers(0, 4, size=len(X))
    one, other = (
        found(rows, method, n_init=4, weight=weight, seed=2).parameters
        for rows, weight in [(X, times.astype(float)), (np.repeat(X, times, axis=0), None)]
    )
    expected = mixture_of(one, "full")
    Rounding(X, expected, 1000).assert_same_mixture(mixture_of(other, "full"))


def test_fit_with_weights_of_two_is_that_of_rows_twice() -> None:
    X = clustered(200, 2, 4)[0]
    one = fit_gmm(X, 4, sample_weight=np.full(200, 2.0), rng=3)
    other = fit_gmm(np.repeat(X, 2, axis=0), 4, rng=3)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-3)


@pytest.mark.parametrize("method", ["mixed", "random"])
def test_search_of_either_backend_is_the_same(method: str) -> None:
    X = clustered(80)[0]
    one, other = (
        found(X, method, n_init=6, seed=2, backend=replace(ONE_THREAD, name=name)).parameters
        for name in BACKENDS
    )
    Rounding(X, mixture_of(one, "full"), 1000).assert_same_mixture(mixture_of(other, "full"))


@every_type
def test_fit_on_any_number_of_threads_has_the_same_bits(covariance_type: str) -> None:
    X = clustered(3000, 3, 6, spread=1.5)[0]
    one, *others = (
        fit_gmm(X, 5, covariance_type=covariance_type, rng=1, n_threads=n) for n in (1, 2, 3)
    )
    for other in others:
        assert_same_fit_bits(one, other)


def test_fit_of_single_precision_is_that_of_the_same_numbers() -> None:
    X = clustered(400, 2, 5)[0].astype(np.float32)
    one, other = (fit_gmm(rows, 4, rng=0) for rows in (X, X.astype(float)))
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-3)


def test_fit_of_rows_in_parts_is_that_of_the_array() -> None:
    X = clustered(900, 2, 5)[0]
    one = fit_gmm(X, 4, rng=0)
    other = fit_gmm(scan([X[:250], X[250:251], X[251:]]), 4, rng=0)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-3)


# Kinds of fits


OPTIONS: list[dict[str, Any]] = [
    {"em": "hard"},
    {"em": "annealed"},
    {"em": "memoised"},
    {"prior": "default"},
    {"accelerate": False},
    {"backend": "reference"},
    {"reg_covar": 0.0},
    {"avoid_spurious": False},
    {"missing": "em"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@every_type
def test_fit_of_each_kind_finds_clear_clusters(
    covariance_type: str, options: dict[str, Any]
) -> None:
    cluster = np.repeat(np.arange(4), 60)
    X = np.random.default_rng(0).normal(size=(240, 2))
    X += 15.0 * np.stack([cluster % 2, cluster // 2], axis=1)
    if "missing" in options:
        X[::7, 0] = X[3::11, 1] = np.nan
    fit = fit_gmm(X, 4, covariance_type=covariance_type, rng=0, **options)
    complete = ~np.isnan(X).any(axis=1)
    labels, cluster = fit.model.predict(X[complete]), cluster[complete]
    assert all(len(set(labels[cluster == j])) == 1 for j in range(4))
    assert len(set(labels)) == 4


def test_fit_with_labels_keeps_their_numbers() -> None:
    cluster = np.repeat([2, 0, 1], 60)
    X = np.random.default_rng(0).normal(size=(180, 2)) + 12.0 * cluster[:, None]
    labels = np.full(180, -1)
    labels[::20] = cluster[::20]
    fit = fit_gmm(X, 3, labels=labels, rng=0)
    np.testing.assert_allclose(fit.model.means[:, 0], [0.0, 12.0, 24.0], atol=0.5)


def test_fit_with_noise_of_rows_finds_the_clusters() -> None:
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(3), 60)
    noise = rng.uniform(0.1, 1.0, size=(180, 2))
    X = 12.0 * cluster[:, None] + rng.normal(size=(180, 2)) * np.sqrt(1.0 + noise)
    fit = fit_gmm(X, 3, noise_covariance=noise, rng=0)
    np.testing.assert_allclose(sorted(fit.model.means[:, 0]), [0.0, 12.0, 24.0], atol=0.6)


def test_fit_of_one_component_needs_no_search() -> None:
    X = clustered()[0]
    report = found(X, k=1, n_init=1).report
    assert (report.n_starts, report.n_moves, len(report.maxima)) == (1, 0, 1)
    fit = fit_gmm(X, 1, rng=0)
    np.testing.assert_allclose(fit.model.means[0], X.mean(axis=0))


# Ctrl-C


class Stopped(EM):
    """The algorithm, whose fifth run is interrupted."""

    ends: list[Outcome]

    def run(self, start: Any, max_iter: int, **options: Any) -> Outcome:
        if len(self.ends) == 4:
            return Outcome(start, stop_reason="interrupted")
        self.ends.append(super().run(start, max_iter, **options))
        return self.ends[-1]


@pytest.mark.parametrize("method", ["random", "mixed"])
def test_search_that_is_interrupted_leaves_the_best_of_its_runs(method: str) -> None:
    ends: list[Outcome] = []

    def make_em(sample: RowSource) -> EM:
        em = Stopped(**vars(search_em(sample)))
        object.__setattr__(em, "ends", ends)
        return em

    with pytest.raises(SearchInterrupted) as caught:
        found(clustered(400, 2, 6, spread=1.0)[0], method, k=5, n_init=10, make_em=make_em)
    outcome = caught.value.outcome
    assert any(outcome.parameters is end.parameters for end in ends)
    assert (outcome.stop_reason, outcome.statistics) == ("interrupted", None)
    assert outcome.objective >= max(end.objective for end in ends) - SAME


def test_search_that_is_interrupted_in_a_later_chain_leaves_the_best_of_all() -> None:
    X = clustered(400, 2, 6, spread=1.0)[0]
    reported: list[Outcome] = []

    class Later(EM):
        def run(self, start: Any, max_iter: int, **options: Any) -> Outcome:
            outcome = super().run(start, max_iter, **options)
            reported.append(outcome)
            if len(reported) == 60:
                outcome.stop_reason = "interrupted"
            return outcome

    with pytest.raises(SearchInterrupted) as caught:
        found(X, k=6, n_init=1000, make_em=lambda sample: Later(**vars(search_em(sample))))
    best = max(each.objective for each in reported[:-1] if not each.suspects)
    assert caught.value.outcome.objective >= best - SAME


def interrupted_fit(monkeypatch: pytest.MonkeyPatch, at: int, **options: Any) -> GMMFit | None:
    """What is left of a fit that is interrupted in one of its passes."""
    n_passes = 0

    class Rows(reference.Rows):
        def accumulate(self, em: str, *arguments: Any, **options: Any) -> Any:
            nonlocal n_passes
            n_passes += em == "soft"
            if n_passes == at:
                raise KeyboardInterrupt
            return super().accumulate(em, *arguments, **options)

    engine: Any = SimpleNamespace(**{**vars(reference), "FORMS": {"whole": Rows}})
    monkeypatch.setitem(BACKENDS, "reference", engine)
    with pytest.raises(FitInterrupted) as caught:
        fit_gmm(clustered(6000)[0], 3, rng=0, init="random", backend="reference", **options)
    return caught.value.fit


@pytest.mark.parametrize("reg_covar", [0.0, 1e-6])
@pytest.mark.parametrize("at", [8, 25, 70])
def test_fit_that_is_interrupted_in_its_search_holds_the_best_run(
    monkeypatch: pytest.MonkeyPatch, at: int, reg_covar: float
) -> None:
    """Of the sample only, so the log-likelihood of all rows is not known."""
    fit = interrupted_fit(monkeypatch, at, reg_covar=reg_covar)
    assert fit is not None
    assert (fit.stop_reason, fit.converged) == ("interrupted", False)
    assert np.isnan([fit.log_likelihood, fit.entropy]).all()
    assert fit.n_samples == 6000
    assert (np.diff(fit.history) > 0.0).all()


@pytest.mark.parametrize("at", range(38, 60, 3))
def test_fit_that_is_interrupted_while_moves_are_ranked_holds_the_best_run(
    monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    fit = interrupted_fit(monkeypatch, at)
    assert fit is not None
    assert (fit.stop_reason, fit.converged) == ("interrupted", False)

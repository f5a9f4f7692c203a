"""Automatic starts: the best of brief runs, on a sample of the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from clusters import Rounding, clustered
from helpers import COVARIANCE_TYPES, EPS
from loops import ONE_THREAD, em_on, in_units, mixture_of
from numpy.typing import NDArray

from mixtura import FitError, FitInterrupted, fit_gmm, reference
from mixtura.data import ArrayRows, RowSource
from mixtura.parameters import Parameters
from mixtura.passes import RowsPass
from mixtura.passes.backend import BACKENDS
from mixtura.schedules import EM, Outcome, Squarem
from mixtura.shapes import SHAPES, SPHERICAL, Floats
from mixtura.starts import INIT_METHODS, AutomaticStart, StartInterrupted
from mixtura.starts.seeding import kmeans_plusplus, random_rows

METRICS = ("scaled", "whitened")
every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
every_method = pytest.mark.parametrize("method", INIT_METHODS)
MakeEM = Callable[[ArrayRows], EM]


def brief_em(covariance_type: str = "full", ridge: Floats | float = 1e-6) -> MakeEM:
    """What makes the algorithm of brief runs from a sample."""

    def make_em(sample: ArrayRows) -> EM:
        scale = sample.X.std(axis=0)
        schedule = Squarem(1e-4, EPS, np.where(scale > 0.0, scale, 1.0))
        return em_on(
            sample.X, covariance_type, schedule, sample_weight=sample.sample_weight, ridge=ridge
        )

    return make_em


def automatic(
    X: Floats, method: str, *, k: int = 3, n_init: int = 3, weight: Floats | None = None,
    seed: int = 0, covariance_type: str = "full", make_em: MakeEM | None = None,
) -> Parameters:  # fmt: skip
    make_em = make_em or brief_em(covariance_type, 1e-6 * X.var(axis=0))
    start = AutomaticStart(method, n_init, k, make_em, ONE_THREAD)
    return start.best(ArrayRows(X, weight), np.random.default_rng(seed))


@every_method
@every_type
def test_automatic_start_of_clear_clusters_finds_them(method: str, covariance_type: str) -> None:
    cluster = np.repeat(np.arange(3), 100)
    X = np.random.default_rng(0).normal(size=(300, 2)) + 50.0 * np.eye(3)[cluster][:, :2]
    parameters = automatic(X, method, covariance_type=covariance_type, n_init=10)
    np.testing.assert_allclose(parameters.weights, 1 / 3, atol=1e-6)
    expected = [X[cluster == j].mean(axis=0) for j in range(3)]
    distances = np.linalg.norm(parameters.means[:, None] - expected, axis=2)
    assert sorted(distances.argmin(axis=1)) == [0, 1, 2]
    assert distances.min(axis=1).max() < 1e-6


@pytest.mark.parametrize("name", ["elongated", "badly scaled"])
def test_automatic_start_of_clusters_that_kmeans_cannot_see_finds_them(name: str) -> None:
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(4), 250)
    X = rng.normal(size=(1000, 2)) * [10.0, 0.3] + np.outer(3.0 * cluster, [0.0, 1.0])
    if name == "badly scaled":
        X *= [1e6, 1e-4]
    labels = fit_gmm(X, 4, rng=0).model.predict(X)
    for j in range(4):
        assert np.bincount(labels[cluster == j]).max() >= 245


@every_method
def test_automatic_start_with_weights_is_that_of_repeated_rows(method: str) -> None:
    X = clustered(80)[0]
    times = np.random.default_rng(7).integers(0, 4, size=len(X))
    one, other = (
        automatic(rows, method, n_init=4, weight=weight, seed=2, make_em=brief_em())
        for rows, weight in [(X, times.astype(float)), (np.repeat(X, times, axis=0), None)]
    )
    expected = mixture_of(one, "full")
    Rounding(X, expected, 40).assert_same_mixture(mixture_of(other, "full"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_automatic_start_of_either_backend_is_the_same(backend: Any) -> None:
    X = clustered(80)[0]
    one, other = (
        AutomaticStart("kmeans", 4, 3, brief_em(), replace(ONE_THREAD, name=name)).best(
            ArrayRows(X), np.random.default_rng(2)
        )
        for name in ("compiled", backend)
    )
    Rounding(X, mixture_of(one, "full"), 40).assert_same_mixture(mixture_of(other, "full"))


# The sample


class Sampled(Exception):
    """The sample of a search that goes no further."""


def sample_of(source: RowSource, method: str, k: int) -> ArrayRows:
    def stop(sample: RowSource) -> EM:
        raise Sampled(sample)

    with pytest.raises(Sampled) as caught:
        AutomaticStart(method, 1, k, stop, ONE_THREAD).best(source, np.random.default_rng(0))
    sample: ArrayRows = caught.value.args[0]
    return sample


@pytest.mark.parametrize(("k", "d", "size"), [(1, 1, 18181), (5, 30, 3100), (64, 16, 21760)])
def test_sample_of_rows_is_large_for_the_parameters_and_cheap(k: int, d: int, size: int) -> None:
    X = np.random.default_rng(0).normal(size=(25_000, d))
    sample = sample_of(ArrayRows(X), "kmeans++", k)
    assert 0.8 * size < sample.n_samples <= sample.weight_sum == size


def test_sample_of_fewer_rows_is_all_of_positive_weight() -> None:
    X = clustered()[0]
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], len(X))
    sample = sample_of(ArrayRows(X, weight), "kmeans", 3)
    np.testing.assert_array_equal(sample.X, X[weight > 0.0])
    np.testing.assert_array_equal(sample.weights(), weight[weight > 0.0])


def test_sample_for_trees_has_as_many_rows_as_they_have_leaves() -> None:
    X = np.random.default_rng(0).normal(size=(3000, 2))
    assert sample_of(ArrayRows(X), "hierarchical", 3).weight_sum == 2000
    assert sample_of(ArrayRows(X), "hierarchical", 120).weight_sum == 2400


def test_automatic_start_of_many_rows_looks_at_a_sample() -> None:
    X = np.random.default_rng(0).normal(size=(50_000, 1))
    X[:20_000] += 8.0
    samples = []

    def make_em(sample: ArrayRows) -> EM:
        samples.append(sample)
        return brief_em(ridge=0.0)(sample)

    parameters = automatic(X, "kmeans++", k=2, n_init=4, make_em=make_em)
    (sample,) = samples
    assert sample.weight_sum == sample_of(ArrayRows(X), "kmeans++", 2).weight_sum == 9090
    assert 0.99 * 9090 < sample.n_samples <= 9090
    np.testing.assert_allclose(sorted(parameters.weights), [0.4, 0.6], atol=0.03)


# The clusters from which brief runs start


class LabelsSeen(RowsPass):
    """A pass that keeps the labels it is given."""

    def __init__(self, sample: ArrayRows, covariance_type: str) -> None:
        super().__init__(sample, SHAPES[covariance_type], ONE_THREAD)
        self.labels: list[NDArray[np.int64]] = []

    def given(self, shares: NDArray[Any], centres: Floats) -> Any:
        if not any(shares is earlier for earlier in self.labels):  # each is given twice
            self.labels.append(shares)
        return super().given(shares, centres)


@dataclass(frozen=True, eq=False)
class StartsSeen(EM):
    """The algorithm, which keeps where it starts and makes no iterations."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts", [])

    def run(self, start: Any, max_iter: int, **options: Any) -> Outcome:  # noqa: ARG002
        self.starts.append(start)  # type: ignore[attr-defined]
        return Outcome(start, 0.0, [0.0])


def seen_starts(
    X: Floats, method: str, *, n_init: int = 10, k: int = 4, seed: int = 0,
    covariance_type: str = "full", ridge: float = 1e-6,
) -> tuple[list[NDArray[np.int64]], list[Parameters]]:  # fmt: skip
    """The labels of the clusters of all starts, and the parameters made of them."""
    ems: list[Any] = []

    def make_em(sample: ArrayRows) -> EM:
        em = em_on(sample.X, covariance_type, ridge=ridge)
        rows = LabelsSeen(sample, covariance_type)
        ems.append(StartsSeen(rows, em.update, em.schedule, em.collapse))
        return ems[-1]

    automatic(X, method, n_init=n_init, k=k, seed=seed, make_em=make_em)
    (em,) = ems
    n_starts = len(em.rows.labels)  # the better ones run on
    return em.rows.labels, em.starts[:n_starts]


def space(X: Floats, metric: Any) -> RowsPass:
    Z = in_units(X, np.ones(len(X)), metric)
    return RowsPass(ArrayRows(Z, np.ones(len(X))), SPHERICAL, ONE_THREAD, em="nearest")


@pytest.mark.parametrize("n_init", [1, 2, 3])
def test_automatic_starts_take_turns_at_the_two_metrics(n_init: int) -> None:
    X = clustered()[0]
    rng = np.random.default_rng(0)
    found = seen_starts(X, "kmeans++", n_init=n_init, k=3)[0]
    assert len(found) == n_init
    metrics = ["scaled", "whitened", "scaled"][:n_init]
    for labels, metric in zip(found, metrics, strict=True):
        rows = space(X, metric)
        centres = kmeans_plusplus(rows, 3, rng)
        distances = np.square(rows.source.X[:, None] - centres).sum(axis=2)
        np.testing.assert_array_equal(labels, distances.argmin(axis=1))


def test_start_by_kmeans_gives_rows_to_the_means_that_lloyd_leads_to() -> None:
    X = clustered(200, 2, 4)[0]
    Z = in_units(X, np.ones(200), "scaled")
    (labels,) = seen_starts(X, "kmeans", n_init=1)[0]
    means = np.stack([Z[labels == j].mean(axis=0) for j in range(4)])
    distances = np.square(Z[:, None] - means).sum(axis=2)
    np.testing.assert_array_equal(distances.argmin(axis=1), labels)
    (begin,) = seen_starts(X, "kmeans++", n_init=1)[0]
    assert (begin != labels).any()


@pytest.mark.parametrize(("seed", "n_made"), [(1, 10), (4, 20), (6, 20)])
def test_start_by_kmeans_makes_twenty_iterations_while_they_pay(seed: int, n_made: int) -> None:
    """By plain loops: it stops at a relative gain of 1e-5, before anything is final."""
    X = clustered(1900, 2, 6, spread=1.0, seed=seed)[0]
    rows = space(X, "scaled")
    Z, rng = rows.source.X, np.random.default_rng(seed)
    centres, before = kmeans_plusplus(rows, 8, rng), np.inf
    n_iter = 0
    while True:
        squared = np.square(Z[:, None] - centres).sum(axis=2)
        labels, scatter = squared.argmin(axis=1), squared.min(axis=1).sum()
        if n_iter == 20 or before - scatter <= 1e-5 * scatter:
            break
        centres, before = np.stack([Z[labels == j].mean(axis=0) for j in range(8)]), scatter
        n_iter += 1
    assert n_iter == n_made
    (found,) = seen_starts(X, "kmeans", n_init=1, k=8, seed=seed)[0]
    np.testing.assert_array_equal(found, labels)
    moved = np.stack([Z[labels == j].mean(axis=0) for j in range(8)])
    assert (np.square(Z[:, None] - moved).sum(axis=2).argmin(axis=1) != labels).any()


def test_starts_by_kmeans_that_lead_to_the_same_clusters_are_tried_once() -> None:
    cluster = np.repeat(np.arange(4), 50)
    X = np.random.default_rng(0).normal(size=(200, 2)) + 100.0 * np.eye(4)[cluster][:, :2]
    X[cluster == 3] -= 100.0
    found = seen_starts(X, "kmeans", n_init=1000)[0]
    assert 1 <= len(found) <= 10
    assert len(seen_starts(X, "random", n_init=30)[0]) == 30


def test_starts_on_one_feature_use_one_metric() -> None:
    X = np.random.default_rng(0).normal(size=(100, 1))
    rows, rng = space(X, "scaled"), np.random.default_rng(0)
    for labels in seen_starts(X, "random", n_init=2, k=3)[0]:
        centres = random_rows(rows.source, 3, rng)
        expected = np.abs(rows.source.X - centres.T).argmin(axis=1)
        np.testing.assert_array_equal(labels, expected)


def test_trees_of_three_coordinates_are_cut_for_three_starts() -> None:
    X = clustered(60, 2, 3)[0]
    assert len(seen_starts(X, "hierarchical", k=3)[0]) == 3
    assert len(seen_starts(X, "hierarchical", k=3, n_init=2)[0]) == 2


@every_type
def test_start_from_clusters_draws_their_covariances_towards_the_pooled_one(
    covariance_type: str,
) -> None:
    """By half an average component: its weight in rows that scatter as the pooled ones do."""
    X = clustered(200, 3, 4)[0]
    found, starts = seen_starts(X, "random", n_init=2, covariance_type=covariance_type, ridge=0.0)
    for labels, start in zip(found, starts, strict=True):
        sizes = np.bincount(labels, minlength=4)
        means = np.stack([X[labels == j].mean(axis=0) for j in range(4)])
        scatters = np.stack([n * np.cov(X[labels == j].T, ddof=0) for j, n in enumerate(sizes)])
        pooled, lent = scatters.sum(axis=0) / 200, 0.5 * 200 / 4
        covariances = (scatters + lent * pooled) / (sizes + lent)[:, None, None]
        expected = {
            "full": covariances,
            "tied": pooled,
            "diag": np.einsum("jaa->ja", covariances),
            "spherical": np.einsum("jaa->j", covariances) / 3,
        }[covariance_type]
        np.testing.assert_allclose(start.weights, sizes / 200)
        np.testing.assert_allclose(start.means, means, rtol=1e-12)
        np.testing.assert_allclose(start.covariances, expected, rtol=1e-12, atol=1e-13)


def test_start_of_clusters_without_rows_shares_those_of_the_heaviest() -> None:
    """Of four components there are two clusters, for there are two different rows."""
    X = np.array([[1.0], [1.0], [1.0], [9.0], [9.0]])
    (start,) = seen_starts(
        X, "kmeans++", n_init=1, covariance_type="spherical", ridge=0.04
    )[1]  # fmt: skip
    order = np.argsort(start.means[:, 0])
    np.testing.assert_allclose(start.weights[order], [0.3, 0.3, 0.2, 0.2])
    low, high = start.means[order[[0, 2]], 0], start.means[order[[1, 3]], 0]
    np.testing.assert_allclose(0.5 * (low + high), [1.0, 9.0])
    np.testing.assert_allclose(start.covariances, 0.04)
    np.testing.assert_allclose(high - low, 0.2)


# Which start stays


class Scripted:
    """An algorithm whose start number i ends with an objective of its own; NaN fails."""

    def __init__(self, em: EM, objectives: list[float], converged: set[int] = frozenset()) -> None:
        self.rows, self.update, self.collapse = em.rows, em.update, em.collapse
        self._objectives, self._converged = objectives, converged
        self.known: list[tuple[Parameters, int, int]] = []  # what it returned, of which start
        self.lengths: list[int] = []

    def found(self, parameters: Parameters) -> tuple[int, int]:
        """Number of the start that parameters come from, and how often they were run."""
        for known, number, rounds in self.known:
            if known is parameters:
                return number, rounds
        return len({number for _, number, _ in self.known}), 0

    def run(self, start: Parameters, max_iter: int) -> Outcome:
        number, rounds = self.found(start)
        end = start._replace(weights=start.weights.copy())
        self.known.append((end, number, rounds + 1))
        self.lengths.append(max_iter)
        objective = self._objectives[number]
        if np.isnan(objective):
            raise FitError("this one fails")
        reason = "converged" if number in self._converged else "max_iter"
        return Outcome(end, objective + rounds, [0.0], stop_reason=reason)


def last_standing(*objectives: float, **script: Any) -> tuple[int, int, Scripted]:
    """Number of the start that is left, how often it was run, and the algorithm."""
    scripts: list[Any] = []

    def make_em(sample: ArrayRows) -> Any:
        scripts.append(Scripted(em_on(sample.X, ridge=1e-6), list(objectives), **script))
        return scripts[-1]

    best = automatic(clustered()[0], "random", n_init=len(objectives), make_em=make_em)
    return *scripts[0].found(best), scripts[0]


@pytest.mark.parametrize(
    ("objectives", "rounds"),
    [([1.0], 1), ([2.0, 1.0], 1), ([1.0, 3.0, 2.0], 2), ([5.0, 1.0, 9.0, 3.0, 7.0], 3)],
)
def test_best_of_brief_runs_continues_round_by_round(objectives: list[float], rounds: int) -> None:
    number, times, _ = last_standing(*objectives)
    assert (number, times) == (int(np.argmax(objectives)), rounds)


def test_runs_of_each_round_are_as_long_as_all_before() -> None:
    *_, script = last_standing(5.0, 1.0, 9.0, 3.0, 7.0)
    assert script.lengths == [5] * 5 + [5] * 3 + [10] * 2


def test_starts_that_have_converged_wait_for_the_others() -> None:
    number, times, script = last_standing(5.0, 1.0, 9.0, 3.0, converged={2})
    assert (number, times) == (2, 1)
    assert script.lengths == [5] * 4 + [5]


def test_starts_that_fail_are_left_out_while_others_stand() -> None:
    assert last_standing(np.nan, 1.0, np.nan, 2.0)[:2] == (3, 1)
    with pytest.raises(FitError, match="this one fails"):
        last_standing(np.nan, np.nan)


def test_starts_that_lead_to_one_end_keep_their_order() -> None:
    """Rounding alone does not choose among them, so that no machine chooses another."""
    assert last_standing(2.0, 2.0 + 1e-13)[:2] == (0, 1)
    assert last_standing(2.0, 2.0 + 1e-8)[:2] == (1, 1)


# Ctrl-C


class Stopped(EM):
    """The algorithm, whose fifth run is interrupted."""

    ends: list[Outcome]

    def run(self, start: Any, max_iter: int, **options: Any) -> Outcome:
        if len(self.ends) == 4:
            raise KeyboardInterrupt
        self.ends.append(super().run(start, max_iter, **options))
        return self.ends[-1]


def test_starts_that_are_interrupted_leave_the_best_of_them() -> None:
    ends: list[Outcome] = []

    def make_em(sample: ArrayRows) -> EM:
        em = Stopped(**vars(brief_em()(sample)))
        object.__setattr__(em, "ends", ends)
        return em

    with pytest.raises(StartInterrupted) as caught:
        automatic(clustered()[0], "random", n_init=10, make_em=make_em)
    outcome = caught.value.outcome
    best = max(ends, key=lambda end: end.history[-1])
    assert outcome.stop_reason == "interrupted"
    assert outcome.history == best.history
    assert outcome.parameters is best.parameters
    assert len({end.history[-1] for end in ends}) == 4


@pytest.mark.parametrize("reg_covar", [0.0, 1e-6])
def test_fit_that_is_interrupted_in_its_starts_holds_the_best_of_them(
    monkeypatch: pytest.MonkeyPatch, reg_covar: float
) -> None:
    """Of the sample only, so the log-likelihood of all rows is not known."""
    X = clustered(6000)[0]
    n_passes = 0

    class Rows(reference.Rows):
        def accumulate(self, em: str, *arguments: Any, **options: Any) -> Any:
            nonlocal n_passes
            n_passes += em == "soft"
            if n_passes == 2 + 4 * 6 + 3:  # moments, four brief runs, half of another
                raise KeyboardInterrupt
            return super().accumulate(em, *arguments, **options)

    engine: Any = SimpleNamespace(**{**vars(reference), "FORMS": {"whole": Rows}})
    monkeypatch.setitem(BACKENDS, "reference", engine)
    with pytest.raises(FitInterrupted) as caught:
        fit_gmm(X, 3, rng=0, init="random", backend="reference", reg_covar=reg_covar)
    fit = caught.value.fit
    assert (fit.stop_reason, fit.converged, fit.n_iter) == ("interrupted", False, 5)
    assert np.isnan([fit.log_likelihood, fit.entropy]).all()
    assert fit.n_samples == 6000
    assert (np.diff(fit.history) > 0.0).all()

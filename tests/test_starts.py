"""Where EM begins: from the user's word exactly, or the best of brief runs."""

from collections.abc import Callable

import numpy as np
import pytest
from clusters import Rounding, assert_same_fit_bits, clustered, maximised
from helpers import COVARIANCE_TYPES

from mixtura import FitError, FitInterrupted, GaussianMixture, fit_gmm, seeding, starts
from mixtura.covariance import FAMILIES
from mixtura.em import Outcome
from mixtura.passes import CompiledPass
from mixtura.statistics import Floats
from mixtura.update import MaximumLikelihood, Parameters

METRICS = ("scaled", "whitened")
every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
every_method = pytest.mark.parametrize("method", starts.INIT_METHODS)


def begin(
    init: object, X: Floats, covariance_type: str, weight: Floats | None = None, ridge: float = 0.0
) -> GaussianMixture:
    """The mixture that a fit with this `init`, not a method, begins from."""
    family = FAMILIES[covariance_type]
    rule = MaximumLikelihood(family, np.full(X.shape[1], ridge))
    rows = CompiledPass(X, weight, family.factor_shape, 1)
    checked = starts.check_init(init, X.shape, weight, 3, FAMILIES[covariance_type])
    assert not isinstance(checked, str)
    outcome = starts.given_start(checked, rows, rule, X[0], 3, "raise", X.std(axis=0))
    assert outcome.events == []
    weights, means, covariances, _ = outcome.parameters
    return GaussianMixture(weights, means, covariances, covariance_type)


@every_type
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_start_from_labels_is_each_cluster_by_itself(
    covariance_type: str, weighted: bool, offset: float
) -> None:
    X, labels = clustered()
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], len(X)) if weighted else None
    expected = maximised(X, np.eye(3)[labels], covariance_type, weight)
    for each in (labels, labels.astype(np.uint8), labels.astype(np.uint64), labels.tolist()):
        start = begin(each, X + offset, covariance_type, weight)
        np.testing.assert_allclose(start.weights, expected.weights, rtol=1e-14)
        np.testing.assert_allclose(
            start.means - offset, expected.means, atol=1e-13 + 1e-15 * offset
        )
        np.testing.assert_allclose(start.covariances, expected.covariances, rtol=1e-11, atol=1e-12)


@every_type
@pytest.mark.parametrize("weighted", [False, True])
def test_start_from_responsibilities_is_their_maximisation(
    covariance_type: str, weighted: bool
) -> None:
    X = clustered()[0]
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], len(X)) if weighted else None
    resp = np.random.default_rng(1).dirichlet(np.ones(3), len(X))
    expected = maximised(X, resp, covariance_type, weight, 0.5)
    for each in (resp, np.asfortranarray(resp), resp.tolist()):
        start = begin(each, X, covariance_type, weight, ridge=0.5)
        Rounding(X, expected).assert_same_mixture(start)


def test_start_of_clusters_far_apart_is_exact_in_each() -> None:
    """Sums about one point for all would lose what is small beside their distance."""
    X, labels = clustered()
    far = X + 1e8 * np.array([[-1.0], [0.0], [1.0]])[labels]
    expected = maximised(X, np.eye(3)[labels], "full")
    for init in (labels, np.eye(3)[labels]):
        covariances = begin(init, far, "full").covariances
        np.testing.assert_allclose(covariances, expected.covariances, atol=1e-12)


def test_start_from_responsibilities_of_zero_and_one_is_that_from_labels() -> None:
    X, labels = clustered()
    expected = begin(labels, X, "full")
    for resp in (np.eye(3)[labels], np.eye(3, dtype=int)[labels], np.eye(3, dtype=bool)[labels]):
        Rounding(X, expected).assert_same_mixture(begin(resp, X, "full"))


@every_type
def test_start_from_a_mixture_is_that_mixture(covariance_type: str) -> None:
    X, labels = clustered()
    mixture = maximised(X, np.eye(3)[labels], covariance_type)
    assert begin(mixture, X, covariance_type, ridge=0.5) == mixture


@pytest.mark.parametrize("kind", ["method", "labels", "resp", "mixture"])
def test_start_from_a_callable_is_what_it_returns(kind: str) -> None:
    X, labels = clustered()
    resp = np.random.default_rng(1).dirichlet(np.ones(3), len(X))
    init = {
        "method": "random",
        "labels": labels,
        "resp": resp,
        "mixture": maximised(X, resp, "full"),
    }[kind]
    calls = []

    def choose(rows: Floats, n_components: int, rng: np.random.Generator) -> object:
        assert np.shares_memory(rows, X)
        assert not rows.flags.writeable
        calls.append((rows.shape, n_components, type(rng)))
        return init

    fit = fit_gmm(X, 3, init=choose, rng=4)
    assert_same_fit_bits(fit, fit_gmm(X, 3, init=init, rng=4))
    assert calls == [(X.shape, 3, np.random.Generator)]
    assert X.flags.writeable


def test_callable_receives_the_generator_of_the_fit() -> None:
    X, labels = clustered()
    drawn = []

    def choose(_: Floats, __: int, rng: np.random.Generator) -> object:
        drawn.append(rng.random())
        return labels

    for rng in (3, 3, np.random.default_rng(3)):
        fit_gmm(X, 3, init=choose, rng=rng)
    assert drawn == [np.random.default_rng(3).random()] * 3


# Automatic starts


def automatic(
    X: Floats, method: str, *, k: int = 3, n_init: int = 3, weight: Floats | None = None,
    seed: int = 0, covariance_type: str = "full",
) -> Parameters:  # fmt: skip
    family = FAMILIES[covariance_type]
    rule = MaximumLikelihood(family, 1e-6 * X.var(axis=0))

    def make_pass(rows: Floats, weight: Floats | None) -> CompiledPass:
        return CompiledPass(rows, weight, family.factor_shape, 1)

    rng = np.random.default_rng(seed)
    scale = X.std(axis=0)
    return starts.automatic_start(
        X, weight, k, method, n_init, rule, make_pass, scale, rng, n_threads=1, accelerate=True
    )


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


def test_automatic_start_of_many_rows_looks_at_a_sample() -> None:
    X = np.random.default_rng(0).normal(size=(50_000, 1))
    X[:20_000] += 8.0
    seen = []
    family = FAMILIES["full"]

    def make_pass(rows: Floats, weight: Floats) -> CompiledPass:
        seen.append((len(rows), weight.sum()))
        return CompiledPass(rows, weight, "full", 1)

    rule = MaximumLikelihood(family, np.zeros(1))
    parameters = starts.automatic_start(
        X, None, 2, "kmeans++", 4, rule, make_pass, np.ones(1), np.random.default_rng(0),
        n_threads=1, accelerate=True,
    )  # fmt: skip
    ((n_rows, weight_sum),) = seen
    assert 0.99 * starts._sample_size(2, 1) < n_rows <= weight_sum == starts._sample_size(2, 1)
    np.testing.assert_allclose(sorted(parameters.weights), [0.4, 0.6], atol=0.03)


@every_method
def test_automatic_start_with_weights_is_that_of_repeated_rows(method: str) -> None:
    X = clustered(80)[0]
    times = np.random.default_rng(7).integers(0, 4, size=len(X))
    family, rule = FAMILIES["full"], MaximumLikelihood(FAMILIES["full"], np.full(2, 1e-6))

    def make_pass(rows: Floats, weight: Floats | None) -> CompiledPass:
        return CompiledPass(rows, weight, family.factor_shape, 1)

    one, other = (
        starts.automatic_start(
            rows,
            weight,
            3,
            method,
            4,
            rule,
            make_pass,
            np.ones(2),
            np.random.default_rng(2),
            n_threads=1,
            accelerate=True,
        )
        for rows, weight in [(X, times.astype(float)), (np.repeat(X, times, axis=0), None)]
    )
    expected = GaussianMixture(*one[:3])
    Rounding(X, expected, 40).assert_same_mixture(GaussianMixture(*other[:3]))


@pytest.mark.parametrize("n_init", [1, 2, 3])
def test_automatic_starts_take_turns_at_the_two_metrics(
    monkeypatch: pytest.MonkeyPatch, n_init: int
) -> None:
    X = clustered()[0]
    coordinates = {name: seeding.standardised(X, np.ones(len(X)), name) for name in METRICS}
    used = []

    def kmeans_plusplus(Z: Floats, *arguments: object) -> Floats:
        used.extend(name for name in METRICS if np.array_equal(Z, coordinates[name]))
        return choose(Z, *arguments)

    choose = seeding.kmeans_plusplus
    monkeypatch.setattr(seeding, "kmeans_plusplus", kmeans_plusplus)
    automatic(X, "kmeans++", n_init=n_init)
    assert used == ["scaled", "whitened", "scaled"][:n_init]


def clusterings(
    X: Floats, method: str, *, n_init: int = 10, k: int = 4, seed: int = 0
) -> list[np.ndarray]:
    rng, weight = np.random.default_rng(seed), np.ones(len(X))
    return list(starts._clusterings(X, weight, k, method, n_init, 1, rng))


def test_start_by_kmeans_gives_rows_to_the_means_that_lloyd_leads_to() -> None:
    X = clustered(200, 2, 4)[0]
    Z = seeding.standardised(X, np.ones(200), "scaled")
    (labels,) = clusterings(X, "kmeans", n_init=1)
    means = np.stack([Z[labels == j].mean(axis=0) for j in range(4)])
    distances = np.square(Z[:, None] - means).sum(axis=2)
    np.testing.assert_array_equal(distances.argmin(axis=1), labels)
    (begin,) = clusterings(X, "kmeans++", n_init=1)
    assert (begin != labels).any()


def test_starts_by_kmeans_that_lead_to_the_same_clusters_are_tried_once() -> None:
    cluster = np.repeat(np.arange(4), 50)
    X = np.random.default_rng(0).normal(size=(200, 2)) + 100.0 * np.eye(4)[cluster][:, :2]
    X[cluster == 3] -= 100.0
    found = clusterings(X, "kmeans", n_init=1000)
    assert 1 <= len(found) <= 10
    assert len(clusterings(X, "random", n_init=30)) == 30


def test_starts_on_one_feature_use_one_metric() -> None:
    X = np.random.default_rng(0).normal(size=(100, 1))
    drawn = [labels.tobytes() for labels in clusterings(X, "random", n_init=2, k=3)]
    Z = seeding.standardised(X, np.ones(100), "scaled")
    rng = np.random.default_rng(0)
    for labels in drawn:
        centres = seeding.random_rows(Z, np.ones(100), 3, rng)
        assert np.abs(Z - centres.T).argmin(axis=1).tobytes() == labels


@pytest.mark.parametrize(("k", "d", "size"), [(1, 1, 18181), (5, 30, 3100), (64, 16, 21760)])
def test_sample_of_rows_is_large_for_the_parameters_and_cheap(k: int, d: int, size: int) -> None:
    assert starts._sample_size(k, d) == size


def test_start_of_clusters_without_rows_shares_those_of_the_heaviest() -> None:
    X = np.array([[0.0], [1.0], [2.0], [8.0], [10.0]])
    labels = np.array([0, 0, 0, 2, 2])
    rows = CompiledPass(X, None, "spherical", 1)
    rule = MaximumLikelihood(FAMILIES["spherical"], np.zeros(1))
    parameters = starts._from_rough_labels(rows, rule, X, labels, 4, np.ones(1))
    np.testing.assert_allclose(parameters.weights, [0.3, 0.3, 0.2, 0.2])
    middles = parameters.means[[0, 2], 0] + parameters.means[[1, 3], 0]
    np.testing.assert_allclose(middles / 2.0, [1.0, 9.0])
    np.testing.assert_allclose(parameters.covariances[[0, 2]], parameters.covariances[[1, 3]])
    apart = np.abs(parameters.means[[0, 2], 0] - parameters.means[[1, 3], 0])
    np.testing.assert_allclose(apart, np.sqrt(parameters.covariances[[0, 2]]))


# Which start stays


def candidates(
    *objectives: float,
) -> tuple[list[Parameters], Callable[[Parameters, int], Outcome]]:
    """Starts whose brief runs raise their objective by one, or fail where it is NaN."""
    starts_of = [Parameters(*[np.array([value])] * 4) for value in objectives]

    def brief(parameters: Parameters, _: int) -> Outcome:
        if np.isnan(parameters.weights[0]):
            raise FitError("this one fails")
        better = Parameters(*(each + 1.0 for each in parameters))
        return Outcome(better, parameters.weights[0], [0.0])

    return starts_of, brief


@pytest.mark.parametrize(
    ("objectives", "rounds"),
    [([1.0], 1), ([2.0, 1.0], 1), ([1.0, 3.0, 2.0], 2), ([5.0, 1.0, 9.0, 3.0, 7.0], 3)],
)
def test_best_of_brief_runs_goes_on_round_by_round(objectives: list[float], rounds: int) -> None:
    starts_of, brief = candidates(*objectives)
    parameters = starts._last_standing(iter(starts_of), brief, [])
    assert parameters.weights[0] == max(objectives) + rounds


def test_starts_that_fail_are_left_out_while_others_stand() -> None:
    starts_of, brief = candidates(np.nan, 1.0, np.nan, 2.0)
    assert starts._last_standing(iter(starts_of), brief, []).weights[0] == 3.0
    starts_of, brief = candidates(np.nan, np.nan)
    with pytest.raises(FitError, match="this one fails"):
        starts._last_standing(iter(starts_of), brief, [])


def test_starts_that_lead_to_one_end_keep_their_order() -> None:
    """Rounding alone does not choose among them, so that no machine chooses another."""
    starts_of, brief = candidates(2.0, 2.0 + 1e-13)
    assert starts._last_standing(iter(starts_of), brief, []).weights[0] == 3.0


def test_starts_that_are_interrupted_leave_the_best_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X = clustered()[0]
    ends: list[Outcome] = []
    run = starts.expectation_maximisation

    def interrupted(*arguments: object, **options: object) -> Outcome:
        if len(ends) == 4:
            raise KeyboardInterrupt
        ends.append(run(*arguments, **options))
        return ends[-1]

    monkeypatch.setattr(starts, "expectation_maximisation", interrupted)
    with pytest.raises(FitInterrupted) as caught:
        fit_gmm(X, 3, rng=0, init="random")
    fit = caught.value.fit
    best = max(ends, key=lambda end: end.history[-1])
    assert (fit.stop_reason, fit.converged) == ("interrupted", False)
    assert fit.history.tolist() == best.history
    np.testing.assert_array_equal(fit.model.means, best.parameters.means)
    assert np.isnan(fit.log_likelihood)

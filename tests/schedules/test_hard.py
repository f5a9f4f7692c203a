"""Classification EM: the hard E-step in the loop, and that k-means is a special case of it."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from clusters import clustered, joint_log_density, maximised
from helpers import COVARIANCE_TYPES, EPS
from loops import em_on, largest_fall, mixture_of, parameters_of, start_of
from numpy.typing import NDArray

from mixtura import KMeansFit, Statistics, fit_gmm, fit_kmeans, reference
from mixtura.covariance import CELEUX_GOVAERT
from mixtura.data import ArrayRows
from mixtura.parameters import Parameters, Seen
from mixtura.passes import Backend, RowsPass
from mixtura.passes.backend import BACKENDS
from mixtura.schedules import EM, Plain
from mixtura.shapes import SPHERICAL, Floats
from mixtura.updates import Collapse

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
NOISE = 16.0 * EPS  # of two evaluations of the objective, as in test_em


def classification_likelihood(X: Floats, joint: Floats) -> float:
    """The mean over rows of the largest log of weight times density."""
    return float(joint.max(axis=1).sum() / len(X))


@pytest.mark.parametrize("covariance_type", [*COVARIANCE_TYPES, *CELEUX_GOVAERT])
@pytest.mark.parametrize("reg_covar", [0.0, 0.1])
@pytest.mark.parametrize("spread", [1.0, 3.0])
def test_classification_likelihood_never_falls(
    covariance_type: str, reg_covar: float, spread: float
) -> None:
    X, _ = clustered(500, 3, 4, spread=spread)
    labels = np.random.default_rng(2).integers(4, size=len(X))
    fit = fit_gmm(
        X, 4, covariance_type=covariance_type, em="hard", init=labels, reg_covar=reg_covar,
        tol=0.0, max_iter=40,
    )  # fmt: skip
    assert fit.n_iter == 40
    assert sum(event.cause != "ridge" for event in fit.events) <= 2
    size = max(1.0, np.abs(fit.history).max())
    assert largest_fall(fit.history, fit.events) <= NOISE * size
    assert fit.history[-1] > fit.history[0]


@every_type
@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_objective_of_hard_iterations_is_the_classification_likelihood(
    covariance_type: str, ridge: float, weighted: bool
) -> None:
    X, labels = clustered(seed=1)
    rng = np.random.default_rng(5)
    weight = rng.choice([0.0, 0.5, 1.0, 3.0], size=len(X)) if weighted else np.ones(len(X))
    em = em_on(X, covariance_type, em="hard", ridge=ridge, sample_weight=weight)
    outcome = em.run(start_of(em, labels), 3)
    joint = joint_log_density(X, mixture_of(outcome.parameters, covariance_type), ridge)
    expected = np.average(joint.max(axis=1), weights=weight)
    assert outcome.objective == pytest.approx(expected, rel=1e-12)


@every_type
def test_hard_iterations_are_those_of_the_definition(covariance_type: str) -> None:
    """Each row to its most probable component, then the textbook's formulas."""
    X, labels = clustered(400, 2, 3, spread=2.0)
    model = maximised(X, np.eye(3)[labels], covariance_type)
    history = []
    for _ in range(6):
        joint = joint_log_density(X, model)
        model = maximised(X, np.eye(3)[joint.argmax(axis=1)], covariance_type)
        history.append(classification_likelihood(X, joint_log_density(X, model)))
    em = em_on(X, covariance_type, em="hard")
    start = parameters_of(maximised(X, np.eye(3)[labels], covariance_type))
    outcome = em.run(start, 6)
    np.testing.assert_allclose(outcome.history, history, rtol=1e-12)
    np.testing.assert_allclose(outcome.parameters.means, model.means, rtol=1e-10)
    assert len(set(outcome.history)) > 3


@every_type
def test_hard_fit_converges_when_no_row_changes_its_component(covariance_type: str) -> None:
    X, labels = clustered(spread=2.0)
    fit = fit_gmm(X, 3, covariance_type=covariance_type, em="hard", init=labels, reg_covar=0.0)
    assert fit.converged
    found = fit.model.component_log_prob(X).argmax(axis=1)
    again = maximised(X, np.eye(3)[found], covariance_type)
    np.testing.assert_allclose(again.means, fit.model.means, rtol=1e-10)
    np.testing.assert_allclose(again.weights, fit.model.weights, rtol=1e-10)
    expected = classification_likelihood(X, fit.model.component_log_prob(X))
    assert fit.history[-1] == pytest.approx(expected, rel=1e-12)
    assert fit.log_likelihood == pytest.approx(fit.model.log_likelihood(X), rel=1e-12)
    assert fit.log_likelihood > fit.history[-1] * len(X)


class EqualSpheres:
    """Equal weights and one variance for all: all that k-means estimates are the means."""

    m_step = None

    def update(
        self,
        statistics: Statistics,
        previous: Parameters | None = None,  # noqa: ARG002
    ) -> tuple[Parameters, NDArray[np.bool_]]:
        centred = statistics.centred()
        k, d = centred.centres.shape
        variance = np.full(k, centred.resp_xx.sum() / (d * statistics.resp_sum.sum()))
        weights = np.full(k, 1.0 / k)
        parameters = Parameters(weights, centred.centres, variance, variance**-0.5, SPHERICAL)
        return parameters, statistics.resp_sum == 0.0

    def as_seen(self, parameters: Parameters) -> tuple[Seen, float]:
        return parameters.seen(), 0.0

    def as_plain(self, parameters: Parameters) -> Seen:
        return self.as_seen(parameters)[0]

    def penalty(self, parameters: Parameters, weight_sum: float) -> float:  # noqa: ARG002
        return 0.0

    def select(self, components: NDArray[np.intp]) -> "EqualSpheres":  # noqa: ARG002
        return self

    def explain(self, *_: object) -> str:
        return "a cluster has no rows"


@dataclass
class Labelled:
    """A pass that keeps the component of each row."""

    inner: RowsPass
    labels: list[NDArray[np.int64]] = field(default_factory=list)

    def follow(self, *_: object) -> None:
        return None

    def accumulate(self, seen: Seen) -> Statistics:
        self.labels.append(np.empty(self.inner.source.n_samples, dtype=np.int64))
        return self.inner.accumulate(seen, self.labels[-1])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("d", "k"), [(2, 3), (5, 8), (3, 60)])
@pytest.mark.parametrize("seed", range(2))
def test_hard_iterations_with_equal_spheres_are_those_of_kmeans(
    backend: str, d: int, k: int, seed: int
) -> None:
    """To the label, in every iteration; with 60 clusters bounds are carried as well."""
    X, _ = clustered(2000, d, k, spread=2.0, seed=seed)
    centers = X[np.random.default_rng(seed).choice(len(X), size=k, replace=False)]
    expected: list[KMeansFit] = []
    end = fit_kmeans(
        X, k, init=centers, tol=0.0, max_iter=40, backend=backend,
        callback=lambda fit: expected.append(replace(fit, labels=fit.labels.copy())),
    )  # fmt: skip
    assert end.n_iter == len(expected) > 5
    rows = Labelled(RowsPass(ArrayRows(X), SPHERICAL, Backend(backend, 2), em="hard"))
    means: list[Floats] = []
    start = Parameters(np.full(k, 1 / k), centers, np.ones(k), np.ones(k), SPHERICAL)
    em = EM(rows, EqualSpheres(), Plain(0.0), Collapse("raise", np.ones(d), reference))
    outcome = em.run(start, end.n_iter, callback=lambda state: means.append(state.parameters.means))
    for i, fit in enumerate(expected):
        np.testing.assert_array_equal(rows.labels[i + 1], fit.labels)
        np.testing.assert_allclose(means[i], fit.centers, rtol=1e-12, atol=1e-12)
    # Of its classification likelihood only the inertia is not constant.
    variance = outcome.parameters.covariances[0]
    inertia = np.square(X - means[-1][rows.labels[-1]]).sum()
    density = -0.5 * d * np.log(2 * np.pi * variance) - 0.5 * inertia / (len(X) * variance)
    assert outcome.objective == pytest.approx(density - np.log(k), rel=1e-9)

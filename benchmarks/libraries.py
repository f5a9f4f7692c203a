"""The same fit by mixtura compiled, by its reference, and by scikit-learn where it is installed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mixtura
from benchmarks.problems import Problem

PEER = "scikit-learn"
LIBRARIES = ("mixtura", PEER)
BACKENDS = ("compiled", "reference", PEER)


def prepare(library: str) -> None:
    """Import a library before it is timed; leave out what is not installed.

    Asv reads NotImplementedError in a setup as "no figure".
    """
    if library != PEER:
        return
    if find_spec("sklearn") is None:
        raise NotImplementedError
    import_module("sklearn.cluster")
    import_module("sklearn.mixture")


def fit(backend: str, problem: Problem, n_iter: int, n_threads: int | None = None) -> float:
    """Run exactly `n_iter` iterations from the problem's start; return the log-likelihood, nats."""
    X, start = problem.X, problem.start
    if backend == PEER:
        with silence():
            model = from_start(start, n_iter).fit(X)
        assert model.n_iter_ == n_iter
        return float(model.score_samples(X).sum())
    result = mixtura.fit_gmm(
        X,
        start.n_components,
        covariance_type=start.covariance_type,
        init=start,
        reg_covar=0,
        tol=0,
        max_iter=n_iter,
        n_threads=n_threads,
        backend=backend,  # type: ignore[arg-type]
    )
    assert result.n_iter == n_iter
    assert not result.events, result.events
    return result.log_likelihood


def automatic_fit(library: str, X: NDArray[Any], n_components: int, **options: Any) -> float:
    """Fit by the library's defaults, but for its own options; return the log-likelihood, nats."""
    if library == "mixtura":
        return mixtura.fit_gmm(X, n_components, rng=0, **options).log_likelihood
    from sklearn.mixture import GaussianMixture

    with silence():
        model = GaussianMixture(n_components, random_state=0, **options).fit(X)
    return float(model.score_samples(X).sum())


@contextmanager
def silence() -> Iterator[None]:
    """Keep scikit-learn from warning that a fixed number of iterations does not converge."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def from_start(start: mixtura.GaussianMixture, n_iter: int) -> Any:
    """Make scikit-learn's estimator that will do `n_iter` iterations from a mixture."""
    from sklearn.mixture import GaussianMixture

    return GaussianMixture(
        start.n_components,
        covariance_type=start.covariance_type,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=_precisions(start),
        init_params="random_from_data",  # the cheapest, and overruled by the three above
        reg_covar=0,
        tol=0,
        max_iter=n_iter,
    )


def _precisions(model: mixtura.GaussianMixture) -> Any:
    if model.covariance_type in ("full", "tied"):
        return np.linalg.inv(model.covariances)
    return 1 / model.covariances


def sklearn_twin(model: mixtura.GaussianMixture) -> Any:
    """Make scikit-learn's estimator that is already fitted, with the parameters of a mixture."""
    from sklearn.mixture import GaussianMixture

    twin = GaussianMixture(model.n_components, covariance_type=model.covariance_type)
    twin.weights_, twin.means_ = model.weights, model.means
    twin.covariances_, twin.precisions_cholesky_ = model.covariances, model.precisions_cholesky
    return twin

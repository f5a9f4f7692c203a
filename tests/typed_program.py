"""A program as users write it: what type checkers say of each result, and what it is.

`test_types` has it checked by mypy and by pyright, strictly, against the package that is imported,
and runs it. `assert_type` is of the checkers; `is_a` is the same at run time.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from numpy.typing import NDArray

import mixtura
from mixtura import (
    BayesianGMMFit,
    BinnedFit,
    BootstrapLRT,
    CheckpointWarning,
    CoarseColumnsWarning,
    ConjugatePrior,
    ConvergenceWarning,
    EmptyFeatureWarning,
    Event,
    FitError,
    FitInterrupted,
    GaussianMixture,
    GMMFit,
    GMMPosterior,
    GMMSelection,
    HierarchicalTree,
    IgnoredClassesWarning,
    KMeansFit,
    RowsChangedError,
    SearchReport,
    SelectionInterrupted,
    SingularScaleWarning,
    State,
    Statistics,
    StepwiseGMM,
    StudentMixture,
    TracePrior,
    UnobservedPairsWarning,
    WeightsWarning,
    bootstrap_lrt,
    build_config,
    datasets,
    fit_bayesian_gmm,
    fit_binned,
    fit_gmm,
    fit_kmeans,
    hierarchical,
    kernels,
    load,
    plot,
    reference,
    scan,
    select_gmm,
    sklearn,
)

if TYPE_CHECKING:
    from dask.array import Array

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
WARNINGS: list[type[Warning]] = [
    CheckpointWarning,
    CoarseColumnsWarning,
    ConvergenceWarning,
    EmptyFeatureWarning,
    IgnoredClassesWarning,
    SingularScaleWarning,
    UnobservedPairsWarning,
    WeightsWarning,
]


def is_a(value: object, *kinds: type | np.dtype[Any]) -> None:
    """Stop the program unless a value is of a kind: a class, or an array of a type."""
    kind: object = getattr(value, "dtype", type(value))
    assert kind in kinds, f"{kind} in place of {kinds}"


FLOATS, LABELS = np.dtype(np.float64), np.dtype(np.int64)


def rows_of_every_kind(folder: Path) -> None:
    """Arrays, lists, data frames and files are all rows."""
    faithful = datasets.load_faithful()
    X = assert_type(faithful.data, Floats)
    frame = pl.DataFrame({"eruptions": X[:, 0], "waiting": X[:, 1]})
    np.save(folder / "rows.npy", X)
    for rows in (X.tolist(), X.astype(np.float32), frame, scan(folder / "rows.npy")):
        is_a(assert_type(fit_gmm(rows, 2, rng=0).predict(rows), Labels), LABELS)
    assert_type(fit_gmm(frame, 2, rng=0).feature_names, tuple[str, ...] | None)
    fit_gmm([[1.0, 2], [3, 4], (5, 7)], 1)
    fit_kmeans([X[0], X[1], X[2]], 2, init=[[2, 50], [4.0, 80]])


def rows_elsewhere(fit: GMMFit, array: Array) -> None:
    """Answers for rows of Dask or Spark are theirs. Nobody calls this: no cluster is needed."""
    assert_type(fit.predict(array), Any)
    assert_type(fit_gmm(array, 2), GMMFit)


def one_fit(X: Floats, folder: Path) -> None:
    """A fit, the mixture that it has, and what both answer."""

    def report(state: State) -> None:
        assert_type(state.iteration, int)
        assert_type(state.objective, float)

    fit = fit_gmm(X, 2, covariance_type="full", sample_weight=[1.0] * len(X), callback=report)
    assert_type(fit, GMMFit)
    assert_type(fit.log_likelihood, float)
    assert_type(fit.events, tuple[Event, ...])
    assert_type(fit.search, SearchReport | None)
    is_a(assert_type(fit.history, Floats), FLOATS)
    is_a(assert_type(fit.bic(X), float), float)
    is_a(assert_type(fit.summary(), str), str)

    mixture = assert_type(fit.model, GaussianMixture)
    for model in (fit, mixture):
        is_a(assert_type(model.means, Floats), FLOATS)
        is_a(assert_type(model.volume, Floats), FLOATS)
        is_a(assert_type(model.n_parameters, int), int)
        is_a(assert_type(model.predict(X), Labels), LABELS)
        is_a(assert_type(model.log_prob(X, missing="em", n_threads=1), Floats), FLOATS)
        is_a(assert_type(model.responsibilities(X), Floats), FLOATS)
        is_a(assert_type(model.component_log_prob(X), Floats), FLOATS)
        is_a(assert_type(model.denoise(X, np.zeros(len(X))), Floats), FLOATS)
        assert_type(model.denoise(X, np.zeros(len(X)), return_cov=True), tuple[Floats, Floats])
        assert_type(model.sample(3, rng=0), tuple[Floats, Labels])
        is_a(assert_type(model.marginal([0]), GaussianMixture), GaussianMixture)
        is_a(assert_type(model.kl_divergence(mixture).value, float), float)
        is_a(assert_type(model.conditional([0], [2.0]).boundaries()[0], Floats), FLOATS)
    imputed = mixture.impute([[2.0, np.nan]])
    is_a(assert_type(imputed, NDArray[Any]), FLOATS)

    # Where answers go decides what is returned.
    path = folder / "labels.npy"
    is_a(assert_type(fit.predict(X, out=path), Path), type(path))
    is_a(assert_type(fit.predict(X, out=str(path)), str), str)
    is_a(assert_type(fit.log_prob(X, out=X[:, 0].copy()), Floats), FLOATS)
    blocks = assert_type(fit.responsibilities(X, blocks=True), Iterator[Floats])
    assert sum(len(block) for block in blocks) == len(X)

    fit.save(folder / "fit.npz")
    is_a(load(folder / "fit.npz"), GMMFit)
    is_a(GaussianMixture([0.5, 0.5], [[0.0], [4.0]], [1.0, 4.0], "spherical"), GaussianMixture)


def choices(X: Floats) -> None:
    """Which model, and whether one more component is needed."""
    selection = assert_type(select_gmm(X, [1, 2], ["EII", "VVV"], rng=0), GMMSelection[GMMFit])
    is_a(assert_type(selection.best, GMMFit), GMMFit)
    assert_type(selection.top(1), list[tuple[int, str, float]])
    is_a(assert_type(selection.table, Floats), FLOATS)
    by_evidence = select_gmm(X, [1, 2], ["VVV"], criterion="elbo", rng=0)
    is_a(assert_type(by_evidence.best, BayesianGMMFit), BayesianGMMFit)
    test = assert_type(bootstrap_lrt(X, 1, n_bootstrap=9, rng=0), BootstrapLRT)
    is_a(assert_type(test.p_value, float), float)


def priors_and_posteriors(X: Floats) -> None:
    """Fits with priors, posteriors, and rows that come by once."""
    for prior in (ConjugatePrior(mean=[3.5, 70.0], shrinkage=1), TracePrior([0.1, 0.1])):
        is_a(assert_type(fit_gmm(X, 2, prior=prior, rng=0).log_prior, float), float)
    fit = assert_type(fit_bayesian_gmm(X, 4, weight_prior="stick-breaking", rng=0), BayesianGMMFit)
    is_a(assert_type(fit.elbo, float), float)
    is_a(assert_type(fit.log_likelihood(X), float), float)
    posterior = assert_type(fit.posterior, GMMPosterior)
    is_a(assert_type(posterior.predict(X), Labels), LABELS)
    is_a(assert_type(posterior.credible_intervals(0.9).means, Floats), FLOATS)
    assert_type(posterior.sample_models(2, rng=0), list[GaussianMixture])
    predictive = assert_type(posterior.predictive, StudentMixture)
    is_a(assert_type(predictive.log_prob(X), Floats), FLOATS)

    stream = StepwiseGMM(2, bayesian={"concentration": 0.5}, rng=0)
    for batch in np.array_split(X, 4):
        assert_type(stream.update(batch), StepwiseGMM)
    is_a(assert_type(stream.model, GaussianMixture), GaussianMixture)
    is_a(assert_type(stream.statistics, Statistics), Statistics)


def clusters_and_bins(X: Floats) -> None:
    """K-means, trees, and counts in bins."""
    clusters = assert_type(fit_kmeans(X, 2, rng=0), KMeansFit)
    is_a(assert_type(clusters.predict(X), Labels), LABELS)
    tree = assert_type(hierarchical(X), HierarchicalTree)
    is_a(assert_type(tree.labels(2), Labels), LABELS)
    counts, edges = np.histogram(X[:, 1], bins=20)
    binned = assert_type(fit_binned(edges, counts, 2, rng=0), BinnedFit)
    is_a(assert_type(binned.bic(), float), float)


def passes_and_pictures(X: Floats) -> None:
    """The passes below a fit, scikit-learn's names, and pictures."""
    fit = fit_gmm(X, 2, rng=0)
    arrays = (fit.weights, fit.means, fit.precisions_cholesky)
    assert_type(kernels.accumulate(X, *arrays, covariance_type="full"), Statistics)
    assert_type(reference.accumulate(X, *arrays, covariance_type="full"), Statistics)
    assert_type(mixtura.__version__, str)
    assert "instruction_sets" in build_config()
    estimator = sklearn.GaussianMixture(2, random_state=0).fit(X)
    assert_type(estimator, sklearn.GaussianMixture)
    is_a(assert_type(estimator.weights_, NDArray[Any]), FLOATS)
    is_a(assert_type(sklearn.KMeans(2, random_state=0).fit(X).labels_, Labels), LABELS)
    display = plot.ScatterDisplay.from_model(fit, X)
    assert_type(display, plot.ScatterDisplay)
    is_a(assert_type(display.ax_, Axes), Axes)


def failures(X: Floats) -> None:
    """What goes wrong has classes of its own."""
    try:
        fit_gmm(X[:1], 1, reg_covar=0, on_collapse="raise")
    except (FitError, RowsChangedError) as error:
        assert_type(error, FitError | RowsChangedError)
    else:
        raise AssertionError("one row has no covariance")
    for interrupted in (FitInterrupted, SelectionInterrupted):
        assert issubclass(interrupted, KeyboardInterrupt)
    for category in WARNINGS:
        warnings.simplefilter("ignore", category)


if __name__ == "__main__":
    rows, place = datasets.load_faithful().data, Path(sys.argv[1])
    failures(rows)
    rows_of_every_kind(place)
    one_fit(rows, place)
    choices(rows)
    priors_and_posteriors(rows)
    clusters_and_bins(rows)
    passes_and_pictures(rows)

"""Published figures, to all their digits, and what mclust reaches from the same start."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mixtura import FitError, GMMFit, datasets, fit_gmm

DATA = Path(__file__).parents[1] / "data"
SAME_AS_V = ("full", "diag", "spherical")  # which "V", its name for one column, stands for
REACHED = 1e-6  # nats; mclust's figures are that near to the end of their own iterations


def converged(X: NDArray[np.float64], k: int, covariance_type: str, **options: object) -> GMMFit:
    """Fit without a ridge until nothing is left to gain."""
    settings = {"reg_covar": 0.0, "tol": 1e-13, "max_iter": 20_000, "rng": 0} | options
    fit = fit_gmm(X, k, covariance_type=covariance_type, **settings)
    assert fit.converged
    return fit


def load(name: str) -> datasets.Dataset:
    return getattr(datasets, f"load_{name}")()


@pytest.mark.parametrize("init", ["kmeans++", "kmeans", "random", "hierarchical"])
@pytest.mark.parametrize(
    ("name", "columns", "k", "covariance_type", "log_likelihood", "bic"),
    [
        ("naples_crabs", slice(None), 2, "full", "2567.57890", None),
        ("faithful", slice(None), 1, "full", None, "2607.623"),
        ("faithful", slice(None), 2, "full", "-1130.263960", "2322.191743"),
        ("faithful", slice(None), 3, "tied", "-1126.315928", "2314.295678"),
        ("faithful", slice(1, 2), 2, "tied", "-1034.001760", "2090.426729"),
        ("iris", slice(None), 1, "spherical", "-889.5161", None),
        ("iris", slice(None), 1, "diag", "-741.0175", None),
        ("iris", slice(None), 1, "full", "-379.9146", None),
        ("acidity", slice(None), 2, "tied", "-185.949264", "392.072229"),
        ("diabetes_reaven_miller", slice(None), 3, "full", "-2303.491843", "4751.308965"),
        ("thyroid", slice(None), 3, "diag", "-2303.022331", "4777.905078"),
    ],
)
def test_fit_of_real_data_reaches_the_published_figures(
    name: str,
    columns: slice,
    k: int,
    covariance_type: str,
    log_likelihood: str | None,
    bic: str | None,
    init: str,
) -> None:
    dataset = load(name)
    X = dataset.data[:, columns]
    fit = converged(X, k, covariance_type, init=init, sample_weight=dataset.sample_weight)
    assert fit.log_likelihood == pytest.approx(
        fit.model.log_likelihood(X, dataset.sample_weight), rel=1e-13
    )
    for figure, value in [
        (log_likelihood, fit.log_likelihood),
        (bic, fit.model.bic(X, dataset.sample_weight)),
    ]:
        if figure is not None:
            decimals = len(figure.partition(".")[2])
            assert f"{value:.{decimals}f}" == figure


def test_fit_of_iris_from_the_species_reaches_the_published_figure() -> None:
    iris = datasets.load_iris()
    fit = converged(iris.data, 3, "full", init=iris.labels)
    assert f"{fit.log_likelihood:.6f}" == "-180.185477"


def mclust_cases() -> list[tuple[object, ...]]:
    """(name, k, covariance_type, log_likelihood, n_parameters, bic) of all models."""
    return [
        (
            name,
            int(row["k"]),
            row["model"],
            math.nan if row["loglik"] == "NA" else float(row["loglik"]),
            int(row["n_parameters"]),
            math.nan if row["bic"] == "NA" else float(row["bic"]),
        )
        for name in ("faithful", "iris", "acidity")
        for row in csv.DictReader((DATA / f"{name}_loglik.csv").read_text().splitlines())
    ]


def start_labels(name: str, k: int) -> NDArray[np.int64]:
    path = DATA / f"{name}_start_labels.csv"
    return np.loadtxt(path, delimiter=",", skiprows=1, usecols=k, dtype=np.int64)


@pytest.mark.parametrize(
    ("name", "k", "covariance_type", "log_likelihood", "n_parameters", "bic"),
    [case for case in mclust_cases() if math.isfinite(case[3])],
)
def test_fit_from_labels_of_mclust_reaches_its_log_likelihood(
    name: str, k: int, covariance_type: str, log_likelihood: float, n_parameters: int, bic: float
) -> None:
    X = load(name).data
    fit = converged(X, k, covariance_type, init=start_labels(name, k), on_collapse="raise")
    assert fit.log_likelihood >= log_likelihood - REACHED
    assert fit.model.n_parameters == n_parameters
    ours_at_theirs = fit.model.bic(X) + 2.0 * (fit.log_likelihood - log_likelihood)
    assert ours_at_theirs == pytest.approx(bic, abs=1e-8)


def test_cases_of_mclust_that_give_up_are_those_named_below() -> None:
    gave_up = {case[:3] for case in mclust_cases() if math.isnan(case[3])}
    one_column = {("acidity", k, "V") for k in range(2, 6)}
    assert gave_up == {("faithful", 5, "VVI"), *one_column}
    assert len(mclust_cases()) == 2 * 5 * 14 + 5 * 2


@pytest.mark.parametrize("covariance_type", ["V", *SAME_AS_V])
@pytest.mark.parametrize("k", range(2, 6))
def test_fit_from_labels_of_one_row_alone_says_that_it_cannot_start(
    k: int, covariance_type: str
) -> None:
    labels = start_labels("acidity", k)
    j = int(np.argmax(np.bincount(labels) < 4))
    message = rf"cannot start: component {j} has a singular covariance, constant in feature 0\."
    with pytest.raises(FitError, match=message):
        converged(load("acidity").data, k, covariance_type, init=labels, on_collapse="raise")
    fit = converged(load("acidity").data, k, covariance_type, init=labels)
    assert (fit.events[0].iteration, fit.events[0].action) == (0, "reseeded")
    # Of five, two end alike; parted, one of them collapses again and again until it is dropped.
    dropped = [event for event in fit.events if event.action == "dropped"]
    assert fit.model.n_components == k - len(dropped)
    assert len(dropped) == (k == 5)


def test_fit_where_mclust_gives_up_on_a_component_says_so_or_recovers() -> None:
    X, labels = load("faithful").data, start_labels("faithful", 5)
    with pytest.raises(FitError, match=r"component 3 has a singular covariance at iteration \d+"):
        converged(X, 5, "VVI", init=labels, on_collapse="raise")
    fit = converged(X, 5, "VVI", init=labels, on_collapse="reseed")
    (event,) = fit.events
    assert (event.component, event.cause, event.action) == (3, "singular", "reseeded")
    assert fit.log_likelihood > -1112.880832926  # of four components

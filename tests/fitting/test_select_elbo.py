"""select_gmm by the evidence lower bound."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from clusters import clustered

from mixtura import BayesianGMMFit, ConjugatePrior, datasets, fit_bayesian_gmm, select_gmm
from mixtura.exceptions import WeightsWarning
from mixtura.fitting.bayesian.labellings import log_labellings
from mixtura.plot import CriterionDisplay

X, LABELS = clustered(spread=9.0, seed=2)


def test_selection_by_evidence_finds_the_groups_and_has_bayesian_fits() -> None:
    found = select_gmm(X, range(1, 6), criterion="elbo", rng=0)
    assert found.covariance_types == ("VII", "VVI", "EEE", "VVV")
    assert found.top(1)[0][:2] == (3, "VVV")
    assert isinstance(found.best, BayesianGMMFit)
    assert "-2 ELBO of 20 mixtures; lower is better" in found.summary()
    assert f"(evidence lower bound {found.best.elbo:.3f}, 3 with rows)" in found.summary()
    assert CriterionDisplay.from_selection(found).ax_.get_ylabel().startswith("-2 ELBO")


@pytest.mark.parametrize("k", [1, 3])
def test_value_is_minus_twice_the_bound_and_the_number_of_labellings(k: int) -> None:
    found = select_gmm(X, k, ["full"], criterion="elbo", rng=0)
    fit = found.fits[k, "full"]
    assert fit.n_effective == k
    expected = -2.0 * (fit.elbo + math.log(math.factorial(k)))
    assert found.table[0, 0] == pytest.approx(expected, rel=1e-12)
    other = fit_bayesian_gmm(X, k, rng=0)
    assert fit.elbo == pytest.approx(other.elbo, abs=1e-3)
    prior, other_prior = fit.posterior.prior, other.posterior.prior
    np.testing.assert_array_equal(prior.covariance, other_prior.covariance)


def test_components_without_rows_and_those_that_labels_name_do_not_change_places() -> None:
    resp = np.eye(5)[LABELS]  # two components without rows
    fit = fit_bayesian_gmm(X, 5, init=resp, concentration=0.01)
    assert fit.n_effective == 3
    assert log_labellings(fit) == pytest.approx(math.log(120 / 2))
    sticks = fit_bayesian_gmm(X, 5, init=resp, weight_prior="stick-breaking")
    assert log_labellings(sticks) == 0.0
    known = np.array([[0.0] * 5, [0.0, -np.inf, -np.inf, -np.inf, -np.inf]])
    assert log_labellings(fit, known) == pytest.approx(math.log(24 / 2))


def test_evidence_ranks_more_components_than_rows_would_bear() -> None:
    found = select_gmm(X[:4], [1, 2, 4], criterion="elbo", rng=0)
    assert np.isfinite(found.table).all()


def test_one_column_has_two_types() -> None:
    found = select_gmm(datasets.load_galaxies().data, [1, 3], criterion="elbo", rng=0)
    assert found.covariance_types == ("E", "V")
    assert found.top(1)[0][0] == 3


def test_other_families_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^covariance_type must be one of .*; got 'VEV'"):
        select_gmm(X, 2, ["VEV"], criterion="elbo")


def test_selection_takes_weights_labels_and_missing_numbers() -> None:
    rows = X.copy()
    rows[::9, 1] = np.nan
    labels = np.where(np.arange(len(X)) % 4 == 0, LABELS, -1)
    weight = 1.0 + np.arange(len(X)) % 2
    found = select_gmm(
        rows, [2, 3, 4], ["VVV"], criterion="elbo", labels=labels, missing="em",
        sample_weight=weight, rng=0,
    )  # fmt: skip
    assert np.isnan(found.table[0, 0])  # there are three labels
    assert found.top(1)[0][:2] == (3, "VVV")
    assert found.best.n_labelled == 60


@pytest.mark.parametrize("prior", ["default", ConjugatePrior(shrinkage=1.0)])
def test_prior_is_refused_as_evidence_has_one(prior: Any) -> None:
    message = '(?s)^prior must be None for criterion="elbo", .*; got .* Call fit_bayesian_gmm'
    with pytest.raises(ValueError, match=message):
        select_gmm(X, 2, criterion="elbo", prior=prior)


def test_small_weights_give_a_warning() -> None:
    with pytest.warns(WeightsWarning, match="elbo count weights as rows"):
        select_gmm(X, 1, ["EEE"], criterion="elbo", sample_weight=np.full(len(X), 0.01), rng=0)


def test_labels_of_one_component_and_of_two_are_compared() -> None:
    labels = np.where(np.arange(len(X)) % 3, -1, 0)  # of one component they say nothing
    for criterion in ("elbo", "bic"):
        found = select_gmm(X, [1, 2], ["full"], criterion=criterion, labels=labels, rng=0)
        assert np.isfinite(found.table).all()
        assert (found.fits[2, "full"].predict(X)[labels == 0] == 0).mean() > 0.2

"""From the outcome of a variational fit to what users get."""

from __future__ import annotations

import math

import numpy as np

from mixtura.fitting.bayesian.estimate import VariationalBayes
from mixtura.fitting.bayesian.result import BayesianGMMFit
from mixtura.fitting.reports import expected_log_prior, in_order, n_labelled
from mixtura.fitting.stages import Fitting
from mixtura.mixture.separation import assignment_entropy
from mixtura.posterior import GMMPosterior
from mixtura.schedules import Outcome

__all__ = ["report_posterior"]


def report_posterior(fitting: Fitting, outcome: Outcome, automatic: bool) -> BayesianGMMFit:
    """Return a fit by variational Bayes as users get it.

    Parameters
    ----------
    fitting : Fitting
        With `VariationalBayes` as its estimate.
    outcome : Outcome
    automatic : bool
        Whether the start was: then the heaviest component comes first, unless labels give
        components their order.
    """
    survey, estimate = fitting.survey, fitting.settings.estimate
    assert isinstance(estimate, VariationalBayes)
    source, parameters = survey.source, outcome.parameters
    prior = estimate.prior(survey, fitting.family, fitting.n_components)
    entropy = math.nan
    if outcome.stop_reason != "interrupted" and outcome.statistics is not None:
        constants = prior.log_constants(prior.laws_of(parameters, source.weight_sum))
        entropy = assignment_entropy(
            outcome.statistics,
            parameters,
            survey.backend.algebra,
            expected_log_prior(fitting, outcome),
            constants,
        )
    events = outcome.events
    if not prior.weights.is_ordered:  # else another order would have another bound
        order, events = in_order(fitting, outcome, automatic)
        parameters = parameters if order is None else parameters.select(order)
    posterior = GMMPosterior._of(
        prior,
        prior.laws_of(parameters, source.weight_sum),
        fitting.covariance_type,
        source.feature_names,
        source.missing,
        source.weight_sum * parameters.weights,
        source.weight_sum / source.n_rows,
        source.form == "noisy",
    )
    return BayesianGMMFit(
        posterior,
        outcome.objective * source.weight_sum,
        np.asarray(outcome.history),
        len(outcome.history),
        outcome.stop_reason == "converged",
        outcome.stop_reason,
        tuple(events),
        source.n_rows,
        source.weight_sum,
        entropy,
        n_labelled(fitting),
        source.form == "noisy",
        survey.n_missing,
        fitting.search,
    )

"""From the outcome of a fit to what users get."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mixtura.data.labels import RowLabels
from mixtura.fitting.result import GMMFit
from mixtura.fitting.stages import Fitting
from mixtura.mixture import GaussianMixture
from mixtura.mixture.reordering import heaviest_first
from mixtura.mixture.separation import assignment_entropy
from mixtura.passes import RowsPass
from mixtura.schedules import Outcome
from mixtura.updates import Event

__all__ = ["expected_log_prior", "in_order", "n_labelled", "report"]


def report(fitting: Fitting, outcome: Outcome, automatic: bool) -> GMMFit:
    """Return the fit as users get it; its log-likelihood may need one more pass.

    Parameters
    ----------
    fitting : Fitting
    outcome : Outcome
    automatic : bool
        Whether the start was: then the order of the components has no meaning, unless labels
        give it one, and the heaviest comes first. Events of components that were kept name them
        by their new positions.
    """
    log_likelihood, entropy = _measured(fitting, outcome)
    source = fitting.survey.source
    order, events = in_order(fitting, outcome, automatic)
    model = GaussianMixture._of(
        fitting.covariance_type, outcome.parameters, source.feature_names, source.missing
    )
    return GMMFit(
        model if order is None else model.reordered(order),
        log_likelihood,
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
        fitting.survey.n_missing,
        0.0 - fitting.update_for(outcome).penalty(outcome.parameters, 1.0),
        fitting.search,
    )


def in_order(
    fitting: Fitting, outcome: Outcome, automatic: bool
) -> tuple[NDArray[np.intp] | None, list[Event]]:
    """Return the order in which components are reported, None for theirs; and the events."""
    parameters, events = outcome.parameters, outcome.events
    numbered = fitting.prior is not None or fitting.settings.estimate.tells_apart(fitting.family)
    if not automatic or numbered:
        return None, events
    order = heaviest_first(parameters.weights, parameters.means)
    position = np.argsort(order)
    return order, [
        replace(event, component=int(position[event.component]))
        if event.action == "kept"
        else event
        for event in events
    ]


def _measured(fitting: Fitting, outcome: Outcome) -> tuple[float, float]:
    """Log-likelihood and entropy; NaN what an interrupted fit would need one more pass for."""
    parameters, statistics = outcome.parameters, outcome.statistics
    log_likelihood = math.nan
    if statistics is not None and _has_seen_the_mixture(fitting, outcome):
        log_likelihood = statistics.log_likelihood
    elif outcome.stop_reason != "interrupted":
        try:
            rows = fitting.survey.rows(parameters.shape, "soft")
            seen = fitting.update_for(outcome).as_plain(parameters)
            statistics = rows.accumulate(seen)
            log_likelihood = statistics.log_likelihood
        except KeyboardInterrupt:
            outcome.stop_reason = "interrupted"
    if statistics is None or outcome.stop_reason == "interrupted":
        return log_likelihood, math.nan
    algebra = fitting.survey.backend.algebra
    known = expected_log_prior(fitting, outcome)
    return log_likelihood, assignment_entropy(statistics, parameters, algebra, known)


def n_labelled(fitting: Fitting) -> int:
    """Rows of positive weight of which something is known."""
    code = None if fitting.prior is None else fitting.survey.source.extra("code")
    if fitting.prior is None or code is None:
        return 0
    return RowLabels(code, fitting.prior).known_rows(fitting.survey.source)


def expected_log_prior(fitting: Fitting, outcome: Outcome) -> float:
    """Weighted sum of ``resp log plausibility``: 0 where components are allowed or forbidden.

    Else it takes a pass, and as much memory as the plausibilities.
    """
    source, parameters = fitting.survey.source, outcome.parameters
    seen = fitting.update_for(outcome).as_plain(parameters)
    prior = seen.extras.get("prior")
    code = None if prior is None else source.extra("code")  # which reads all rows
    if prior is None or code is None or not prior[np.isfinite(prior)].any():
        return 0.0
    weights = source.weights()
    alike = source.reweighted(np.ones(source.n_samples))
    resp = np.empty((source.n_samples, len(parameters.weights)))
    RowsPass(alike, parameters.shape, fitting.survey.backend).evaluate(seen, resp=resp)
    prior = prior[code]
    row_sums = np.multiply(resp, prior, where=resp > 0.0, out=resp).sum(axis=1)
    return float(row_sums.sum() if weights is None else weights @ row_sums)


def _has_seen_the_mixture(fitting: Fitting, outcome: Outcome) -> bool:
    """Whether the last pass was an ordinary E-step under the mixture itself."""
    update, own = fitting.update_for(outcome), outcome.parameters.seen()
    seen = update.as_seen(outcome.parameters)[0]
    return (
        fitting.settings.kind.step == "soft"
        and outcome.inverse_temperature == 1.0
        and seen.precisions_cholesky is own.precisions_cholesky
        and np.array_equal(seen.log_weights, own.log_weights)
    )

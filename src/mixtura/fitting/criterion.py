"""What a criterion says of mixtures: from their likelihood, a function, or rows held out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mixtura.data import RowSource
from mixtura.data.frames import described
from mixtura.data.reweighed import Fold, Reweighed
from mixtura.exceptions import FitError
from mixtura.fitting.bayesian.labellings import log_labellings
from mixtura.fitting.bayesian.result import BayesianGMMFit
from mixtura.fitting.models import FAILURES, Models, reason
from mixtura.fitting.progress import Counter
from mixtura.fitting.selection import AnyFit, Criterion, GMMSelection, criterion_name
from mixtura.fitting.survey import Survey
from mixtura.mixture import GaussianMixture
from mixtura.mixture.table import counted
from mixtura.passes import Backend, RowsPass
from mixtura.shapes import Floats

__all__ = ["cross_validate", "ends", "value_of"]


def ends(
    models: Models, sizes: tuple[int, ...], rng: np.random.Generator, count: Counter
) -> Iterator[tuple[int, str, AnyFit | str]]:
    """Yield every model, and again each better fit of it."""
    seen: set[tuple[int, str]] = set()
    for k, name, end in models.fits(sizes, rng):
        if (k, name) not in seen:
            seen.add((k, name))
            count(f"{name}, {counted(k, 'component')}")
        yield k, name, end


def value_of(criterion: Criterion, fit: AnyFit, survey: Survey) -> float:
    """Return the criterion of a fit to the rows of a survey; lower is better."""
    source, prior = survey.source, survey.priors.get(fit.n_components)
    if callable(criterion):
        return _value_of_callable(criterion, fit, source)
    if isinstance(fit, BayesianGMMFit):
        return -2.0 * (fit.elbo + log_labellings(fit, prior))
    if criterion == "icl":
        n_threads = survey.backend.n_threads
        completed = _log_likelihood_of(fit.model, source, n_threads, "hard", prior)
        return -2.0 * completed + fit.n_parameters * math.log(source.weight_sum)
    penalty = 2.0 if criterion == "aic" else math.log(source.weight_sum)
    return -2.0 * fit.log_likelihood + penalty * fit.model.n_parameters


def _value_of_callable(criterion: Callable[..., float], fit: AnyFit, source: RowSource) -> float:
    """What the user's function returns.

    Raises
    ------
    FitError
        For an error in it and for anything but a number. The other models keep their fits.
    """
    name = criterion_name(criterion)
    try:
        weights = source.weights() if source.in_memory else None  # others have their own
        value: Any = criterion(fit.model, source.shown(), weights)
    except Exception as error:
        raise FitError(f"{name} raised {type(error).__name__}: {error}") from error
    try:
        if np.ndim(value) == 0 and not isinstance(value, str | bytes):
            return float(value)
    except (TypeError, ValueError):
        pass
    raise FitError(
        f"{name} must return a number; got {described(value)} for {fit.covariance_type} with "
        f"{counted(fit.n_components, 'component')}. Return a float."
    )


def cross_validate(
    selection: GMMSelection[Any],
    models: Models,
    sizes: tuple[int, ...],
    streams: list[np.random.Generator],
    count: Counter,
) -> None:
    """Enter minus twice the log-likelihood of held-out rows, when all folds of a model are done."""
    source, n_folds = models.survey.source, len(streams)
    deviances = {model: np.full(n_folds, np.nan) for model in selection.fits}
    share = np.empty(n_folds)
    for fold, (stream, (held, others)) in enumerate(
        zip(streams, _folds(source, n_folds, streams[0]), strict=True)
    ):
        share[fold] = held.weight_sum
        try:
            if not 0.0 < share[fold] < source.weight_sum:
                raise ValueError("it has all rows of positive weight, or none. Use fewer folds")
            training = models.on(others)
        except ValueError as error:  # as where no row that is left has a number in some column
            selection.reasons.update(dict.fromkeys(deviances, f"fold {fold}: {error}"))
            return
        for k, name, end in ends(training, sizes, stream, count):
            if (k, name) not in deviances:  # not fitted to all rows, or not in an earlier fold
                continue
            deviance = deviances[k, name]
            try:
                deviance[fold] = _deviance(end, held, models.survey.backend.n_threads)
            except FAILURES as error:
                selection.reasons[k, name] = f"fold {fold}: {reason(error)}"
                del deviances[k, name]
                continue
            if fold == n_folds - 1:
                spread = share.sum() * (deviance / share).std(ddof=1) / math.sqrt(n_folds)
                selection._enter(k, name, deviance.sum(), spread)


def _folds(
    source: RowSource, n_folds: int, rng: np.random.Generator
) -> Iterator[tuple[RowSource, RowSource]]:
    """Yield the rows of each part, and the others; they are drawn without repetition."""
    if not source.in_memory:
        seed = int(rng.integers(1 << 32))
        for fold in range(n_folds):
            held, others = (Fold(seed, n_folds, fold, held) for held in (True, False))
            yield Reweighed(source, held), Reweighed(source, others)
        return
    weights = source.weights()
    present = np.arange(source.n_samples) if weights is None else np.flatnonzero(weights)
    fold_of_row = np.full(source.n_samples, n_folds)  # none, for rows without weight
    fold_of_row[present] = rng.permutation(len(present)) % n_folds
    for fold in range(n_folds):
        yield source.subset(fold_of_row == fold), source.subset(fold_of_row != fold)


def _deviance(end: AnyFit | str, held: RowSource, n_threads: int | None) -> float:
    """Minus twice the log-likelihood of held-out rows; a FitError for a fit that failed."""
    if isinstance(end, str):
        raise FitError(end)
    if held.form == "whole":
        return -2.0 * end.model.log_likelihood(held, n_threads=n_threads)
    return -2.0 * _log_likelihood_of(end.model, held, n_threads, "soft")


def _log_likelihood_of(
    mixture: GaussianMixture,
    rows: RowSource,
    n_threads: int | None,
    em: str,
    prior: Floats | None = None,
) -> float:
    """Log-likelihood of rows of any form, or with "hard", of rows and most probable components."""
    seen = mixture._parameters().seen()
    if prior is not None:
        seen = seen._replace(extras={"prior": prior})
    backend = Backend(n_threads=n_threads)
    return RowsPass(rows, seen.shape, backend, em=em).accumulate(seen).log_likelihood

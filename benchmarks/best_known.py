"""The best known log-likelihood of each problem of `benchmarks.maxima_problems`.

They are kept in ``best_known.json``, a file that only improves: `improve` replaces an entry only by
a model of higher log-likelihood that has no spurious component. A component counts as spurious

    where the guard of mixtura says so (see `mixtura.updates.spurious`), or
    where it has fewer rows than twice what its own parameters need: 2 (d + 1) for a full covariance
        of its own, 4 for a diagonal or spherical one, 2 where all components share one.

The likelihood of such components grows without bound or nearly so: to reach them is no merit.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

import mixtura
from benchmarks.maxima_problems import PROBLEMS
from benchmarks.spurious import narrowest
from mixtura.covariance import family_named
from mixtura.data import open_rows
from mixtura.fitting.survey import Survey
from mixtura.parameters import Parameters
from mixtura.passes import Backend
from mixtura.updates import Guard

FILE = Path(__file__).with_name("best_known.json")
WITHIN = 1e-4  # nats per row: what counts as the best known maximum
ALMOST = 0.01  # rows by which responsibilities just below one make a component smaller


@dataclass(frozen=True)
class Known:
    """The best known model of a problem.

    Attributes
    ----------
    log_likelihood : float, nats
        Total of all rows, without ridge or prior.
    smallest : float, rows
        Of the smallest component: its weight times the number of rows.
    is_large : bool
        Whether no component has fewer than 2 (d + 1) rows, whatever its covariance.
    narrowest : float
        Smallest variance of a component in any direction, relative to the average of all: a model
        near the guard's bound, 1e-4, is sound only just.
    method : str
        What found it.
    """

    log_likelihood: float
    smallest: float
    is_large: bool
    narrowest: float
    method: str


def best_known() -> dict[str, Known]:
    """Read the file."""
    return {name: Known(**entry) for name, entry in json.loads(FILE.read_text("utf-8")).items()}


def smallest_rows(name: str, model: mixtura.GaussianMixture) -> float:
    """Rows of the smallest component."""
    return float(model.weights.min()) * len(PROBLEMS[name].X)


def is_spurious(name: str, model: mixtura.GaussianMixture) -> bool:
    """Whether some component is spurious."""
    if smallest_rows(name, model) < PROBLEMS[name].least_rows - ALMOST:
        return True
    shape = family_named(model.covariance_type, model.n_features).shape
    parts = model.weights, model.means, model.covariances, model.precisions_cholesky
    return bool(_guard(name).spurious(Parameters(*parts, shape)))


@cache
def _guard(name: str) -> Guard:
    survey = Survey(open_rows(PROBLEMS[name].X), Backend())
    return Guard(survey.rounding, survey.unit, survey.backend.algebra)


def improve(name: str, fit: mixtura.GMMFit, method: str) -> bool:
    """Put a fit into the file if it is sound and better than what is there.

    Returns
    -------
    bool
        Whether it was.
    """
    if not _is_better(name, fit):
        return False
    if len(fit.model.weights) < PROBLEMS[name].n_components or is_spurious(name, fit.model):
        return False
    smallest = smallest_rows(name, fit.model)
    is_large = smallest >= 2 * (fit.model.n_features + 1) - ALMOST
    known = Known(
        round(fit.log_likelihood, 6),
        round(smallest, 3),
        is_large,
        float(f"{narrowest(fit.model):.2g}"),
        method,
    )
    with _alone():
        if not _is_better(name, fit):
            return False
        _write(name, known)
    return True


@contextmanager
def _alone() -> Iterator[None]:
    """No other process writes the file meanwhile."""
    folder = os.open(FILE.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _is_better(name: str, fit: mixtura.GMMFit) -> bool:
    known = best_known().get(name)
    return known is None or round(fit.log_likelihood, 6) > known.log_likelihood


def _write(name: str, known: Known) -> None:
    entries = best_known() if FILE.exists() else {}
    entries[name] = known
    ordered = {each: asdict(entries[each]) for each in PROBLEMS if each in entries}
    whole = FILE.with_suffix(".part")
    whole.write_text(json.dumps(ordered, indent=1) + "\n", "utf-8")
    whole.replace(FILE)


def gap(name: str, log_likelihood: float, known: Known) -> float:
    """Nats per row by which a fit is below the best known; negative if it is above."""
    return float(known.log_likelihood - log_likelihood) / len(PROBLEMS[name].X)


def is_hit(gap: float, spurious: bool) -> bool:
    """Whether a fit has found the best known maximum, or a better one."""
    return bool(np.isfinite(gap)) and gap <= WITHIN and not spurious

"""The arguments of `StepwiseGMM`, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mixtura.covariance import FAMILIES, CovarianceFamily, family_named
from mixtura.data.checks import check_count, check_n_threads, check_number, check_option
from mixtura.data.missing import MISSING, Missing
from mixtura.fitting.estimates import Estimate
from mixtura.fitting.gmm import check_reg_covar
from mixtura.fitting.stages import Begin
from mixtura.fitting.streams.learning import LIKELIHOOD, Learning
from mixtura.passes import Backend
from mixtura.passes.backend import BACKENDS, BackendName
from mixtura.shapes import Floats
from mixtura.updates import OnCollapse

__all__ = ["ROWS_PER_COMPONENT", "STEP_POWER", "Options", "check_half_life"]

# On random mixtures (python -m benchmarks.stepwise_rules): with smaller powers or fewer rows of the
# start, more streams end in another basin; larger powers forget a bad start too slowly.
STEP_POWER = 0.7
ROWS_PER_COMPONENT = 100  # of the start


@dataclass(frozen=True, eq=False)
class Options:
    """What decides the result of a stream, besides its rows.

    Attributes
    ----------
    n_components : int
    covariance_type : str
    reg_covar : float or ndarray of shape (n_features,)
    step_power : float
    half_life : float
        inf for none.
    init : str, GaussianMixture or Means
    n_init : int
    n_start : int or None
    on_collapse : {"reseed", "drop", "raise"}
    missing : {"raise", "em"}
    seed : int
        Of the random numbers of the start.
    n_threads : int or None
    backend : {"compiled", "reference"}
    learning : Learning
        What is estimated.
    """

    n_components: int
    covariance_type: str
    reg_covar: float | Floats
    step_power: float
    half_life: float
    init: Begin
    n_init: int
    n_start: int | None
    on_collapse: OnCollapse
    missing: Missing
    seed: int
    n_threads: int | None
    backend: BackendName
    learning: Learning = LIKELIHOOD

    @classmethod
    def checked(
        cls,
        *,
        n_components: Any,
        covariance_type: Any,
        reg_covar: Any,
        step_power: Any,
        half_life: Any,
        init: Begin,
        n_init: Any,
        n_start: Any,
        on_collapse: Any,
        missing: Any,
        seed: Any,
        n_threads: Any,
        backend: Any,
        learning: Learning = LIKELIHOOD,
    ) -> Self:
        """Return the options, or refuse a value; `init` is checked already.

        Raises
        ------
        ValueError
            For values that cannot be used.
        TypeError
            For arguments of the wrong kind.
        """
        options = cls(
            n_components=check_count("n_components", n_components),
            covariance_type=check_option("covariance_type", covariance_type, tuple(FAMILIES)),
            reg_covar=_check_ridge(reg_covar),
            step_power=_check_power(step_power),
            half_life=check_half_life(half_life),
            init=init,
            n_init=check_count("n_init", n_init),
            n_start=None if n_start is None else check_count("n_start", n_start),
            on_collapse=check_option("on_collapse", on_collapse, ("reseed", "drop", "raise")),
            missing=check_option("missing", missing, MISSING),
            seed=check_count("seed", seed, minimum=0),
            n_threads=check_n_threads(n_threads),
            backend=check_option("backend", backend, tuple(BACKENDS)),
            learning=learning,
        )
        learning.check(options)
        return options

    @property
    def engine(self) -> Backend:
        """What makes the passes."""
        return Backend(self.backend, self.n_threads)

    @property
    def n_features(self) -> int | None:
        """The number of features that the prior or the ridge is of; None where they fit any."""
        if self.learning.n_features is not None:
            return self.learning.n_features
        return None if isinstance(self.reg_covar, float) else len(self.reg_covar)

    def family(self, n_features: int) -> CovarianceFamily:
        """Return the family of covariances."""
        return family_named(self.covariance_type, n_features)

    def estimate(self, n_features: int) -> Estimate:
        """Return what the start estimates; refuse arguments that do not fit the features."""
        return self.learning.estimate(self, n_features)

    def least_rows(self, n_features: int) -> int:
        """Return how many rows a mixture needs at least."""
        k = self.n_components
        if np.any(self.reg_covar) or self.learning.has_posterior:
            return k
        return max(k, self.family(n_features).least_rows(k, n_features))

    def start_rows(self, n_features: int) -> int:
        """Return how many rows the start waits for."""
        least = self.least_rows(n_features)
        if self.n_start is not None:
            return max(self.n_start, least)
        return max(ROWS_PER_COMPONENT * self.n_components, least)


def _check_ridge(reg_covar: Any) -> float | Floats:
    """A share of variances, or absolute variances of as many features as there are."""
    ridge = check_reg_covar(reg_covar, len(reg_covar) if np.ndim(reg_covar) == 1 else 0)
    return ridge if isinstance(ridge, float) else ridge.copy()


def _check_power(step_power: Any) -> float:
    power = check_number("step_power", step_power)
    if not 0.5 < power <= 1.0:
        raise ValueError(
            f"step_power must be above 0.5 and at most 1, or the statistics do not settle; got "
            f"{power:g}. For rows that drift, set half_life."
        )
    return power


def check_half_life(half_life: Any) -> float:
    """A positive weight of rows; inf for None."""
    if half_life is None:
        return math.inf
    weight = check_number("half_life", half_life, minimum=-math.inf)
    if weight <= 0.0:
        raise ValueError(
            f"half_life must be above 0, a weight of rows; got {weight:g}. Pass None to forget "
            f"nothing."
        )
    return weight

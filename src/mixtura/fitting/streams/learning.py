"""How a stream learns: by likelihood with a ridge, or by stochastic variational inference.

Natural-gradient steps on the laws of all parameters [1]_ are the interpolation of stepwise EM (see
`mixtura.schedules.stepwise`), followed by another update: the prior is added to the running
statistics, which stand for all rows so far. With a `half_life` they stand for the rows that the
memory counts, ``half_life / ln 2``, as older rows have lost their influence. Rows that are read
several times count once: then the user has to say what all of them weigh.

`Learning` is what the user asks for. The rows of the start decide what it leaves open: a ridge in
units of the features, or the parts of a prior that were not given. That is the `Basis`, and stays.

.. [1] M. D. Hoffman, D. M. Blei, C. Wang, J. Paisley, "Stochastic variational inference", Journal
   of Machine Learning Research 14, 1303-1347, 2013.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mixtura.algebra import Algebra
from mixtura.conjugate import PriorLaws
from mixtura.covariance import ONE_COLUMN, CovarianceFamily
from mixtura.data.checks import check_number, contiguous
from mixtura.data.frames import described
from mixtura.files import Contents, numbers
from mixtura.fitting.bayesian.arguments import check_prior, conjugate_family
from mixtura.fitting.bayesian.estimate import VariationalBayes
from mixtura.fitting.estimates import MAXIMUM_LIKELIHOOD, Estimate
from mixtura.fitting.survey import LEAST_DEVIATION, Survey
from mixtura.parameters import Parameters
from mixtura.posterior import saving
from mixtura.schedules.stepwise import lost_components
from mixtura.shapes import Floats
from mixtura.statistics import Statistics
from mixtura.updates import Ridge, Update, Variational

if TYPE_CHECKING:
    from mixtura.fitting.streams.options import Options

__all__ = [
    "LIKELIHOOD",
    "Basis",
    "ByLikelihood",
    "ByPosterior",
    "Learning",
    "PriorBasis",
    "RidgeBasis",
    "check_bayesian",
    "learning_of",
]

OPEN: dict[str, Any] = {
    "weight_prior": "dirichlet", "concentration": None, "mean": None, "mean_precision": None,
    "degrees_of_freedom": None, "covariance": None,
}  # fmt: skip
ARRAYS = ("mean", "covariance")  # among them
TOTAL = "weight_sum"  # a name beside them


class Basis(Protocol):
    """What is decided once for all batches."""

    def update(self, weight: float) -> Update:
        """Return the update from statistics that stand for rows of some weight."""

    def counted(self, weight: float) -> float:
        """Return the weight of rows for which statistics stand; that of the memory is given."""

    def at_start(self, parameters: Parameters, statistics: Statistics, weight: float) -> Parameters:
        """Return the parameters after the start, whose statistics stand for rows of some weight."""

    def lost(self, running: Statistics, row_share: float) -> NDArray[np.bool_]:
        """Return which components count as collapsed for want of rows: see `lost_components`."""

    def mixture(self, parameters: Parameters, weight: float) -> Parameters:
        """Return the mixture that parameters of the update stand for."""

    def contents(self) -> Contents:
        """Return what a file has to keep."""


class Learning(Protocol):
    """What a stream estimates: one of its options."""

    @property
    def n_features(self) -> int | None:
        """The number of features that arguments are of; None where they fit any."""

    @property
    def has_posterior(self) -> bool:
        """Whether there is a posterior, and a bound of the evidence."""

    def check(self, options: Options) -> None:
        """Refuse what is wrong for any number of features."""

    def estimate(self, options: Options, n_features: int) -> Estimate:
        """Return what the start estimates; refuse arguments that do not fit the features."""

    def basis(self, options: Options, survey: Survey, ridge: Floats) -> Basis:
        """Return what the rows of the start decide."""

    def basis_of(self, contents: Contents, options: Options, scale: Floats) -> Basis:
        """Return what a file has kept; raise an exception of `DAMAGE` for what is impossible."""

    def contents(self) -> Contents:
        """Return what a file has to keep."""


# ---- by likelihood ----


@dataclass(frozen=True, eq=False)
class RidgeBasis:
    """A ridge, in squared units of the features.

    Attributes
    ----------
    family : CovarianceFamily
    ridge : ndarray of shape (n_features,), squared units of the features
        Added to the diagonal of every covariance.
    least : ndarray of shape (n_features,) or None
        Variances below which a component counts as singular.
    algebra : Algebra
    """

    family: CovarianceFamily
    ridge: Floats
    least: Floats | None
    algebra: Algebra

    @classmethod
    def of(cls, options: Options, scale: Floats, ridge: Floats) -> RidgeBasis:
        """Return the basis of a stream whose features have some scale."""
        # Where numbers are missing, see `Survey.least_variance`.
        least = np.square(LEAST_DEVIATION * scale) if options.missing == "em" else None
        return cls(options.family(len(scale)), ridge, least, options.engine.algebra)

    def update(self, weight: float) -> Update:  # noqa: ARG002
        return Ridge(self.family, self.ridge, self.algebra, self.least)

    def counted(self, weight: float) -> float:
        return weight

    def at_start(
        self,
        parameters: Parameters,
        statistics: Statistics,  # noqa: ARG002
        weight: float,  # noqa: ARG002
    ) -> Parameters:
        return parameters

    def lost(self, running: Statistics, row_share: float) -> NDArray[np.bool_]:
        return lost_components(running, row_share)

    def mixture(self, parameters: Parameters, weight: float) -> Parameters:  # noqa: ARG002
        return parameters

    def contents(self) -> Contents:
        return Contents({}, {"ridge": self.ridge})


@dataclass(frozen=True)
class ByLikelihood:
    """Maximum likelihood with a ridge."""

    @property
    def n_features(self) -> int | None:
        return None

    @property
    def has_posterior(self) -> bool:
        return False

    def check(self, options: Options) -> None:
        pass

    def estimate(self, options: Options, n_features: int) -> Estimate:  # noqa: ARG002
        return MAXIMUM_LIKELIHOOD

    def basis(self, options: Options, survey: Survey, ridge: Floats) -> Basis:
        return RidgeBasis.of(options, survey.scale, ridge)

    def basis_of(self, contents: Contents, options: Options, scale: Floats) -> Basis:
        ridge = numbers(contents.arrays, "ridge", scale.shape)
        if ridge.min() < 0.0:
            raise ValueError("its ridge is negative")
        return RidgeBasis.of(options, scale, ridge)

    def contents(self) -> Contents:
        return Contents({"bayesian": False}, {})


LIKELIHOOD = ByLikelihood()


# ---- by variational Bayes ----


@dataclass(frozen=True, eq=False)
class PriorBasis:
    """A prior, all of whose parts are known.

    Attributes
    ----------
    prior : PriorLaws
    algebra : Algebra
    weight_sum : float or None
        Of all rows; None for those so far.
    """

    prior: PriorLaws
    algebra: Algebra
    weight_sum: float | None = None

    def update(self, weight: float) -> Variational:
        return Variational(self.prior, weight, self.algebra)

    def counted(self, weight: float) -> float:
        return weight if self.weight_sum is None else self.weight_sum

    def at_start(self, parameters: Parameters, statistics: Statistics, weight: float) -> Parameters:
        if self.weight_sum is None:
            return parameters
        return self.update(weight).update(statistics)[0]

    def lost(self, running: Statistics, row_share: float) -> NDArray[np.bool_]:  # noqa: ARG002
        return np.zeros(len(running.resp_sum), dtype=bool)

    def mixture(self, parameters: Parameters, weight: float) -> Parameters:
        laws = self.prior.laws_of(parameters, weight)
        return parameters._replace(weights=self.prior.weights.means(laws.concentration))

    def contents(self) -> Contents:
        return saving.prior_contents(self.prior)


@dataclass(frozen=True, eq=False)
class ByPosterior:
    """Stochastic variational inference.

    Attributes
    ----------
    arguments : mapping
        Those of `fit_bayesian_gmm` that describe the prior, as far as they were given.
    weight_sum : float or None
        Of all rows; None for those so far.
    """

    arguments: Mapping[str, Any]
    weight_sum: float | None = None

    @property
    def n_features(self) -> int | None:
        """That of the mean or of the scatter, where these were given as arrays."""
        sizes = [len(value) for value in self._arrays().values() if value.ndim]
        return sizes[0] if sizes else None

    @property
    def has_posterior(self) -> bool:
        return True

    def check(self, options: Options) -> None:
        if self.weight_sum is not None and math.isfinite(options.half_life):
            raise ValueError(
                f"{TOTAL} must be left out where half_life is given: the posterior then counts the "
                f"rows of the memory, half_life / ln 2 at most; got {self.weight_sum:g} and "
                f"half_life={options.half_life:g}. Leave out one of them."
            )
        name, by = options.covariance_type, options.engine.algebra
        conjugate_family(name, 1 if name in ONE_COLUMN else 2)
        plain = {each: value for each, value in self.arguments.items() if each not in ARRAYS}
        check_prior(conjugate_family(name, 1), 1, by, **OPEN | plain)

    def estimate(self, options: Options, n_features: int) -> VariationalBayes:
        family = conjugate_family(options.covariance_type, n_features)
        return check_prior(family, n_features, options.engine.algebra, **{**OPEN, **self.arguments})

    def basis(self, options: Options, survey: Survey, ridge: Floats) -> Basis:  # noqa: ARG002
        d, k = survey.source.n_features, options.n_components
        prior = self.estimate(options, d).prior(survey, options.family(d), k)
        return PriorBasis(prior, options.engine.algebra, self.weight_sum)

    def basis_of(self, contents: Contents, options: Options, scale: Floats) -> Basis:
        shape = options.family(len(scale)).shape
        prior = saving.checked_prior(contents.facts, contents.arrays, shape, len(scale))
        return PriorBasis(prior, options.engine.algebra, self.weight_sum)

    def contents(self) -> Contents:
        arrays = self._arrays()
        facts = {
            name: value if value is None or isinstance(value, str) else float(value)
            for name, value in self.arguments.items()
            if name not in arrays
        }
        facts[TOTAL] = self.weight_sum
        return Contents(
            {"bayesian": facts}, {f"bayesian_{name}": array for name, array in arrays.items()}
        )

    def _arrays(self) -> dict[str, Floats]:
        given = {name: self.arguments.get(name) for name in ARRAYS}
        return {name: value for name, value in given.items() if value is not None}


def check_bayesian(bayesian: Any) -> Learning:
    """Return what `bayesian` of `StepwiseGMM` stands for.

    Raises
    ------
    ValueError
        For a name that is no argument of a prior.
    TypeError
        For what is neither True, False nor a dict.
    """
    if isinstance(bayesian, bool | np.bool_):
        return ByPosterior({}) if bayesian else LIKELIHOOD
    if not isinstance(bayesian, Mapping):
        raise TypeError(
            f"bayesian must be True, False or a dict of arguments that describe the prior; got "
            f"{described(bayesian)}. Pass True for the default prior."
        )
    known = (*OPEN, TOTAL)
    unknown = [name for name in bayesian if name not in known]
    if unknown:
        raise ValueError(
            f"bayesian must have no other names than {', '.join(map(repr, known))}; got "
            f"{unknown[0]!r}. Use the arguments of fit_bayesian_gmm that describe the prior."
        )
    arguments = dict(bayesian)
    weight_sum = arguments.pop(TOTAL, None)
    if weight_sum is not None:
        weight_sum = check_number(TOTAL, weight_sum, minimum=-math.inf)
        if weight_sum <= 0.0:
            raise ValueError(
                f"{TOTAL} must be above 0, the weight of all rows; got {weight_sum:g}. Leave it "
                f"out for that of the rows so far."
            )
    for name in ARRAYS:
        if arguments.get(name) is not None:
            arguments[name] = contiguous(arguments[name], name).copy()
    return ByPosterior(arguments, weight_sum)


def learning_of(contents: Contents) -> Learning:
    """Return what a file has kept of `bayesian`."""
    bayesian = contents.facts["bayesian"]
    if bayesian is False:
        return LIKELIHOOD
    if not isinstance(bayesian, dict):
        raise ValueError(f"its bayesian is {bayesian!r}")
    arguments = dict(bayesian)
    for name in ARRAYS:
        if f"bayesian_{name}" in contents.arrays:
            arguments[name] = contents.arrays[f"bayesian_{name}"]
    return check_bayesian(arguments)

"""Many mixtures of the same rows: each is fitted from where related ones have ended.

For one number of components, a few scouts find where the clusters lie, by the starts that `fit_gmm`
tries. One pass under each scout leaves full scatters behind, and from these every family has its
maximum-likelihood start without another look at the rows. A family that contains others begins at
their ends as well, so that it never ends lower. The most promising start goes on to convergence.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mixtura import kernels
from mixtura.covariance import CELEUX_GOVAERT, FAMILIES
from mixtura.em import Event
from mixtura.exceptions import ConvergenceWarning, FitError
from mixtura.fit import fit_gmm
from mixtura.hierarchical import UNITLESS_TRANSFORMS, HierarchicalTree, hierarchical
from mixtura.mixture import GaussianMixture
from mixtura.passes import moments
from mixtura.result import GMMFit
from mixtura.spurious import rounding_variance
from mixtura.statistics import FACTOR_SHAPES, Floats, Statistics
from mixtura.update import MaximumLikelihood
from mixtura.validation import Rows

__all__ = ["Search"]

BRIEF_ITERATIONS = 5  # of each start, before the best goes on


@dataclass(frozen=True)
class Search:
    """How the models for one set of rows are sought.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,) or None
    covariance_types : sequence of str
        Names of different families.
    init : str or callable
        As for `fit_gmm`; a callable is called once for each number of components.
    n_init : int
        Automatic starts of each scout.
    ridge : ndarray of shape (n_features,)
        Absolute, added to every covariance.
    options : dict
        Other arguments of `fit_gmm`.
    tree_seed : int
        For the rows that stand for all in trees.
    """

    X: Rows
    sample_weight: Floats | None
    covariance_types: Sequence[str]
    init: Any
    n_init: int
    ridge: Floats
    options: dict[str, Any]
    tree_seed: int

    def fits(
        self, n_components: int, rng: np.random.Generator
    ) -> Iterator[tuple[str, GMMFit | str]]:
        """Fit each covariance type, the simpler ones first; yield its name, and why it failed."""
        possible = []
        n_rows = len(self.X) if self.sample_weight is None else np.count_nonzero(self.sample_weight)
        for name in sorted(self.covariance_types, key=_freedom):
            needed = FAMILIES[name].least_rows(n_components, self.X.shape[1])
            if n_rows >= needed:
                possible.append(name)
            else:
                yield name, f"{name} needs at least {needed} rows, and there are {n_rows}"
        try:
            scouted, starts = self._starts(n_components, possible, rng)
        except FitError as error:
            yield from ((name, str(error)) for name in possible)
            return
        done: dict[str, GMMFit] = {}
        for name in possible:
            inits = [scouted[name].model] if name in scouted else []
            inits += [self._maximised(start, name) for start in starts]
            inits += [_written_as(name, done[parent].model) for parent in _parents(name, done)]
            try:
                done[name] = self._clear_of_ties(name, n_components, inits)
            except FitError as error:
                yield name, str(error)
            else:
                yield name, done[name]

    def on(self, X: Rows, sample_weight: Floats | None) -> Search:
        """The same search among other rows."""
        return replace(self, X=X, sample_weight=sample_weight)

    def _fit(self, name: str, n_components: int, init: Any, **changed: Any) -> GMMFit:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # told once for all models
            fit = fit_gmm(
                self.X, n_components, covariance_type=name, sample_weight=self.sample_weight,
                init=init, **({"reg_covar": self.ridge} | self.options | changed),
            )  # fmt: skip
        if fit.model.n_components < n_components:
            raise FitError(f"a component was lost: {fit.events[-1]}")
        return fit

    def _starts(
        self, n_components: int, possible: list[str], rng: np.random.Generator
    ) -> tuple[dict[str, GMMFit], list[Any]]:
        """Fits of the scouts, and what all families begin with: full statistics, labels, shares."""
        init = self.init
        if callable(init):
            rows = self.X.view()
            rows.flags.writeable = False
            init = init(rows, n_components, rng)
        if isinstance(init, GaussianMixture):
            return {}, [self._under(init)]
        if isinstance(init, str) and init == "hierarchical":
            return {}, [tree.labels(n_components) for tree in self._trees(n_components)]
        if not isinstance(init, str):
            return {}, [init]
        plain = [name for name in possible if FAMILIES[name].name in FACTOR_SHAPES]
        failure = FitError("no start")
        for scouts in (plain, dict.fromkeys(possible[:1] + possible[-1:])):
            scouted: dict[str, GMMFit] = {}
            for name in scouts:
                try:
                    scouted[name] = self._fit(name, n_components, init, n_init=self.n_init, rng=rng)
                except FitError as error:
                    failure = error
            if scouted:
                return scouted, [self._under(fit.model) for fit in scouted.values()]
        raise failure

    def _trees(self, n_components: int) -> list[HierarchicalTree]:
        """Trees of the rows that can be cut into so many clusters; grown once for all numbers."""
        found = [tree for tree in self._grown if len(tree.leaves) >= n_components]
        if not found:
            raise FitError(f"no tree has {n_components} leaves; there are too few distinct rows")
        return found

    @cached_property
    def _grown(self) -> list[HierarchicalTree]:
        weight = self.sample_weight
        return [
            hierarchical(
                self.X,
                transform=transform,
                sample_weight=weight,
                rng=self.tree_seed,
                n_threads=self.options["n_threads"],
            )
            for transform in UNITLESS_TRANSFORMS
        ]

    def _under(self, mixture: GaussianMixture) -> Statistics:
        """Full statistics of the rows under a mixture of any family."""
        factors, _ = FAMILIES["full"].factorise(mixture.covariance_matrices())
        return kernels.accumulate(
            self.X, mixture.weights, mixture.means, factors, covariance_type="full",
            sample_weight=self.sample_weight, n_threads=self.options["n_threads"],
        )  # fmt: skip

    def _maximised(self, start: Any, name: str) -> Any:
        """The start as a mixture of one family, where it is statistics."""
        if not isinstance(start, Statistics):
            return start
        family = FAMILIES[name]
        rule = MaximumLikelihood(family, self.ridge)
        parameters, failed = rule.update(start.coarsened(family.factor_shape))
        return None if failed.any() else GaussianMixture._from_fit(name, *parameters)

    @cached_property
    def _smoothed_ridge(self) -> Floats:
        """The ridge for rows spread over their cells of the data's grid."""
        variance = moments(self.X, self.sample_weight, self.options["n_threads"])[1]
        scale = np.sqrt(np.where(variance > 0.0, variance, 1.0))
        return np.maximum(self.ridge, rounding_variance(self.X, self.sample_weight, scale))

    def _clear_of_ties(self, name: str, n_components: int, inits: list[Any]) -> GMMFit:
        """The best fit; begun again with the smoothed ridge where it is spurious."""
        fit = self._best(name, n_components, inits, self.ridge)
        kept = _kept(fit)
        if not kept or not isinstance(self.init, str) or not self.ridge.any():
            return fit
        try:
            again = self._best(name, n_components, inits, self._smoothed_ridge)
        except FitError:
            return fit
        smoothed = (replace(event, action="smoothed") for event in kept)
        return replace(again, events=(*smoothed, *again.events))

    def _best(self, name: str, n_components: int, inits: list[Any], ridge: Floats) -> GMMFit:
        """Fit from the start that is ahead after a few iterations."""
        ahead: GMMFit | None = None
        failure = FitError("its covariances are singular at every start")
        for init in inits:
            if init is None:
                continue
            try:
                brief = self._fit(
                    name, n_components, init, reg_covar=ridge, max_iter=BRIEF_ITERATIONS, tol=0.0
                )
            except FitError as error:
                failure = error
                continue
            if ahead is None or _rank(brief) > _rank(ahead):
                ahead = brief
        if ahead is None:
            raise failure
        return self._fit(name, n_components, ahead.model, reg_covar=ridge)


def _kept(fit: GMMFit) -> list[Event]:
    """The spurious components of a fit."""
    return [event for event in fit.events if event.action == "kept"]


def _rank(fit: GMMFit) -> tuple[int, float]:
    """The fewest spurious components first, then the highest objective."""
    return -len(_kept(fit)), float(fit.history[-1])


def _freedom(name: str) -> int:
    return CELEUX_GOVAERT.index(FAMILIES[name].letters)


def _parents(name: str, done: dict[str, GMMFit]) -> list[str]:
    """The largest of the fitted families that this one contains."""
    family = FAMILIES[name]
    inside = [other for other in done if family.contains(FAMILIES[other])]
    return [
        one
        for one in inside
        if not any(other != one and FAMILIES[other].contains(FAMILIES[one]) for other in inside)
    ]


def _written_as(name: str, mixture: GaussianMixture) -> GaussianMixture:
    """The same mixture as one of a family that contains its own."""
    covariances = FAMILIES[name].from_matrices(mixture.covariance_matrices())
    factors, _ = FAMILIES[name].factorise(covariances)
    return GaussianMixture._from_fit(name, mixture.weights, mixture.means, covariances, factors)

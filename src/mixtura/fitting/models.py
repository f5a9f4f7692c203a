"""Many mixtures of the same rows: each is fitted from where related ones have ended.

For each number of components, scouts find where the clusters lie (`mixtura.fitting.scouts`), and
every family starts from their ends and those of other families. Then all models are swept, up and
down the numbers of components, as long as any gets better. A model starts from the ends of other
families that are new, from the end of its own family with one component fewer, after a split, and
from that with one more, after a merge. Most of these runs are soon given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.cached import cached_property
from mixtura.covariance import FAMILIES
from mixtura.data import RowSource
from mixtura.exceptions import FitError
from mixtura.fitting.cell_fits import FAILURES, CellFits
from mixtura.fitting.cells import Ends, Size, freedom, rank_of_fit
from mixtura.fitting.memory import check_memory
from mixtura.fitting.reports import report
from mixtura.fitting.scouts import Scouts, shape_for
from mixtura.fitting.selection import AnyFit
from mixtura.fitting.settings import Settings
from mixtura.fitting.stages import Fitting
from mixtura.fitting.survey import Survey
from mixtura.schedules import Outcome

__all__ = ["FAILURES", "Models", "reason"]

LIKELIHOOD_OF_FEW = (
    "; with fewer, reg_covar alone decides its likelihood. "
    'Use criterion="cv", or fit_gmm for this model'
)
MOST_SWEEPS = 6
MORE_STARTS = 2  # times as many for a model that is searched by itself

Found = tuple[int, str, AnyFit | str]  # components, covariance type, and a fit or why there is none


@dataclass(frozen=True)
class Models:
    """How the models for one set of rows are found.

    Attributes
    ----------
    survey : Survey
        Of the rows.
    covariance_types : sequence of str
        Names of different families.
    init : object
        As for `fit_gmm`; a callable is called once for each number of components.
    settings : Settings
        Of all fits, with an absolute ridge.
    tree_seed : int
        For the rows that stand for all in trees.
    by_likelihood : bool
        Whether models are compared by their likelihood. With too few rows for a maximum, a model is
        fitted only where they are not, and only under a ridge or a prior.
    report : callable
        From a fitting, its outcome and whether the start was automatic to the fit.
    """

    survey: Survey
    covariance_types: Sequence[str]
    init: Any
    settings: Settings
    tree_seed: int
    by_likelihood: bool = True
    report: Callable[[Fitting, Outcome, bool], AnyFit] = report

    def fits(self, sizes: Sequence[int], rng: np.random.Generator) -> Iterator[Found]:
        """Fit all models; yield each when it is first fitted, and again when it gets better.

        Parameters
        ----------
        sizes : sequence of int
            Numbers of components; each has random numbers of its own.
        rng : Generator
        """
        found: dict[int, Size] = {}
        for k, stream in zip(sizes, rng.spawn(len(sizes)), strict=True):
            yield from self._first(k, stream, found)
        yield from self._swept(found)

    def searched(
        self, fits: Mapping[str, AnyFit], n_components: int, name: str, rng: np.random.Generator
    ) -> dict[str, AnyFit]:
        """Return better fits, if there are any, after one model was searched by itself.

        Parameters
        ----------
        fits : mapping from str to GMMFit or BayesianGMMFit
            By covariance type; all have so many components.
        n_components : int
        name : str
            The covariance type that is searched, as `fit_gmm` does.
        rng : Generator

        Returns
        -------
        dict
            By covariance type: families that contain the one searched start where it has ended.
        """
        if n_components == 1 or not isinstance(self.init, str):
            return {}
        try:
            fit = self._cells.searched(name, n_components, self.init, rng, MORE_STARTS)
        except FAILURES:
            return {}
        if rank_of_fit(fit) <= rank_of_fit(fits[name]):
            return {}
        better = {name: fit}
        size = Size(n_components, Ends(self.survey.scale, {}), self.survey.source, 0)
        size.fits.update({**fits, name: fit})
        for other in sorted(fits, key=freedom):
            improved = self._cells.improved(size.cell(other), size.fits[other], ())
            if improved is not size.fits[other]:
                size.fits[other] = better[other] = improved
        return better

    def on(self, source: RowSource) -> Models:
        """Return the same models of other rows."""
        return replace(self, survey=Survey(source, self.survey.backend, self.survey.priors))

    @cached_property
    def _cells(self) -> CellFits:
        return CellFits(self.survey, self.settings, self.report)

    @cached_property
    def _scouts(self) -> Scouts:
        return Scouts(self._cells, self.init, self.tree_seed)

    def _first(
        self, n_components: int, rng: np.random.Generator, found: dict[int, Size]
    ) -> Iterator[Found]:
        """Fit each covariance type, the simpler ones first, from scouts and one another."""
        possible = []
        for name in sorted(self.covariance_types, key=freedom):
            why = self._impossible(name, n_components)
            if why is None:
                possible.append(name)
            else:
                yield n_components, name, why
        seed = int(rng.integers(1 << 62))
        try:
            origin = self._scouts.origin(n_components, possible, rng, seed)
        except FAILURES as error:
            yield from ((n_components, name, reason(error)) for name in possible)
            return
        ends = Ends(self.survey.scale, origin.starts)
        size = found[n_components] = Size(n_components, ends, origin.sample, seed)
        for name in possible:
            try:
                if name in origin.fits:
                    fit = self._cells.improved(size.cell(name), origin.fits[name], ())
                else:
                    fit = self._cells.first(size.cell(name), size.new_ends(name))
            except FAILURES as error:
                yield n_components, name, reason(error)
                continue
            size.fits[name] = fit
            if size.sample is not None and fit is not origin.fits.get(name):
                self._add_end(size, name)
            yield n_components, name, fit
        if n_components == 1:
            size.sample = None  # the largest of all, and nothing is left to compare on it

    def _swept(self, found: Mapping[int, Size]) -> Iterator[Found]:
        """Fit models again from what others have found, as long as any gets better."""
        sizes = [found[k] for k in sorted(found) if k > 1 and found[k].sample is not None]
        for sweep in range(MOST_SWEEPS):
            stands = True
            for size in sizes if sweep % 2 == 0 else sizes[::-1]:
                # No merger leads to the largest models, so moves are tried on them.
                insists = sweep == 0 and size is sizes[-1]
                for name, fit in size.fits.items():
                    starts = size.new_ends(name) + self._resized(size, name, found)
                    better = self._cells.improved(size.cell(name), fit, starts, insists=insists)
                    if better is not fit:
                        size.fits[name] = better
                        self._add_end(size, name)
                        stands = False
                        yield size.n_components, name, better
            if stands:
                return

    def _resized(self, size: Size, name: str, found: Mapping[int, Size]) -> list[Any]:
        """Starts from fits of one family with one component fewer or more, where these are new."""
        starts: list[Any] = []
        if size.n_components in self.survey.priors:  # labels give components their numbers
            return starts
        for step in (-1, 1):
            other = found.get(size.n_components + step)
            fit = None if other is None else other.fits.get(name)
            if fit is not None and size.is_new(fit, name):
                try:
                    starts += self._cells.resized(fit, size.cell(name))
                except FAILURES:
                    continue
        return starts

    def _add_end(self, size: Size, name: str) -> None:
        """Lend the end of a model to others with as many components."""
        mixture = size.fits[name].model._parameters()
        size.ends.add(name, self._cells.under(mixture, shape_for(list(self.covariance_types))))

    def _impossible(self, name: str, n_components: int) -> str | None:
        """Why a model cannot be fitted, if nothing but its size is needed to know."""
        family, source = FAMILIES[name], self.survey.source
        needed = family.least_rows(n_components, source.n_features)
        ridge = bool(np.any(self.settings.reg_covar))
        enough = source.n_rows >= needed or self.settings.estimate.is_regular
        if not enough and (self.by_likelihood or not ridge):
            few = f"{name} needs at least {needed} rows, and there are {source.n_rows}"
            return few + LIKELIHOOD_OF_FEW * ridge
        try:
            check_memory(family.shape, n_components, source)
        except MemoryError as error:
            return reason(error)
        return None


def reason(error: Exception) -> str:
    """Return why a model could not be fitted, as the table of models says it."""
    if isinstance(error, FitError):
        return str(error)
    return f"{str(error) or 'not enough memory'} ({type(error).__name__})"

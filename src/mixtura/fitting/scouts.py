"""Where the models of one number of components start: fits of some families, or the user's start.

Scouts are searched as `fit_gmm` searches. One pass under each returns full scatters, and from these
every family gets its maximum-likelihood start without another look at the rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mixtura.cached import cached_property
from mixtura.covariance import FAMILIES
from mixtura.data import ArrayRows, RowSource
from mixtura.data.labels import matched
from mixtura.exceptions import FitError
from mixtura.fitting.cell_fits import FAILURES, CellFits
from mixtura.fitting.init import check_begin, returned_begin
from mixtura.fitting.kmeans_fit import KMeansFit
from mixtura.fitting.selection import AnyFit
from mixtura.fitting.stages import Begin
from mixtura.mixture import GaussianMixture
from mixtura.passes import RowsPass
from mixtura.shapes import DIAG, FULL, Shape
from mixtura.starts import Beginnings, HierarchicalTree, hierarchical
from mixtura.starts.hierarchical import UNITLESS_TRANSFORMS
from mixtura.starts.whole import whole_rows

__all__ = ["Origin", "Scouts"]

ROWS_OF_TREES = 20_000  # where others are not in memory
MOST_SCOUTS = 4
PREFERRED = ("EII", "VVI", "EEE", "VVV")  # their ends differ most; others start from these as well


@dataclass(frozen=True)
class Origin:
    """Where the models of one number of components start.

    Attributes
    ----------
    starts : dict
        Statistics of the rows, or labels, means or responsibilities; those of scouts have their
        names.
    sample : RowSource or None
        Rows on which starts are compared; None where they are not automatic.
    fits : dict from str to GMMFit or BayesianGMMFit
        Of the scouts.
    """

    starts: dict[Any, Any]
    sample: RowSource | None = None
    fits: dict[str, AnyFit] = field(default_factory=dict)


@dataclass(frozen=True)
class Scouts:
    """Finds the origins of models.

    Attributes
    ----------
    cells : CellFits
        Fits one model.
    init : object
        As for `fit_gmm`; a callable is called once for each number of components.
    tree_seed : int
        For the rows that stand for all in trees.
    """

    cells: CellFits
    init: Any
    tree_seed: int

    def origin(
        self, n_components: int, names: list[str], rng: np.random.Generator, seed: int
    ) -> Origin:
        """Return where models start.

        Parameters
        ----------
        n_components : int
        names : list of str
            Covariance types, the simpler ones first.
        rng : Generator
        seed : int
            Of the sample.

        Raises
        ------
        FitError
            When all scouts fail.
        """
        survey, shape = self.cells.survey, shape_for(names)
        init: Any = self.init
        if callable(init):
            init = returned_begin(init, survey.source, n_components, rng)
        elif not isinstance(init, str):
            labelled = n_components in survey.priors
            begin = check_begin(init, survey.source, n_components, labelled=labelled)
            init = self._matched(begin, n_components)
        if isinstance(init, GaussianMixture):
            return Origin({0: self.cells.under(init._parameters(), shape)})
        if not isinstance(init, str):
            return Origin({0: init})
        sample = self._sample(n_components, seed)
        if init == "hierarchical":
            cuts = [self._cut(tree, n_components, shape) for tree in self._trees(n_components)]
            return Origin(dict(enumerate(cuts)), sample)
        fits = self._scouted(init, n_components, names, rng)
        starts = {
            name: self.cells.under(fit.model._parameters(), shape) for name, fit in fits.items()
        }
        return Origin(starts, sample, fits)

    def _scouted(
        self, init: Any, n_components: int, names: list[str], rng: np.random.Generator
    ) -> dict[str, AnyFit]:
        """Fits of some families whose updates are fast, or else of the first and the last."""
        plain = [name for name in names if FAMILIES[name].is_closed]
        plain.sort(key=lambda name: FAMILIES[name].letters not in PREFERRED)
        plain = sorted(plain[:MOST_SCOUTS], key=names.index)
        failure: Exception = FitError("no start")
        for scouts in (plain, dict.fromkeys(names[:1] + names[-1:])):
            fits: dict[str, AnyFit] = {}
            for name in scouts:
                try:
                    fits[name] = self.cells.searched(name, n_components, init, rng)
                except FAILURES as error:
                    failure = error
            if fits:
                return fits
        raise failure

    def _sample(self, n_components: int, seed: int) -> RowSource:
        """The rows on which starts are compared, as for an automatic start of one fit."""
        survey = self.cells.survey
        source, prior = survey.source, survey.priors.get(n_components)
        beginnings = Beginnings("mixed", n_components, survey.backend, prior)
        drawn = beginnings.drawn(source, np.random.default_rng(seed))
        return ArrayRows.copied(source, *drawn)

    # ---- trees, and clusters of the user's ----

    def _cut(self, tree: HierarchicalTree, n_components: int, shape: Shape) -> Any:
        """What a tree of the rows starts a fit with; of a tree of some rows, their statistics."""
        sample, survey = self._rows_of_trees, self.cells.survey
        begin = self._matched(tree.labels(n_components), n_components, sample)
        if sample is survey.source:
            return begin
        assert isinstance(begin, np.ndarray)
        rows = RowsPass(whole_rows(sample, survey.backend), shape, survey.backend)
        centres = np.tile(survey.centre, (n_components, 1))
        return rows.given(begin, rows.given(begin, centres).means())

    @cached_property
    def _rows_of_trees(self) -> RowSource:
        """The rows that trees are grown of: all, or a sample where they are not in memory."""
        source = self.cells.survey.source
        if source.in_memory:
            return source
        rng = np.random.default_rng(self.tree_seed)
        return ArrayRows.sample_of(source, ROWS_OF_TREES, rng)

    def _matched(self, begin: Begin, n_components: int, source: RowSource | None = None) -> Begin:
        """The clusters of trees and k-means by the numbers of the labels that some rows have."""
        survey = self.cells.survey
        source = survey.source if source is None else source
        prior = survey.priors.get(n_components)
        code = None if prior is None else source.extra("code")
        numbered = not isinstance(self.init, str | KMeansFit | HierarchicalTree)
        if prior is None or code is None or numbered or not isinstance(begin, np.ndarray):
            return begin
        return matched(begin, code, prior, source.weights())

    def _trees(self, n_components: int) -> list[HierarchicalTree]:
        """Trees of the rows that can be cut into so many clusters; grown once for all numbers."""
        found = [tree for tree in self._grown if len(tree.leaves) >= n_components]
        if not found:
            raise FitError(f"no tree has {n_components} leaves; there are too few distinct rows")
        return found

    @cached_property
    def _grown(self) -> list[HierarchicalTree]:
        backend = self.cells.survey.backend
        rows = whole_rows(self._rows_of_trees, backend)
        return [
            hierarchical(rows, transform=transform, rng=self.tree_seed, n_threads=backend.n_threads)
            for transform in UNITLESS_TRANSFORMS
        ]


def shape_for(names: list[str]) -> Shape:
    """Return the shape of scatters from which all families can be estimated."""
    return DIAG if all(FAMILIES[name].shape.is_diagonal for name in names) else FULL

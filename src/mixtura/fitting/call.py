"""One call of a function that fits mixtures: its rows, its start and how it runs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from mixtura.covariance import family_named
from mixtura.data import RowSource, open_rows, with_columns, with_noise
from mixtura.data.any_rows import AnyRows
from mixtura.data.checks import (
    check_count,
    check_n_threads,
    check_number,
    check_option,
    check_rng,
)
from mixtura.data.labels import RowLabels, check_row_labels, matched
from mixtura.data.missing import MISSING, Missing
from mixtura.data.noise import accepted
from mixtura.exceptions import ConvergenceWarning, FitError, FitInterrupted, levels_inside
from mixtura.files import check_path
from mixtura.fitting.checkpoint import Checkpoint
from mixtura.fitting.init import check_begin, names_of, returned_begin, stands_for_mixture
from mixtura.fitting.kmeans_fit import KMeansFit
from mixtura.fitting.problem import parts_of
from mixtura.fitting.progress import FitProgress, Verbose, check_verbose
from mixtura.fitting.settings import Settings
from mixtura.fitting.stages import Begin, Fitting
from mixtura.fitting.survey import NO_PRIORS, Survey
from mixtura.mixture import GaussianMixture
from mixtura.mixture.table import counted
from mixtura.passes import Backend
from mixtura.passes.backend import BACKENDS, BackendName
from mixtura.schedules import Outcome, State
from mixtura.search import SearchInterrupted
from mixtura.starts import HierarchicalTree, begin_from_labels

__all__ = ["Call"]


class Fit(Protocol):
    """What a run returns."""

    @property
    def n_iter(self) -> int:
        """Iterations done."""

    @property
    def stop_reason(self) -> str:
        """Why they ended."""


AnyFit = TypeVar("AnyFit", bound=Fit)


@dataclass(frozen=True, eq=False)
class Call:
    """Arguments that all functions which fit mixtures have in common, checked.

    Attributes
    ----------
    source : RowSource
        With marks of what is known of its rows.
    n_components : int
    known : RowLabels or None
        What labels tell.
    init : object
        As it was given.
    begin : Begin or None
        What that stands for; None for a callable, which has not been called.
    backend : Backend
    rng : int, Generator or None
        As it was given.
    generator : Generator
    callback : callable or None
    checkpoint : path-like or None
    checkpoint_every : float, seconds
    progress : FitProgress
    """

    source: RowSource
    n_components: int
    known: RowLabels | None
    init: Any
    begin: Begin | None
    backend: Backend
    rng: int | np.random.Generator | None
    generator: np.random.Generator
    callback: Callable[[State], object] | None
    checkpoint: str | os.PathLike[str] | None
    checkpoint_every: float
    progress: FitProgress

    @classmethod
    def checked(
        cls,
        X: AnyRows,
        n_components: int,
        *,
        columns: Sequence[str | int] | None,
        sample_weight: ArrayLike | None,
        labels: ArrayLike | None,
        groups: ArrayLike | None,
        noise_covariance: ArrayLike | None,
        projection: ArrayLike | None,
        init: Any,
        missing: Missing,
        rng: int | np.random.Generator | None,
        n_threads: int | None,
        backend: BackendName,
        callback: Callable[[State], object] | None,
        checkpoint: str | os.PathLike[str] | None,
        checkpoint_every: float,
        verbose: Verbose,
        has_prior: bool = False,
    ) -> Self:
        """Return the call, or refuse a value: see `fit_gmm`.

        With a prior that keeps all components regular, one row suffices from a mixture.
        """
        n_components = check_count("n_components", n_components)
        backend = check_option("backend", backend, tuple(BACKENDS))
        n_threads = check_n_threads(n_threads)
        generator = check_rng(rng)
        verbose = check_verbose(verbose)
        checkpoint_every = check_number("checkpoint_every", checkpoint_every)
        if checkpoint is not None:
            check_path(checkpoint, "checkpoint")
        if callback is not None and not callable(callback):
            raise TypeError(
                f"callback must be callable or None; got {callback!r}. Pass a function."
            )
        missing = check_option("missing", missing, MISSING)
        names = names_of(init) if projection is None else None
        taken = accepted(missing, noise_covariance)
        X = with_columns(X, columns)
        least = 1 if has_prior and stands_for_mixture(init) else n_components
        source = open_rows(X, sample_weight, minimum=least, feature_names=names, missing=taken)
        d = init.n_features if isinstance(init, GaussianMixture) else None
        source = with_noise(source, noise_covariance, projection, n_features=d)
        known = check_row_labels(labels, groups, source, n_components)
        if known is not None:
            source = known.marked(source)
        begin = _begin(init, source, n_components, known)
        progress = FitProgress(verbose, reads=not source.in_memory)
        return cls(
            source, n_components, known, init, begin, Backend(backend, n_threads), rng, generator,
            callback, checkpoint, checkpoint_every, progress,
        )  # fmt: skip

    def run(
        self,
        settings: Settings,
        covariance_type: str,
        report: Callable[[Fitting, Outcome, bool], AnyFit],
        *,
        accept: Callable[[Begin], None] = lambda begin: None,  # noqa: ARG005
    ) -> tuple[AnyFit, Survey]:
        """Fit.

        Parameters
        ----------
        settings : Settings
        covariance_type : str
            The family, as the user named it.
        report : callable
            From the fitting, its outcome and whether the start was automatic to what is returned.
        accept : callable, optional
            Called with the start before any work; may refuse it.

        Returns
        -------
        fit : object
            What `report` returned.
        survey : Survey
            Of the rows.

        Raises
        ------
        FitInterrupted
            On Ctrl-C, with the fit so far.
        """
        begin = self.begin
        if begin is not None:
            accept(begin)
        follower, generator = self._follower(settings, covariance_type), self.generator
        try:
            with follower or nullcontext(), self.progress:
                if follower is not None and self.rng is None:
                    generator = check_rng(follower.seed)
                if begin is None:
                    begin = returned_begin(self.init, self.source, self.n_components, generator)
                    accept(begin)
                known = self.known
                priors = NO_PRIORS if known is None else {self.n_components: known.prior}
                survey = Survey(self.source, self.backend, priors)
                fitting = Fitting(
                    survey, settings, covariance_type, self.n_components,
                    progress=self.progress, callback=self.callback, checkpoint=follower,
                )  # fmt: skip
                try:
                    outcome = fitting.run(begin, generator)
                except FitError:
                    self.source.refuse_changes()  # which would be the reason
                    raise
                fit = report(fitting, outcome, isinstance(begin, str))
                if follower is not None and fit.stop_reason != "interrupted":
                    follower.remove()
        except SearchInterrupted as interrupted:
            fitting.search = interrupted.search
            fit = report(fitting, interrupted.outcome, True)
        except KeyboardInterrupt:
            raise FitInterrupted(None) from None
        self._finish(fit, settings)
        return fit, survey

    def _follower(self, settings: Settings, covariance_type: str) -> Checkpoint | None:
        """The checkpoint, which knows the problem by all that decides its result."""
        if self.checkpoint is None:
            return None
        given, rng = self.begin is None, self.rng
        options = {name: value for name, value in vars(settings).items() if name != "max_iter"}
        estimate: dict[str, Any] = {}  # its fields have the names of the arguments
        for name, value in vars(options.pop("estimate")).items():
            estimate |= parts_of(name, value)
        problem = self.source.fingerprint() | {
            "n_components": self.n_components,
            "labels": self.known,
            "init": self.init if given else self.begin,
            "covariance_type": family_named(covariance_type, self.source.n_features).name,
            **options,
            **estimate,
            "backend": self.backend.name,
            "rng": rng if rng is None or isinstance(rng, int | np.integer) else self.generator,
        }
        return Checkpoint(self.checkpoint, self.checkpoint_every, problem)

    def _finish(self, fit: Fit, settings: Settings) -> None:
        """Say how the iterations ended."""
        if not fit.n_iter:
            raise FitInterrupted(None)
        self.progress.finish(f"{fit.stop_reason} after {counted(fit.n_iter, 'iteration')}")
        if fit.stop_reason == "interrupted":
            raise FitInterrupted(fit)
        if fit.stop_reason == "max_iter" and settings.tol > 0.0:
            warnings.warn(
                f"the fit used up its {counted(fit.n_iter, 'iteration')} before the predicted "
                f"remaining gain fell to tol={settings.tol:g}. Raise max_iter, or tol.",
                ConvergenceWarning,
                stacklevel=levels_inside(),
            )


def _begin(init: Any, source: RowSource, k: int, known: RowLabels | None) -> Begin | None:
    """What `init` stands for; None for a callable."""
    if isinstance(init, str) and init == "labels":
        return begin_from_labels(known)
    if callable(init):
        return None
    begin = check_begin(init, source, k, labelled=known is not None)
    if known is not None and isinstance(init, KMeansFit | HierarchicalTree):
        assert isinstance(begin, np.ndarray)
        return matched(begin, known.code, known.prior, source.weights())
    return begin

"""StepwiseGMM: a mixture of rows that come by once."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from threading import RLock
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike

from mixtura import files
from mixtura.data import open_rows
from mixtura.data.any_rows import AnyRows, Numbers
from mixtura.data.checks import check_centres, check_count, check_option, check_rng
from mixtura.data.frames import Names, described, real_array
from mixtura.data.missing import Missing
from mixtura.exceptions import FitError
from mixtura.files import Contents
from mixtura.fitting.bayesian.arguments import PriorArguments
from mixtura.fitting.bayesian.result import BayesianGMMFit
from mixtura.fitting.gmm import check_reg_covar
from mixtura.fitting.result import GMMFit
from mixtura.fitting.stages import Begin
from mixtura.fitting.streams.bound import BoundEstimate, estimated_bound
from mixtura.fitting.streams.learner import continued
from mixtura.fitting.streams.learning import check_bayesian
from mixtura.fitting.streams.options import STEP_POWER, Options
from mixtura.fitting.streams.stream import Stream, stream_contents, stream_of
from mixtura.mixture import GaussianMixture
from mixtura.mixture.answers import Answers, answered
from mixtura.mixture.table import counted
from mixtura.passes.backend import BackendName
from mixtura.posterior import GMMPosterior
from mixtura.shapes import Floats
from mixtura.starts import INIT_METHODS, Means, Start
from mixtura.statistics import Statistics
from mixtura.updates import Event, OnCollapse

__all__ = ["StepwiseGMM"]


@files.saved_as("StepwiseGMM")
class StepwiseGMM(files.Saved, Answers):
    """A Gaussian mixture of rows that come by once, batch after batch, by stepwise EM.

    It has the methods and attributes of `GaussianMixture`, too: ``stream.predict(X)`` is
    ``stream.model.predict(X)``. :doc:`/manual/streams` says how it learns and how good it is.

    Parameters
    ----------
    n_components : int
        Number of Gaussian components.
    covariance_type : str
        How covariances are restricted, as for `fit_gmm`.
    reg_covar : float or array_like of shape (n_features,)
        Ridge on the diagonal of each covariance. A number is relative to the variance of each
        feature in the rows of the start; an array is absolute, in squared units. 0 is none.
    step_power : float
        Above 0.5 and at most 1. With 1 all rows count alike; a smaller power forgets sooner what
        rows said long ago.
    half_life : float, optional
        For rows that drift: the weight of rows in which the past loses half its weight. None is for
        rows that do not drift.
    init : str, array_like of shape (n_components, n_features), GaussianMixture or GMMFit
        How EM starts on the first rows: "mixed", "kmeans", "kmeans++", "random", "hierarchical",
        means, or a mixture or the fit of one; see `fit_gmm`.
    n_init : int
        Number of automatic starts; a larger one searches harder.
    n_start : int, optional
        Rows of positive weight that the start waits for. None is 100 for each component.
    on_collapse : {"reseed", "drop", "raise"}
        What to do with a component that loses nearly all weight or whose covariance becomes
        singular: split the heaviest component instead, continue without it, or raise.
    missing : {"raise", "em"}
        What NaN in rows is: an error, or a number that is missing at random.
    rng, n_threads, backend : optional
        As for `fit_gmm`.
    bayesian : bool or dict
        True learns the laws of all parameters, by stochastic variational inference [3]_. A dict has
        arguments of `fit_bayesian_gmm` that describe the prior, and "weight_sum", the weight of all
        rows that will come.

    Raises
    ------
    ValueError, TypeError
        For values that cannot be used.

    See Also
    --------
    fit_gmm : Fits rows that can be read several times, also from files larger than memory.
    fit_bayesian_gmm : The posterior of such rows, by variational Bayes.

    Notes
    -----
    Stepwise EM is that of [1]_ and [2]_. A batch costs one pass over its rows and one M-step;
    memory is that of a batch and O(k d^2). An update that raises, or that Ctrl-C ends, leaves the
    object as it was. Threads may share it.

    References
    ----------
    .. [1] O. Cappe, E. Moulines, "On-line expectation-maximization algorithm for latent data
       models", Journal of the Royal Statistical Society B 71, 593-613, 2009.
    .. [2] P. Liang, D. Klein, "Online EM for unsupervised models",
       NAACL 2009.
    .. [3] M. D. Hoffman, D. M. Blei, C. Wang, J. Paisley, "Stochastic variational inference",
       Journal of Machine Learning Research 14, 1303-1347, 2013.

    Examples
    --------
    >>> import numpy as np
    >>> import mixtura
    >>> rng = np.random.default_rng(0)
    >>> stream = mixtura.StepwiseGMM(2, rng=0)
    >>> for _ in range(20):
    ...     stream = stream.update(rng.normal(size=(500, 1)) + 6 * rng.integers(2, size=(500, 1)))
    >>> stream
    <StepwiseGMM: 2 components, 20 updates, 10000 rows>
    >>> sorted(stream.model.means.ravel().round().astype(int).tolist())
    [0, 6]
    """

    def __init__(
        self,
        n_components: int,
        *,
        covariance_type: str = "full",
        reg_covar: float | ArrayLike = 1e-6,
        step_power: float = STEP_POWER,
        half_life: float | None = None,
        init: Start | Numbers | GaussianMixture | GMMFit = "mixed",
        n_init: int = 10,
        n_start: int | None = None,
        on_collapse: OnCollapse = "reseed",
        missing: Missing = "raise",
        rng: int | np.random.Generator | None = None,
        n_threads: int | None = None,
        backend: BackendName = "compiled",
        bayesian: bool | PriorArguments = False,
    ) -> None:
        k = check_count("n_components", n_components)
        begin, names, d = _check_start(init, k)
        self._options = Options.checked(
            n_components=k, covariance_type=covariance_type, reg_covar=reg_covar,
            step_power=step_power, half_life=half_life, init=begin, n_init=n_init,
            n_start=n_start, on_collapse=on_collapse, missing=missing,
            seed=int(check_rng(rng).integers(2**63)), n_threads=n_threads, backend=backend,
            learning=check_bayesian(bayesian),
        )  # fmt: skip
        own = self._options.n_features
        if own is not None and d is not None:
            check_reg_covar(reg_covar, d)
        d = own if d is None else d
        if d is not None:
            self._options.estimate(d)  # refuses arguments of another number of features
        self._stream = Stream(self._options, names, d)
        self._lock = RLock()

    # ---- learning ----

    def update(self, X: AnyRows, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from one more batch, or from each block of a `mixtura.scan`.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features), or RowSource
            The rows, as for `fit_gmm`, with the columns of the batches before. No row is no change.
        sample_weight : array_like of shape (n_samples,), optional
            Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None
            is one for each row.

        Returns
        -------
        StepwiseGMM
            The object itself.

        Raises
        ------
        ValueError, TypeError
            For values, columns or weights that cannot be used.
        FitError
            When components collapse, and `on_collapse` does not help.

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_faithful().data
        >>> mixtura.StepwiseGMM(2, n_start=100, rng=0).update(X[:200]).update(X[200:])
        <StepwiseGMM: 2 components, 2 updates, 272 rows>
        """
        with self._lock:  # or two threads would continue the same stream, and one would be lost
            stream = self._stream
            missing = self._options.missing
            source = open_rows(
                X, sample_weight, n_features=stream.n_features,
                feature_names=stream.feature_names,
                missing="stream" if missing == "raise" else missing,
            )  # fmt: skip
            self._stream = stream.after(source)
        return self

    def _after_fit(self, model: GaussianMixture, n_samples: int, weight_sum: float) -> Self:
        """Return the stream that continues a fit to rows that were read as a whole."""
        options = self._options
        assert isinstance(options.reg_covar, np.ndarray)
        learner = continued(options, model._parameters(), options.reg_covar, n_samples, weight_sum)
        self._stream = replace(
            self._stream, n_samples=n_samples, weight_sum=weight_sum, learner=learner
        )
        return self

    # ---- what is there ----

    @property
    def model(self) -> GaussianMixture:  # type: ignore[override]
        """The mixture as it stands, frozen: later updates do not change it.

        While the start waits for rows, it is that of a fit to those that there are.

        Returns
        -------
        GaussianMixture

        Raises
        ------
        FitError
            Before there are as many rows as a mixture needs.
        """
        return self._stream.model

    @property
    def posterior(self) -> GMMPosterior:
        """The posterior as it stands, frozen, where `bayesian` asks for one.

        It counts the rows so far, the "weight_sum" of `bayesian`, or what a `half_life` keeps.

        Returns
        -------
        GMMPosterior

        Raises
        ------
        ValueError
            For a stream by maximum likelihood.
        FitError
            Before there are as many rows as components.
        """
        self._check_bayesian("posterior")
        return self._stream.posterior

    def elbo_estimate(self, n_batches: int = 30) -> BoundEstimate:
        """Estimate the evidence lower bound of all rows from the last batches, with its noise.

        It is no bound, and mostly lower than ``posterior.elbo`` of all rows: see
        :doc:`/manual/streams_bayesian`.

        Parameters
        ----------
        n_batches : int
            Largest number of batches of `history`, at most 1000.

        Returns
        -------
        BoundEstimate
            The value and its standard error, nats: totals, as `BayesianGMMFit.elbo` is.

        Raises
        ------
        ValueError
            For a stream by maximum likelihood, or a number below 2.
        TypeError
            For a number that is not an integer.
        FitError
            Before there are two batches after the start.

        Examples
        --------
        >>> import numpy as np, mixtura
        >>> stream = mixtura.StepwiseGMM(2, bayesian=True, rng=0)
        >>> for batch in np.random.default_rng(0).normal(size=(5, 500, 1)):
        ...     stream = stream.update(batch)
        >>> value, error = stream.elbo_estimate()
        >>> round(value), round(error)
        (-3558, 50)
        """
        self._check_bayesian("elbo_estimate")
        n_batches = check_count("n_batches", n_batches, minimum=2)
        if self._stream.learner is None:
            raise FitError(
                f"elbo_estimate must come after a start, which waits for {self._stream.awaited}. "
                f"Call update with more rows."
            )
        return estimated_bound(self._stream.learner, n_batches)

    def _check_bayesian(self, wanted: str) -> None:
        if not self._options.learning.has_posterior:
            raise ValueError(
                f"{wanted} must be of a stream that was made with bayesian=True; got one by "
                f"maximum likelihood. Make such a stream."
            )

    @property
    def is_started(self) -> bool:
        """Whether the start has been made, so that rows are no longer kept."""
        return self._stream.learner is not None

    @property
    def n_updates(self) -> int:
        """Batches so far, those that the start has kept among them; without empty ones."""
        return self._stream.n_updates

    @property
    def n_samples(self) -> int:
        """Rows of positive weight so far."""
        return self._stream.n_samples

    @property
    def weight_sum(self) -> float:
        """Weight of all rows so far."""
        return self._stream.weight_sum

    @property
    def events(self) -> tuple[Event, ...]:
        """Components that collapsed, and what was done: the last 1000.

        Their `iteration` is the number of the batch; 0 is the start.
        """
        return () if self._stream.learner is None else self._stream.learner.events

    @property
    def history(self) -> Floats:
        """Mean log-likelihood of each of the last 1000 batches before it was learned from.

        Where it falls, the rows have changed. The penalty of `reg_covar` is subtracted. Where the
        stream is `bayesian`, it is what each batch adds to the evidence lower bound, per
        row.

        Returns
        -------
        ndarray of shape (n,), nats per row
        """
        learner = self._stream.learner
        return np.empty(0) if learner is None else learner.history.copy()

    @property
    def statistics(self) -> Statistics:
        """The running statistics from which the mixture follows, of total weight one.

        Returns
        -------
        Statistics

        Raises
        ------
        FitError
            Before the start.
        """
        if self._stream.learner is None:
            raise FitError(
                f"statistics must come from a start, which waits for "
                f"{self._stream.awaited}. Call update with more rows."
            )
        running = self._stream.learner.statistics
        return replace(running.scaled(1.0), centres=running.centres.copy())

    def __repr__(self) -> str:
        stream = self._stream
        parts = [
            counted(self._options.n_components, "component"),
            counted(stream.n_updates, "update"),
            counted(stream.n_samples, "row"),
        ]
        if stream.weight_sum != stream.n_samples:
            parts[-1] += f" of weight {stream.weight_sum:g}"
        if stream.learner is None:
            parts.append("not started")
        return f"<{type(self).__name__}: {', '.join(parts)}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: no fit is made for it."""
        table = str(self.model._repr_html_()) if self.is_started else ""
        return f"<p>{escape(repr(self))}</p>{table}"

    log_likelihood: Final = answered(GaussianMixture.log_likelihood)
    summary: Final = answered(GaussianMixture.summary)

    # ---- copies and files ----

    def _contents(self) -> Contents:
        return stream_contents(self._stream)

    @classmethod
    def _from_contents(cls, contents: Contents) -> Self:
        return cls._of(stream_of(contents))

    def __copy__(self) -> Self:
        return self._of(self._stream)

    @classmethod
    def _of(cls, stream: Stream) -> Self:
        made = cls.__new__(cls)
        made._stream, made._options, made._lock = stream, stream.options, RLock()
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self)._from_contents, (self._contents(),)


def _check_start(init: Any, n_components: int) -> tuple[Begin, Names | None, int | None]:
    """What EM starts from, and the names and the number of features that it has."""
    if isinstance(init, str):
        return check_option("init", init, INIT_METHODS), None, None
    if isinstance(init, GMMFit | BayesianGMMFit | StepwiseGMM):
        init = init.model
    if isinstance(init, GaussianMixture):
        if init.n_components != n_components:
            raise ValueError(
                f"init must be a mixture of {counted(n_components, 'component')}; got "
                f"{init.n_components}. Pass n_components={init.n_components}."
            )
        return init, init.feature_names, init.n_features
    try:
        means, names = real_array(init, "init")
    except TypeError as error:
        raise TypeError(
            f"init must be one of {', '.join(map(repr, INIT_METHODS))}, means of shape "
            f"(n_components, n_features), a GaussianMixture or a GMMFit; got {described(init)}. "
            f"Pass one of these."
        ) from error
    if means.ndim != 2 or len(means) != n_components:
        raise ValueError(
            f"init must hold the means of {counted(n_components, 'component')}, of shape "
            f"(n_components, n_features); got shape {means.shape}. Labels and responsibilities "
            f"are of rows, which a stream does not have yet: fit the first rows with fit_gmm, and "
            f"pass the fit."
        )
    means = check_centres(means, means.shape[1], name="init")
    return Means(means), names, means.shape[1]

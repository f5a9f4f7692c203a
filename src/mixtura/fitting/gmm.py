"""fit_gmm: check the arguments, fit, report."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.covariance import CovarianceFamily, family_named
from mixtura.data.any_rows import AnyRows, Numbers
from mixtura.data.checks import (
    check_count,
    check_fixed,
    check_flag,
    check_number,
    check_option,
    contiguous,
)
from mixtura.data.labels import RowLabels
from mixtura.data.missing import Missing
from mixtura.fitting.bayesian.result import BayesianGMMFit
from mixtura.fitting.call import Call
from mixtura.fitting.coarse import warn_of_coarse_columns
from mixtura.fitting.estimates import PriorOption, estimate_under
from mixtura.fitting.kmeans_fit import KMeansFit
from mixtura.fitting.pairs import warn_of_unobserved_pairs
from mixtura.fitting.progress import Verbose
from mixtura.fitting.reports import report
from mixtura.fitting.result import GMMFit
from mixtura.fitting.settings import EM_KINDS, EMKind, Settings
from mixtura.fitting.stages import Begin
from mixtura.mixture import GaussianMixture
from mixtura.passes.backend import BackendName
from mixtura.schedules import State
from mixtura.shapes import Floats
from mixtura.starts import HierarchicalTree, Start
from mixtura.updates import OnCollapse

__all__ = ["check_reg_covar", "fit_gmm"]

FixedParts = str | Sequence[str] | ArrayLike | Mapping[str, bool | ArrayLike] | None
Fitted = GMMFit | BayesianGMMFit | KMeansFit
Init = Start | Numbers | GaussianMixture | Fitted | HierarchicalTree | Callable[..., Any]


def fit_gmm(
    X: AnyRows,
    n_components: int,
    *,
    covariance_type: str = "full",
    columns: Sequence[str | int] | None = None,
    sample_weight: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    init: Init | Literal["labels"] = "mixed",
    n_init: int = 10,
    reg_covar: float | ArrayLike = 1e-6,
    prior: PriorOption = None,
    tol: float = 1e-6,
    max_iter: int = 1000,
    accelerate: bool = True,
    em: EMKind = "soft",
    on_collapse: OnCollapse = "reseed",
    avoid_spurious: bool = True,
    fixed: FixedParts = None,
    missing: Missing = "raise",
    rng: int | np.random.Generator | None = None,
    n_threads: int | None = None,
    backend: BackendName = "compiled",
    callback: Callable[[State], object] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 60.0,
    verbose: Verbose = None,
) -> GMMFit:
    """Fit a Gaussian mixture by expectation-maximisation.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features), or RowSource
        The rows, finite but for `missing`: an array, a frame (pandas, polars, pyarrow), xarray, a
        tensor in the memory of the CPU, or several of them (`mixtura.scan`); a Dask array or
        DataFrame, or a Spark DataFrame, which is worked on where its partitions are
        (:doc:`/manual/dask`, :doc:`/manual/spark`). The names of a frame's columns become the
        model's `feature_names`.
    n_components : int
        Number of Gaussian components.
    covariance_type : str
        How covariances are restricted: "full", "tied", "diag" or "spherical", or what is equal,
        varies or is the identity among components, in the letters of Celeux and Govaert: "EII",
        "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV" or
        "VVV"; "E" or "V" for one column. See `GaussianMixture`.
    columns : list of str or int, optional
        Columns of X to use, by name or position, in this order: `mixtura.scan` chooses them. None
        is all of them.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None is
        one for each row.
    labels : array_like of shape (n_samples,) or (n_samples, n_components), optional
        What is known of the component of each row: integers from 0, -1 where it is not known; or a
        table with 1 for each component that a row may belong to and 0 for the others, or with
        relative plausibilities between them. Component j is then that of label j. A row says
        nothing if its label is -1, or if all its plausibilities are 1. None knows nothing.
    groups : array_like of shape (n_components,), int, optional
        The class of each component, from 0, where classes have several. Then `labels` are classes
        (a table has a column for each), and a row may belong to all components of its class.
    noise_covariance : array_like of shape (n_samples,), (n_samples, m) or (n_samples, m, m)
        Known covariance of the noise of each row, in squared units of the m columns of X: one
        variance for all columns, one for each, or a matrix; zeros for no noise. The mixture is that
        of the rows without noise [5]_. See :doc:`/manual/incomplete`.
    projection : array_like of shape (n_samples, m, n_features), optional
        With `noise_covariance`: row i of X is ``projection[i] @ v + noise`` of a row v of the
        mixture. None is the identity.
    init : str, array_like, GaussianMixture, GMMFit, KMeansFit, HierarchicalTree or callable
        "mixed" (default: starts of different kinds in turn), "kmeans", "kmeans++", "random" or
        "hierarchical" for automatic starts; integer labels (n_samples,), -1 for rows that take no
        part in the start, or boolean ones of two components; responsibilities (n_samples,
        n_components), rows summing to one; means (n_components, n_features), each row beginning
        with the nearest in units of the features' standard deviations; a mixture or what has one as
        its `model` (a fit, a stream, a posterior), from which EM starts exactly, or from the
        nearest mixture of `covariance_type`; a fit of k-means to these rows, for its labels; a tree
        of them, cut into `n_components`; or a callable ``(X, n_components, rng)`` that returns any
        of these. One-dimensional integers are labels; a table is known by its shape, and refused
        where rows, components and features are equally many. With `labels`, clusters get the
        numbers of the labels that they agree with best; "labels" shares out each row as its label
        says, in equal parts where that says nothing.
    n_init : int
        Effort of the search for a start: the number of automatic starts. After each five of them,
        moves of components are tried on the best. For one seed, the search of the rows that it
        looks at never ends lower with a larger number. Of hierarchical trees there are at most
        three, each in other coordinates. See :doc:`/manual/starts`.
    reg_covar : float or array_like of shape (n_features,)
        Ridge on the diagonal of each covariance. A number is relative to the variance of each
        feature, so that a fit does not depend on units; an array is absolute, in squared units.
        0 is none.
    prior : ConjugatePrior, TracePrior, "default" or None
        Prior of the parameters. Then the fit is that of largest posterior density, no covariance
        becomes singular, and few rows suffice: one, if `init` is a mixture. "default" is
        ``ConjugatePrior()``, a weak one scaled by the rows [6]_. Objective, `history` and `tol` are
        those of log-likelihood and log prior together; `GMMFit.log_likelihood`, and criteria, of
        the likelihood alone. Where components have priors of their own, `init` should be a mixture
        or labels in their order. None maximises the likelihood. See :doc:`/manual/priors`.
    tol : float, nats per row
        Stop when the predicted remaining gain of the objective is no more than this. 0 never stops
        early.
    max_iter : int
        Most iterations.
    accelerate : bool
        Extrapolate where iterations are slow (see `mixtura.schedules.squarem`). With ``tol=0`` or
        ``em="hard"`` or "memoised" there are plain iterations only.
    em : {"soft", "hard", "annealed", "memoised"}
        "soft" is EM. "hard" is classification EM: each row belongs altogether to its most probable
        component. "annealed" is deterministic annealing EM. "memoised" makes an update after each
        block of the rows [7]_, without `checkpoint` or rows in other processes: see
        :doc:`/manual/fitting`.
    on_collapse : {"reseed", "drop", "raise"}
        What to do with a component that loses all weight or whose covariance becomes singular:
        split the heaviest component instead (ten times; then it is dropped), continue without it,
        or raise.
    avoid_spurious : bool
        Avoid components that sit on ties, or that have fewer than twice the rows that their own
        part of the covariances needs; False lets the likelihood decide alone.
    fixed : str, sequence of str, array_like of shape (n_components,), bool, or dict, optional
        What stays as in the mixture that `init` is: "weights", "means", "covariances" or several
        of them; a mask of components that stay altogether; or a dict from these names to masks, or
        to True for all. None estimates everything.
    missing : {"raise", "em"}
        What NaN in `X` is, and what frames and masked arrays have in its place: an error, or with
        "em" a number that is missing at random. Then EM is that of the observed numbers, and the
        log-likelihood is theirs. A row with nothing observed is allowed; it says nothing. Complete
        rows give the same fit to the bit. See :doc:`/manual/incomplete`.
    rng : int, Generator or None
        Source of random numbers for automatic starts; None for fresh entropy.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.
    backend : {"compiled", "reference"}
        The compiled kernels, or plain NumPy for comparison.
    callback : callable, optional
        Called with a `State` after each iteration; a true result stops the fit.
    checkpoint : str or path-like, optional
        File that keeps the state of the fit: the same call continues from there after the process
        was killed, and ends with the same bits. One fit at a time may use it.
    checkpoint_every : float, seconds
        Least time between two savings of it.
    verbose : bool, "bar" or None
        None shows progress on a terminal after two seconds, as a tqdm bar or in lines. True writes
        lines to standard error, at most two a second; "bar" shows a tqdm bar; False shows nothing.

    Returns
    -------
    GMMFit
        From an automatic start, the heaviest component comes first; of equal weights, that with the
        smaller mean. From any other start, components keep its order, and with `labels` theirs.

    Raises
    ------
    ValueError
        For values that cannot be used, before any work is done; for a column without any number.
    TypeError
        For arguments of the wrong kind; for a lambda, a local function or a callable object as
        `init` together with `checkpoint`.
    OSError
        When `checkpoint` cannot be read, or not be written at the start.
    FitError
        When there are too few rows for the covariances and `reg_covar` is 0; when components
        collapse, under labels or responsibilities in `init` or later, and `on_collapse` does not
        help: a component to which labels give rows is not dropped.
    MemoryError
        For full or tied covariances that need more memory than the machine has, before any work.
    FitInterrupted
        On Ctrl-C, with the fit so far; a KeyboardInterrupt. During the search for a start, `fit` is
        the best of its runs, and its history that of their sample.

    Warns
    -----
    ConvergenceWarning
        When `max_iter` ends the fit and `tol` is not 0.
    CheckpointWarning
        When `checkpoint` cannot be written during the fit, as on a full disk; once a fit.
    SingularScaleWarning
        When a `prior` without a `scale` meets no more rows than features.
    UnobservedPairsWarning
        When two features are never observed together and a family has their covariance.
    CoarseColumnsWarning
        When components sat on ties and each row was spread over its cell of the data's grid, for
        columns in which that matters: those of two values, and counts that are mostly zero.

    Notes
    -----
    One iteration costs about n k d (d + 1) multiply-adds for "full" and n k exponentials; memory
    beyond the data is O(k d^2) for each of a few dozen partial sums, whatever n; with missing
    values, about 20 bytes a row more. :doc:`/manual/fitting` describes starts, stopping, collapse,
    spurious components, checkpoints and precision.

    With `labels`, a_ij the plausibility of component j for row i, the log-likelihood is
    ``sum_i sample_weight[i] log sum_j a_ij weight_j N(x_i; j)`` [4]_: for a label, that of row and
    label together. ``em="hard"`` is then self-training: rows without a label get one in each
    iteration.

    References
    ----------
    .. [1] A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum likelihood from incomplete data via
       the EM algorithm", Journal of the Royal Statistical Society B 39, 1-38, 1977.
    .. [2] G. Celeux, G. Govaert, "A classification EM algorithm for clustering and two stochastic
       versions", Computational Statistics & Data Analysis 14, 315-332, 1992.
    .. [3] N. Ueda, R. Nakano, "Deterministic annealing EM algorithm", Neural Networks 11, 271-282,
       1998.
    .. [4] E. Come, L. Oukhellou, T. Denoeux, P. Aknin, "Learning from partially supervised data
       using mixture models and belief functions", Pattern Recognition 42, 334-348, 2009.
    .. [5] J. Bovy, D. W. Hogg, S. T. Roweis, "Extreme deconvolution: inferring complete
       distribution functions from noisy, heterogeneous and incomplete observations", Annals of
       Applied Statistics 5, 1657-1677, 2011.
    .. [6] C. Fraley, A. E. Raftery, "Bayesian regularization for normal mixture estimation and
       model-based clustering", Journal of Classification 24, 155-181, 2007.
    .. [7] R. M. Neal, G. E. Hinton, "A view of the EM algorithm that justifies incremental, sparse,
       and other variants", Learning in Graphical Models, 355-368, 1998.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> fit = mixtura.fit_gmm(X, 2, reg_covar=0, rng=0)
    >>> round(fit.log_likelihood, 4), fit.converged
    (-1130.264, True)
    """
    estimate = estimate_under(prior)
    call = Call.checked(
        X, n_components, columns=columns, sample_weight=sample_weight, labels=labels,
        groups=groups, noise_covariance=noise_covariance, projection=projection, init=init,
        missing=missing, rng=rng, n_threads=n_threads, backend=backend, callback=callback,
        checkpoint=checkpoint, checkpoint_every=checkpoint_every, verbose=verbose,
        has_prior=estimate.is_regular,
    )  # fmt: skip
    family = family_named(covariance_type, call.source.n_features)
    settings = Settings(
        n_init=check_count("n_init", n_init),
        reg_covar=check_reg_covar(reg_covar, call.source.n_features),
        tol=check_number("tol", tol),
        max_iter=check_count("max_iter", max_iter),
        accelerate=check_flag("accelerate", accelerate),
        em=check_option("em", em, tuple(EM_KINDS)),
        on_collapse=check_option("on_collapse", on_collapse, ("reseed", "drop", "raise")),
        avoid_spurious=check_flag("avoid_spurious", avoid_spurious),
        fixed=check_fixed(fixed, call.n_components),
        estimate=estimate,
    )
    fit, survey = call.run(
        settings,
        covariance_type,
        report,
        accept=lambda begin: _check_start_of_fixed(begin, settings.fixed, family, call.known),
    )
    warn_of_unobserved_pairs(survey, [covariance_type], stacklevel=2)
    warn_of_coarse_columns(survey, settings.reg_covar, [fit], stacklevel=2)
    return fit


def _check_start_of_fixed(
    begin: Begin,
    fixed: NDArray[np.bool_] | None,
    family: CovarianceFamily,
    known: RowLabels | None,
) -> None:
    """Refuse a start that has no values for what is fixed, and values that leave no room."""
    if fixed is None:
        return
    if not isinstance(begin, GaussianMixture):
        got = repr(begin) if isinstance(begin, str) else type(begin).__name__
        raise ValueError(
            f"init must be a mixture where parameters are fixed: they stay as it has them; got "
            f"{got}. Pass a GaussianMixture with the fixed values and a start for the others."
        )
    own = family_named(begin.covariance_type, begin.n_features)
    if own is not family:
        raise ValueError(
            f"init must be a mixture of covariance_type {family.name!r} where parameters are "
            f"fixed; got {own.name!r}. Fit with its covariance_type."
        )
    weights, _, covariances = fixed
    total = begin.weights[weights].sum()
    if not weights.all() and not total < 1.0:
        raise ValueError(
            f"fixed weights must leave something for the other components; those of init sum to "
            f"{total}. Start from smaller ones, or fix all of them."
        )
    if known is not None:
        possible = np.isfinite(known.prior) & ~(weights & (begin.weights == 0.0))
        lost = ~possible.any(axis=1)[known.code]
        if lost.any():
            raise ValueError(
                f"fixed weights must not be 0 for all components that labels allow a row; row "
                f"{int(np.argmax(lost))} has no other. Free the weight, or set the label to -1."
            )
    if family.is_shared and covariances.any() and not covariances.all():
        raise ValueError(
            f"fixed covariances must be those of all components for covariance_type "
            f"{family.name!r}, whose components share a part of them; got "
            f"{np.count_nonzero(covariances)} of {len(covariances)}. Fix all or none, or use "
            f'"full", "diag" or "spherical".'
        )


def check_reg_covar(reg_covar: float | ArrayLike, n_features: int) -> float | Floats:
    """A share of each feature's variance, or absolute variances."""
    if np.ndim(reg_covar) == 0:
        return check_number("reg_covar", reg_covar)
    ridge = contiguous(reg_covar, "reg_covar")
    if ridge.shape != (n_features,):
        raise ValueError(
            f"reg_covar must be a number or have shape {(n_features,)}, one for each feature; "
            f"got shape {ridge.shape}. Pass a number to regularise relative to the variances."
        )
    sound = np.isfinite(ridge) & (ridge >= 0.0)
    if not sound.all():
        a = int(np.argmin(sound))
        raise ValueError(
            f"reg_covar must be finite and non-negative; feature {a} has {ridge[a]}. "
            f"Use 0 for none."
        )
    return ridge

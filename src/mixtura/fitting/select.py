"""select_gmm: fit many mixtures to the same rows, and choose one of them by a criterion."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from mixtura.covariance import CELEUX_GOVAERT, FAMILIES, ONE_COLUMN, CovarianceFamily, family_named
from mixtura.data import RowSource, open_rows, with_columns, with_noise
from mixtura.data.any_rows import AnyRows
from mixtura.data.checks import (
    check_count,
    check_flag,
    check_n_threads,
    check_number,
    check_option,
    check_rng,
)
from mixtura.data.frames import check_ordered
from mixtura.data.labels import RowLabels, check_row_labels
from mixtura.data.missing import MISSING, Missing
from mixtura.data.noise import accepted
from mixtura.exceptions import ConvergenceWarning, SelectionInterrupted
from mixtura.fitting.bayesian.arguments import conjugate_family
from mixtura.fitting.bayesian.estimate import VariationalBayes
from mixtura.fitting.bayesian.report import report_posterior
from mixtura.fitting.bayesian.result import BayesianGMMFit
from mixtura.fitting.coarse import warn_of_coarse_columns
from mixtura.fitting.criterion import cross_validate, ends, value_of
from mixtura.fitting.estimates import PriorOption, estimate_under
from mixtura.fitting.gmm import Init, check_reg_covar
from mixtura.fitting.init import check_begin, names_of
from mixtura.fitting.models import FAILURES, Models, reason
from mixtura.fitting.pairs import warn_of_unobserved_pairs
from mixtura.fitting.progress import Counter, Verbose, check_verbose
from mixtura.fitting.reports import report
from mixtura.fitting.selection import (
    CRITERIA,
    OF_LIKELIHOOD,
    Criterion,
    GMMSelection,
    OfGMMFit,
    criterion_name,
)
from mixtura.fitting.settings import Settings
from mixtura.fitting.survey import Survey
from mixtura.mixture.criteria import warn_of_small_weights
from mixtura.passes import Backend
from mixtura.shapes import SHAPE_NAMES
from mixtura.starts import HierarchicalTree
from mixtura.text import short

__all__ = ["GMMSelection", "select_gmm"]

NOT_REACHED = "interrupted"
SEARCHED = 2  # best models that are searched once more


@overload
def select_gmm(
    X: AnyRows,
    n_components: int | Iterable[int] = range(1, 10),
    covariance_type: str | Iterable[str] = "all",
    *,
    criterion: Literal["elbo"],
    columns: Sequence[str | int] | None = None,
    sample_weight: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    init: Init = "mixed",
    n_init: int = 10,
    n_folds: int = 5,
    reg_covar: float | ArrayLike = 1e-6,
    prior: PriorOption = None,
    tol: float = 1e-6,
    max_iter: int = 1000,
    on_collapse: Literal["reseed", "raise"] = "reseed",
    avoid_spurious: bool = True,
    missing: Missing = "raise",
    rng: int | np.random.Generator | None = None,
    n_threads: int | None = None,
    verbose: Verbose = None,
) -> GMMSelection[BayesianGMMFit]: ...
@overload
def select_gmm(
    X: AnyRows,
    n_components: int | Iterable[int] = range(1, 10),
    covariance_type: str | Iterable[str] = "all",
    *,
    criterion: OfGMMFit = "bic",
    columns: Sequence[str | int] | None = None,
    sample_weight: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    init: Init = "mixed",
    n_init: int = 10,
    n_folds: int = 5,
    reg_covar: float | ArrayLike = 1e-6,
    prior: PriorOption = None,
    tol: float = 1e-6,
    max_iter: int = 1000,
    on_collapse: Literal["reseed", "raise"] = "reseed",
    avoid_spurious: bool = True,
    missing: Missing = "raise",
    rng: int | np.random.Generator | None = None,
    n_threads: int | None = None,
    verbose: Verbose = None,
) -> GMMSelection: ...
def select_gmm(
    X: AnyRows,
    n_components: int | Iterable[int] = range(1, 10),
    covariance_type: str | Iterable[str] = "all",
    *,
    criterion: Criterion = "bic",
    columns: Sequence[str | int] | None = None,
    sample_weight: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    init: Init = "mixed",
    n_init: int = 10,
    n_folds: int = 5,
    reg_covar: float | ArrayLike = 1e-6,
    prior: PriorOption = None,
    tol: float = 1e-6,
    max_iter: int = 1000,
    on_collapse: Literal["reseed", "raise"] = "reseed",
    avoid_spurious: bool = True,
    missing: Missing = "raise",
    rng: int | np.random.Generator | None = None,
    n_threads: int | None = None,
    verbose: Verbose = None,
) -> GMMSelection[Any]:
    """Fit mixtures of several sizes and covariance families, and rank them by a criterion.

    :doc:`/manual/selection` says how models are searched and compared.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features), or RowSource
        The rows, as for `fit_gmm`.
    n_components : int or iterable of int
        Numbers of components.
    covariance_type : str or iterable of str
        Covariance types of `fit_gmm`. "all" is the fourteen families; for one column "E" and "V";
        for "elbo" the four "VII", "VVI", "EEE" and "VVV".
    criterion : {"bic", "aic", "icl", "cv", "elbo"} or callable
        Lower is better. "cv" is minus twice the log-likelihood of rows held out. "elbo" is minus
        twice the bound of variational Bayes. A callable ``(model, X, sample_weight)`` returns a
        number.
    columns, sample_weight : optional
        As for `fit_gmm`.
    labels : array_like of shape (n_samples,) or (n_samples, n_components), optional
        What is known of the component of each row, as for `fit_gmm`. Models of fewer components
        than labels are not fitted.
    noise_covariance, projection : array_like, optional
        Noise of each row, as for `fit_gmm`; not for a callable criterion.
    init : str, array_like, GaussianMixture, GMMFit, KMeansFit, HierarchicalTree or callable
        Where fits start, as for `fit_gmm`. Arrays, mixtures and fits are for one number of
        components.
    n_init : int
        Number of automatic starts; a larger one searches harder.
    n_folds : int
        Parts of the rows that are held out in turn, for "cv".
    reg_covar : float or array_like of shape (n_features,)
        Ridge on the diagonal of each covariance, as for `fit_gmm`.
    prior : ConjugatePrior, TracePrior, "default" or None
        Prior of the parameters, as for `fit_gmm`; criteria are of the likelihood alone [1]_. None
        with "elbo", which has its own.
    tol, max_iter : optional
        Of each fit, as for `fit_gmm`.
    on_collapse : {"reseed", "raise"}
        As for `fit_gmm`. A model that loses a component for good counts as not fitted.
    avoid_spurious : bool
        Avoid components that sit on equal values or on few rows.
    missing : {"raise", "em"}
        What NaN in `X` is: an error, or a number missing at random.
    rng : int, Generator or None
        Seed or generator for starts and folds; None draws a new seed.
    n_threads, verbose : optional
        As for `fit_gmm`.

    Returns
    -------
    GMMSelection
        All fits, the table of the criterion, and why models are missing in it.

    Raises
    ------
    ValueError, TypeError
        For values that cannot be used, before any work is done.
    SelectionInterrupted
        On Ctrl-C, with what was done; a KeyboardInterrupt.

    Warns
    -----
    ConvergenceWarning
        When `max_iter` ended fits and `tol` is not 0.
    WeightsWarning
        When the weights sum to far less than the number of rows, and the criterion counts rows.
    CoarseColumnsWarning, UnobservedPairsWarning
        As `fit_gmm`.

    Notes
    -----
    Each model also starts from where models of other sizes and families have ended. So a family
    never has a lower likelihood than one that it contains, unless that would take spurious
    components.

    References
    ----------
    .. [1] C. Fraley, A. E. Raftery, "Bayesian regularization for normal mixture estimation and
       model-based clustering", Journal of Classification 24, 155-181, 2007.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> selection = mixtura.select_gmm(X, range(1, 5), ["EEE", "VVV"], rng=0)
    >>> [(k, name, round(bic, 2)) for k, name, bic in selection.top(2)]
    [(3, 'EEE', 2314.3), (4, 'EEE', 2320.14)]
    """
    missing = check_option("missing", missing, MISSING)
    of_init = names_of(init) if projection is None else None
    taken = accepted(missing, noise_covariance)
    X = with_columns(X, columns)
    source = open_rows(X, sample_weight, minimum=1, feature_names=of_init, missing=taken)
    source = with_noise(source, noise_covariance, projection)
    if callable(criterion) and noise_covariance is not None:
        raise ValueError(
            "criterion must be a name where noise_covariance is given, as a callable gets X alone; "
            f"got {criterion_name(criterion)}. Use 'bic', 'aic', 'icl' or 'cv'."
        )
    if not callable(criterion):
        check_option("criterion", criterion, CRITERIA)
    sizes = _check_sizes(n_components)
    by_evidence = criterion == "elbo"
    names = _check_types(covariance_type, source.n_features, conjugate=by_evidence)
    known, misfits = _known(labels, source, sizes)
    priors = {k: of_rows.prior for k, of_rows in known.items() if of_rows is not None}
    _check_init(init, sizes, criterion, source)
    # Codes are the same for all numbers of components; of one component, no label says anything.
    telling = [of_rows for of_rows in known.values() if of_rows is not None]
    source = telling[0].marked(source) if telling else source
    settings = Settings(
        n_init=check_count("n_init", n_init),
        reg_covar=check_reg_covar(reg_covar, source.n_features),
        tol=check_number("tol", tol),
        max_iter=check_count("max_iter", max_iter),
        on_collapse=check_option("on_collapse", on_collapse, ("reseed", "raise")),
        avoid_spurious=check_flag("avoid_spurious", avoid_spurious),
        estimate=estimate_under(prior),
    )
    if by_evidence:
        if prior is not None:
            raise ValueError(
                'prior must be None for criterion="elbo", which has the default prior of '
                f"fit_bayesian_gmm; got {short(prior)}. Call fit_bayesian_gmm for each model: its "
                "arguments describe a prior."
            )
        estimate = VariationalBayes()
        settings = replace(
            settings, reg_covar=0.0, avoid_spurious=False, moves=True, estimate=estimate
        )
    n_threads = check_n_threads(n_threads)
    verbose = check_verbose(verbose)
    n_folds = check_count("n_folds", n_folds, minimum=2)
    if criterion == "cv":
        _check_folds(n_folds, source.n_rows)
    generator = check_rng(rng)
    if criterion in OF_LIKELIHOOD or by_evidence:
        warn_of_small_weights(source)
    survey = Survey(source, Backend(n_threads=n_threads), priors)
    settings = replace(settings, reg_covar=survey.absolute_ridge(settings.reg_covar))
    *streams, seed = generator.spawn(n_folds + 2)
    models = Models(
        survey,
        names,
        init,
        settings,
        int(seed.integers(2**32)),
        criterion in OF_LIKELIHOOD,
        report_posterior if by_evidence else report,
    )
    none = np.full((len(sizes), len(names)), np.nan)
    selection: GMMSelection[Any] = GMMSelection(
        criterion_name(criterion),
        sizes,
        names,
        none,
        none.copy() if criterion == "cv" else None,
        reasons={(k, name): misfits.get(k, NOT_REACHED) for k in sizes for name in names},
    )
    sizes = tuple(known)
    n_models = len(sizes) * len(names) * (1 + n_folds * (criterion == "cv"))
    count = Counter(n_models, "model", verbose)
    try:
        count.start()
        for k, name, end in ends(models, sizes, streams[-1], count):
            if isinstance(end, str):
                selection.reasons[k, name] = end
                continue
            selection.fits[k, name] = end
            if criterion != "cv":
                try:
                    selection._enter(k, name, value_of(criterion, end, survey))
                except FAILURES as error:
                    selection._enter(k, name, np.nan)
                    selection.reasons[k, name] = reason(error)
        if criterion in OF_LIKELIHOOD:
            _search_best(selection, models, criterion, generator)
        if criterion == "cv":
            cross_validate(selection, models, sizes, streams[:-1], count)
    except KeyboardInterrupt:
        raise SelectionInterrupted(selection) from None
    finally:
        count.close()
    _warn_of_unconverged(selection, settings.tol)
    warn_of_unobserved_pairs(survey, {name for _, name in selection.fits}, stacklevel=2)
    warn_of_coarse_columns(survey, settings.reg_covar, selection.fits.values(), stacklevel=2)
    return selection


def _search_best(
    selection: GMMSelection[Any], models: Models, criterion: Criterion, rng: np.random.Generator
) -> None:
    """Search the best models once more, each by itself, and enter what is better."""
    for k, name, _ in selection.top(SEARCHED):
        fits = {one: fit for (size, one), fit in selection.fits.items() if size == k}
        for other, fit in models.searched(fits, k, name, rng).items():
            selection.fits[k, other] = fit
            selection._enter(k, other, value_of(criterion, fit, models.survey))


def _known(
    labels: ArrayLike | None, source: RowSource, sizes: tuple[int, ...]
) -> tuple[dict[int, RowLabels | None], dict[int, str]]:
    """What labels say for each number of components, and why they suit no models of others.

    Raises
    ------
    ValueError
        Where they suit none.
    """
    known: dict[int, RowLabels | None] = {}
    misfits: dict[int, ValueError] = {}
    for k in sizes:
        try:
            known[k] = check_row_labels(labels, None, source, k)
        except ValueError as error:
            misfits[k] = error
    if not known:
        raise misfits[max(misfits)]
    return known, {k: str(error) for k, error in misfits.items()}


def _warn_of_unconverged(selection: GMMSelection[Any], tol: float) -> None:
    unfinished = sum(fit.stop_reason == "max_iter" for fit in selection.fits.values())
    if unfinished and tol > 0.0:
        warnings.warn(
            f"{unfinished} of {len(selection.fits)} fits used up their iterations before the "
            f"predicted remaining gain fell to tol={tol:g}. Raise max_iter, or tol.",
            ConvergenceWarning,
            stacklevel=3,
        )


def _check_sizes(n_components: int | Iterable[int]) -> tuple[int, ...]:
    if isinstance(n_components, Iterable):
        sizes = tuple(check_count("n_components", k) for k in n_components)
    else:
        sizes = (check_count("n_components", n_components),)
    if not sizes or len(set(sizes)) < len(sizes):
        raise ValueError(
            f"n_components must be one or more different numbers; got {sizes}. "
            f"Use range(1, 10) for one to nine."
        )
    return sizes


def _check_init(init: Any, sizes: tuple[int, ...], criterion: Criterion, source: RowSource) -> None:
    """Refuse a start that cannot serve every number of components, or every fold."""
    if callable(init):
        return
    if len(sizes) > 1 and not isinstance(init, str | HierarchicalTree):
        raise ValueError(
            f"init must be a name, a HierarchicalTree or a callable for several n_components; got "
            f"{type(init).__name__}. Ask for one number of components, or pass a callable."
        )
    begins = [check_begin(init, source, k) for k in sizes]
    if criterion == "cv" and any(isinstance(begin, np.ndarray) for begin in begins):
        raise ValueError(
            f'init must be a start of any rows for criterion="cv", which leaves out some; got '
            f"{type(init).__name__}, of all rows. Pass means, a mixture or a callable."
        )


def _check_folds(n_folds: int, n_rows: int) -> None:
    if n_rows < 2:
        raise ValueError(
            f"criterion 'cv' needs two rows that have weight, or more; got {n_rows}. Add rows, or "
            f"choose another criterion."
        )
    if n_folds > n_rows:
        raise ValueError(
            f"n_folds must be at most {n_rows}, the number of rows that have weight; got "
            f"{n_folds}. Ask for fewer folds."
        )


def _check_types(covariance_type: Any, n_features: int, *, conjugate: bool) -> tuple[str, ...]:
    if isinstance(covariance_type, str) and covariance_type == "all":
        known = CELEUX_GOVAERT if n_features > 1 else ONE_COLUMN
        return tuple(n for n in known if not conjugate or FAMILIES[n].name in SHAPE_NAMES)
    named = conjugate_family if conjugate else family_named
    check_ordered(covariance_type, "covariance_type must be a name or a list of names")
    is_one = isinstance(covariance_type, str) or not isinstance(covariance_type, Iterable)
    names = (covariance_type,) if is_one else tuple(covariance_type)
    families: dict[CovarianceFamily, str] = {}
    for name in names:
        family = named(name, n_features)
        if family in families:
            raise ValueError(
                f"covariance_type must name different models; {families[family]!r} and {name!r} "
                f"are the same. Leave one out."
            )
        families[family] = str(name)
    if not names:
        raise ValueError(
            'covariance_type must name one model or more; got none. Use "all" for all of them.'
        )
    return tuple(families.values())

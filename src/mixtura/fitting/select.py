"""select_gmm: fit many mixtures to the same rows, and choose one of them by a criterion."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from mixtura.covariance import CELEUX_GOVAERT, ONE_COLUMN, CovarianceFamily, family_named
from mixtura.data import RowSource, open_rows, with_noise
from mixtura.data.checks import (
    check_count,
    check_flag,
    check_n_threads,
    check_number,
    check_option,
    check_rng,
)
from mixtura.data.frames import described
from mixtura.data.labels import RowLabels, check_row_labels
from mixtura.data.missing import MISSING, Missing
from mixtura.data.noise import accepted
from mixtura.exceptions import ConvergenceWarning, FitError, SelectionInterrupted
from mixtura.fitting.coarse import warn_of_coarse_columns
from mixtura.fitting.gmm import Init, check_reg_covar
from mixtura.fitting.init import check_begin, names_of
from mixtura.fitting.pairs import warn_of_unobserved_pairs
from mixtura.fitting.progress import Counter, Verbose, check_verbose
from mixtura.fitting.result import GMMFit
from mixtura.fitting.search import FAILURES, Search, reason
from mixtura.fitting.stages import Settings
from mixtura.fitting.survey import Survey
from mixtura.mixture import GaussianMixture
from mixtura.mixture.criteria import warn_of_small_weights
from mixtura.mixture.table import counted, import_pandas
from mixtura.passes import Backend, RowsPass
from mixtura.shapes import Floats
from mixtura.starts import HierarchicalTree
from mixtura.text import short_repr

__all__ = ["GMMSelection", "criterion_name", "select_gmm"]

Criterion = Literal["bic", "aic", "icl", "cv"] | Callable[..., float]
CRITERIA = ("bic", "aic", "icl", "cv")
OF_LIKELIHOOD = ("bic", "aic", "icl")
NO_VALUE = "none: no model has a value of the criterion"
NOT_REACHED = "interrupted"
MARKS = {  # of what happened to spurious components
    "kept": ("*", "has spurious components, which sit on ties or on a handful of rows"),
    "smoothed": (
        "~",
        "was smoothed: each row was spread over its cell of the grid that the data lie on",
    ),
}


@dataclass(frozen=True, eq=False)
class GMMSelection:
    """Mixtures of the same rows, and how good each of them is.

    Attributes
    ----------
    criterion : str
        Name of the criterion; lower is better.
    n_components : tuple of int
        Rows of the table.
    covariance_types : tuple of str
        Columns of the table.
    table : ndarray of shape (len(n_components), len(covariance_types))
        The criterion of each model; NaN for one that has none.
    standard_error : ndarray of the shape of `table`, or None
        Of a cross-validated criterion, from the differences between folds.
    fits : dict from (n_components, covariance_type) to GMMFit
        The models that were fitted.
    reasons : dict from (n_components, covariance_type) to str
        Why each NaN of the table is there.
    """

    criterion: str
    n_components: tuple[int, ...]
    covariance_types: tuple[str, ...]
    table: Floats
    standard_error: Floats | None = None
    fits: dict[tuple[int, str], GMMFit] = field(default_factory=dict)
    reasons: dict[tuple[int, str], str] = field(default_factory=dict)

    __repr__ = short_repr

    def _enter(self, k: int, name: str, value: float, standard_error: float = np.nan) -> None:
        """Write the criterion of a model into the table."""
        place = self.n_components.index(k), self.covariance_types.index(name)
        self.table[place] = value
        if self.standard_error is not None:
            self.standard_error[place] = standard_error
        if math.isnan(value):
            self.reasons[k, name] = f"{self.criterion} is nan"
        else:
            del self.reasons[k, name]

    def top(self, n: int = 3) -> list[tuple[int, str, float]]:
        """The best models, as (n_components, covariance_type, criterion), the best first.

        Parameters
        ----------
        n : int
            Most models.

        Returns
        -------
        list of tuple
        """
        order = np.argsort(self.table, axis=None, kind="stable")
        places = [np.unravel_index(i, self.table.shape) for i in order[:n]]
        return [
            (self.n_components[i], self.covariance_types[j], float(self.table[i, j]))
            for i, j in places
            if not np.isnan(self.table[i, j])
        ]

    @property
    def best(self) -> GMMFit:
        """The fit with the lowest criterion.

        Returns
        -------
        GMMFit

        Raises
        ------
        FitError
            When no model has a value of the criterion.
        """
        best = self.top(1)
        if not best:
            first = next((f"{name}, {k}: {why}" for (k, name), why in self.reasons.items()), "none")
            raise FitError(
                f"no model has a value of the criterion; `reasons` says why. The first is {first}"
            )
        return self.fits[best[0][:2]]

    def __getattr__(self, name: str) -> Any:
        """Say where a method of a fit is."""
        kind = type(self).__name__
        if name.startswith("_") or not hasattr(GMMFit, name):
            raise AttributeError(f"{kind!r} object has no attribute {name!r}")
        raise AttributeError(
            f"{kind} has many mixtures and no {name!r}; its best fit has. Use "
            f"selection.best.{name}, or one of selection.fits."
        )

    def summary(self) -> str:
        """The table, the best models and why others are missing, in readable lines.

        Returns
        -------
        str
        """
        width = max(10, *(len(name) + 2 for name in self.covariance_types))
        lines = [
            self._title(),
            "",
            "components" + "".join(f"{name:>{width}}" for name in self.covariance_types),
        ]
        for k, cells in self._rows():
            line, mark = f"{k:>10}", ""
            for value, after in cells:
                line += f"{value:>{width - len(mark)}}{after}"
                mark = after
            lines.append(line)
        best = self.top()
        lines += ["", "best", *(f"  {self._described(model)}" for model in best)] if best else []
        notes = self._notes()
        lines += ["", *notes] if notes else []
        for heading, reasons in self._missing().items():
            lines += ["", heading, *_grouped(reasons)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """What a notebook shows: the table with the best value in bold, and the best models."""
        best = next(iter(self.top(1)), None)
        rows = [
            f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in ('', *self.covariance_types))}"
        ]
        for k, values in self._rows():
            cells = [value + mark for value, mark in values]
            if best is not None and best[0] == k:
                j = self.covariance_types.index(best[1])
                cells[j] = f"<strong>{cells[j]}</strong>"
            rows.append(f"<tr><th>{k}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}")
        lines = [self._title(), *map(self._described, self.top()), *self._notes()]
        for heading, reasons in self._missing().items():
            lines.append(f"{counted(len(reasons), 'model')} {heading}: see reasons")
        headlines = "<br>".join(map(escape, lines))
        return f"<p>{headlines}</p><table>{''.join(f'{row}</tr>' for row in rows)}</table>"

    def _title(self) -> str:
        name = self.criterion.upper() if self.criterion in CRITERIA else self.criterion
        n_values = int((~np.isnan(self.table)).sum())
        end = "lower is better" if n_values else NO_VALUE
        return f"{name} of {counted(n_values, 'mixture')}; {end}"

    def _missing(self) -> dict[str, dict[tuple[int, str], str]]:
        """Why models are not fitted, and why others have no value."""
        found: dict[str, dict[tuple[int, str], str]] = {}
        for heading, fitted in (("not fitted", False), ("without a value", True)):
            of_these = {m: why for m, why in self.reasons.items() if (m in self.fits) == fitted}
            if of_these:
                found[heading] = of_these
        return found

    def _rows(self) -> Iterator[tuple[int, list[tuple[str, str]]]]:
        """Each number of components, and the text and the mark of each cell in its row."""
        for k, values in zip(self.n_components, self.table, strict=True):
            cells = []
            for name, value in zip(self.covariance_types, values, strict=True):
                mark = _mark(self.fits.get((k, name)))
                cells.append(("-" if math.isnan(value) else f"{value:.1f}", mark))
            yield k, cells

    def _notes(self) -> list[str]:
        """What the marks in the table mean."""
        found = set(map(_mark, self.fits.values()))
        return [f"{mark} {meaning}" for mark, meaning in MARKS.values() if mark in found]

    def _described(self, model: tuple[int, str, float]) -> str:
        """One model in a line."""
        k, name, value = model
        fit = self.fits[k, name]
        which = ", ".join(map(str, _spurious(fit)))
        return (
            f"{name}, {counted(k, 'component')}: {value:.3f} (log-likelihood "
            f"{fit.log_likelihood:.3f}, {fit.n_parameters} parameters"
            f"{which and f'; spurious: component {which}'}"
            f"{'; smoothed' if _mark(fit) == MARKS['smoothed'][0] else ''})"
        )

    def to_pandas(self) -> Any:
        """The table as a DataFrame, a row for each number of components.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ImportError
            Where pandas is not installed.
        """
        pd = import_pandas()
        index = pd.Index(self.n_components, name="n_components")
        columns = pd.Index(self.covariance_types, name="covariance_type")
        return pd.DataFrame(self.table, index=index, columns=columns)


def select_gmm(
    X: ArrayLike | RowSource,
    n_components: int | Iterable[int] = range(1, 10),
    covariance_types: Literal["all"] | Iterable[str] = "all",
    *,
    criterion: Criterion = "bic",
    sample_weight: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    noise_covariance: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    init: Init = "kmeans++",
    n_init: int = 5,
    n_folds: int = 5,
    reg_covar: float | ArrayLike = 1e-6,
    tol: float = 1e-6,
    max_iter: int = 1000,
    on_collapse: Literal["reseed", "raise"] = "reseed",
    avoid_spurious: bool = True,
    missing: Missing = "raise",
    rng: int | np.random.Generator | None = None,
    n_threads: int | None = None,
    verbose: Verbose = None,
) -> GMMSelection:
    """Fit mixtures of several sizes and covariance families, and rank them by a criterion.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features), or RowSource
        The rows, finite but for `missing`, as for `fit_gmm`; a frame's names stay with the models.
    n_components : int or iterable of int
        Numbers of components.
    covariance_types : "all" or iterable of str
        Covariance types of `fit_gmm`; "all" is the fourteen of Celeux and Govaert, for one column
        "E" and "V".
    criterion : {"bic", "aic", "icl", "cv"} or callable
        Lower is better. With `labels`, "bic", "aic" and "icl" are of rows and labels, "cv" and a
        callable of rows alone. "cv" is minus twice the log-likelihood of rows held out; a
        callable takes ``(model, X, sample_weight)`` and returns a number. Where it raises an error
        or returns something else, the model has no value, and `reasons` says why.
    sample_weight : array_like of shape (n_samples,), optional
        Non-negative weight of each row; None is one for each.
    labels : array_like of shape (n_samples,) or (n_samples, n_components), optional
        As for `fit_gmm`; a table is for one number of components. Models of fewer components than
        there are labels are not fitted, and `reasons` says so; without others, this is an error.
    noise_covariance, projection : array_like, optional
        Of the noise of each row, as for `fit_gmm`; not for a callable criterion.
    init : str, array_like, GaussianMixture, GMMFit, KMeansFit, HierarchicalTree or callable
        As for `fit_gmm`. A tree and the trees of "hierarchical" serve every number of components. A
        callable ``(X, n_components, rng)`` is called once for each, and what it returns starts all
        families. Other starts are for one number of components; labels and responsibilities are
        none for "cv", which leaves rows out.
    n_init : int
        Automatic starts of each scout (see Notes).
    n_folds : int
        Parts of the rows that are held out in turn, for "cv"; no more than there are rows.
    reg_covar : float or array_like of shape (n_features,)
        As for `fit_gmm`. Models with too few rows for maximum likelihood are not ranked by "bic",
        "aic" and "icl", whatever the ridge: it alone would decide.
    tol : float, nats per unit of weight
        As for `fit_gmm`.
    max_iter : int
        Most iterations of each fit.
    on_collapse : {"reseed", "raise"}
        As for `fit_gmm`. A model that loses a component for good counts as not fitted.
    avoid_spurious : bool
        As for `fit_gmm`.
    missing : {"raise", "em"}
        As for `fit_gmm`. With "em", criteria and held-out rows count what is observed; a callable
        gets the rows with NaN.
    rng : int, Generator or None
        Source of random numbers for starts and folds; None for fresh entropy.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.
    verbose : bool, "bar" or None
        None shows progress on a terminal after two seconds, as a tqdm bar or in lines. True writes
        lines to standard error, at most two a second; "bar" shows a tqdm bar; False shows nothing.

    Returns
    -------
    GMMSelection

    Raises
    ------
    ValueError
        For values that cannot be used, before any work is done.
    TypeError
        For arguments of the wrong kind.
    SelectionInterrupted
        On Ctrl-C, with what was done; a KeyboardInterrupt.

    Warns
    -----
    ConvergenceWarning
        When `max_iter` ended fits and `tol` is not 0.
    UnobservedPairsWarning
        When two features are never observed together and a family has their covariance.
    CoarseColumnsWarning
        When components sat on ties and each row was spread over its cell of the data's grid, for
        columns in which that matters: those of two values, and counts that are mostly zero.
    WeightsWarning
        When the weights sum to less than half the number of rows of positive weight, and the
        criterion is "bic", "aic" or "icl".

    Notes
    -----
    For each number of components, a few scouts find starts: the spherical, diagonal, tied and full
    models, or those of them that are among `covariance_types` (without any, the first and the last
    family). From the statistics of one pass under each scout, every family gets starts of its own,
    and it also starts where families that it contains have ended. So a family never has a lower
    likelihood than one that it contains, unless that would take spurious components.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> selection = mixtura.select_gmm(X, range(1, 5), ["EEE", "VVV"], rng=0)
    >>> [(k, name, round(bic, 2)) for k, name, bic in selection.top(2)]
    [(3, 'EEE', 2314.3), (4, 'EEE', 2320.14)]
    """
    missing = check_option("missing", missing, MISSING)
    columns = names_of(init) if projection is None else None
    taken = accepted(missing, noise_covariance)
    source = open_rows(X, sample_weight, minimum=1, feature_names=columns, missing=taken)
    source = with_noise(source, noise_covariance, projection)
    if callable(criterion) and noise_covariance is not None:
        raise ValueError(
            "criterion must be a name where noise_covariance is given, as a callable gets X alone; "
            f"got {criterion_name(criterion)}. Use 'bic', 'aic', 'icl' or 'cv'."
        )
    sizes = _check_sizes(n_components)
    names = _check_types(covariance_types, source.n_features)
    if not callable(criterion):
        check_option("criterion", criterion, CRITERIA)
    known, misfits = _known(labels, source, sizes)
    priors = {k: of_rows.prior for k, of_rows in known.items() if of_rows is not None}
    _check_init(init, sizes, criterion, source)
    for of_rows in list(known.values())[:1]:  # codes are the same for all
        source = source if of_rows is None else of_rows.marked(source)
    settings = Settings(
        n_init=check_count("n_init", n_init),
        reg_covar=check_reg_covar(reg_covar, source.n_features),
        tol=check_number("tol", tol),
        max_iter=check_count("max_iter", max_iter),
        on_collapse=check_option("on_collapse", on_collapse, ("reseed", "raise")),
        avoid_spurious=check_flag("avoid_spurious", avoid_spurious),
    )
    n_threads = check_n_threads(n_threads)
    verbose = check_verbose(verbose)
    n_folds = check_count("n_folds", n_folds, minimum=2)
    if criterion == "cv":
        _check_folds(n_folds, source.n_rows)
    generator = check_rng(rng)
    if criterion in OF_LIKELIHOOD:
        warn_of_small_weights(source)
    survey = Survey(source, Backend(n_threads=n_threads), priors)
    settings = replace(settings, reg_covar=survey.absolute_ridge(settings.reg_covar))
    *streams, seed = generator.spawn(n_folds + 2)
    search = Search(
        survey, names, init, settings, int(seed.integers(2**32)), criterion in OF_LIKELIHOOD
    )
    none = np.full((len(sizes), len(names)), np.nan)
    selection = GMMSelection(
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
        for k, name, end in _ends(search, sizes, streams[-1], count):
            if isinstance(end, str):
                selection.reasons[k, name] = end
                continue
            selection.fits[k, name] = end
            if criterion != "cv":
                try:
                    selection._enter(k, name, _value(criterion, end, survey))
                except FAILURES as error:
                    selection.reasons[k, name] = reason(error)
        if criterion == "cv":
            _cross_validate(selection, search, sizes, streams[:-1], count)
    except KeyboardInterrupt:
        raise SelectionInterrupted(selection) from None
    finally:
        count.close()
    _warn_of_unconverged(selection, settings.tol)
    warn_of_unobserved_pairs(survey, {name for _, name in selection.fits}, stacklevel=2)
    warn_of_coarse_columns(survey, settings.reg_covar, selection.fits.values(), stacklevel=2)
    return selection


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


def _spurious(fit: GMMFit | None) -> list[int]:
    """Positions of the components that are spurious in the end."""
    events = () if fit is None else fit.events
    return [e.component for e in events if (e.cause, e.action) == ("spurious", "kept")]


def _mark(fit: GMMFit | None) -> str:
    """The sign of a model in the table: that of spurious components, which weighs more, or none."""
    actions = {e.action for e in fit.events if e.cause == "spurious"} if fit else set()
    return next((mark for action, (mark, _) in MARKS.items() if action in actions), "")


def _grouped(reasons: dict[tuple[int, str], str]) -> list[str]:
    """Lines of reasons, a single one for all models that have the same."""
    of_reason: dict[str, list[str]] = {}
    for (k, name), why in reasons.items():
        of_reason.setdefault(why, []).append(f"{name}, {k}")
    return [
        f"  {models[0] if len(models) == 1 else counted(len(models), 'model')}: {why}"
        for why, models in of_reason.items()
    ]


def _ends(
    search: Search, sizes: tuple[int, ...], rng: np.random.Generator, count: Counter
) -> Iterator[tuple[int, str, GMMFit | str]]:
    """Every model of a search; each number of components has random numbers of its own."""
    for k, stream in zip(sizes, rng.spawn(len(sizes)), strict=True):
        for name, end in search.fits(k, stream):
            count(f"{name}, {counted(k, 'component')}")
            yield k, name, end


def criterion_name(criterion: Criterion | str) -> str:
    """Return what a criterion is called; a lambda has no name."""
    name = criterion if isinstance(criterion, str) else getattr(criterion, "__name__", "<lambda>")
    return "criterion" if name == "<lambda>" else name


def _value(criterion: Criterion, fit: GMMFit, survey: Survey) -> float:
    source, prior = survey.source, survey.priors.get(fit.n_components)
    if callable(criterion):
        return _value_of_callable(criterion, fit, source)
    if criterion == "icl":
        n_threads = survey.backend.n_threads
        completed = _log_likelihood_of(fit.model, source, n_threads, "hard", prior)
        return -2.0 * completed + fit.n_parameters * math.log(source.weight_sum)
    penalty = 2.0 if criterion == "aic" else math.log(source.weight_sum)
    return -2.0 * fit.log_likelihood + penalty * fit.model.n_parameters


def _value_of_callable(criterion: Callable[..., float], fit: GMMFit, source: RowSource) -> float:
    """What the user's function returns.

    Raises
    ------
    FitError
        For an error in it and for anything but a number. The other models keep their fits.
    """
    name = criterion_name(criterion)
    try:
        value: Any = criterion(fit.model, source.shown(), source.weights())
    except Exception as error:
        raise FitError(f"{name} raised {type(error).__name__}: {error}") from error
    try:
        if np.ndim(value) == 0 and not isinstance(value, str | bytes):
            return float(value)
    except (TypeError, ValueError):
        pass
    raise FitError(
        f"{name} must return a number; got {described(value)} for {fit.covariance_type} with "
        f"{counted(fit.n_components, 'component')}. Return a float."
    )


def _cross_validate(
    selection: GMMSelection,
    search: Search,
    sizes: tuple[int, ...],
    streams: list[np.random.Generator],
    count: Counter,
) -> None:
    """Enter minus twice the log-likelihood of held-out rows, when all folds of a model are done."""
    source, n_folds = search.survey.source, len(streams)
    weights = source.weights()
    present = np.arange(source.n_samples) if weights is None else np.flatnonzero(weights)
    fold_of_row = np.full(source.n_samples, n_folds)  # none, for rows without weight
    fold_of_row[present] = streams[0].permutation(len(present)) % n_folds
    deviances = {model: np.full(n_folds, np.nan) for model in selection.fits}
    share = np.empty(n_folds)
    for fold, stream in enumerate(streams):
        held = source.subset(fold_of_row == fold)
        share[fold] = held.weight_sum
        try:
            training = search.on(source.subset(fold_of_row != fold))
        except ValueError as error:  # as where no row that is left has a number in some column
            selection.reasons.update(dict.fromkeys(deviances, f"fold {fold}: {error}"))
            return
        for k, name, end in _ends(training, sizes, stream, count):
            if (k, name) not in deviances:  # not fitted to all rows, or not in an earlier fold
                continue
            deviance = deviances[k, name]
            try:
                deviance[fold] = _deviance(end, held, search.survey.backend.n_threads)
            except FAILURES as error:
                selection.reasons[k, name] = f"fold {fold}: {reason(error)}"
                del deviances[k, name]
                continue
            if fold == n_folds - 1:
                spread = share.sum() * (deviance / share).std(ddof=1) / math.sqrt(n_folds)
                selection._enter(k, name, deviance.sum(), spread)


def _deviance(end: GMMFit | str, held: RowSource, n_threads: int | None) -> float:
    """Minus twice the log-likelihood of held-out rows; a FitError for a fit that failed."""
    if isinstance(end, str):
        raise FitError(end)
    if held.form == "whole":
        return -2.0 * end.model.log_likelihood(held, n_threads=n_threads)
    return -2.0 * _log_likelihood_of(end.model, held, n_threads, "soft")


def _log_likelihood_of(
    mixture: GaussianMixture,
    rows: RowSource,
    n_threads: int | None,
    em: str,
    prior: Floats | None = None,
) -> float:
    """Log-likelihood of rows of any form, or with "hard", of rows and most probable components."""
    seen = mixture._parameters().seen()
    if prior is not None:
        seen = seen._replace(extras={"prior": prior})
    backend = Backend(n_threads=n_threads)
    return RowsPass(rows, seen.shape, backend, em=em).accumulate(seen).log_likelihood


def _warn_of_unconverged(selection: GMMSelection, tol: float) -> None:
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


def _check_types(covariance_types: str | Iterable[str], n_features: int) -> tuple[str, ...]:
    if isinstance(covariance_types, str) and covariance_types == "all":
        return CELEUX_GOVAERT if n_features > 1 else ONE_COLUMN
    names = (covariance_types,) if isinstance(covariance_types, str) else tuple(covariance_types)
    families: dict[CovarianceFamily, str] = {}
    for name in names:
        other = families.setdefault(family_named(name, n_features), name)
        if other is not name:
            raise ValueError(
                f"covariance_types must be different models; {other!r} and {name!r} are the same. "
                f"Leave one out."
            )
    if not names:
        raise ValueError(
            'covariance_types must name one type or more; got none. Use "all" for all of them.'
        )
    return names

"""GMMSelection: many mixtures of the same rows, ranked by a criterion."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import numpy as np

from mixtura.covariance import family_named
from mixtura.exceptions import FitError
from mixtura.fitting.bayesian.result import BayesianGMMFit
from mixtura.fitting.result import GMMFit
from mixtura.mixture.table import counted, import_pandas
from mixtura.passes import Backend
from mixtura.shapes import Floats
from mixtura.text import short_repr

__all__ = ["CRITERIA", "AnyFit", "Criterion", "GMMSelection", "OfGMMFit", "criterion_name"]

OfGMMFit = Literal["bic", "aic", "icl", "cv"] | Callable[..., float]  # what has fits of this kind
Criterion = OfGMMFit | Literal["elbo"]
CRITERIA = ("bic", "aic", "icl", "cv", "elbo")
TITLES = {"elbo": "-2 ELBO"}  # of criteria whose names are not enough
AnyFit = GMMFit | BayesianGMMFit
if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    Fit = TypeVarWithDefault("Fit", bound=AnyFit, default=GMMFit)
else:
    Fit = TypeVar("Fit")
SHOWN = 3  # models in a summary
NO_VALUE = "none: no model has a value of the criterion"
OF_LIKELIHOOD = ("bic", "aic", "icl")
# Of what happened to components, by cause and action; the first that is true of a model is shown.
MARKS = {
    ("spurious", "kept"): (
        "*",
        "has spurious components, which sit on ties or on a handful of rows",
    ),
    ("few", "kept"): ("^", "has components on few rows"),
    ("spurious", "smoothed"): (
        "~",
        "was smoothed: each row was spread over its cell of the grid that the data lie on",
    ),
}
SET_ASIDE = "lower, but not among the best: spurious components and few rows make it too low"


@dataclass(frozen=True, eq=False)
class GMMSelection(Generic[Fit]):
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
    fits : dict from (n_components, covariance_type) to GMMFit or BayesianGMMFit
        The models that were fitted.
    reasons : dict from (n_components, covariance_type) to str
        Why each NaN of the table is there.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_acidity().data
    >>> selection = mixtura.select_gmm(X, range(1, 4), ["E"], rng=0)
    >>> selection.table.round(1)
    array([[461.7],
           [392.1],
           [396.6]])
    """

    criterion: str
    n_components: tuple[int, ...]
    covariance_types: tuple[str, ...]
    table: Floats
    standard_error: Floats | None = None
    fits: dict[tuple[int, str], Fit] = field(default_factory=dict)
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
            self.reasons.pop((k, name), None)

    def top(self, n: int = SHOWN) -> list[tuple[int, str, float]]:
        """The best models, as (n_components, covariance_type, criterion), the best first.

        A model with spurious components, or components on few rows, may be ranked behind others
        with a higher value: see :doc:`/manual/selection`.

        Parameters
        ----------
        n : int
            Largest number of models.

        Returns
        -------
        list of tuple

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_acidity().data
        >>> selection = mixtura.select_gmm(X, range(1, 4), ["E"], rng=0)
        >>> [(k, round(bic, 1)) for k, _, bic in selection.top(2)]
        [(2, 392.1), (3, 396.6)]
        """
        found = [
            (k, name, float(value))
            for k, values in zip(self.n_components, self.table, strict=True)
            for name, value in zip(self.covariance_types, values, strict=True)
            if not np.isnan(value)
        ]
        # Of models that differ by rounding, as all with one component do, the first one is best.
        ranked = sorted(
            found, key=lambda m: (_to_rounding(m[2] + self._excess(m)), _to_rounding(m[2]))
        )
        return ranked[:n]

    def _set_aside(self) -> list[tuple[int, str, float]]:
        """Some doubtful models that have a lower criterion than the best one, the lowest first."""
        ranked = self.top(self.table.size)
        lower = [model for model in ranked if model[2] < ranked[0][2]]
        return lower[:SHOWN]

    def _excess(self, model: tuple[int, str, float]) -> float:
        """How much too low the criterion of a model may be."""
        fit = self.fits.get(model[:2])
        if self.criterion not in OF_LIKELIHOOD or fit is None:
            return 0.0
        return 2.0 * fit.weight_sum * _gain_of_suspects(fit)

    @property
    def best(self) -> Fit:
        """The fit with the lowest criterion: the first of `top`.

        Returns
        -------
        GMMFit
            Or for the criterion "elbo", BayesianGMMFit.

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

    if not TYPE_CHECKING:  # it would let type checkers accept any name

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

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_acidity().data
        >>> print(mixtura.select_gmm(X, range(1, 4), ["E"], rng=0).summary())
        BIC of 3 mixtures; lower is better
        <BLANKLINE>
        components         E
                 1     461.7
                 2     392.1
                 3     396.6
        <BLANKLINE>
        best
          E, 2 components: 392.072 (log-likelihood -185.949, 4 parameters)
          E, 3 components: 396.617 (log-likelihood -183.178, 6 parameters)
          E, 1 component: 461.658 (log-likelihood -225.785, 2 parameters)
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
        for heading, models in (("best", best), (SET_ASIDE, self._set_aside())):
            if models:
                lines += ["", heading, *(f"  {self._described(model)}" for model in models)]
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
        lines = [self._title(), *map(self._described, self.top())]
        if aside := self._set_aside():
            lines += [f"{SET_ASIDE}:", *map(self._described, aside)]
        lines += self._notes()
        for heading, reasons in self._missing().items():
            lines.append(f"{counted(len(reasons), 'model')} {heading}: see reasons")
        headlines = "<br>".join(map(escape, lines))
        return f"<p>{headlines}</p><table>{''.join(f'{row}</tr>' for row in rows)}</table>"

    def _title(self) -> str:
        name = self.criterion.upper() if self.criterion in CRITERIA else self.criterion
        name = TITLES.get(self.criterion, name)
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
        told = ""
        for heading, cause in (("spurious", "spurious"), ("on few rows", "few")):
            which = ", ".join(map(str, _kept(fit, cause)))
            told += which and f"; {heading}: component {which}"
        smoothed = not _kept(fit, "spurious") and ("spurious", "smoothed") in _happened(fit)
        return (
            f"{name}, {counted(k, 'component')}: {value:.3f} ({fit._measure()}{told}"
            f"{'; smoothed' if smoothed else ''})"
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

        Examples
        --------
        >>> import mixtura
        >>> X = mixtura.datasets.load_acidity().data
        >>> mixtura.select_gmm(X, range(1, 4), ["E"], rng=0).to_pandas().round(1)
        covariance_type      E
        n_components
        1                461.7
        2                392.1
        3                396.6
        """
        pd = import_pandas()
        index = pd.Index(self.n_components, name="n_components")
        columns = pd.Index(self.covariance_types, name="covariance_type")
        return pd.DataFrame(self.table, index=index, columns=columns)


def criterion_name(criterion: Criterion | str) -> str:
    """Return what a criterion is called; a lambda has no name."""
    name = criterion if isinstance(criterion, str) else getattr(criterion, "__name__", "<lambda>")
    return "criterion" if name == "<lambda>" else name


def _kept(fit: AnyFit, cause: str) -> list[int]:
    """Positions of the components of which something is true in the end."""
    return [e.component for e in fit.events if (e.cause, e.action) == (cause, "kept")]


def _to_rounding(value: float) -> float:
    """A value without its last digits."""
    return float(f"{value:.10g}")


def _gain_of_suspects(fit: AnyFit) -> float:
    """What suspect components gain at most by being narrower than the average, nats per row.

    Infinite where none that is not a suspect can be compared with.
    """
    suspects, parameters = fit._suspects, fit.model._parameters()
    shape, weights = parameters.shape, parameters.weights
    if not suspects:
        return 0.0
    is_shared = family_named(fit.covariance_type, parameters.means.shape[1]).is_shared
    if is_shared or len(suspects) == len(weights):
        return math.inf if _kept(fit, "spurious") or not is_shared else 0.0
    average = shape.average(parameters.covariances, weights)
    common, failed = shape.factorise(shape.joined([average]), Backend().algebra)
    d = parameters.means.shape[1]
    gains = shape.log_dets(parameters.precisions_cholesky, d) - shape.log_dets(common, d)
    gain = float(weights[suspects] @ np.maximum(gains[suspects], 0.0))
    return math.inf if failed.any() else gain


def _happened(fit: AnyFit | None) -> set[tuple[str, str]]:
    """Causes and actions of the events of a fit."""
    return {(e.cause, e.action) for e in fit.events} if fit else set()


def _mark(fit: AnyFit | None) -> str:
    """The sign of a model in the table: the one that weighs most, or none."""
    happened = _happened(fit)
    return next((mark for what, (mark, _) in MARKS.items() if what in happened), "")


def _grouped(reasons: dict[tuple[int, str], str]) -> list[str]:
    """Lines of reasons, a single one for all models that have the same."""
    of_reason: dict[str, list[str]] = {}
    for (k, name), why in reasons.items():
        of_reason.setdefault(why, []).append(f"{name}, {k}")
    return [
        f"  {models[0] if len(models) == 1 else counted(len(models), 'model')}: {why}"
        for why, models in of_reason.items()
    ]

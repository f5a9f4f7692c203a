"""A mixture as a table, in plain text and for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from mixtura.mixture.checks import check_feature_names
from mixtura.mixture.separation import nearest_components
from mixtura.parameters import Parameters
from mixtura.shapes import Floats
from mixtura.text import cut

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = [
    "MOST_SHOWN",
    "Line",
    "as_html",
    "as_text",
    "counted",
    "counted_rows",
    "frame",
    "html",
    "import_pandas",
    "section",
    "summary",
    "table_lines",
    "title",
    "to_pandas",
]

COLUMNS = 5  # components side by side
MOST_CORRELATED = 5  # features: more have too many pairs to read
MOST_COMPARED = 50  # components: each is compared with each
WIDEST = 60  # characters of a name
MOST_SHOWN = 20  # components, and lines below a heading, in a notebook

Line = tuple[str, Floats | None]  # a label, and a number for each component unless a heading


def summary(self: GaussianMixture, feature_names: Sequence[str] | None = None) -> str:
    """A table of weights, separations, means, standard deviations and correlations.

    The separation is the distance to the nearest other component in standard deviations
    (Mahalanobis, under the average of the two covariances; with one feature, Ashman's D). It is
    left out for more than 50 components, correlations for more than 5 features.

    Parameters
    ----------
    feature_names : sequence of str, optional
        A name for each feature; None takes the mixture's, or numbers them from 0.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        For another number of names.
    TypeError
        For a single string.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.25, 0.75], [[0], [4]], [1, 4], "spherical")
    >>> print(mixture.summary(["length"]))
                        component 0   component 1
    weight                     0.25          0.75
    separation               2.5298        2.5298
    nearest component             1             0
    mean
      length                      0             4
    standard deviation
      length                      1             2
    """
    return as_text(table_lines(self, feature_names))


def html(self: GaussianMixture) -> str:
    """Return what a notebook shows: a title, and the table of `summary`."""
    return f"<p>{title(self)}</p>{as_html(table_lines(self))}"


def title(mixture: GaussianMixture) -> str:
    """Return numbers of components and features, and the covariance type, in words."""
    components = counted(mixture.n_components, "component")
    features = counted(mixture.n_features, "feature")
    return f"Gaussian mixture: {components}, {mixture.covariance_type} covariances, {features}"


def counted(count: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{count} {what}{'s'[: count != 1]}"


def counted_rows(n_samples: int, weight_sum: float) -> str:
    """Return a number of rows in words, and their total weight where that is another number."""
    weight = "" if weight_sum == n_samples else f" of total weight {weight_sum:.10g}"
    return f"{counted(n_samples, 'row')}{weight}"


def to_pandas(self: GaussianMixture) -> Any:
    """Weights, means and standard deviations as a DataFrame, a row for each component.

    Returns
    -------
    pandas.DataFrame
        Columns "weight", ("mean", name) and ("standard deviation", name), in the units of the
        features: ``table["mean"]`` has a column for each feature.

    Raises
    ------
    ImportError
        Where pandas is not installed.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.25, 0.75], [[0], [4]], [1, 4], "spherical")
    >>> mixture.to_pandas()["weight"].tolist()
    [0.25, 0.75]
    """
    names = check_feature_names(self.feature_names, self.n_features)
    deviations = np.sqrt(self._parameters().variances())
    return frame("component", names, self.weights, self.means, deviations)


def frame(
    part: str,
    names: Sequence[str],
    weights: Floats | None,
    means: Floats,
    deviations: Floats | None,
) -> Any:
    """Return a DataFrame with a row for each component; without what is None."""
    pd = import_pandas()
    labels = [] if weights is None else [("weight", "")]
    columns = [] if weights is None else [weights]
    for heading, values in (("mean", means), ("standard deviation", deviations)):
        if values is not None:
            labels += [(heading, name) for name in names]
            columns.append(values)
    index = pd.RangeIndex(len(means), name=part)
    return pd.DataFrame(
        np.column_stack(columns), index=index, columns=pd.MultiIndex.from_tuples(labels)
    )


def import_pandas(asking: str = "to_pandas") -> Any:
    """Return pandas; raise an error that says what needs it, and how to install it."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            f"{asking} needs pandas, which is not installed. Install it with: pip install pandas."
        ) from error
    return pd


def table_lines(
    mixture: GaussianMixture,
    feature_names: Sequence[str] | None = None,
    weight_sum: float | None = None,
) -> list[Line]:
    """Return the lines of a mixture's table.

    Parameters
    ----------
    mixture : GaussianMixture
    feature_names : sequence of str, optional
        A name for each feature; None takes the mixture's, or numbers them from 0.
    weight_sum : float, optional
        Total weight of the rows: weights times it are the sizes. None leaves the sizes out.

    Returns
    -------
    list of (str, ndarray of shape (n_components,) or None)
        Weight, size, distance to the nearest other component, means, standard deviations and, for
        few features, correlations where there are any.
    """
    parameters, (k, d) = mixture._parameters(), mixture.means.shape
    names = check_feature_names(
        mixture.feature_names if feature_names is None else feature_names, d
    )
    first, second = np.triu_indices(d if d <= MOST_CORRELATED else 0, 1)
    deviations, correlations = np.sqrt(parameters.variances()), np.zeros((k, len(first)))
    for j in range(k if len(first) else 0):
        covariance = parameters.covariance(j)
        correlations[j] = covariance[first, second] / deviations[j, first] / deviations[j, second]
    lines: list[Line] = [("weight", mixture.weights)]
    if weight_sum is not None:
        lines.append(("size", weight_sum * mixture.weights))
    if 1 < k <= MOST_COMPARED:
        distances, nearest = nearest_components(mixture.means, _covariances(parameters))
        lines += [("separation", distances), ("nearest component", nearest.astype(np.float64))]
    lines += section("mean", names, mixture.means)
    lines += section("standard deviation", names, deviations)
    if correlations.any():
        pairs = [f"{names[a]}, {names[b]}" for a, b in zip(first, second, strict=True)]
        lines += section("correlation", pairs, correlations)
    return lines


def _covariances(parameters: Parameters) -> Floats:
    """Covariances of all components; variances where there is nothing between features."""
    shape = parameters.shape
    if shape.is_diagonal:
        return parameters.variances()
    return shape.matrices(parameters.covariances, *parameters.means.shape)


def section(heading: str, labels: Sequence[str], values: Floats) -> list[Line]:
    """Return a heading, and a line for each column of an array with a row for each component."""
    rows = zip(labels, values.T, strict=True)
    return [(heading, None), *((f"  {cut(label, WIDEST)}", numbers) for label, numbers in rows)]


def as_text(lines: list[Line], part: str = "component") -> str:
    """Return the lines in columns, a few components side by side."""
    return "\n\n".join(_block(lines, components, part) for components in _blocks(lines))


def as_html(lines: list[Line], part: str = "component") -> str:
    """Return the lines as HTML tables, a few components side by side, and not too many of them."""
    blocks = _blocks(lines)
    shown, left = blocks[: MOST_SHOWN // COLUMNS], blocks[-1].stop - MOST_SHOWN
    tables = "".join(_html_block(_abridged(lines), components, part) for components in shown)
    others = f"<p>{counted(left, f'more {part}')}: see summary()</p>"
    return tables + others * (left > 0)


def _abridged(lines: list[Line]) -> list[Line]:
    """Return the lines without the end of a long section."""
    kept: list[Line] = []
    below = 0
    for position, (label, numbers) in enumerate(lines):
        below = below + 1 if label.startswith(" ") else 0
        if below <= MOST_SHOWN:
            kept.append((label, numbers))
        elif position + 1 == len(lines) or not lines[position + 1][0].startswith(" "):
            kept.append((f"  {below - MOST_SHOWN} more: see summary()", None))
    return kept


def _blocks(lines: list[Line]) -> list[range]:
    k = next(len(numbers) for _, numbers in lines if numbers is not None)
    return [range(start, min(start + COLUMNS, k)) for start in range(0, k, COLUMNS)]


def _block(lines: list[Line], components: range, part: str) -> str:
    width = max(len(label) for label, _ in lines)
    header = " " * width + "".join(f"{f'{part} {j}':>14}" for j in components)
    rows = (
        label
        if numbers is None
        else f"{label:<{width}}" + "".join(f"{numbers[j]:>14.5g}" for j in components)
        for label, numbers in lines
    )
    return "\n".join([header, *rows])


def _html_block(lines: list[Line], components: range, part: str) -> str:
    header = "".join(f"<th>{part} {j}</th>" for j in components)
    rows = [f"<tr><th></th>{header}</tr>"]
    for label, numbers in lines:
        indent = "&emsp;" * label.startswith(" ")
        cells = "<td></td>" * len(components)
        if numbers is not None:
            cells = "".join(f"<td>{numbers[j]:.5g}</td>" for j in components)
        name = escape(label.strip())
        rows.append(f'<tr><th style="text-align: left">{indent}{name}</th>{cells}</tr>')
    return f"<table>{''.join(rows)}</table>"

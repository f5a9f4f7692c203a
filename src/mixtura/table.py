"""A mixture as a statistician's table, in plain text and for notebooks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from mixtura.separation import nearest_components
from mixtura.statistics import Floats
from mixtura.tabular import Names

__all__ = ["Readable", "as_html", "as_text", "check_feature_names", "counted"]

COLUMNS = 5  # components side by side
MOST_CORRELATED = 5  # features: more make more pairs than anybody reads
MOST_COMPARED = 50  # components: each is compared with each

Line = tuple[str, Floats | None]  # a label, and a number for each component unless a heading


class Readable(ABC):
    """A mixture that can be read as a table."""

    weights: Floats
    means: Floats
    covariance_type: str
    feature_names: Names | None

    @abstractmethod
    def _covariance_matrix(self, component: int) -> Floats:
        """Covariance of one component as a full matrix."""

    def summary(self, feature_names: Sequence[str] | None = None) -> str:
        """A table of weights, separations, means, standard deviations and correlations.

        The separation is the distance to the nearest other component in standard deviations
        (Mahalanobis, under the average of the two covariances; with one feature, Ashman's D): from
        about 2 on, two components of equal weight show as two modes. It is left out for more than
        50 components, correlations for more than 5 features.

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
        >>> mixture = GaussianMixture([0.25, 0.75], [[0.0], [4.0]], [1.0, 4.0], "spherical")
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
        return as_text(self._lines(feature_names))

    def _lines(
        self, feature_names: Sequence[str] | None = None, weight_sum: float | None = None
    ) -> list[Line]:
        given = self.feature_names if feature_names is None else feature_names
        names = check_feature_names(given, self.means.shape[1])
        return _mixture_lines(self.weights, self.means, self._covariance_matrix, names, weight_sum)

    def _title(self) -> str:
        what = f"{counted(len(self.means), 'component')}, {self.covariance_type} covariances"
        return f"Gaussian mixture: {what}, {counted(self.means.shape[1], 'feature')}"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return f"<p>{self._title()}</p>{as_html(self._lines())}"


def counted(count: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{count} {what}{'s'[: count != 1]}"


def check_feature_names(feature_names: Sequence[str] | None, n_features: int) -> list[str]:
    """Names of the features: the user's, or numbers from 0."""
    if feature_names is None:
        return [f"feature {a}" for a in range(n_features)]
    expected = f"feature_names must be {n_features} strings, one for each feature"
    if isinstance(feature_names, str):
        raise TypeError(f"{expected}; got {feature_names!r}. Put it in a list.")
    if len(feature_names) != n_features:
        raise ValueError(f"{expected}; got {len(feature_names)}. Name each feature once.")
    return list(map(str, feature_names))


def _mixture_lines(
    weights: Floats,
    means: Floats,
    matrix: Callable[[int], Floats],
    names: list[str],
    weight_sum: float | None = None,
) -> list[Line]:
    """What a table says of each component.

    Parameters
    ----------
    weights : ndarray of shape (n_components,)
    means : ndarray of shape (n_components, n_features)
    matrix : callable
        From the number of a component to its covariance as a full matrix.
    names : list of str
        Of the features.
    weight_sum : float, optional
        Total weight of the rows, which the components share out as their sizes; None if unknown.

    Returns
    -------
    list of (str, ndarray of shape (n_components,) or None)
        Weight, size, distance to the nearest other component, means, standard deviations and, for
        few features, correlations where there are any.
    """
    k, d = means.shape
    first, second = np.triu_indices(d if d <= MOST_CORRELATED else 0, 1)
    deviations, correlations = np.empty((k, d)), np.empty((k, len(first)))
    for j in range(k):
        covariance = matrix(j)
        deviations[j] = np.sqrt(covariance.diagonal())
        correlations[j] = covariance[first, second] / deviations[j, first] / deviations[j, second]
    lines: list[Line] = [("weight", weights)]
    if weight_sum is not None:
        lines.append(("size", weight_sum * weights))
    if 1 < k <= MOST_COMPARED:
        distances, nearest = nearest_components(means, np.stack([matrix(j) for j in range(k)]))
        lines += [("separation", distances), ("nearest component", nearest.astype(np.float64))]
    lines += _section("mean", names, means)
    lines += _section("standard deviation", names, deviations)
    if correlations.any():
        pairs = [f"{names[a]}, {names[b]}" for a, b in zip(first, second, strict=True)]
        lines += _section("correlation", pairs, correlations)
    return lines


def _section(heading: str, labels: list[str], values: Floats) -> list[Line]:
    rows = zip(labels, values.T, strict=True)
    return [(heading, None), *((f"  {label}", numbers) for label, numbers in rows)]


def as_text(lines: list[Line]) -> str:
    """The lines in columns, a few components side by side."""
    return "\n\n".join(_block(lines, components) for components in _blocks(lines))


def as_html(lines: list[Line]) -> str:
    """The lines as HTML tables, a few components side by side."""
    return "".join(_html_block(lines, components) for components in _blocks(lines))


def _blocks(lines: list[Line]) -> list[range]:
    k = next(len(numbers) for _, numbers in lines if numbers is not None)
    return [range(start, min(start + COLUMNS, k)) for start in range(0, k, COLUMNS)]


def _block(lines: list[Line], components: range) -> str:
    width = max(len(label) for label, _ in lines)
    header = " " * width + "".join(f"{f'component {j}':>14}" for j in components)
    rows = (
        label
        if numbers is None
        else f"{label:<{width}}" + "".join(f"{numbers[j]:>14.5g}" for j in components)
        for label, numbers in lines
    )
    return "\n".join([header, *rows])


def _html_block(lines: list[Line], components: range) -> str:
    header = "".join(f"<th>component {j}</th>" for j in components)
    rows = [f"<tr><th></th>{header}</tr>"]
    for label, numbers in lines:
        indent = "&emsp;" * label.startswith(" ")
        cells = "<td></td>" * len(components)
        if numbers is not None:
            cells = "".join(f"<td>{numbers[j]:.5g}</td>" for j in components)
        name = escape(label.strip())
        rows.append(f'<tr><th style="text-align: left">{indent}{name}</th>{cells}</tr>')
    return f"<table>{''.join(rows)}</table>"

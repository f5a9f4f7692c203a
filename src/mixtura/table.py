"""A mixture as a statistician's table, in plain text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixtura.statistics import Floats

__all__ = ["MOST_CORRELATED", "check_feature_names", "format_mixture"]

COLUMNS = 5  # components side by side
MOST_CORRELATED = 5  # features: more make more pairs than anybody reads

Line = tuple[str, Floats | None]  # a label, and a number for each component unless a heading


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


def format_mixture(
    weights: Floats, means: Floats, deviations: Floats, correlations: Floats, names: list[str]
) -> str:
    """Weights, means and standard deviations of each component, and correlations where any are.

    Parameters
    ----------
    weights : ndarray of shape (n_components,)
    means, deviations : ndarray of shape (n_components, n_features)
    correlations : ndarray of shape (n_components, n_pairs)
        Of the pairs of features in the order of ``numpy.triu_indices(n_features, 1)``; no columns
        to leave them out.
    names : list of str
        Of the features.

    Returns
    -------
    str
    """
    lines: list[Line] = [("weight", weights)]
    lines += _section("mean", names, means)
    lines += _section("standard deviation", names, deviations)
    if correlations.any():
        first, second = np.triu_indices(len(names), 1)
        pairs = [f"{names[a]}, {names[b]}" for a, b in zip(first, second, strict=True)]
        lines += _section("correlation", pairs, correlations)
    k = len(weights)
    return "\n\n".join(
        _block(lines, range(start, min(start + COLUMNS, k))) for start in range(0, k, COLUMNS)
    )


def _section(heading: str, labels: list[str], values: Floats) -> list[Line]:
    rows = zip(labels, values.T, strict=True)
    return [(heading, None), *((f"  {label}", numbers) for label, numbers in rows)]


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

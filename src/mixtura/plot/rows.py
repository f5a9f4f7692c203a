"""What of the data and of the mixture is drawn: columns and their names, rows, marginals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.mixture import GaussianMixture
from mixtura.table import check_feature_names
from mixtura.tabular import real_array
from mixtura.validation import check_count, check_sample_weight

__all__ = [
    "Points",
    "check_feature",
    "check_pair",
    "check_shares",
    "density_grid",
    "marginal",
    "names_to_draw",
    "rows_to_draw",
]

Floats = NDArray[np.float64]

GRID_POINTS = 401  # across a picture: finer than a pixel of it


def check_feature(feature: int, n_features: int) -> int:
    """Refuse a column that the mixture does not have."""
    if check_count("a feature to draw", feature, minimum=0) >= n_features:
        raise ValueError(
            f"a feature to draw must be from 0 to {n_features - 1}; got {feature}. "
            f"Pass the number of a column of the mixture."
        )
    return feature


def check_pair(features: Sequence[int], n_features: int) -> list[int]:
    """Refuse anything but two different columns."""
    if n_features < 2:
        raise ValueError(
            "this picture needs a mixture of two features or more; got one of 1. "
            "Of one column draw a HistogramDisplay."
        )
    if len(features) != 2 or features[0] == features[1]:
        raise ValueError(
            f"features must be two different columns; got {features}. "
            f"Of one column draw a HistogramDisplay."
        )
    return [check_feature(feature, n_features) for feature in features]


def check_shares(name: str, shares: Sequence[float]) -> None:
    """Refuse shares of a distribution that no bounded region holds."""
    if not all(0 < share < 1 for share in shares):
        raise ValueError(
            f"{name} must lie between 0 and 1, both excluded; got {tuple(shares)}. "
            f"Pass shares, such as (0.5, 0.95)."
        )


def names_to_draw(
    feature_names: Sequence[str] | None, X: ArrayLike | None, model: GaussianMixture
) -> list[str]:
    """Names of the columns: the user's, the mixture's, those of the frame `X`, or numbers."""
    if feature_names is None:
        feature_names = model.feature_names
    if feature_names is None and X is not None:
        feature_names = real_array(X, "X")[1]
    return check_feature_names(feature_names, model.n_features)


def rows_to_draw(
    X: ArrayLike | None, sample_weight: ArrayLike | None, model: GaussianMixture
) -> tuple[NDArray[Any], Floats]:
    """Rows that have weight, and their weights; no rows where there are no data."""
    rows = model._check_rows(np.empty((0, model.n_features)) if X is None else X)
    weight = check_sample_weight(sample_weight, len(rows))
    if weight.all():
        return rows, weight
    present = weight > 0
    return rows[present], weight[present]


@dataclass(frozen=True, eq=False)
class Points:
    """Rows to draw one by one, and what the mixture says of each.

    Attributes
    ----------
    rows : ndarray of shape (n_points, n_features)
        All of a few rows, of many an unordered sample, the same at each call.
    labels : ndarray of shape (n_points,), int
        Most probable component of each row, given all features.
    uncertainty : ndarray of shape (n_points,)
        One less the largest responsibility.
    sample_weight : ndarray of shape (n_points,) or None
        Weights of the rows; None where they are equal.
    n_rows : int
        Rows from which these were drawn.
    """

    rows: NDArray[Any]
    labels: NDArray[np.intp]
    uncertainty: Floats
    sample_weight: Floats | None
    n_rows: int

    @classmethod
    def of(
        cls,
        model: GaussianMixture,
        X: ArrayLike | None,
        sample_weight: ArrayLike | None,
        max_points: int,
    ) -> Self:
        """Check the rows, take at most `max_points` of them, assign them to components."""
        max_points = check_count("max_points", max_points)
        rows, weight = rows_to_draw(X, sample_weight, model)
        n_rows = len(rows)
        if n_rows > max_points:
            kept = np.random.default_rng(0).choice(n_rows, max_points, replace=False)
            rows, weight = rows[kept], weight[kept]
        resp = model.responsibilities(rows)
        equal = sample_weight is None
        return cls(
            rows, resp.argmax(axis=1), 1 - resp.max(axis=1), None if equal else weight, n_rows
        )


def marginal(model: GaussianMixture, columns: Sequence[int]) -> GaussianMixture:
    """Return the mixture that some columns have by themselves, whatever the covariance type."""
    chosen = list(columns)
    covariances = model.covariance_matrices()[:, chosen][:, :, chosen]
    return GaussianMixture(model.weights, model.means[:, chosen], covariances)


def density_grid(
    lowest: float,
    highest: float,
    means: Floats,
    deviations: Floats,
    n_across: int = GRID_POINTS,
    most_around: int = 20_000,
) -> Floats:
    """Ascending points from `lowest` to `highest`, closer ones where a component is narrow.

    Around a component they reach to eight standard deviations, where its density is nothing
    beside its peak: from there a straight line to the next point has no area.
    """
    across = np.linspace(lowest, highest, n_across)
    narrow = deviations < 4 * (across[1] - across[0])
    around = means[narrow, None] + deviations[narrow, None] * np.linspace(-8.0, 8.0, 129)
    around = np.sort(around[(lowest < around) & (around < highest)])
    step = 1 + len(around) // most_around
    points: Floats = np.unique(np.concatenate([across, around[::step]]))
    return points

"""What is drawn: columns and their names, rows, marginal mixtures, grids of points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.data import open_rows
from mixtura.data.checks import check_count, check_option
from mixtura.data.frames import described
from mixtura.mixture import GaussianMixture
from mixtura.mixture.checks import check_feature_names
from mixtura.mixture.criteria import ELEMENTS_AT_ONCE
from mixtura.plot.model import Drawn, assign
from mixtura.plot.style import mixed
from mixtura.shapes import Floats

__all__ = [
    "Data",
    "Feature",
    "Points",
    "check_feature",
    "check_listed",
    "check_pair",
    "check_shares",
    "data_to_draw",
    "density_grid",
    "marginal",
]

Feature = int | str  # the number of a column, or its name
GRID_POINTS = 401  # across a picture: more than one for each of its pixels


def check_feature(feature: Feature, names: Sequence[str]) -> int:
    """Return the number of a column, given by its number or its name."""
    if isinstance(feature, str):
        name = check_option("a feature to draw", feature, names)
        if names.count(name) > 1:
            raise ValueError(
                f"a feature to draw must be one column; {name!r} names {names.count(name)}. "
                f"Pass the number of the column."
            )
        return names.index(name)
    if check_count("a feature to draw", feature, minimum=0) >= len(names):
        raise ValueError(
            f"a feature to draw must be from 0 to {len(names) - 1}; got {feature}. "
            f"Pass the number or the name of a column of the mixture."
        )
    return feature


def check_pair(features: Sequence[Feature], names: Sequence[str]) -> list[int]:
    """Return the numbers of two different columns, given by numbers or names."""
    if len(names) < 2:
        raise ValueError(
            "this picture needs a mixture of two features or more; got one of 1. "
            "For one column draw a HistogramDisplay."
        )
    check_listed(features)
    columns = [check_feature(feature, names) for feature in features]
    if len(columns) != 2 or columns[0] == columns[1]:
        raise ValueError(
            f"features must be two different columns; got {features}. "
            f"For one column draw a HistogramDisplay."
        )
    return columns


def check_listed(features: Sequence[Feature]) -> None:
    """Raise an error for a number or a name alone, whose letters would be taken for names."""
    if isinstance(features, str) or not isinstance(features, Iterable):
        raise TypeError(
            f"features must be a tuple of numbers or names of columns; got {features!r}. "
            f"Pass two or more, or draw a HistogramDisplay with feature={features!r}."
        )


def check_shares(name: str, shares: Sequence[float]) -> None:
    """Raise an error for a share of a distribution that no bounded region holds."""
    listed = isinstance(shares, Sequence | np.ndarray) and np.ndim(shares) == 1
    if not listed or not all(isinstance(share, Real) for share in shares):
        raise TypeError(
            f"{name} must be numbers between 0 and 1, both excluded; got {described(shares)}. "
            f"Pass a tuple, such as (0.5, 0.95)."
        )
    if not all(0 < share < 1 for share in shares):
        raise ValueError(
            f"{name} must lie between 0 and 1, both excluded; got {tuple(shares)}. "
            f"Pass shares, such as (0.5, 0.95)."
        )


MOST_READ = 100_000  # rows that are not in memory


class Data(NamedTuple):
    """Rows of positive weight, their weights unless all are one, and names of all columns."""

    rows: NDArray[Any]
    sample_weight: Floats | None
    names: list[str]


def data_to_draw(
    model: Drawn,
    X: ArrayLike | None,
    sample_weight: ArrayLike | None,
    feature_names: Sequence[str] | None,
) -> Data:
    """Return what is drawn of `X`, or no rows if it is None.

    Names are those given, or the mixture's, or those of the frame `X`, or numbers. Of rows that are
    not in memory, a sample is drawn, the same at each call.
    """
    d = model.n_features
    source = open_rows(
        np.empty((0, d)) if X is None else X,
        sample_weight,
        n_features=d,
        feature_names=model.feature_names,
    )
    named = (feature_names, model.feature_names, source.feature_names)
    names = check_feature_names(next((each for each in named if each is not None), None), d)
    if not source.in_memory:
        positions, counts = source.drawn(MOST_READ, np.random.default_rng(0))
        return Data(source.take(positions), None if (counts == 1.0).all() else counts, names)
    weight = source.weights()
    if weight is not None and not weight.all():
        source = source.subset(weight > 0)
    blocks = [block.X for block in source.blocks()]
    rows = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    return Data(rows, source.weights(), names)


@dataclass(frozen=True, eq=False)
class Points:
    """Rows to draw as points, with their components.

    Attributes
    ----------
    rows : ndarray of shape (n_points, n_features)
        All rows if they are few, else a random sample, the same at each call.
    labels : ndarray of shape (n_points,), int
        Most probable component of each row, given all features.
    uncertainty : ndarray of shape (n_points,)
        One minus the largest responsibility.
    sample_weight : ndarray of shape (n_points,) or None
        Weights of the rows; None where they are equal.
    n_rows : int
        Number of rows from which these were taken.
    colours : ndarray of shape (n_points, 3) or None
        Colours of the components mixed by the responsibilities, where they were asked for.
    """

    rows: NDArray[Any]
    labels: NDArray[np.intp]
    uncertainty: Floats
    sample_weight: Floats | None
    n_rows: int
    colours: Floats | None = None

    @classmethod
    def of(cls, model: Drawn, data: Data, max_points: int, *, coloured: bool = False) -> Self:
        """Take at most `max_points` of the rows, assign them to components, and mix colours."""
        rows, weight, _ = data
        n_rows = len(rows)
        if n_rows > check_count("max_points", max_points):
            kept = np.random.default_rng(0).choice(n_rows, max_points, replace=False)
            rows, weight = rows[kept], None if weight is None else weight[kept]
        colours = None
        if coloured and isinstance(model, GaussianMixture):
            colours = _mixed_colours(model, rows)
        return cls(rows, *assign(model, rows), weight, n_rows, colours)


def _mixed_colours(model: GaussianMixture, rows: NDArray[Any]) -> Floats:
    """Colours (n_rows, 3) of rows, with the responsibilities of some of them at a time."""
    colours, step = np.empty((len(rows), 3)), 1 + ELEMENTS_AT_ONCE // model.n_components
    for start in range(0, len(rows), step):
        some = slice(start, start + step)
        colours[some] = mixed(model.responsibilities(rows[some]))
    return colours


def marginal(model: GaussianMixture, columns: Sequence[int]) -> GaussianMixture:
    """Return the marginal mixture of some columns, as "full"."""
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
    """Return ascending points from `lowest` to `highest`, closer where a component is narrow.

    The closer ones reach to eight standard deviations from its mean. There its density is so small
    that a straight line to the next point has no area.
    """
    across = np.linspace(lowest, highest, n_across)
    narrow = deviations < 4 * (across[1] - across[0])
    around = means[narrow, None] + deviations[narrow, None] * np.linspace(-8.0, 8.0, 129)
    around = np.sort(around[(lowest < around) & (around < highest)])
    step = 1 + len(around) // most_around
    points: Floats = np.unique(np.concatenate([across, around[::step]]))
    return points

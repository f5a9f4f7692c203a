"""Passes of k-means with bounds of each row against passes without: to the bit the same."""

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import assert_same_bits
from numpy.typing import NDArray

from mixtura.parameters import Seen
from mixtura.shapes import SPHERICAL, Floats

K = 40
NONE = np.empty(0, dtype=np.int32)


class Hold(NamedTuple):
    """Bounds, as the engine reads and renews them."""

    held: NDArray[np.int32]
    apart: NDArray[np.float32]
    before: Floats | None
    moved: NDArray[np.int32]


def distances(X: NDArray[np.floating], centers: Floats) -> Floats:
    return np.sqrt(np.square(X[:, None].astype(np.float64) - centers).sum(axis=2))


def clusters(n: int, d: int, apart: float) -> tuple[Floats, Floats]:
    rng = np.random.default_rng([n, d])
    centers = apart * rng.normal(size=(K, d)) / np.sqrt(d)
    return centers[rng.integers(K, size=n)] + rng.normal(size=(n, d)) / np.sqrt(d), centers


def moving(centers: Floats, unit: float = 1.0) -> list[tuple[Floats, NDArray[np.int32]]]:
    """Centers that move, some of them far; and which of them are listed, if any."""
    rng = np.random.default_rng(3)
    far = np.sort(rng.choice(K, size=5, replace=False)).astype(np.int32)
    found = [(centers, NONE)]
    for size, listed in ((1e-3, NONE), (0.02, far), (0.3, far), (0.02, NONE), (0.0, NONE)):
        step = size * unit * rng.normal(size=centers.shape) / np.sqrt(centers.shape[1])
        step[far] *= 20.0
        found.append((found[-1][0] + step, listed))
    return found


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d"), [(1, 2), (300, 2), (1000, 13), (129, 70)])
@pytest.mark.parametrize(
    ("apart", "offset", "unit"), [(1.0, 0.0, 1.0), (8.0, 0.0, 1e-18), (8.0, 1e6, 1.0)]
)
def test_pass_with_bounds_of_rows_has_the_bits_of_the_pass_without(
    module: ModuleType,
    n: int,
    d: int,
    weighted: bool,
    single: bool,
    apart: float,
    offset: float,
    unit: float,
) -> None:
    X, centers = clusters(n, d, apart)
    X, centers = unit * X + offset, unit * centers + offset
    weight = np.random.default_rng(n).integers(0, 3, size=n).astype(float) if weighted else None
    present = np.ones(n, dtype=bool) if weight is None else weight > 0.0
    X[~present] = 1e30
    middle: Any = None
    if single:
        X, middle = X.astype(np.float32), centers.mean(axis=0)
    rows, plain = (module.Rows(X, weight, middle, single=single) for _ in range(2))
    held, apart_of = np.full(n, -1, dtype=np.int32), np.full(n, np.nan, dtype=np.float32)
    labels, right = np.empty((2, n), dtype=np.int64)
    before, computed = None, []
    for place, (now, listed) in enumerate(moving(centers, unit)):
        seen = Seen.of_centers(now, SPHERICAL)
        hold = Hold(held, apart_of, before, listed)
        statistics = rows.accumulate("nearest", seen, 1 + place % 3, carry=hold, labels=labels)
        computed.append(rows.computed)
        assert_same_bits(statistics, plain.accumulate("nearest", seen, 1, labels=right))
        np.testing.assert_array_equal(labels[present], right[present])
        np.testing.assert_array_equal(held, labels)
        others = distances(X, now)
        others[np.arange(n), labels] = np.inf
        rounding = 1e-5 if single else 1e-12
        assert (apart_of[present] <= others.min(axis=1)[present] + rounding * offset).all()
        before = now
    assert computed[0] == 1.0
    if apart > 1.0 and n > 1 and offset * single == 0.0:
        assert max(computed[1:3]) < 0.5
        assert computed[-1] < 0.1


@pytest.mark.parametrize("single", [False, True])
def test_bounds_of_rows_give_ties_to_the_first(module: ModuleType, single: bool) -> None:
    X, centers = clusters(500, 5, 20.0)
    centers[1::2] = centers[::2]
    X = X.astype(np.float32 if single else np.float64)
    rows = module.Rows(X, None, centers.mean(axis=0), single=single)
    held, apart = np.empty(500, dtype=np.int32), np.empty(500, dtype=np.float32)
    for before in (None, centers, centers):
        hold = Hold(held, apart, before, np.arange(0, K, 3, dtype=np.int32))
        statistics = rows.accumulate("nearest", Seen.of_centers(centers, SPHERICAL), 1, carry=hold)
        assert not (held % 2).any()
        assert not statistics.resp_sum[1::2].any()


def test_rows_whose_squares_overflow_in_single_precision_find_the_nearest(
    module: ModuleType,
) -> None:
    X, centers = clusters(200, 9, 6.0)
    X[::7] *= 1e25
    X[::11] *= 1e-40
    for unit in (1.0, 1e120, 1e-120):
        labels = np.empty(200, dtype=np.int64)
        seen = Seen.of_centers(unit * centers, SPHERICAL)
        module.Rows(unit * X).accumulate("nearest", seen, 1, labels=labels)
        np.testing.assert_array_equal(labels, distances(X, centers).argmin(axis=1))

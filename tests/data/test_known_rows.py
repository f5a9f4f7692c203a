"""Numbers of a store are checked in the first reading, and again where nothing shows a change."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mixtura import fit_gmm
from mixtura.data import open_rows, scan, stored
from mixtura.exceptions import RowsChangedError
from mixtura.passes.bounds import LEAST_COMPONENTS

X = np.arange(60.0).reshape(20, 3)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The places of the blocks whose numbers were checked."""
    places: list[str] = []
    check = stored.finite_rows

    def counted(array: Any, place: str, *rest: Any) -> Any:
        places.append(place)
        return check(array, place, *rest)

    monkeypatch.setattr(stored, "finite_rows", counted)
    return places


def readings(rows: Any, checks: list[str]) -> list[int]:
    """Return how many blocks are checked in the overview, and in two readings after it."""
    numbers = []
    for read in (lambda: rows.extremes, lambda: list(rows.blocks()), lambda: list(rows.blocks())):
        checks.clear()
        read()
        numbers.append(len(checks))
    return numbers


@pytest.mark.parametrize("missing", ["raise", "em"])
def test_file_is_checked_in_one_reading(tmp_path: Path, checks: list[str], missing: Any) -> None:
    np.save(tmp_path / "a.npy", X)
    rows = open_rows(scan(tmp_path / "a.npy", block_size=5), missing=missing)
    rows.forget_totals()
    assert readings(rows, checks) == [4, 0, 0]
    np.testing.assert_array_equal(np.vstack([block.X for block in rows.blocks()]), X)


def test_file_with_weights_is_checked_each_time(tmp_path: Path, checks: list[str]) -> None:
    rows = X.copy()
    rows[:, 2], rows[7] = 1.0, [np.nan, np.inf, 0.0]
    np.save(tmp_path / "a.npy", rows)
    source = open_rows(scan(tmp_path / "a.npy", weight=2, block_size=5))
    source.forget_totals()
    assert readings(source, checks) == [4, 4, 4]
    assert all(np.isfinite(block.X).all() for block in source.blocks())


def test_blocks_of_a_function_are_checked_each_time(checks: list[str]) -> None:
    def make() -> Iterator[Any]:
        yield from (X[:10], X[10:])

    rows = open_rows(scan(make))
    rows.forget_totals()
    assert readings(rows, checks) == [2, 2, 2]


def test_file_that_gets_numbers_that_are_not_finite_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X)
    rows = open_rows(scan(tmp_path / "a.npy", block_size=5))
    assert rows.extremes.number[1, 2] == 59.0
    reading = rows.blocks()
    next(reading)
    changed = np.concatenate([X, X])
    changed[3] = np.nan
    np.save(tmp_path / "a.npy", changed)
    with pytest.raises(RowsChangedError, match="must stay as it is"):
        list(reading)


@pytest.mark.parametrize("n_components", [47, 48])
def test_fit_has_the_bits_of_blocks_in_memory_where_these_carry_no_bounds(
    tmp_path: Path, n_components: int
) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3000, 2)) + 3.0 * rng.integers(0, 8, size=(3000, 2))
    np.save(tmp_path / "a.npy", rows)
    in_file = scan(tmp_path / "a.npy", block_size=1500)
    in_memory = scan([rows[:1500], rows[1500:]])
    one, other = (
        fit_gmm(source, n_components, init=rows[:n_components], tol=0, max_iter=6)
        for source in (in_file, in_memory)
    )
    if n_components < LEAST_COMPONENTS:
        assert one.model == other.model
    np.testing.assert_allclose(one.history, other.history, rtol=1e-12)

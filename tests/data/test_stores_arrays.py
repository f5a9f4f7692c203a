"""Arrays in HDF5 and Zarr, and whatever has a shape and can be sliced."""

import pickle
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import written
import xarray as xr
import zarr

from mixtura.data import RowSource, open_rows, scan

X = np.random.default_rng(0).normal(size=(250, 3))


def rows_of(source: RowSource) -> np.ndarray:
    return np.concatenate([block.X for block in source.blocks()])


def test_only_table_of_a_file_needs_no_name(tmp_path: Path) -> None:
    written.hdf5(tmp_path / "x", X)
    written.group_in_zarr(tmp_path / "x", X)
    for path in ("x.h5", "x.h5::group/X", "x.zarr", "x.zarr::inner/X"):
        np.testing.assert_array_equal(rows_of(scan(f"{tmp_path}/{path}")), X)


def test_name_of_a_table_is_needed_where_there_are_two(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a"], file["group/b"], file["text"] = X, 2 * X, "text"
    zarr.open_group(tmp_path / "x.zarr", mode="w").create_array("a", data=X)
    zarr.open_group(tmp_path / "x.zarr").create_array("group/b", data=2 * X)
    for outer in (str(tmp_path / "x.h5"), str(tmp_path / "x.zarr")):
        message = re.escape(f"file {outer!r} must be given with the name of a table in it; ")
        end = rf", and it has 'a', 'group/b'\. Pass '{re.escape(outer)}::a'\.$"
        with pytest.raises(ValueError, match=f"^{message}no table was named{end}"):
            scan(outer)
        with pytest.raises(ValueError, match=f"^{message}there is no 'c'{end}"):
            scan(f"{outer}::c")
        with pytest.raises(ValueError, match=f"^{message}'group' is a group{end}"):
            scan(f"{outer}::group")
        np.testing.assert_array_equal(rows_of(scan(f"{outer}::group/b")), 2 * X)
        pair = scan([f"{outer}::a", f"{outer}::group/b"])
        np.testing.assert_array_equal(rows_of(pair), np.concatenate([X, 2 * X]))


def test_file_without_a_table_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a"] = np.zeros(3)
    with pytest.raises(ValueError, match=r"no table was named, and it has no tables of real num"):
        scan(tmp_path / "x.h5")
    with pytest.raises(
        ValueError,
        match=r"x\.h5::a' must be a table of real numbers, \(n_samples, n_features\); got shape "
        r"\(3,\) of float64\. Choose an array of two dimensions\.$",
    ):
        scan(f"{tmp_path / 'x.h5'}::a")


@pytest.mark.parametrize(
    ("chunk", "block_size", "expected"),
    [(30, 100, [90, 90, 70]), (100, 100, [100, 100, 50]), (250, 100, [100, 100, 50])],
)
def test_blocks_end_where_chunks_end_unless_these_are_larger(
    chunk: int, block_size: int, expected: list[int], tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("X", data=X, chunks=(chunk, 2))
    zarr.create_array(str(tmp_path / "x.zarr"), data=X, chunks=(chunk, 2))
    for path in (tmp_path / "x.h5", tmp_path / "x.zarr", zarr.open(tmp_path / "x.zarr", mode="r")):
        rows = scan(path, block_size=block_size)
        assert [len(block.X) for block in rows.blocks()] == expected
        np.testing.assert_array_equal(rows_of(rows), X)


def test_billions_of_rows_are_described_at_once(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("X", (10**12, 3), np.float32, chunks=(1000, 3))
    zarr.create_array(str(tmp_path / "x.zarr"), shape=(10**12, 3), chunks=(1000, 3), dtype="f4")
    for path in (tmp_path / "x.h5", tmp_path / "x.zarr"):
        rows = scan(path)
        assert (rows.n_samples, rows.dtype) == (10**12, np.float32)


def test_memory_map_is_copied_block_by_block(tmp_path: Path) -> None:
    rows = scan(written.memory_map(tmp_path / "x", X), block_size=100)
    assert not any(isinstance(block.X, np.memmap) for block in rows.blocks())
    assert not rows.in_memory


def test_array_of_xarray_has_the_names_of_its_columns() -> None:
    array = xr.DataArray(X, dims=("row", "column"), coords={"column": ["a", "b", "c"]})
    rows = open_rows(scan(array, ["c", "a"], block_size=100))
    assert rows.feature_names == ("c", "a")
    np.testing.assert_array_equal(rows_of(rows), X[:, [2, 0]])


class Reusing:
    """Something that can be sliced, each slice in the memory of the last one."""

    shape = X.shape

    def __init__(self) -> None:
        self._memory = np.empty((100, 3))

    def __getitem__(self, places: slice | tuple[slice, slice]) -> np.ndarray:
        rows, columns = places if isinstance(places, tuple) else (places, slice(None))
        some = X[rows, columns]
        memory = self._memory[: len(some), : some.shape[1]]
        memory[:] = some
        return memory


def test_slices_may_lie_in_the_same_memory() -> None:
    np.testing.assert_array_equal(rows_of(scan(Reusing(), block_size=100)), X)
    np.testing.assert_array_equal(rows_of(scan(Reusing(), [2, 1], block_size=50)), X[:, [2, 1]])


class Masked(written.Sliced):
    """As a variable of netCDF4: numbers without a value are masked."""

    def __getitem__(self, key: object) -> np.ndarray:
        rows = self._X[key]
        return np.ma.masked_array(rows, rows < -2.0)


def test_masked_numbers_of_an_array_are_missing() -> None:
    rows = open_rows(scan(Masked(X), block_size=100), missing="em")
    np.testing.assert_array_equal(rows_of(rows), np.where(X < -2.0, np.nan, X))
    whole = Masked((10 * X).astype(np.int64))
    np.testing.assert_array_equal(
        rows_of(open_rows(scan(whole), missing="em")), np.where(whole._X < -2, np.nan, whole._X)
    )


def test_array_of_another_shape_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^the Sliced must be a table of real numbers, .*\(250,\)"
    ):
        scan(written.Sliced(X[:, 0]))


@pytest.mark.parametrize("part", [np.s_[:], np.s_[20:200], np.s_[30::3, 1:], np.s_[::-1]])
def test_part_of_a_memory_map_is_sent_by_its_place_in_the_file(
    part: object, tmp_path: Path
) -> None:
    array = written.memory_map(tmp_path / "x", np.resize(X, (2500, 3)))[part]
    pieces = [pickle.dumps(piece) for piece in scan(array, block_size=1000)._pieces()]
    assert max(map(len, pieces)) < 1000
    blocks = [pickle.loads(piece).read() for piece in pieces]
    np.testing.assert_array_equal(np.concatenate(blocks), array)


def test_opened_array_of_hdf5_is_sent_by_its_name(tmp_path: Path) -> None:
    (piece,) = scan(written.opened_hdf5(tmp_path / "x", X))._pieces()
    sent = pickle.dumps(piece)
    assert len(sent) < 1000
    np.testing.assert_array_equal(pickle.loads(sent).read(), X)

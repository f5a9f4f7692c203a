"""Mixtures and fits as files: one .npz each, without pickle, written whole or not at all.

A file is what ``numpy.savez`` writes: an uncompressed zip of arrays. One of them, ``header``, is a
string of JSON: what the file is, who wrote it, and all that is not an array. ``numpy.load(path)``
opens it anywhere. Reading believes nothing: only uncompressed members of plain numbers and strings
are taken, no longer than the file itself, so that nothing runs and nothing swells.
"""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import struct
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from mixtura._build_config import VERSION
from mixtura.tabular import Names

__all__ = ["Contents", "Saveable", "fact", "feature_names_of", "load", "numbers", "read", "write"]

FORMAT, FORMAT_VERSION = "mixtura", 1
MOST_MEMBERS = 64
HEADER = re.compile(  # of an .npy file; matched and never evaluated, as NumPy would
    rb"\x93NUMPY\x01\x00..{'descr': '(?P<dtype>[<>|][biufU]\d+)', 'fortran_order': "
    rb"(?P<order>False|True), 'shape': \((?P<shape>[\d, ]*)\), } *\n",
    re.DOTALL,
)
DAMAGE = (  # what zipfile, json and NumPy make of bytes that nobody meant
    zipfile.BadZipFile, ArithmeticError, AttributeError, EOFError, LookupError, MemoryError,
    NotImplementedError, OSError, RecursionError, RuntimeError, TypeError, ValueError, struct.error,
)  # fmt: skip
Path_ = str | os.PathLike[str]
Fact = TypeVar("Fact", bound=float | str | bool | list[Any])


class Contents(NamedTuple):
    """What a file holds: `facts` that JSON can say, and arrays."""

    facts: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


class Saveable(ABC):
    """What can be saved to a file, and loaded by `mixtura.load`."""

    _kind: ClassVar[str]
    _kinds: ClassVar[dict[str, type[Saveable]]] = {}

    def __init_subclass__(cls, kind: str | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if kind is not None:  # a subclass of a subclass is saved as what it extends
            cls._kind = kind
            Saveable._kinds[kind] = cls

    @abstractmethod
    def _contents(self) -> Contents:
        """Everything that is needed to make an equal one."""

    @classmethod
    @abstractmethod
    def _from_contents(cls, contents: Contents) -> Self:
        """Make one of what `_contents` gave; an exception of any kind for what is not sound."""

    def save(self, path: Path_) -> None:
        """Save to a file, from which `mixtura.load` gets the same numbers to the bit.

        Parameters
        ----------
        path : str or path-like
            Name of the file, usually ending in .npz. An older one is replaced only when the new one
            is whole and on the disk.

        Raises
        ------
        OSError
            If the file cannot be written; an older one is left as it was.
        """
        write(path, self._kind, self._contents())


def load(path: Path_) -> Any:
    """Load what the method `save` of a mixture or a fit has written.

    Parameters
    ----------
    path : str or path-like
        Name of the file.

    Returns
    -------
    GaussianMixture, GMMFit or KMeansFit
        Whatever was saved, equal to the bit.

    Raises
    ------
    ValueError
        For a file that is damaged, not of mixtura, or written by a later version in a format that
        this one does not know. Nothing in a file is ever run.
    OSError
        If the file cannot be opened.

    Notes
    -----
    Files of format version 1 will be read by all later versions.

    Examples
    --------
    >>> import tempfile, pathlib, mixtura
    >>> mixture = mixtura.GaussianMixture([0.5, 0.5], [[0.0], [4.0]], [1.0, 2.0], "spherical")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "mixture.npz"
    ...     mixture.save(path)
    ...     mixtura.load(path) == mixture
    True
    """
    kind, contents = read(path)
    if kind not in Saveable._kinds:
        raise ValueError(
            f"{os.fspath(path)} must hold one of {', '.join(Saveable._kinds)}; it holds {kind!r}. "
            f"Use what wrote it."
        )
    try:
        return Saveable._kinds[kind]._from_contents(contents)
    except DAMAGE as error:
        raise _damaged(path, error) from error


def write(path: Path_, kind: str, contents: Contents) -> None:
    """Write a file in the place of an older one, if any."""
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "library_version": VERSION,
        "kind": kind,
        **contents.facts,
    }
    members: dict[str, Any] = {"header": np.array(json.dumps(header)), **contents.arrays}
    with _replacing(path) as file:
        np.savez(file, **members)


def read(path: Path_) -> tuple[str, Contents]:
    """Kind and contents of a file, of which nothing is believed yet but its format."""
    with Path(path).open("rb") as file:
        try:
            arrays = _read_members(file)
            facts = json.loads(str(arrays.pop("header")))
            kind, version = str(facts["kind"]), fact(facts, "format_version", int)
            if facts["format"] != FORMAT:
                raise ValueError(f"its format is {facts['format']!r}")
        except DAMAGE as error:
            raise _damaged(path, error) from error
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{os.fspath(path)} must be of format version {FORMAT_VERSION} or earlier; it is of "
            f"version {version}, written by mixtura {facts.get('library_version')}. Upgrade "
            f"mixtura, which is {VERSION} here."
        )
    return kind, Contents(facts, arrays)


def _damaged(path: Path_, error: BaseException) -> ValueError:
    why = str(error) or type(error).__name__
    return ValueError(
        f"{os.fspath(path)} must be a whole file of mixtura; it is foreign or damaged: {why}. "
        f"Save it again, or delete it."
    )


def _read_members(file: BinaryIO) -> dict[str, NDArray[Any]]:
    size = file.seek(0, os.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise ValueError(f"it has {len(members)} members")
        for member in members:
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > size:
                raise ValueError(f"its member {member.filename!r} is compressed")
        return {
            member.filename.removesuffix(".npy"): _parse(archive.read(member)) for member in members
        }


def _parse(data: bytes) -> NDArray[Any]:
    """The array in the bytes of an .npy file: numbers or strings that are all there."""
    header = HEADER.match(data)
    if header is None:
        raise ValueError("a member is no plain array of numbers or strings")
    dtype = np.dtype(header["dtype"].decode())
    shape = tuple(int(length) for length in header["shape"].split(b",") if length)
    count = math.prod(shape)
    if count * dtype.itemsize != len(data) - header.end():
        raise ValueError(f"an array in it should have shape {shape} and has another size")
    if count == 0:
        return np.empty(shape, dtype)
    array: NDArray[Any] = np.frombuffer(data, dtype, count, header.end())
    array = array.reshape(shape, order="F" if header["order"] == b"True" else "C")
    return np.require(array, dtype.newbyteorder("="))


@contextmanager
def _replacing(path: Path_) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` when the block ends, or leaves no trace."""
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the new name, too, should survive a loss of power
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def fact(facts: dict[str, Any], name: str, kind: type[Fact]) -> Fact:
    """One fact, of the kind expected."""
    value = facts[name]
    if type(value) is int and kind is float:
        value = float(value)
    if type(value) is not kind:
        raise ValueError(f"its {name} is {value!r}")
    return value


def feature_names_of(facts: dict[str, Any], n_features: int) -> Names | None:
    """Names of the columns, if there are any."""
    if facts["feature_names"] is None:
        return None
    names = fact(facts, "feature_names", list)
    if len(names) != n_features or not all(type(name) is str for name in names):
        raise ValueError(f"its feature_names are {names!r}")
    return tuple(names)


def numbers(
    arrays: dict[str, NDArray[Any]],
    name: str,
    shape: tuple[int, ...],
    dtype: type = np.float64,
    *,
    finite: bool = True,
) -> NDArray[Any]:
    """One array of the shape and type expected; a length of -1 may be any."""
    array = arrays[name]
    fits = array.ndim == len(shape) and all(
        expected in (-1, got) for expected, got in zip(shape, array.shape, strict=True)
    )
    if array.dtype != dtype or not fits:
        raise ValueError(
            f"its {name} should be {np.dtype(dtype)} of shape {shape} and are {array.dtype} of "
            f"shape {array.shape}"
        )
    if finite and not np.isfinite(array).all():
        raise ValueError(f"its {name} are not finite")
    return array

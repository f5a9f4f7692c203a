"""Mixtures and fits as files: one .npz each, without pickle, written whole or not at all.

A file is what ``numpy.savez`` writes: an uncompressed zip of arrays. One of them, ``header``, is a
string of JSON with the kind of object, the version that wrote it, and all values that are not
arrays. ``numpy.load(path)`` opens it too.

A file may come from anyone. `load` accepts only uncompressed members of plain numbers and strings,
none longer than the file itself. It runs no code from a file, and a small file cannot use much
memory.

To save another class, put ``@saved_as("name")`` above it, make `Saved` a base of it, and write the
two methods of `Saveable`.
"""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import stat
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mixtura._build_config import VERSION

__all__ = [
    "DAMAGE",
    "Contents",
    "Saveable",
    "Saved",
    "check_path",
    "count",
    "fact",
    "feature_names_of",
    "load",
    "numbers",
    "read",
    "remove_leftovers",
    "replacement_of",
    "saved_as",
    "write",
]

FORMAT, FORMAT_VERSION = "mixtura", 1
MOST_MEMBERS = 10_000
LEFTOVER_BYTES = 6  # random ones, in the name of a temporary file
HEADER = re.compile(  # of an .npy file; NumPy would evaluate it as Python
    rb"\x93NUMPY\x01\x00..{'descr': '(?P<dtype>[<>|][biufU]\d+)', 'fortran_order': "
    rb"(?P<order>False|True), 'shape': \((?P<shape>[\d, ]*)\), } *\n",
    re.DOTALL,
)
DAMAGE = (  # what zipfile, json and NumPy raise for damaged bytes
    zipfile.BadZipFile, ArithmeticError, AttributeError, EOFError, LookupError, MemoryError,
    NotImplementedError, OSError, RecursionError, RuntimeError, TypeError, ValueError, struct.error,
)  # fmt: skip
REMEDY = "Pass a file that `save` wrote."  # the file may be the user's: never advise to delete it
AnyPath = str | os.PathLike[str]
Fact = TypeVar("Fact", bound=float | str | bool | list[Any])


class Contents(NamedTuple):
    """What a file holds: values that JSON can write, and arrays."""

    facts: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


@runtime_checkable
class Saveable(Protocol):
    """An object that can be saved."""

    def _contents(self) -> Contents:
        """Return all that is needed to make an equal object."""

    @classmethod
    def _from_contents(cls, contents: Contents) -> Self:
        """Make an object from contents; raise any exception of `DAMAGE` for bad ones."""


KINDS: dict[str, type[Saveable]] = {}
SaveableClass = TypeVar("SaveableClass", bound=type[Saveable])


def saved_as(kind: str) -> Callable[[SaveableClass], SaveableClass]:
    """Register a class under the name that its files have; so are its subclasses without one.

    It gets `save`, and the methods of its private bases, as its own: tools that list the methods of
    a class leave out those of its bases.
    """

    def register(cls: SaveableClass) -> SaveableClass:
        KINDS[kind] = cls
        for base in cls.__bases__:
            if base is Saved or base.__name__.startswith("_"):
                for name, value in vars(base).items():
                    if not name.startswith("__") and name not in vars(cls):
                        setattr(cls, name, value)
        return cls

    return register


class Saved:
    """A class whose objects are saved by a method; see `Saveable`."""

    def save(self: Saveable, path: AnyPath) -> None:
        """Save to a file. `mixtura.load` reads the same numbers from it, to the bit.

        Parameters
        ----------
        path : str or path-like
            Name of the file, usually ending in .npz. An older file is replaced only when the new
            one is complete and on the disk.

        Raises
        ------
        OSError
            If the file cannot be written; an older one stays as it was.
        ValueError
            For a pipe, a device or another special file, and for an empty name.
        TypeError
            If `path` is no name of a file.

        Examples
        --------
        >>> import tempfile, pathlib, mixtura
        >>> mixture = mixtura.GaussianMixture([0.5, 0.5], [[0], [4]], [1, 2], "spherical")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "mixture.npz"
        ...     mixture.save(path)
        ...     mixtura.load(path) == mixture
        True
        """
        # a subclass with a name of its own was registered after its base
        kind = next(name for name, cls in reversed(KINDS.items()) if isinstance(self, cls))
        write(path, kind, self._contents())


def load(path: AnyPath) -> Any:
    """Load a mixture or a fit from a file that its method `save` has written.

    Parameters
    ----------
    path : str or path-like
        Name of the file.

    Returns
    -------
    GaussianMixture, GMMFit, KMeansFit, StepwiseGMM or another object with a method `save`
        The object that was saved, equal to the bit.

    Raises
    ------
    ValueError
        For a file that is damaged, not written by mixtura, or in a later format; for a pipe, a
        device or another special file.
    TypeError
        If `path` is no name of a file.
    OSError
        If the file cannot be opened.

    Notes
    -----
    No code in a file is ever run. All numbers are checked, in O(k d^3).

    Examples
    --------
    >>> import tempfile, pathlib, mixtura
    >>> mixture = mixtura.GaussianMixture([0.5, 0.5], [[0], [4]], [1, 2], "spherical")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "mixture.npz"
    ...     mixture.save(path)
    ...     mixtura.load(path) == mixture
    True
    """
    kind, contents = read(path)
    if kind not in KINDS:
        raise ValueError(
            f"{os.fspath(path)} must hold one of {', '.join(KINDS)}; it holds {kind!r}. "
            f"Open it with the function that wrote it."
        )
    try:
        return KINDS[kind]._from_contents(contents)
    except DAMAGE as error:
        raise _damaged(path, error) from error


def check_path(path: object, name: str = "path") -> None:
    """Refuse what is no name of a file."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"{name} must be the name of a file; got {path!r} ({type(path).__name__}). Pass a "
            f"string or a pathlib.Path."
        )
    if os.fspath(path) == "":
        raise ValueError(f"{name} must be the name of a file; got ''. Pass one, such as 'fit.npz'.")


def write(path: AnyPath, kind: str, contents: Contents) -> None:
    """Write a file, in place of an older one if there is one."""
    check_path(path)
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "library_version": VERSION,
        "kind": kind,
        **contents.facts,
    }
    members: dict[str, Any] = {"header": np.array(json.dumps(header)), **contents.arrays}
    with replacement_of(path) as file:
        np.savez(file, **members)


def read(path: AnyPath, remedy: str = REMEDY) -> tuple[str, Contents]:
    """Return kind and contents of a file; only its format has been checked.

    `remedy` ends the error for a file that is damaged, or from another program.
    """
    check_path(path)
    _status(path)
    with Path(path).open("rb") as file:
        try:
            arrays = _read_members(path, file)
            facts = json.loads(str(arrays.pop("header")))
            kind, version = str(facts["kind"]), fact(facts, "format_version", int)
            if facts["format"] != FORMAT:
                raise ValueError(f"its format is {facts['format']!r}")
            if version < 1:
                raise ValueError(f"its format_version is {version}")
        except _Foreign as error:
            raise ValueError(str(error)) from None
        except DAMAGE as error:
            raise _damaged(path, error, remedy) from error
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{os.fspath(path)} must be of format version {FORMAT_VERSION} or earlier; it is of "
            f"version {version}, written by mixtura {facts.get('library_version')}. Upgrade "
            f"mixtura, which is {VERSION} here."
        )
    return kind, Contents(facts, arrays)


def _damaged(path: AnyPath, error: BaseException, remedy: str = REMEDY) -> ValueError:
    why = str(error) or type(error).__name__
    return ValueError(
        f"{os.fspath(path)} must be a complete file written by mixtura; it is damaged or from "
        f"another program: {why.removesuffix('.')}. {remedy}"
    )


class _Foreign(ValueError):
    """A sound file of another program."""


def _read_members(path: AnyPath, file: BinaryIO) -> dict[str, NDArray[Any]]:
    size = file.seek(0, os.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise ValueError(f"it has {len(members)} members, more than {MOST_MEMBERS}")
        if members and "header.npy" not in archive.NameToInfo:
            first = ", ".join(member.filename for member in members[:5])
            more = f" and {len(members) - 5} more" if len(members) > 5 else ""
            raise _Foreign(
                f"{os.fspath(path)} must be a file written by mixtura; it is an archive of "
                f"{first}{more}, without a header of mixtura. Open it with the program that wrote "
                f"it, or with numpy.load."
            )
        for member in members:
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > size:
                raise ValueError(f"its member {member.filename!r} is compressed")
        return {
            member.filename.removesuffix(".npy"): _parse(archive.read(member)) for member in members
        }


def _parse(data: bytes) -> NDArray[Any]:
    """Return the array in the bytes of an .npy file, numbers or strings."""
    header = HEADER.match(data)
    if header is None:
        raise ValueError("a member is not a plain array of numbers or strings")
    dtype = np.dtype(header["dtype"].decode())
    shape = tuple(int(length) for length in header["shape"].split(b",") if length)
    count = math.prod(shape)
    if count * dtype.itemsize != len(data) - header.end():
        raise ValueError(f"an array in it should have shape {shape} and has another size")
    if count == 0:
        return np.empty(shape, dtype)
    if dtype.kind == "U":
        characters = np.frombuffer(data, np.dtype(f"{dtype.byteorder}u4"), -1, header.end())
        if characters.max() > sys.maxunicode:
            raise ValueError("a string in it has characters that are none")
    array: NDArray[Any] = np.frombuffer(data, dtype, count, header.end())
    array = array.reshape(shape, order="F" if header["order"] == b"True" else "C")
    return np.require(array, dtype.newbyteorder("="))


def _status(path: AnyPath) -> os.stat_result | None:
    """Return the status of an ordinary file or a folder, None where nothing exists.

    Raises
    ------
    ValueError
        For a pipe, a device or another special file, which must not be replaced, and whose opening
        may never end.
    """
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return None
    if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
        return status
    raise ValueError(
        f"{os.fspath(path)} must be an ordinary file or a new name; it is a pipe, a device or "
        f"another special file. Name another one."
    )


@contextmanager
def replacement_of(path: AnyPath) -> Iterator[BinaryIO]:
    """Give a new file that replaces `path` when the block ends, and is removed if it fails.

    It has the mode of the file that it replaces and, where that is allowed, its owner.

    Raises
    ------
    OSError
        If the file cannot be written; an older one stays as it was.
    """
    status, target = _status(path), Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(LEFTOVER_BYTES)}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(temporary, flags, 0o666 if status is None else 0o600), "wb") as file:
            if status is not None and os.name == "posix":
                with suppress(OSError):
                    os.fchown(file.fileno(), status.st_uid, status.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(status.st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        own = isinstance(error, OSError) and error.filename in (None, os.fspath(temporary))
        if isinstance(error, OSError) and own and error.errno is not None:
            # With the path that the caller knows, in place of that of the temporary file.
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise
    if os.name == "posix":  # so that the new name survives a loss of power, too
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_leftovers(path: AnyPath) -> None:
    """Delete temporary files that killed processes left when they replaced this file.

    Nobody else may be writing the file now.
    """
    target = Path(os.path.realpath(path))
    leftover = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{{2 * LEFTOVER_BYTES}}}")
    for file in target.parent.iterdir():
        if leftover.fullmatch(file.name):
            file.unlink(missing_ok=True)


def fact(facts: dict[str, Any], name: str, kind: type[Fact]) -> Fact:
    """Return one value of the header, of the type expected."""
    value = facts[name]
    if type(value) is int and kind is float:
        value = float(value)
    if type(value) is not kind:
        raise ValueError(f"its {name} is {value!r}")
    return value


def count(facts: dict[str, Any], name: str) -> int:
    """Return one value of the header, an integer not below zero."""
    value = fact(facts, name, int)
    if value < 0:
        raise ValueError(f"its {name} is {value!r}")
    return value


def feature_names_of(facts: dict[str, Any], n_features: int) -> tuple[str, ...] | None:
    """Return the names of the columns; None if they have none."""
    if facts["feature_names"] is None:
        return None
    names = fact(facts, "feature_names", list)
    texts = all(type(name) is str for name in names)
    if not texts or len(names) != n_features or len(set(names)) != n_features:
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
    """Return one array of the shape and type expected; -1 stands for any length."""
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

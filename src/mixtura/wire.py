"""Named arrays and a few facts as bytes, without pickle, to be sent to another process.

The layout, all numbers little-endian::

    magic       8 bytes     b"mixtura\\0"
    version     uint16      of the layout and of what is in it
    header      uint32      its length in bytes
    header                  JSON: the kind of object, its facts, the name, dtype and shape of arrays
    arrays                  their numbers in C order, one array after the other
    checksum    uint32      CRC-32 of everything before

Bytes may come from anyone: nothing in them is run, and no array is longer than the bytes are.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["packed", "unpacked"]

MAGIC = b"mixtura\0"
VERSION = 1
PREFIX = struct.Struct("<8sHI")
CHECKSUM = struct.Struct("<I")
DTYPES = ("<f8", "<i8")


def packed(kind: str, facts: Mapping[str, str], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return an object as bytes.

    Parameters
    ----------
    kind : str
        What it is.
    facts : mapping from str to str
    arrays : mapping from str to ndarray
        Of float64 or int64, in any byte order; what is read again is equal to the bit.

    Returns
    -------
    bytes

    Raises
    ------
    TypeError
        For arrays of other types.
    """
    described, contents = [], []
    for name, array in arrays.items():
        dtype = array.dtype.newbyteorder("<").str
        if dtype not in DTYPES:
            raise TypeError(
                f"{name!r} must be float64 or int64 to be written as bytes; got {array.dtype}. "
                f"Convert it."
            )
        described.append([name, dtype, array.shape])
        contents.append(array.astype(dtype, copy=False).tobytes())
    header = json.dumps({"kind": kind, "facts": dict(facts), "arrays": described}).encode()
    body = b"".join([PREFIX.pack(MAGIC, VERSION, len(header)), header, *contents])
    return body + CHECKSUM.pack(zlib.crc32(body))


def unpacked(
    kind: str, data: bytes | bytearray | memoryview
) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """Return the facts and arrays of an object that `packed` wrote.

    Parameters
    ----------
    kind : str
        What it must be.
    data : bytes-like

    Returns
    -------
    facts : dict from str to str
    arrays : dict from str to ndarray
        Copies, in native byte order.

    Raises
    ------
    ValueError
        For anything but the whole bytes of such an object, and for other versions.
    TypeError
        For what is not bytes.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(
            f"data must be bytes; got {type(data).__name__}. Pass what to_bytes() gave."
        )
    data = bytes(data)
    if len(data) < PREFIX.size + CHECKSUM.size or not data.startswith(MAGIC):
        raise _bad(kind, f"{len(data)} bytes that begin with {data[:8]!r}")
    _, version, length = PREFIX.unpack_from(data)
    if version != VERSION:
        raise ValueError(
            f"data must be of version {VERSION} of its format; got version {version}. Use the "
            f"same version of mixtura to write and to read it."
        )
    body, (checksum,) = data[: -CHECKSUM.size], CHECKSUM.unpack_from(data, len(data) - 4)
    if zlib.crc32(body) != checksum:
        raise _bad(kind, f"{len(data)} bytes with another checksum than they had")
    try:
        header = json.loads(body[PREFIX.size : PREFIX.size + length])
        found, facts, described = header["kind"], dict(header["facts"]), header["arrays"]
        if not all(type(each) is str for each in facts.values()):
            raise ValueError(f"the facts {facts!r}")
        arrays, start = {}, PREFIX.size + length
        for name, dtype, shape in described:
            if type(name) is not str:
                raise ValueError(f"an array with the name {name!r}")
            if dtype not in DTYPES or min(shape, default=0) < 0:
                raise ValueError(f"an array of {dtype!r} with shape {shape}")
            size = math.prod(shape)
            part = np.frombuffer(body, dtype, size, start) if size else np.empty(0, dtype)
            arrays[name] = part.reshape(shape).astype(np.dtype(dtype).newbyteorder("="))
            start += 8 * size
    except (
        AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError,
    ) as error:  # fmt: skip
        raise _bad(kind, f"bytes that cannot be read ({error})") from error
    if start != len(body):
        raise _bad(kind, f"{len(body) - start} bytes more than it has")
    if found != kind:
        raise _bad(kind, f"{found!r}")
    return facts, arrays


def _bad(kind: str, found: str) -> ValueError:
    return ValueError(
        f"data must be the bytes of {kind}; got {found}. Pass all bytes that to_bytes() returned, "
        f"and nothing else."
    )

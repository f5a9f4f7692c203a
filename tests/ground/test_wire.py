"""Statistics as bytes: equal to the bit, and refused where anything about them is wrong."""

import dataclasses
import json
import re
import struct
import zlib

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES

from mixtura import Statistics
from mixtura.wire import MAGIC, packed, unpacked

K, D = 3, 2
SCATTERS = {"full": (K, D, D), "tied": (D, D), "diag": (K, D), "spherical": (K,)}


def example(covariance_type: str = "full", **extras: object) -> Statistics:
    rng = np.random.default_rng(0)
    return Statistics(
        covariance_type,
        rng.normal(size=(K, D)),
        rng.random(K),
        rng.normal(size=(K, D)),
        rng.normal(size=SCATTERS[covariance_type]),
        -rng.random(),
        rng.random(),
        extras,
    )


def rewritten(header: object, data: bytes | None = None) -> bytes:
    """Bytes with another header, and a checksum that fits."""
    data = example().to_bytes() if data is None else data
    text = json.dumps(header).encode()
    (length,) = struct.unpack_from("<I", data, 10)
    body = data[:10] + struct.pack("<I", len(text)) + text + data[14 + length : -4]
    return body + struct.pack("<I", zlib.crc32(body))


def header_of(data: bytes) -> dict[str, object]:
    (length,) = struct.unpack_from("<I", data, 10)
    return json.loads(data[14 : 14 + length])


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_statistics_read_from_their_bytes_are_equal_to_the_bit(covariance_type: str) -> None:
    odd = np.array([[-0.0, 5e-324], [np.nan, -np.inf]])
    before = example(
        covariance_type, entropy=0.1, odd=odd, number=np.arange(3), none=np.empty((0, 2))
    )
    data = before.to_bytes()
    after = Statistics.from_bytes(data)
    assert after.to_bytes() == data
    assert after.covariance_type == before.covariance_type
    assert list(after.extras) == list(before.extras)
    for field in dataclasses.fields(Statistics)[1:7]:
        old, new = getattr(before, field.name), getattr(after, field.name)
        assert np.asarray(new).tobytes() == np.asarray(old).tobytes()
        assert np.shape(new) == np.shape(old)
        assert type(new) is type(old)
    assert after.extras["odd"].tobytes() == odd.tobytes()
    assert after.extras["number"].dtype == np.int64
    assert after.extras["none"].shape == (0, 2)
    assert type(after.extras["entropy"]) is float


def test_statistics_from_bytes_add_up_like_those_they_were_made_of() -> None:
    one, other = example(count=1.0), example(count=2.0)
    read = [Statistics.from_bytes(each.to_bytes()) for each in (one, other)]
    assert (read[0] + read[1]).to_bytes() == (one + other).to_bytes()


def test_bytes_of_statistics_do_not_depend_on_byte_order_and_layout() -> None:
    before = example()
    swapped = dataclasses.replace(
        before,
        centres=before.centres.astype(">f8"),
        resp_xx=np.asfortranarray(before.resp_xx),
    )
    assert swapped.to_bytes() == before.to_bytes()
    assert Statistics.from_bytes(swapped.to_bytes()).centres.dtype.isnative


def test_bytes_of_statistics_have_the_documented_layout() -> None:
    data = example().to_bytes()
    magic, version, length = struct.unpack_from("<8sHI", data)
    assert (magic, version) == (MAGIC, 1)
    start = 14 + length
    np.testing.assert_array_equal(np.frombuffer(data, "<f8", 6, start), example().centres.ravel())
    assert zlib.crc32(data[:-4]) == struct.unpack("<I", data[-4:])[0]


def test_bytes_like_objects_are_read() -> None:
    data = example().to_bytes()
    for same in (bytearray(data), memoryview(data)):
        assert Statistics.from_bytes(same).to_bytes() == data


def test_truncated_bytes_are_refused_at_any_length() -> None:
    data = example().to_bytes()
    for length in range(len(data)):
        with pytest.raises(ValueError, match="data must be the bytes of statistics; got"):
            Statistics.from_bytes(data[:length])


def test_any_changed_bit_is_refused() -> None:
    data = example().to_bytes()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        with pytest.raises(ValueError, match="data must be"):
            Statistics.from_bytes(changed)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "got 0 bytes that begin with b''. Pass all bytes that to_bytes() returned"),
        (b"\x80\x05K\x01." * 20, "got 100 bytes that begin with"),
        (example().to_bytes() + b"\0", "with another checksum than they had"),
        (
            MAGIC + struct.pack("<H", 2) + example().to_bytes()[10:],
            "version 1 of its format; got version 2. Use the same version of mixtura to write and",
        ),
        (packed("weights", {}, {}), "got 'weights'. Pass all"),
        (packed("statistics", {}, {}), "data must hold the sums of one of ['full', 'tied'"),
        (
            packed("statistics", {"covariance_type": "diag"}, {"centres": np.zeros(3)}),
            "got {'centres': (3,)} of 'diag'. Pass what to_bytes() returned.",
        ),
        (rewritten([]), "bytes that cannot be read"),
        (rewritten({"kind": "statistics", "facts": 3, "arrays": []}), "that cannot be read"),
        (
            rewritten({"kind": "statistics", "facts": {"covariance_type": []}, "arrays": []}),
            "bytes that cannot be read",
        ),
        (rewritten({"kind": "statistics", "facts": {}, "arrays": []}), "bytes more than it has"),
        (
            rewritten({"kind": "statistics", "facts": {}, "arrays": [["a", "<f8", [0, 1 << 70]]]}),
            "bytes that cannot be read",
        ),
        (
            rewritten({"kind": "statistics", "facts": {}, "arrays": [[7, "<f8", [0]]]}),
            "bytes that cannot be read",
        ),
        (
            rewritten({"kind": "statistics", "facts": {}, "arrays": [["a", "<f8", [1 << 60]]]}),
            "bytes that cannot be read",
        ),
        (
            rewritten({"kind": "statistics", "facts": {}, "arrays": [["a", "|O8", [2]]]}),
            "an array of '|O8' with shape [2]",
        ),
        (
            rewritten({"kind": "statistics", "facts": {}, "arrays": [["a", "<f8", [-1]]]}),
            "an array of '<f8' with shape [-1]",
        ),
    ],
)
def test_other_bytes_are_refused_by_what_they_are(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Statistics.from_bytes(data)


def test_sums_of_other_shapes_are_refused() -> None:
    header = header_of(example().to_bytes())
    header["facts"] = {"covariance_type": "diag"}
    with pytest.raises(ValueError, match=r"got \{'centres': \(3, 2\).*\} of 'diag'"):
        Statistics.from_bytes(rewritten(header))


def test_what_is_not_bytes_is_refused() -> None:
    with pytest.raises(TypeError, match=re.escape("data must be bytes; got str. Pass what")):
        Statistics.from_bytes("mixtura")


def test_extras_of_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match=re.escape("'extras.flag' must be float64 or int64 to be")):
        example(flag=np.array(["a"])).to_bytes()


def test_arrays_that_were_read_can_be_written_into() -> None:
    _, arrays = unpacked("any", packed("any", {}, {"a": np.zeros(2)}))
    arrays["a"][0] = 1.0


ODD = [None, True, -1, 0, 2, 1 << 70, 0.5, 1e300, "", "full", "<f8", [], {}, [[]], [0, 1 << 70]]


def changed(value: object, rng: np.random.Generator) -> object:
    """JSON with something else in one place."""
    if not isinstance(value, list | dict) or not value or rng.random() < 0.1:
        return ODD[rng.integers(len(ODD))]
    places = list(value) if isinstance(value, dict) else range(len(value))
    place = places[rng.integers(len(places))]
    other = value.copy()
    if rng.random() < 0.1:
        del other[place]
    else:
        other[place] = changed(value[place], rng)
    return other


def test_headers_with_anything_in_them_are_read_or_refused() -> None:
    rng = np.random.default_rng(0)
    data = example(count=np.zeros(0)).to_bytes()
    header, refused = header_of(data), 0
    for _ in range(2000):
        try:
            Statistics.from_bytes(rewritten(changed(changed(header, rng), rng), data))
        except ValueError as error:
            assert str(error).startswith("data must")  # noqa: PT017
            refused += 1
    assert refused > 1000

"""Short texts that tell arrays apart, for checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["array_fingerprint", "digest_of"]

BYTES_AT_ONCE = 1 << 18  # of an array: they stay in the cache


def array_fingerprint(array: NDArray[Any]) -> str:
    """Type, shape and digest of an array: the same for equal arrays only, of any strides."""
    return f"{array.dtype} of shape {list(array.shape)}, {digest_of([array])}"


def digest_of(arrays: Iterable[NDArray[Any]]) -> str:
    """Return a digest of the numbers in some arrays, one after the other."""
    digest = hashlib.blake2b(digest_size=12)
    for array in arrays:
        step = max(1, BYTES_AT_ONCE * len(array) // max(1, array.nbytes))
        for start in range(0, len(array), step):
            digest.update(np.ascontiguousarray(array[start : start + step]).data)
    return digest.hexdigest()

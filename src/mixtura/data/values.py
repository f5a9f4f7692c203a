"""Checks of values: of single ones, and of the numbers in an array, the first bad one by name."""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Sequence
from numbers import Real
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.data.frames import described, real_array
from mixtura.shapes import EPS, Floats

__all__ = [
    "ELEMENTS_LOOKED_AT_AT_ONCE",
    "all_finite",
    "check_count",
    "check_flag",
    "check_level",
    "check_n_threads",
    "check_number",
    "check_option",
    "check_rng",
    "contiguous",
    "place_of",
    "refuse_negative",
    "refuse_non_finite",
    "rounding_unit",
]

Option = TypeVar("Option", bound=str)
ELEMENTS_LOOKED_AT_AT_ONCE = 1 << 16  # bounds the temporaries of a search through many rows


def check_count(name: str, value: object, *, minimum: int = 1) -> int:
    """An integer, Python's or NumPy's, not below the minimum."""
    expected = f"{name} must be an integer, {minimum} or more"
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
        raise TypeError(f"{expected}; got {described(value)}. Pass an int.")
    try:
        count = operator.index(value)
    except TypeError as error:  # an array of several numbers, or of floats, has the method too
        raise TypeError(f"{expected}; got {described(value)}. Pass an int.") from error
    if count < minimum:
        raise ValueError(f"{expected}; got {count}. Pass {minimum} or more.")
    return count


def check_flag(name: str, value: object) -> bool:
    """True or False, Python's or NumPy's; no other value stands for one of them."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise TypeError(f"{name} must be True or False; got {described(value)}. Pass one of these.")


def check_level(name: str, value: object) -> int:
    """How much to report, as scikit-learn takes it: 0 or more, or True for 1."""
    return check_count(name, int(value) if isinstance(value, bool) else value, minimum=0)


def check_number(name: str, value: object, *, minimum: float = 0.0) -> float:
    """A finite real number, not below the minimum."""
    at_least = f"{minimum:g} or more" if minimum > -math.inf else ""
    expected = f"{name} must be a finite number{f', {at_least}' if at_least else ''}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{expected}; got {described(value)}. Pass a float.")
    try:
        number = float(value)
    except OverflowError as error:  # of Python's integers and fractions
        raise ValueError(
            f"{expected}; got an integer beyond floats. Pass a number below 1e308."
        ) from error
    if not (math.isfinite(number) and number >= minimum):
        raise ValueError(f"{expected}; got {number}. Pass {at_least or 'such a number'}.")
    return number


def check_option(name: str, value: object, known: Sequence[Option]) -> Option:
    """One of the known words."""
    for option in known:
        if isinstance(value, str) and value == option:
            return option
    expected = f"{name} must be one of {', '.join(map(repr, known))}"
    if not isinstance(value, str):
        raise TypeError(f"{expected}; got {described(value)}. Pass one of these words.")
    lowered = {option.lower(): option for option in known}
    close = difflib.get_close_matches(value.lower(), lowered, n=1)
    remedy = f"Did you mean {lowered[close[0]]!r}?" if close else "Choose one of them."
    raise ValueError(f"{expected}; got {value!r}. {remedy}")


def check_n_threads(n_threads: int | None) -> int | None:
    """A number of threads, or None for as many as are useful."""
    return None if n_threads is None else check_count("n_threads", n_threads)


def check_rng(rng: object) -> np.random.Generator:
    """A generator of random numbers: the caller's, or a new one from a seed."""
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None or isinstance(rng, (np.random.SeedSequence, np.random.BitGenerator)):
        return np.random.default_rng(rng)
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool):
        return np.random.default_rng(check_count("rng", rng, minimum=0))
    raise TypeError(
        f"rng must be None, an integer seed, a SeedSequence, a BitGenerator or a Generator; "
        f"got {described(rng)}. Use numpy.random.default_rng(seed)."
    )


def contiguous(values: ArrayLike, name: str) -> Floats:
    # An (k,) or (k, d, d) array is small beside the rows: a copy costs nothing that matters.
    return np.asarray(real_array(values, name)[0], dtype=np.float64, order="C")


def rounding_unit(values: ArrayLike, name: str) -> float:
    """The relative rounding of the numbers that were passed: that of their dtype, or of float64."""
    dtype: Any = getattr(values, "dtype", None)
    if not isinstance(dtype, np.dtype) or dtype.kind != "f":
        dtype = real_array(values, name)[0].dtype
    return max(EPS, float(np.finfo(dtype).eps))


def all_finite(array: NDArray[Any]) -> bool:
    """Whether the sum is finite: then all numbers are, and nearly always when they are.

    It needs no temporary and one pass. Only where it is not, look at the numbers themselves.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()))


def refuse_non_finite(
    array: NDArray[Any], name: str, axes: Sequence[str], remedy: str, first: int = 0
) -> None:
    if all_finite(array):
        return
    step = max(1, ELEMENTS_LOOKED_AT_AT_ONCE * len(array) // array.size)
    for start in range(0, len(array), step):
        found = np.argwhere(~np.isfinite(array[start : start + step]))
        if len(found):
            index = (start + found[0][0], *found[0][1:])
            place = place_of((first + index[0], *index[1:]), axes)
            raise ValueError(f"{name} must be finite; {place} is {array[index]}. {remedy}")


def refuse_negative(
    array: Floats, name: str, axes: Sequence[str], remedy: str, first: int = 0
) -> None:
    if array.min(initial=0.0) < 0.0:
        index = tuple(np.argwhere(array < 0.0)[0])
        place = place_of((first + index[0], *index[1:]), axes)
        raise ValueError(f"{name} must be non-negative; {place} is {array[index]}. {remedy}")


def place_of(index: Sequence[int], axes: Sequence[str]) -> str:
    return ", ".join(f"{axis} {i}" for axis, i in zip(axes, index, strict=True))

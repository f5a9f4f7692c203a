"""The tree in which parts are added, so that sums made in several places have the same bits.

Two neighbours are added, then two neighbours among these sums, and so on. Who has some consecutive
parts can make all sums of the tree that lie within them: `subtotals`. `joined` adds such sums up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

__all__ = ["joined", "subtotals"]

Addend = TypeVar("Addend")


def joined(sums: Iterable[tuple[int, Addend]]) -> Addend:
    """Return the sum of all parts.

    Parameters
    ----------
    sums : iterable of (int, object)
        How many parts each is the sum of, as `subtotals` returns them, and the sum; in order, from
        the first part. Each is taken when the ones before are added.

    Returns
    -------
    object
        Of the same kind.
    """
    open_sums: list[tuple[int, Any]] = []
    for size, part in sums:
        while open_sums and open_sums[-1][0] == size:
            part = open_sums.pop()[1] + part
            size *= 2
        open_sums.append((size, part))
    _, result = open_sums.pop()
    while open_sums:
        result = open_sums.pop()[1] + result
    total: Addend = result
    return total


def subtotals(parts: Iterable[Addend], first: int) -> list[tuple[int, Addend]]:
    """Return the largest sums of the tree that lie within some consecutive parts.

    Parameters
    ----------
    parts : iterable
        Each is taken when the ones before are added.
    first : int
        The number of the first of them among all parts.

    Returns
    -------
    list of (int, object)
        How many parts each is the sum of, and the sum; at most twice the logarithm of the number
        of parts.
    """
    sums: list[tuple[int, Any]] = []
    end = first
    for part in parts:
        end, size = end + 1, 1
        while sums and sums[-1][0] == size and end % (2 * size) == 0:
            part = sums.pop()[1] + part
            size *= 2
        sums.append((size, part))
    return sums

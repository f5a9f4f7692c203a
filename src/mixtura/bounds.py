"""What passes carry forward: which components can matter to which rows.

With many components most of them are out of reach of most rows. From pass to pass a lower bound of
the whitened distance between the rows of a tile and each component is carried, as far as the
parameters' own movement allows (the inequality is in ``_ext/prune.h``), and a component that it
shows to be out of reach is left out of the tile. Rows are taken in the order of their last
component, so that the rows of a tile have few components in common. None of it changes a result
beyond rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mixtura.statistics import FactorShape, Floats, Statistics
from mixtura.update import Parameters

__all__ = ["CarriedBounds", "Carry", "approach"]

EPS = float(np.finfo(np.float64).eps)
LEAST_COMPONENTS = 48  # below, what is kept would take more room than it saves time
FIRST_RENEWAL, RENEWAL_FACTOR = 1, 3  # the rows are ordered anew after pass 1, 4, 13, 40, ...
STATE = ("_last", "_carry", "_labels", "_passes", "_renewal")  # of CarriedBounds
WORTHWHILE = 0.9  # share of (tile, component) pairs computed above which bounds are given up


class Carry(NamedTuple):
    """What one pass takes from those before it.

    Attributes
    ----------
    order : ndarray of shape (n_samples,), int64
        The row at each place.
    reach : ndarray of shape (n_tiles, n_components), float32
        Lower bounds of whitened distances; read and renewed.
    shrink, shift : ndarray of shape (n_components,), or None
        ``distance_now >= shrink * distance_before - shift``; None where `reach` is only written.
    """

    order: NDArray[np.int64]
    reach: NDArray[np.float32]
    shrink: Floats | None
    shift: Floats | None


class Rows(Protocol):
    """What is asked of the rows themselves."""

    n_samples: int

    @property
    def computed(self) -> float:
        """Share of (tile, component) pairs whose densities the last pass had to compute."""

    def n_tiles(self, n_components: int, covariance_type: FactorShape) -> int:
        """Return the number of tiles that a pass cuts the rows into."""


Run = Callable[[Parameters, Carry | None, NDArray[np.int64] | None], Statistics]


class CarriedBounds:
    """Decides, pass by pass, what to carry.

    Parameters
    ----------
    rows : Rows
    run : callable
        Makes a pass over them: ``run(parameters, carry, labels)``.
    factor_shape : {"full", "tied", "diag", "spherical"}
    least_products : int
        Of a row with all means; with fewer nothing is carried, as little is with few components.
    """

    def __init__(
        self,
        rows: Rows,
        run: Run,
        factor_shape: FactorShape,
        least_products: int = 0,
    ) -> None:
        self._rows, self._run, self._shape = rows, run, factor_shape
        self._least_products = least_products
        self._last: Parameters | None = None
        self._carry: Carry | None = None
        self._labels: NDArray[np.int64] | None = None
        self._passes, self._renewal = 0, FIRST_RENEWAL

    def accumulate(
        self, parameters: Parameters, labels: NDArray[np.int64] | None = None
    ) -> Statistics:
        """Make a pass, with all that earlier passes tell.

        Parameters
        ----------
        parameters : Parameters
        labels : ndarray of shape (n_samples,), int64, optional
            Gets the most probable component of each row.

        Returns
        -------
        Statistics
        """
        means = parameters.means
        if len(means) < LEAST_COMPONENTS or means.size < self._least_products:
            return self._run(parameters, None, labels)
        self._passes += 1
        carry = self._prepare(parameters)
        self._carry = None  # a pass that is interrupted leaves bounds of two kinds behind
        if self._passes == self._renewal and labels is None:
            labels = np.empty(self._rows.n_samples, dtype=np.int64)
        statistics = self._run(parameters, carry, labels)
        self._remember(parameters, carry, labels)
        return statistics

    def state(self) -> dict[str, Any]:
        """Return what later passes depend on, by name."""
        return {name: getattr(self, name) for name in STATE}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on as if this one had made the passes of the one that `state` is of."""
        last, carry, n = state["_last"], state["_carry"], self._rows.n_samples
        if carry is not None:
            k = len(last.means)
            order, tiles = carry.order, self._rows.n_tiles(k, self._shape)
            kinds = (order.dtype, order.shape, carry.reach.dtype, carry.reach.shape)
            sound = kinds == (np.int64, (n,), np.float32, (tiles, k))
            if not (sound and (np.bincount(order, minlength=n) == 1).all()):
                raise ValueError("the bounds that a pass carries are of other rows")
        for name in STATE:
            setattr(self, name, state[name])

    def _prepare(self, parameters: Parameters) -> Carry | None:
        """Bounds for this pass; the rows in a new order where labels have been collected for it."""
        k = len(parameters.means)
        if self._labels is not None:
            small = np.min_scalar_type(k)  # two bytes or less are sorted by radix
            order = np.argsort(self._labels.astype(small), kind="stable")
            self._labels = None
            reach = np.empty((self._rows.n_tiles(k, self._shape), k), dtype=np.float32)
            return Carry(order, reach, None, None)
        if self._carry is None or self._last is None or len(self._last.means) != k:
            return None
        shrink, shift = approach(self._last, parameters, self._shape)
        return self._carry._replace(shrink=shrink, shift=shift)

    def _remember(
        self, parameters: Parameters, carry: Carry | None, labels: NDArray[np.int64] | None
    ) -> None:
        useless = (
            carry is not None and carry.shrink is not None and self._rows.computed > WORTHWHILE
        )
        settled = self._passes > self._renewal // RENEWAL_FACTOR + 2
        self._carry = None if useless and settled else carry
        self._last = parameters
        if self._passes == self._renewal:
            self._labels = labels
            self._renewal = RENEWAL_FACTOR * self._renewal + 1


def approach(
    before: Parameters, after: Parameters, factor_shape: FactorShape
) -> tuple[Floats, Floats]:
    """How much nearer rows can have come to each component.

    Parameters
    ----------
    before, after : Parameters
        Covariances have the shape of the factors.
    factor_shape : {"full", "tied", "diag", "spherical"}

    Returns
    -------
    shrink, shift : ndarray of shape (n_components,)
        See `Carry`.

    Notes
    -----
    With A = W' W^-1 the least singular value obeys sigma^2 >= 1 - |B|, B = A^T A - I, and the
    spectral norm |B| is at most the fourth root of the sum of the squared entries of B^2: three
    products of small matrices instead of a decomposition. What rounding can have done to A, as much
    as the condition of the covariances, is added to |B|.
    """
    moved = before.means - after.means
    factors = after.precisions_cholesky
    if factor_shape in ("diag", "spherical"):
        ratio = factors / before.precisions_cholesky
        shrink = ratio.min(axis=1) if factor_shape == "diag" else ratio
        scale = factors if factor_shape == "diag" else factors[:, None]
        return shrink, np.sqrt(np.square(moved * scale).sum(axis=1))
    whitening = np.swapaxes(factors, -1, -2)
    colouring = before.covariances @ before.precisions_cholesky  # W^-1
    A = whitening @ colouring
    B = np.swapaxes(A, -1, -2) @ A - np.eye(A.shape[-1])
    rounding = np.abs(whitening) @ (np.abs(before.covariances) @ np.abs(before.precisions_cholesky))
    norm = np.square(B @ B).sum(axis=(-1, -2)) ** 0.25
    norm += len(moved.T) * EPS * np.sqrt(np.square(rounding).sum(axis=(-1, -2)))
    shrink = np.sqrt(np.maximum(1.0 - norm, 0.0))
    shift = np.sqrt(np.square(np.einsum("...ab,...a->...b", factors, moved)).sum(axis=1))
    return np.broadcast_to(shrink, shift.shape).copy(), shift

"""Statistics: what a pass over the rows returns, and all that an update ever learns of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from mixtura.parameters import NOTHING
from mixtura.shapes import DIAG, FULL, SHAPES, SPHERICAL, Floats, Shape, ShapeName
from mixtura.text import short_html, short_repr
from mixtura.trees import joined
from mixtura.wire import packed, unpacked

__all__ = ["Statistics", "total"]

KIND = "statistics"  # in their bytes
SMALLEST = float(np.finfo(np.float64).smallest_subnormal)
SUMS = ("centres", "resp_sum", "resp_x", "resp_xx", "log_likelihood", "weight_sum")

Addend = TypeVar("Addend")


@dataclass(frozen=True, eq=False)
class Statistics:
    """Weighted, centred sums over rows: additive, and small whatever the number of rows.

    With ``r[i, j]`` the responsibility of component j for row i times the row's weight, and
    ``z[i, j] = x[i] - centres[j]``::

        resp_sum[j] = sum_i r[i, j]
        resp_x[j]   = sum_i r[i, j] z[i, j]
        resp_xx[j]  = sum_i r[i, j] z[i, j] z[i, j]^T

    Parameters
    ----------
    covariance_type : {"full", "tied", "diag", "spherical"}
        How much of the scatter is kept.
    centres : ndarray of shape (n_components, n_features)
        The points about which ``resp_x`` and ``resp_xx`` are taken.
    resp_sum : ndarray of shape (n_components,)
        Total weight of each component.
    resp_x : ndarray of shape (n_components, n_features)
        Weighted sums about the centres.
    resp_xx : ndarray
        Weighted scatter about the centres: (n_components, n_features, n_features) for "full",
        summed over components to (n_features, n_features) for "tied", the diagonal
        (n_components, n_features) for "diag", its trace (n_components,) for "spherical".
    log_likelihood : float, nats
        Weighted total over the rows; 0 where responsibilities were given, not computed.
    weight_sum : float
        Total weight of the rows, in units of rows where they are unweighted.
    extras : mapping from str to ndarray or float, optional
        Further sums over the rows, which are added and scaled like the others.

    Notes
    -----
    ``a + b`` describes the rows of both, about the centres of ``a``. Centres near the component
    means lose no digits.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import reference
    >>> X = np.array([[0.0], [1.0], [5.0]])
    >>> resp = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> s = reference.accumulate_resp(X, resp, np.zeros((2, 1)), covariance_type="diag")
    >>> s.resp_sum, (s + s).resp_sum
    (array([2., 1.]), array([4., 2.]))
    """

    covariance_type: ShapeName
    centres: Floats
    resp_sum: Floats
    resp_x: Floats
    resp_xx: Floats
    log_likelihood: float
    weight_sum: float
    extras: Mapping[str, Any] = field(default_factory=lambda: NOTHING)

    __repr__ = short_repr
    _repr_html_ = short_html

    @property
    def shape(self) -> Shape:
        """The shape that `covariance_type` names."""
        return SHAPES[self.covariance_type]

    def __add__(self, other: Statistics) -> Statistics:
        if not isinstance(other, Statistics):
            return NotImplemented
        if self._kind() != other._kind():
            raise ValueError(
                f"statistics of one kind are needed to add; got {self._kind()} and "
                f"{other._kind()}. Accumulate both for the same mixture."
            )
        other = other.recentred(self.centres)
        return Statistics(
            self.covariance_type,
            self.centres,
            self.resp_sum + other.resp_sum,
            self.resp_x + other.resp_x,
            self.resp_xx + other.resp_xx,
            self.log_likelihood + other.log_likelihood,
            self.weight_sum + other.weight_sum,
            {name: total + other.extras[name] for name, total in self.extras.items()},
        )

    def _kind(self) -> str:
        """What statistics must have in common to be added."""
        extras = f" and extras {sorted(self.extras)}" if self.extras else ""
        return f"{self.covariance_type!r} with centres {self.centres.shape}{extras}"

    def scaled(self, factor: float) -> Statistics:
        """Return the statistics of the same rows, all their weights multiplied by a number.

        Parameters
        ----------
        factor : float
            What every sum is multiplied by.

        Returns
        -------
        Statistics

        Examples
        --------
        >>> from mixtura import reference
        >>> X, labels, centres = [[0.0], [1.0], [5.0]], [0, 0, 1], [[0.0], [4.0]]
        >>> s = reference.accumulate_labels(X, labels, centres, covariance_type="diag")
        >>> s.scaled(2.0).resp_sum
        array([4., 2.])
        """
        return Statistics(
            self.covariance_type,
            self.centres,
            factor * self.resp_sum,
            factor * self.resp_x,
            factor * self.resp_xx,
            factor * self.log_likelihood,
            factor * self.weight_sum,
            {name: factor * total for name, total in self.extras.items()},
        )

    def means(self) -> Floats:
        """Weighted mean of each component; a component without weight stays at its centre.

        Returns
        -------
        ndarray of shape (n_components, n_features)

        Examples
        --------
        >>> from mixtura import reference
        >>> X, labels, centres = [[0.0], [1.0], [5.0]], [0, 0, 1], [[0.0], [4.0]]
        >>> s = reference.accumulate_labels(X, labels, centres, covariance_type="diag")
        >>> s.means()
        array([[0.5],
               [5. ]])
        """
        empty = self.resp_sum == 0.0
        if empty.any():
            return self.centres + self.resp_x / np.where(empty, 1.0, self.resp_sum)[:, None]
        means: Floats = self.centres + self.resp_x / self.resp_sum[:, None]
        return means

    def recentred(self, centres: Floats) -> Statistics:
        """Return the same sums about other centres.

        Parameters
        ----------
        centres : ndarray of shape (n_components, n_features)
            The new centres.

        Returns
        -------
        Statistics

        Raises
        ------
        ValueError
            For centres of another shape.

        Notes
        -----
        With ``s = old - new`` the scatter gains ``resp_x s^T + s resp_x^T + resp_sum s s^T``. Cost
        O(k d^2); exact up to rounding.

        Examples
        --------
        >>> from mixtura import reference
        >>> X, labels, centres = [[0.0], [1.0], [5.0]], [0, 0, 1], [[0.0], [4.0]]
        >>> s = reference.accumulate_labels(X, labels, centres, covariance_type="diag")
        >>> s.recentred([[1.0], [5.0]]).resp_xx
        array([[1.],
               [0.]])
        """
        if centres is self.centres or np.array_equal(centres, self.centres):
            return self
        centres = np.array(centres, dtype=np.float64)  # a copy, as these are kept
        if centres.shape != self.centres.shape:
            raise ValueError(
                f"centres must have shape {self.centres.shape}, as the centres of the statistics; "
                f"got {centres.shape}. Give each component one row."
            )
        shift = self.centres - centres
        weighted_shift = self.resp_sum[:, None] * shift
        moved = 2.0 * self.resp_x + weighted_shift  # scatter gains the symmetric part of moved s^T
        gain = self.shape.product(moved, shift)
        return self._with(centres, self.resp_x + weighted_shift, self.resp_xx + gain)

    def centred(self) -> Statistics:
        """Return the same sums about the component means, where `resp_x` is zero.

        Returns
        -------
        Statistics
            These themselves where `resp_x` is zero already.

        Notes
        -----
        ``resp_xx - resp_x resp_x^T / resp_sum``; a component without weight stays as it is.

        Examples
        --------
        >>> from mixtura import reference
        >>> X, labels, centres = [[0.0], [1.0], [5.0]], [0, 0, 1], [[0.0], [4.0]]
        >>> s = reference.accumulate_labels(X, labels, centres, covariance_type="diag")
        >>> s.centred().resp_xx
        array([[0.5],
               [0. ]])
        """
        if not np.count_nonzero(self.resp_x):
            return self
        # Where there is no weight, `resp_x` is zero too.
        shift = self.resp_x / np.maximum(self.resp_sum, SMALLEST)[:, None]
        loss = self.shape.product(self.resp_x, shift)
        return self._with(self.centres + shift, np.zeros(shift.shape), self.resp_xx - loss)

    def coarsened(self, covariance_type: ShapeName) -> Statistics:
        """Return what a pass for another covariance type would have kept of the same rows.

        Parameters
        ----------
        covariance_type : {"full", "tied", "diag", "spherical"}
            Unless these statistics are "full", their own type, or "spherical" for "diag".

        Returns
        -------
        Statistics

        Raises
        ------
        ValueError
            For a type that needs more than these statistics hold.

        Examples
        --------
        >>> from mixtura import reference
        >>> X, labels, centres = [[0.0], [1.0], [5.0]], [0, 0, 1], [[0.0], [4.0]]
        >>> s = reference.accumulate_labels(X, labels, centres, covariance_type="diag")
        >>> s.coarsened("spherical").resp_xx
        array([1., 1.])
        """
        if covariance_type == self.covariance_type:
            return self
        if self.shape is DIAG and SHAPES[covariance_type] is SPHERICAL:
            return replace(self, covariance_type=covariance_type, resp_xx=self.resp_xx.sum(axis=1))
        if self.shape is not FULL:
            raise ValueError(
                f"statistics must be 'full' to be coarsened to {covariance_type!r}; got "
                f"{self.covariance_type!r}. Accumulate with covariance_type 'full'."
            )
        resp_xx = SHAPES[covariance_type].coarsened(self.resp_xx)
        return replace(self, covariance_type=covariance_type, resp_xx=resp_xx)

    def blurred(self, variance: Floats) -> Statistics:
        """Return the statistics of the same rows, each spread out with a variance of its own.

        Parameters
        ----------
        variance : ndarray of shape (n_features,), squared units of the features
            Added to every row, independently for each feature.

        Returns
        -------
        Statistics

        Raises
        ------
        ValueError
            For a variance that is not one for each feature.

        Examples
        --------
        >>> from mixtura import reference
        >>> X, labels, centres = [[0.0], [1.0], [5.0]], [0, 0, 1], [[0.0], [4.0]]
        >>> s = reference.accumulate_labels(X, labels, centres, covariance_type="diag")
        >>> s.resp_xx, s.blurred([0.1]).resp_xx
        (array([[1.],
               [1.]]), array([[1.2],
               [1.1]]))
        """
        if np.shape(variance) != self.centres.shape[1:]:
            raise ValueError(
                f"variance must have shape {self.centres.shape[1:]}, one for each feature; "
                f"got {np.shape(variance)}. Use numpy.full for the same variance everywhere."
            )
        resp_xx = self.shape.blurred(self.resp_xx, self.resp_sum, variance)
        return self._with(self.centres, self.resp_x, resp_xx)

    def to_bytes(self) -> bytes:
        """Return the statistics as bytes, to be sent to another process.

        Returns
        -------
        bytes
            `from_bytes` makes equal statistics of them, to the bit, on any machine.

        Raises
        ------
        TypeError
            For extras that are not float64 or int64.

        Notes
        -----
        The bytes hold no pickle, so that reading them runs no code. They are some 500 bytes more
        than the arrays take.

        Examples
        --------
        >>> from mixtura import reference
        >>> X, labels, centres = [[0.0], [1.0], [5.0]], [0, 0, 1], [[0.0], [4.0]]
        >>> s = reference.accumulate_labels(X, labels, centres, covariance_type="diag")
        >>> type(s.to_bytes())
        <class 'bytes'>
        """
        sums = {name: np.asarray(getattr(self, name)) for name in SUMS}
        extras = {f"extras.{name}": np.asarray(each) for name, each in self.extras.items()}
        return packed(KIND, {"covariance_type": self.covariance_type}, {**sums, **extras})

    @classmethod
    def from_bytes(cls, data: bytes) -> Statistics:
        """Make the statistics that `to_bytes` wrote.

        Parameters
        ----------
        data : bytes
            All that `to_bytes` returned.

        Returns
        -------
        Statistics

        Raises
        ------
        ValueError
            For other bytes: cut off, changed, with more at the end, or of another version.
        TypeError
            For what is not bytes.

        Examples
        --------
        >>> from mixtura import reference
        >>> X, labels, centres = [[0.0], [1.0], [5.0]], [0, 0, 1], [[0.0], [4.0]]
        >>> s = reference.accumulate_labels(X, labels, centres, covariance_type="diag")
        >>> type(s).from_bytes(s.to_bytes()).resp_sum
        array([2., 1.])
        """
        facts, arrays = unpacked(KIND, data)
        covariance_type = facts.get("covariance_type", "")
        centres = arrays.get("centres", np.empty(0))
        expected: dict[str, tuple[int, ...]] = {"centres": (-1, -1)}
        if covariance_type in SHAPES and centres.ndim == 2:
            k, d = centres.shape
            scatter = SHAPES[covariance_type].array_shape(k, d)
            expected = dict(zip(SUMS, [(k, d), (k,), (k, d), scatter, (), ()], strict=True))
        found = {name: array.shape for name, array in arrays.items() if name in SUMS}
        if found != expected:
            raise ValueError(
                f"data must hold the sums of one of {list(SHAPES)}; got {found} of "
                f"{covariance_type!r}. Pass what to_bytes() returned."
            )
        values: dict[str, Any] = {
            name: array if array.ndim else array.item() for name, array in arrays.items()
        }
        sums = {name: values.pop(name) for name in SUMS}
        extras = {name.removeprefix("extras."): each for name, each in values.items()}
        return cls(SHAPES[covariance_type].name, **sums, extras=extras or NOTHING)

    def _with(self, centres: Floats, resp_x: Floats, resp_xx: Floats) -> Statistics:
        """Return the same rows about other centres; faster than `dataclasses.replace`."""
        statistics = object.__new__(Statistics)
        vars(statistics).update(vars(self), centres=centres, resp_x=resp_x, resp_xx=resp_xx)
        return statistics


def total(parts: Iterable[Addend]) -> Addend:
    """Return the sum of one part or more, in pairs of equal size.

    Two neighbours are added, then two neighbours among these sums, and so on. So the sum of any
    2, 4, 8, ... parts from the start of such a group may be made elsewhere, with the same bits, and
    the error of rounding grows with the logarithm of the number of parts.

    Parameters
    ----------
    parts : iterable
        Whatever can be added; each is taken when the ones before are added.

    Returns
    -------
    object
        Of the same kind.
    """
    return joined((1, part) for part in parts)

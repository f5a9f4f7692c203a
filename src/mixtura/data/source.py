"""Where rows are, and how to get at them: what every kind of rows can be asked.

A kind of rows is a class in a file of its own, named in `mixtura.data.KINDS`. It has to

- set the attributes listed under `RowSource`,
- write `blocks`: the rows in pieces, in order, as often as they are asked for, and
- write `opened` or `scanned`, which recognise what a user passes.

Everything else has an implementation here that goes through the blocks. A kind whose rows are far
away (on disk, on other machines) may replace some of it by something faster, with the same result.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, wraps
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.data import sampling
from mixtura.data.fingerprint import array_fingerprint, digest_of
from mixtura.data.frames import Names
from mixtura.data.middle import LOOKED_AT, Middle, middle_of
from mixtura.data.missing import Accepted, Missing, lack_numbers
from mixtura.data.rounding import MOST_ROWS, rounding_variance
from mixtura.data.values import check_count
from mixtura.parameters import NOTHING
from mixtura.shapes import Floats
from mixtura.text import short

__all__ = ["Block", "RowSource", "check_promises"]

Mask = NDArray[np.bool_]
CHUNK = 1 << 15  # rows looked at together, so that no copy is large
REWEIGHTED = 5  # times, until very noisy numbers count for nothing
LEAST_LOOKED_AT = 400  # observed numbers of a feature, where it has so many
Positions = NDArray[np.integer[Any]] | Sequence[int]


class Block(NamedTuple):
    """Some consecutive rows.

    Attributes
    ----------
    X : ndarray of shape (m, n_features), float32 or float64, of any strides
    sample_weight : ndarray of shape (m,), float64 and C-contiguous, or None
    start : int
        The number of the first of them among all rows.
    extras : mapping from str to ndarray of shape (m, ...)
        What else is known of each row, by name, for E-steps that ask for it.
    """

    X: NDArray[Any]
    sample_weight: Floats | None
    start: int = 0
    extras: Mapping[str, NDArray[Any]] = NOTHING

    def part(self, rows: slice) -> Block:
        """Return some of the rows."""
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        extras = {name: array[rows] for name, array in self.extras.items()}
        return Block(self.X[rows], weight, self.start + (rows.start or 0), extras)


class RowSource(ABC):
    """Rows, checked or still to be checked by `mixtura.data.open_rows`, and their weights.

    Attributes
    ----------
    n_samples : int
    n_features : int
    dtype : dtype
        float32 if all blocks are, else float64.
    feature_names : tuple of str or None
    is_weighted : bool
        Whether blocks have weights: all of them do, or none.
    in_memory : bool
        Whether the arrays of all blocks stay in memory, so that a pass may keep them.
    index : sequence of pandas.Index or None
        Labels of the rows of each block, where these were pandas frames.
    not_finite : ndarray of shape (n_samples,), bool, or None
        Rows of weight zero that were not finite: other rows stand in their place.
    form : str
        What is known of a row: "whole" where it is all numbers of `X`. Each engine has a class for
        each form, in `FORMS`.
    missing : {"raise", "em"}
        What the user said NaN is, also where the rows have none; a model of the rows keeps it.
    """

    n_samples: int
    n_features: int
    dtype: np.dtype[Any]
    feature_names: Names | None = None
    is_weighted: bool = False
    in_memory: bool = False
    index: Sequence[Any] | None = None
    not_finite: Mask | None = None
    form: str = "whole"
    missing: Missing = "raise"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "blocks" in vars(cls):
            setattr(cls, "blocks", _as_promised(cls.blocks))  # noqa: B010

    # ---- what each kind writes ----

    @classmethod
    def opened(cls, X: Any) -> RowSource | None:  # noqa: ARG003
        """Return the rows that `X` of a fit is; None if it is not of this kind."""
        return None

    @classmethod
    def scanned(cls, source: Any, columns: Any, weight: Any) -> RowSource | None:  # noqa: ARG003
        """Return the rows that `source` of `mixtura.scan` is; None if it is not of this kind."""
        return None

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """Yield all rows in order, each time this is called."""

    def checked(self, missing: Accepted | None = None) -> RowSource:
        """Refuse negative weights and what is not finite, by its place; return the rows.

        A row of weight zero may hold anything: in what is returned it is finite. With
        ``missing="em"``, NaN stays where it is, if rows of positive weight have any; with "any",
        wherever it is. Called once for each fit. A kind that reads its rows does this in `blocks`
        instead.
        """
        form, _ = self._form_if(missing)
        return self if form == self.form else self.with_extras(form, NOTHING)

    def _form_if(self, missing: Accepted | None) -> tuple[str, Accepted | None]:
        """The form of the rows where missing numbers may be so; and whether they may be."""
        if missing == "any":
            return "incomplete" if lack_numbers(X for X, *_ in self.blocks()) else self.form, "em"
        if missing != "em":
            return self.form, missing
        if lack_numbers(part for part, _ in self.chunks()):
            return "incomplete", "em"
        return self.form, None

    def shown(self) -> Any:
        """Return what a function of the user's gets as X."""
        return self

    def __array__(self, *_: object, **__: object) -> NDArray[Any]:
        raise TypeError(
            f"{type(self).__name__} cannot be made one array; use take(positions) for some rows, "
            f"or blocks() for all, one block after the other."
        )

    # ---- all rows ----

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.n_samples} x {self.n_features} of {self.dtype}>"

    def _repr_html_(self) -> str:
        names = "" if self.feature_names is None else f" {short(self.feature_names)}"
        return f"<p>{escape(repr(self) + names)}</p>"

    def weights(self) -> Floats | None:
        """Weights of all rows, shape (n_samples,), read-only; None where each row counts once."""
        if not self.is_weighted:
            return None
        weights = [weight for _, weight, *_ in self.blocks() if weight is not None]
        return weights[0] if len(weights) == 1 else np.concatenate(weights)

    @cached_property
    def n_rows(self) -> int:
        """Number of rows of positive weight."""
        weights = self.weights()
        return self.n_samples if weights is None else int(np.count_nonzero(weights))

    @cached_property
    def weight_sum(self) -> float:
        """Weight of all rows together."""
        weights = self.weights()
        return float(self.n_samples if weights is None else weights.sum())

    def extra(self, name: str) -> NDArray[Any] | None:
        """Return what else is known of all rows under a name; None if nothing is."""
        parts = [extras[name] for *_, extras in self.blocks() if name in extras]
        return np.concatenate(parts) if parts else None

    def forget_totals(self) -> None:
        """Count the rows and add up the weights again when asked: a user may have changed them."""
        for name in ("n_rows", "weight_sum", "middle", "_far_rows"):
            vars(self).pop(name, None)

    def first_row(self) -> Floats:
        """The first row of positive weight, shape (n_features,), float64.

        Where its number is missing, the first that is observed in the feature.
        """
        first = np.full(self.n_features, np.nan)
        for part, _ in self.chunks():
            for a in np.flatnonzero(np.isnan(first)):
                column = part[: 1 if self.form == "whole" else None, a]
                first[a] = column[np.argmin(np.isnan(column))]
            if not np.isnan(first).any():
                break
        return first

    def is_constant(self, feature: int) -> bool:
        """Whether all rows of positive weight have the same value in a feature, if any."""
        low, high = np.inf, -np.inf
        for X in self._present():
            column = X[:, feature]
            low, high = np.fmin.reduce(column, initial=low), np.fmax.reduce(column, initial=high)
            if low < high:
                return False
        return True

    def _present(self) -> Iterator[NDArray[Any]]:
        """Yield the rows of positive weight in each block."""
        for X, weight, *_ in self.blocks():
            yield X if weight is None or weight.all() else X[weight > 0.0]

    def equal_rows(self, row: Floats) -> Mask:
        """Which rows are equal to this one, missing numbers too, shape (n_samples,)."""
        return np.concatenate([sampling.equal_rows(X, row) for X, *_ in self.blocks()])

    def fingerprint(self) -> dict[str, str | None]:
        """Return short texts that tell rows apart, and how they are cut into blocks, by name.

        What else is known of the rows has its own names.
        """
        lengths: list[int] = []
        known: dict[str, list[NDArray[Any]]] = {}

        def numbers() -> Iterator[NDArray[Any]]:
            for X, _, _, extras in self.blocks():
                lengths.append(len(X))
                for name, array in extras.items():
                    if name != "code":  # labels, which a fit names itself
                        known.setdefault(name, []).append(array)
                yield X
            if len(lengths) > 1:
                yield np.array(lengths)

        digest = digest_of(numbers())
        cut = f" in {len(lengths)} blocks" if len(lengths) > 1 else ""
        weights = self.weights()
        return {
            "X": f"{self.dtype} of shape {[self.n_samples, self.n_features]}{cut}, {digest}",
            "sample_weight": None if weights is None else array_fingerprint(weights),
            **{
                name: f"{parts[0].dtype} of shape {[self.n_samples, *parts[0].shape[1:]]}, "
                f"{digest_of(parts)}"
                for name, parts in known.items()
            },
        }

    # ---- some rows ----

    def take(self, positions: Positions) -> Floats:
        """Return a copy of the rows at these positions, shape (m, n_features), float64."""
        return self.gather(positions).X

    def gather(self, positions: Positions) -> Block:
        """Return copies of the rows at these positions, and of what else is known of them."""
        order = np.argsort(positions)
        ascending = np.asarray(positions, dtype=np.intp)[order]
        rows = np.empty((len(order), self.n_features))
        extras: dict[str, NDArray[Any]] = {}
        for X, _, start, known in self.blocks():
            if not extras:
                extras = {
                    name: np.empty((len(order), *array.shape[1:]), array.dtype)
                    for name, array in known.items()
                }
            first, end = np.searchsorted(ascending, [start, start + len(X)])
            if first < end:
                places, here = order[first:end], ascending[first:end] - start
                rows[places] = X[here]
                for name, array in known.items():
                    extras[name][places] = array[here]
        return Block(rows, None, 0, extras)

    def thinned(self, size: int, rng: np.random.Generator) -> tuple[Positions, Floats]:
        """Return positions of rows that stand for all, ascending, and their weights.

        They are all rows of positive weight if there are at most `size`: see `sampling.thin_rows`.
        Else the rows with the smallest or the largest value of a feature are added, if it is far
        from the middle: a sample would miss them.
        """
        weights = self.weights()
        positions, weight = sampling.thin_rows(self.n_samples, weights, size, rng)
        if len(positions) == self.n_rows:
            return positions, weight
        return self.with_rows(positions, weight, self._far_rows)

    def with_rows(
        self, positions: Positions, weight: Floats, more: Positions
    ) -> tuple[Positions, Floats]:
        """Return positions of a sample and of more rows, ascending, and their weights.

        A row that is added counts as little as it does among all rows.
        """
        added = np.setdiff1d(more, positions)
        weights = self.weights()
        own = np.ones(len(added)) if weights is None else weights[added]
        together = np.concatenate([positions, added])
        order = np.argsort(together)
        own *= weight.sum() / self.weight_sum
        return together[order], np.concatenate([weight, own])[order]

    @cached_property
    def middle(self) -> Middle:
        """The middle of the observed numbers of each feature: see `mixtura.data.middle`.

        Of many rows, a sample is looked at, the same each time. A number with noise of its own
        counts as the share of its variance that is not noise.
        """
        rng = np.random.default_rng(0)
        weights = self.weights()
        positions, weight = sampling.thin_rows(self.n_samples, weights, LOOKED_AT, rng)
        rows, _, _, extras = self.gather(positions)
        if self.form == "noisy" and "projection" not in extras:
            return _middle_of_noisy(rows, weight, extras["noise"])
        rare: list[int] = []
        if len(positions) < self.n_rows and self.form == "incomplete":
            observed = np.count_nonzero(~np.isnan(rows), axis=0)
            rare = np.flatnonzero(observed < LEAST_LOOKED_AT).tolist()
        rows[:, rare] = 0.0
        middle = middle_of(rows, weight)
        for a in rare:  # a sample of the rows in which it is observed
            own = np.zeros(self.n_samples)
            for part, places in self.chunks():
                seen = places[~np.isnan(part[:, a])]
                own[seen] = 1.0 if weights is None else weights[seen]
            positions, weight = sampling.thin_rows(self.n_samples, own, LOOKED_AT, rng)
            for field, (value,) in zip(
                middle, middle_of(self.take(positions)[:, [a]], weight), strict=True
            ):
                field[a] = value
        return middle

    @cached_property
    def _far_rows(self) -> NDArray[np.intp]:
        """Rows with the smallest or the largest number of a feature, if that is far away."""
        low, high = self.middle.low.copy(), self.middle.high.copy()
        rows = np.full((2, self.n_features), -1)
        for part, positions in self.chunks():
            lowest, highest = part.argmin(axis=0), part.argmax(axis=0)
            if self.form == "incomplete":
                holes = np.isnan(part)
                lowest = np.where(holes, np.inf, part).argmin(axis=0)
                highest = np.where(holes, -np.inf, part).argmax(axis=0)
            for side, bound, place in ((0, low, lowest), (1, high, highest)):
                number = part[place, np.arange(self.n_features)]
                beyond = number > bound if side else number < bound
                bound[beyond] = number[beyond]
                rows[side, beyond] = positions[place[beyond]]
        found: NDArray[np.intp] = np.unique(rows[rows >= 0])
        return found

    def chunks(self) -> Iterator[tuple[NDArray[Any], NDArray[np.intp]]]:
        """Yield rows of positive weight, some thousands at a time, and their positions."""
        for X, weight, start, _ in self.blocks():
            for begin in range(0, len(X), CHUNK):
                part = X[begin : begin + CHUNK]
                places = begin + np.arange(len(part))
                if weight is not None:
                    there = weight[places] > 0.0
                    part, places = part[there], places[there]
                if len(part):
                    yield part, start + places

    def rounding(self, scale: Floats) -> Floats:
        """Variance that rounding leaves in each feature: see `rounding.rounding_variance`.

        Of many rows, evenly spaced ones are looked at.
        """
        weights = self.weights()
        present = range(self.n_samples) if weights is None else np.flatnonzero(weights)
        some = self.take(present[:: 1 + len(present) // MOST_ROWS])
        return rounding_variance(some, scale, self.middle)

    # ---- the same rows in another way ----

    def subset(self, mask: Mask) -> RowSource:
        """Return the rows that a mask of shape (n_samples,) keeps, in order, with their weights."""
        return _Changed(self, mask=mask)

    def reweighted(self, weight: Floats) -> RowSource:
        """Return the rows with other weights, checked, shape (n_samples,)."""
        return _Changed(self, weight=weight)

    def plain(self) -> RowSource:
        """Return the numbers of `X` as whole rows, without what else is known of them."""
        return _Changed(self, form="whole", extras=None)

    def with_extras(self, form: str, extras: Mapping[str, NDArray[Any]]) -> RowSource:
        """Return the rows in another form, with more that is known of them, an entry a row."""
        rows = self._extended(form, extras)
        rows.index, rows.not_finite, rows.missing = self.index, self.not_finite, self.missing
        return rows

    def _extended(self, form: str, extras: Mapping[str, NDArray[Any]]) -> RowSource:
        return _Changed(self, form=form, extras=extras)


def check_promises(source: RowSource) -> None:
    """Refuse a kind of rows that does not say how many it has, or of which type."""
    kind = type(source).__name__
    for name in ("n_samples", "n_features"):
        check_count(f"{name} of {kind}", getattr(source, name, None), minimum=0)
    dtype = getattr(source, "dtype", None)
    if dtype not in (np.float32, np.float64):
        raise TypeError(
            f"dtype of {kind} must be float32 or float64; got {dtype}. Convert its blocks."
        )


def _middle_of_noisy(rows: Floats, weight: Floats, noise: NDArray[Any]) -> Middle:
    """Return the middle of rows with noise of their own."""
    noise = np.einsum("iaa->ia", noise) if noise.ndim == 3 else noise.reshape(len(rows), -1)
    middle = middle_of(rows, weight)
    for _ in range(REWEIGHTED if noise.any() else 0):
        variance = np.where(noise > 0.0, np.square(middle.scale), 1.0)
        middle = middle_of(rows, weight[:, None] * (variance / (variance + noise)))
    return middle


def _as_promised(blocks: Callable[[Any], Iterator[Block]]) -> Callable[[Any], Iterator[Block]]:
    """Blocks as before, but an error where they are not the rows that their source promises."""

    @wraps(blocks)
    def checked(self: RowSource) -> Iterator[Block]:
        expected = (
            f"blocks() of {type(self).__name__} must yield {self.n_samples} rows of "
            f"{self.n_features} columns, in order"
        )
        remedy = "Mend blocks(), or n_samples, n_features and is_weighted."
        end = 0
        for X, weight, start, extras in blocks(self):
            n_weights = len(X) if weight is None else len(weight)
            if start != end or X.ndim != 2 or X.shape[1] != self.n_features or n_weights != len(X):
                raise ValueError(
                    f"{expected}; got a block of shape {X.shape} with {n_weights} weights at row "
                    f"{start}, after {end} rows. {remedy}"
                )
            if (weight is None) == self.is_weighted:
                raise ValueError(
                    f"{expected}, {'all' if self.is_weighted else 'none'} with weights; got a "
                    f"block {'without' if self.is_weighted else 'with'} them. {remedy}"
                )
            for name, array in extras.items():
                if len(array) != len(X):
                    raise ValueError(
                        f"{expected}, with one entry of {name!r} for each; got {len(array)} for "
                        f"{len(X)} rows at row {start}. {remedy}"
                    )
            end += len(X)
            if end > self.n_samples:
                break
            yield Block(X, weight, start, extras)
        if end != self.n_samples:
            raise ValueError(f"{expected}; got {end} rows. {remedy}")

    return checked


class _Changed(RowSource):
    """Rows of a source, some left out, reweighted or with more known of them.

    They are made again each time they are read.
    """

    def __init__(
        self,
        source: RowSource,
        *,
        mask: Mask | None = None,
        weight: Floats | None = None,
        form: str | None = None,
        extras: Mapping[str, NDArray[Any]] | None = NOTHING,
    ) -> None:
        self._source, self._mask, self._weight = source, mask, weight
        self.form = source.form if form is None else form
        self._extras = extras
        self.n_samples = source.n_samples if mask is None else int(np.count_nonzero(mask))
        self.n_features, self.dtype = source.n_features, source.dtype
        self.feature_names = source.feature_names
        self.is_weighted = source.is_weighted or weight is not None

    def checked(self, missing: Accepted | None = None) -> RowSource:
        source = self._source.checked(missing)
        changed = _Changed(
            source, mask=self._mask, weight=self._weight, form=self.form, extras=self._extras
        )
        return RowSource.checked(changed, missing)

    def blocks(self) -> Iterator[Block]:
        start = 0
        for X, weight, first, known in self._source.blocks():
            rows = slice(first, first + len(X))
            extras: dict[str, NDArray[Any]] = {}
            if self._extras is not None:
                extras = {**known, **{name: each[rows] for name, each in self._extras.items()}}
            if self._weight is not None:
                weight = self._weight[rows]
            if self._mask is not None:
                kept = self._mask[rows]
                X, weight = X[kept], None if weight is None else weight[kept]
                extras = {name: array[kept] for name, array in extras.items()}
            yield Block(X, weight, start, extras)
            start += len(X)

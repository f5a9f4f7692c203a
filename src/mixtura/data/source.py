"""Where rows are, and how to get at them: what every kind of rows can be asked.

A kind of rows is a class in a file of its own, named in `mixtura.data.KINDS`. It has to

- set the attributes listed under `RowSource`,
- write `blocks`: the rows in pieces, in order, as often as they are asked for, and
- write `opened` or `scanned`, which recognise what a user passes.

Everything else is made of looks: functions of one block that return something small and can be
pickled (`mixtura.data.looks`). `map` applies a look to each block, where the rows are, and `total`
adds up what it returns. A kind whose rows are far away (on other machines) replaces these two.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial, wraps
from html import escape
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mixtura.cached import cached_property
from mixtura.data import looks, sampling
from mixtura.data.block import CHUNK, Block
from mixtura.data.fingerprint import digest_of
from mixtura.data.frames import Names
from mixtura.data.index import check_index
from mixtura.data.looks import Counted, Extremes
from mixtura.data.maps import share_memory
from mixtura.data.middle import LOOKED_AT, Middle, middle_of
from mixtura.data.missing import Accepted, Missing, lack_numbers
from mixtura.data.question import Question
from mixtura.data.rounding import MOST_ROWS, rounding_variance
from mixtura.data.row_checks import check_sample_weight
from mixtura.data.values import check_count
from mixtura.parameters import NOTHING
from mixtura.shapes import Floats
from mixtura.statistics import total
from mixtura.text import short

__all__ = ["CHUNK", "Block", "RowSource", "check_promises"]

Result = TypeVar("Result")
Mask = NDArray[np.bool_]
REWEIGHTED = 5  # times, until very noisy numbers count for nothing
ANY_GENERATOR = np.random.default_rng(0)  # for what draws nothing
LEAST_LOOKED_AT = 400  # observed numbers of a feature, where it has so many
Positions = NDArray[np.integer[Any]] | Sequence[int]


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
    is_far : bool
        Whether `map` works elsewhere, so that a look cannot write into arrays that are here.
    is_counted : bool
        Whether `n_samples` is known without reading the rows.
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
    is_far: bool = False
    is_counted: bool = True
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
    def scanned(
        cls,
        source: Any,  # noqa: ARG003
        columns: Any,  # noqa: ARG003
        weight: Any,  # noqa: ARG003
        block_size: int | None,  # noqa: ARG003
    ) -> RowSource | None:
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

    @property
    def paths(self) -> Sequence[str]:
        """Names of the files that hold the rows, which no answers may replace."""
        return ()

    def lies_in(self, array: NDArray[Any]) -> bool:
        """Whether some rows, or their weights, lie in the memory of an array."""
        return self.in_memory and any(
            share_memory(part, array)
            for block in self.blocks()
            for part in (block.X, block.sample_weight)
            if part is not None
        )

    def refuse_changes(self) -> None:  # noqa: B027 - nothing changes rows in memory unseen
        """Look at the rows again where they may have changed since they were looked at.

        This takes a reading. It is for what cannot be explained by the rows as they were.

        Raises
        ------
        RowsChangedError, ValueError
            For other rows than before, and for those that can no longer be used, by their place.
        """

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

    def map(self, look: Callable[[Block], Result]) -> Iterator[Result]:
        """Apply a function to each block, where the rows are; yield what it returns, in order."""
        return map(look, self.blocks())

    def total(self, look: Callable[[Block], Result]) -> Result:
        """Return the sum of what a function returns for each block, see `statistics.total`."""
        return total(self.map(look))

    def answers(self, question: Question) -> Any:
        """Return the answers for all rows, shape (n_samples, *columns).

        A kind of rows far away may return something that computes them later.
        """
        return self.stacked(question, self.map(question.look))

    def stacked(self, question: Question, parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
        """Return the answers for all rows, put together of those for each block."""
        if not self.is_counted:  # then they are not read twice, which takes twice the memory
            return np.concatenate([np.empty((0, *question.columns), question.dtype), *parts])
        values: NDArray[Any] = np.empty((self.n_samples, *question.columns), question.dtype)
        start = 0
        for part in parts:
            end = start + len(part)
            if end <= self.n_samples:
                values[start:end] = part
            start = end
        if start != self.n_samples:
            raise ValueError(
                f"map() of {type(self).__name__} must yield an answer for each of "
                f"{self.n_samples} rows, in order; got {start}. Mend map()."
            )
        return values

    def weights(self) -> Floats | None:
        """Weights of all rows, shape (n_samples,), read-only; None where each row counts once.

        They take 8 bytes a row: see `counted` for what they come to.
        """
        if not self.is_weighted:
            return None
        weights = [weight for _, weight, *_ in self.blocks() if weight is not None]
        return weights[0] if len(weights) == 1 else np.concatenate(weights)

    @cached_property
    def counted(self) -> list[Counted]:
        """What is counted in each block."""
        return list(self.map(looks.counted))

    @cached_property
    def n_rows(self) -> int:
        """Number of rows of positive weight."""
        return looks.total_of(self.counted).n_rows if self.is_weighted else self.n_samples

    @cached_property
    def weight_sum(self) -> float:
        """Weight of all rows together."""
        if not self.is_weighted:
            return float(self.n_samples)
        return looks.total_of(self.counted).weight_sum

    @property
    def range_of_weights(self) -> tuple[float, float]:
        """The least and the largest positive weight of a row."""
        return looks.total_of(self.counted)[3:5] if self.is_weighted else (1.0, 1.0)

    @cached_property
    def n_missing(self) -> int:
        """Missing numbers in rows of positive weight."""
        return sum(self.map(looks.count_missing)) if self.form == "incomplete" else 0

    def extra(self, name: str) -> NDArray[Any] | None:
        """Return what else is known of all rows under a name; None if nothing is."""
        parts = [extras[name] for *_, extras in self.blocks() if name in extras]
        return np.concatenate(parts) if parts else None

    def forget_totals(self) -> None:
        """Look at the rows again when asked: a user may have changed them."""
        for name in ("counted", "n_rows", "weight_sum", "n_missing", "middle", "extremes"):
            vars(self).pop(name, None)

    def first_row(self) -> Floats:
        """The first row of positive weight, shape (n_features,), float64.

        Where its number is missing, the first that is observed in the feature.
        """
        first = np.full(self.n_features, np.nan)
        for numbers in self.map(looks.first_numbers):
            first = np.where(np.isnan(first), numbers, first)
            if not np.isnan(first).any():
                break
        return first

    @cached_property
    def extremes(self) -> Extremes:
        """The smallest and the largest number of each feature, and their rows."""
        return looks.combined_extremes(self.map(looks.extremes), self.n_features)

    def is_constant(self, feature: int) -> bool:
        """Whether all rows of positive weight have the same value in a feature, if any."""
        low, high = self.extremes.number[:, feature]
        return bool(low >= high)

    def equal_rows(self, row: Floats) -> Mask:
        """Which rows are equal to this one, missing numbers too, shape (n_samples,)."""
        return np.concatenate([sampling.equal_rows(X, row) for X, *_ in self.blocks()])

    def fingerprint(self) -> dict[str, str | None]:
        """Return short texts that tell rows apart, and how they are cut into blocks, by name.

        What else is known of the rows has its own names.
        """
        blocks = list(self.map(looks.digests))
        cut = f" in {len(blocks)} blocks" if len(blocks) > 1 else ""
        texts = {
            "X": f"{self.dtype} of shape {[self.n_samples, self.n_features]}{cut}, "
            f"{_together(each.numbers for each in blocks)}",
            "sample_weight": _together(each.weight or "" for each in blocks)
            if self.is_weighted
            else None,
        }
        return texts | {
            name: _together(each.extras[name] for each in blocks) for name in blocks[0].extras
        }

    # ---- some rows ----

    def take(self, positions: Positions) -> Floats:
        """Return a copy of the rows at these positions, shape (m, n_features), float64."""
        return self.gather(positions).X

    def gather(self, positions: Positions) -> Block:
        """Return copies of the rows at these positions, and of what else is known of them."""
        order = np.argsort(positions, kind="stable")
        ascending = np.asarray(positions, dtype=np.intp)[order]
        rows = np.empty((len(order), self.n_features))
        extras: dict[str, NDArray[Any]] = {}
        for X, _, start, known in self._gathered(sampling.Gathered(ascending)):
            places = order[start : start + len(X)]
            rows[places] = X
            for name, array in known.items():
                if name not in extras:
                    extras[name] = np.empty((len(order), *array.shape[1:]), array.dtype)
                extras[name][places] = array
        return Block(rows, None, 0, extras)

    def _gathered(self, look: sampling.Gathered) -> Iterator[Block]:
        return self.map(look)

    def drawn(
        self, size: int, rng: np.random.Generator, feature: int | None = None
    ) -> tuple[Positions, Floats]:
        """Return positions of rows that stand for all, ascending, and their weights.

        Parameters
        ----------
        size : int
            Most rows. All rows of positive weight are taken if there are no more.
        rng : Generator
            One draw from each of `size` equal shares of the total weight.
        feature : int, optional
            Only rows in which it is observed stand for all.
        """
        if feature is None and not self.is_weighted:
            n = self.n_samples
            if n <= size:
                return np.arange(n), np.ones(n)
            drawn = (sampling.stratified(size, rng) * n).astype(np.intp)
            rows, counts = np.unique(np.minimum(drawn, n - 1), return_counts=True)
            return rows, counts.astype(np.float64)
        of = partial(looks.Observed, feature) if feature is not None else _itself
        blocks = self.counted if feature is None else list(self.map(of(looks.counted)))
        if sum(block.n_rows for block in blocks) <= size:
            every, their_weights = zip(*self.map(of(looks.present)), strict=True)
            return np.concatenate(every), np.concatenate(their_weights)
        starts = np.cumsum([0, *(block.n_samples for block in blocks)])[:-1]
        weights = np.array([block.weight_sum for block in blocks])
        some = weights > 0.0
        draw = sampling.Drawn(sampling.stratified(size, rng), starts[some], weights[some])
        rows, counts = np.unique(np.concatenate(list(self.map(of(draw)))), return_counts=True)
        return rows, counts.astype(np.float64)

    def thinned(
        self, size: int, rng: np.random.Generator, also: Positions = ()
    ) -> tuple[Positions, Floats]:
        """Return positions of rows that stand for all, ascending, and their weights.

        They are all rows of positive weight if there are at most `size`: see `drawn`. Else some
        rows that a sample would miss are added by `with_rows`: those asked for by `also`, and those
        with the smallest or the largest value of a feature, if it is far from the middle.
        """
        positions, weight = self.drawn(size, rng)
        if len(positions) == self.n_rows:
            return positions, weight
        more = np.union1d(np.asarray(also, dtype=np.intp), self._far_rows)
        return self.with_rows(positions, weight, more)

    def with_rows(
        self, positions: Positions, weight: Floats, more: Positions
    ) -> tuple[Positions, Floats]:
        """Return positions of a sample and of more rows, ascending, and their weights.

        Each of the rows `more` stands for itself alone, as little as it counts among all rows. The
        other rows of the sample stand for all others, as those of a stratified sample. So the
        weight of all remains what it was, and means over the sample are not biased.

        Parameters
        ----------
        positions : array_like of int
            Of the sample, no row twice.
        weight : ndarray
            Of each row of the sample.
        more : array_like of int
            Positions of rows; some may be in the sample.
        """
        if not len(more):
            return positions, weight
        added: NDArray[np.intp] = np.unique(np.asarray(more, dtype=np.intp))
        own = np.ones(len(added))
        if self.is_weighted:
            own = np.concatenate(list(self.map(sampling.Weights(added))))
        unit = weight.sum() / self.weight_sum
        others = ~np.isin(positions, added)
        left = weight[others]
        if len(left):
            left = left * (max(0.0, unit * (self.weight_sum - own.sum())) / left.sum())
        together = np.concatenate([np.asarray(positions)[others], added])
        order = np.argsort(together)
        return together[order], np.concatenate([left, unit * own])[order]

    @cached_property
    def middle(self) -> Middle:
        """The middle of the observed numbers of each feature: see `mixtura.data.middle`.

        Of many rows, a sample is looked at, the same each time. A number with noise of its own
        counts as the share of its variance that is not noise.
        """
        # Nothing is drawn where all rows are taken, and a new generator takes as long as those do.
        rng = np.random.default_rng(0) if self.n_rows > LOOKED_AT else ANY_GENERATOR
        positions, weight = self.drawn(LOOKED_AT, rng)
        rows, _, _, extras = self.gather(positions)
        if self.form == "noisy" and "projection" not in extras:
            return _middle_of_noisy(rows, weight, extras["noise"])
        rare: list[int] = []
        if len(positions) < self.n_rows and self.form == "incomplete":
            observed = np.count_nonzero(~np.isnan(rows), axis=0)
            rare = np.flatnonzero(observed < LEAST_LOOKED_AT).tolist()
        rows[:, rare] = 0.0
        middle = middle_of(rows, weight)
        for a in rare:
            positions, weight = self.drawn(LOOKED_AT, rng, feature=a)
            for field, (value,) in zip(
                middle, middle_of(self.take(positions)[:, [a]], weight), strict=True
            ):
                field[a] = value
        return middle

    @property
    def _far_rows(self) -> NDArray[np.intp]:
        """Rows with the smallest or the largest number of a feature, if that is far away."""
        (lowest, highest), rows = self.extremes
        far = np.stack([lowest < self.middle.low, highest > self.middle.high])
        found: NDArray[np.intp] = np.unique(rows[far])
        return found

    def chunks(self) -> Iterator[tuple[NDArray[Any], NDArray[np.intp]]]:
        """Yield rows of positive weight, some thousands at a time, and their positions."""
        for block in self.blocks():
            for part, positions, _ in block.chunks():
                yield part, positions

    def rounding(self, scale: Floats) -> Floats:
        """Variance that rounding leaves in each feature: see `rounding.rounding_variance`.

        Of many rows, evenly spaced ones are looked at.
        """
        return rounding_variance(self._evenly_spaced(), scale, self.middle)

    def _evenly_spaced(self) -> Floats:
        """Rows of positive weight at equal distances, as float64: all, if there are few."""
        if self.n_rows == self.n_samples:
            return self.take(range(0, self.n_samples, 1 + self.n_rows // MOST_ROWS))
        return np.concatenate(list(self.map(self._every_so)))

    @property
    def _every_so(self) -> sampling.EverySo:
        before = np.cumsum([0, *(block.n_rows for block in self.counted)])
        starts = np.cumsum([0, *(block.n_samples for block in self.counted)])
        return sampling.EverySo(1 + self.n_rows // MOST_ROWS, starts[:-1], before[:-1])

    # ---- the same rows in another way ----

    def with_weights(self, sample_weight: Any) -> RowSource:
        """Return the rows with the weights that a user passes for all of them, checked."""
        self.refuse_array("sample_weight", "Use the weight of scan, a column.")
        check_index(sample_weight, self.index, "sample_weight")
        return self.reweighted(check_sample_weight(sample_weight, self.n_samples))

    def refuse_array(self, name: str, remedy: str) -> None:
        """Refuse an argument with an entry a row, for rows far away: each look would carry it.

        Parameters
        ----------
        name : str
            Of the argument.
        remedy : str
            What to do.
        """
        if self.is_far:
            raise ValueError(
                f"{name} must not be an array with an entry a row for rows that other processes "
                f"work on; got one. {remedy}"
            )

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


def check_promises(source: RowSource, *, counted: bool = True) -> None:
    """Refuse a kind of rows that does not say of which type it has how many, if that is asked."""
    kind = type(source).__name__
    for name in ("n_samples", "n_features")[not counted :]:
        check_count(f"{name} of {kind}", getattr(source, name, None), minimum=0)
    dtype = getattr(source, "dtype", None)
    if dtype not in (np.float32, np.float64):
        raise TypeError(
            f"dtype of {kind} must be float32 or float64; got {dtype}. Convert its blocks."
        )


def _itself(look: Result) -> Result:
    return look


def _together(texts: Iterable[str]) -> str:
    """One text, or a digest of several."""
    parts = list(texts)
    return parts[0] if len(parts) == 1 else digest_of([np.array(parts)])


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
        promised = self.n_samples if self.is_counted else None
        expected = (
            f"blocks() of {type(self).__name__} must yield {promised or 'all'} rows of "
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
            if promised is not None and end > promised:
                break
            yield Block(X, weight, start, extras)
            del X, weight, extras  # see `held` of the stores
        if promised is not None and end != promised:
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

    @property
    def paths(self) -> Sequence[str]:
        return self._source.paths

    def refuse_changes(self) -> None:
        self._source.refuse_changes()

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

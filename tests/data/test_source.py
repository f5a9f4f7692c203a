"""What every kind of rows can be asked: blocks of rows answer as their concatenation does."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixtura import data, fit_gmm
from mixtura.data import ArrayRows, Block, BlockedRows, RowSource, open_rows, scan
from mixtura.data.far.executed import ExecutedBlocks, ExecutedRows
from mixtura.data.question import Question
from mixtura.shapes import Floats

NAMES = ("a", "b", "c")


class Pieces(RowSource):
    """A kind of rows that writes no more than it has to, and makes its arrays each time anew."""

    def __init__(self, parts: list[Floats], weights: list[Floats] | None) -> None:
        self._parts, self._weights = parts, weights
        self.n_samples, self.n_features = sum(map(len, parts)), parts[0].shape[1]
        self.dtype, self.feature_names = np.result_type(*parts), NAMES
        self.is_weighted = weights is not None

    def blocks(self) -> Iterator[Block]:
        start = 0
        for b, X in enumerate(self._parts):
            weight = None if self._weights is None else self._weights[b].copy()
            yield Block(X.copy(), weight, start)
            start += len(X)


@dataclass
class Case:
    """The same rows whole and in pieces."""

    X: NDArray[np.floating]
    weight: Floats | None
    cuts: list[int]

    @property
    def parts(self) -> list[NDArray[np.floating]]:
        return np.split(self.X, self.cuts)

    @property
    def weights(self) -> list[Floats] | None:
        return None if self.weight is None else np.split(self.weight, self.cuts)

    @property
    def array(self) -> ArrayRows:
        return ArrayRows(self.X, self.weight, NAMES)

    def blocked(self) -> RowSource:
        rows = open_rows(scan(self.parts, weight=self.weights))
        rows.feature_names = NAMES
        return rows

    def blocked_under_sample_weight(self) -> RowSource:
        rows = open_rows(scan(self.parts), self.weight)
        rows.feature_names = NAMES
        return rows

    def pieces(self) -> RowSource:
        return Pieces(self.parts, self.weights)

    def pieces_changed(self) -> RowSource:
        """Rows of which some were left out, and which had other weights before."""
        more = np.insert(self.X, [0, len(self.X)], 9.0, axis=0)
        others = Pieces(np.split(more, self.cuts), np.split(np.full(len(more), 5.0), self.cuts))
        kept = np.ones(len(more), dtype=bool)
        kept[[0, -1]] = False
        if self.weight is None:
            return Pieces(np.split(more, self.cuts), None).subset(kept)
        return others.subset(kept).reweighted(self.weight)


KINDS: dict[str, Callable[[Case], RowSource]] = {
    "blocked": Case.blocked,
    "blocked under sample_weight": Case.blocked_under_sample_weight,
    "pieces": Case.pieces,
    "pieces changed": Case.pieces_changed,
}
every_kind = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Rows on a coarse grid, so that some are equal, cut anywhere: blocks may be empty."""
    n = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.integers(-3, 4, size=(n, 3)) * [0.1, 1.0, 10.0]
    X[:, draw(st.integers(0, 2))] = 2.5  # one feature is constant, all but perhaps one row of it
    X[rng.integers(n), draw(st.integers(0, 2))] = 7.0
    if draw(st.booleans()):
        X = X.astype(np.float32)
    weight = None
    if draw(st.booleans()):
        weight = np.round(rng.exponential(size=n), 1) * rng.integers(0, 2, size=n)
        weight[rng.integers(n)] = 1.5
    return Case(X, weight, sorted(draw(st.lists(st.integers(0, n), max_size=5))))


@every_kind
@given(case=cases(), seed=st.integers(0, 1000), size=st.integers(1, 50))
def test_blocks_answer_as_their_concatenation(
    make: Callable[[Case], RowSource], case: Case, seed: int, size: int
) -> None:
    one, other = case.array, make(case)
    for name in ("n_samples", "n_features", "dtype", "feature_names", "is_weighted", "n_rows",
                 "range_of_weights"):  # fmt: skip
        assert getattr(one, name) == getattr(other, name), name
    assert one.weight_sum == pytest.approx(other.weight_sum, rel=1e-14)
    assert_same_rows(one, other)
    np.testing.assert_array_equal(one.weights(), other.weights())
    np.testing.assert_array_equal(one.first_row(), other.first_row())
    for a in range(3):
        assert one.is_constant(a) == other.is_constant(a)
    scale = case.X.std(axis=0, dtype=np.float64) + 0.1
    np.testing.assert_array_equal(one.rounding(scale), other.rounding(scale))
    positions = np.random.default_rng(seed).integers(one.n_samples, size=size)
    rows = other.take(positions)
    np.testing.assert_array_equal(rows, case.X[positions])
    np.testing.assert_array_equal(rows, one.take(positions.tolist()))
    assert rows.dtype == np.float64
    np.testing.assert_array_equal(one.equal_rows(rows[0]), other.equal_rows(rows[0]))
    samples = (
        ArrayRows.sample_of(each, size, np.random.default_rng(seed)) for each in (one, other)
    )
    assert_same_rows(*samples, rtol=1e-13)  # weights are scaled to their sum
    mask = np.random.default_rng(seed).random(one.n_samples) < 0.5
    assert_same_rows(one.subset(mask), other.subset(mask))
    weight = np.arange(1.0, one.n_samples + 1.0)
    assert_same_rows(one.reweighted(weight), other.reweighted(weight))
    prints = one.fingerprint(), other.fingerprint()
    assert prints[0] == prints[1] or len(case.parts) > 1


def assert_same_rows(one: RowSource, other: RowSource, rtol: float = 0.0) -> None:
    """Expect the same rows and weights in the same order, numbered throughout."""
    assert [one.n_samples, one.n_features] == [other.n_samples, other.n_features]
    joined = []
    for rows in (one, other):
        blocks = list(rows.blocks())
        starts = np.cumsum([0, *(len(block.X) for block in blocks)])
        assert [block.start for block in blocks] == starts[:-1].tolist()
        assert starts[-1] == rows.n_samples
        assert {block.X.dtype for block in blocks} == {rows.dtype}
        weights = [block.sample_weight for block in blocks]
        if not rows.is_weighted:
            assert weights == [None] * len(blocks)
        else:
            assert [len(w) for w in weights] == [len(block.X) for block in blocks]
            assert all(w.dtype == np.float64 and w.flags.c_contiguous for w in weights)
        joined.append((np.concatenate([block.X for block in blocks]), rows.weights()))
    np.testing.assert_array_equal(joined[0][0], joined[1][0])
    assert (joined[0][1] is None) == (joined[1][1] is None)
    if joined[0][1] is not None:
        np.testing.assert_allclose(joined[0][1], joined[1][1], rtol=rtol, atol=0.0)


@every_kind
def test_answers_are_those_of_plain_formulas(make: Callable[[Case], RowSource]) -> None:
    """So that an error that array and blocks share is seen."""
    X = np.array([[9.0, 1.0, 3.0], [0.0, 1.0, 3.0], [2.0, 1.0, 3.0], [0.0, 1.0, 3.0], [8, 7, 7]])
    weight = np.array([0.0, 2.0, 0.5, 1.0, 0.0])
    rows = make(Case(X, weight, [2, 2, 3]))
    assert (rows.n_samples, rows.n_features, rows.n_rows, rows.weight_sum) == (5, 3, 3, 3.5)
    assert rows.first_row().tolist() == [0.0, 1.0, 3.0]
    assert [rows.is_constant(a) for a in range(3)] == [False, True, True]
    assert rows.equal_rows(np.array([0.0, 1.0, 3.0])).tolist() == [False, True, False, True, False]
    np.testing.assert_allclose(rows.rounding(np.ones(3)), [4 / 12, 0.0, 0.0])
    np.testing.assert_array_equal(rows.take([3, 0, 0]), X[[3, 0, 0]])
    drawn = ArrayRows.sample_of(rows, 10, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn.X, X[1:4])
    np.testing.assert_array_equal(drawn.sample_weight, weight[1:4])
    subset = rows.subset(np.array([True, True, False, False, True]))
    assert (subset.n_samples, subset.n_rows, subset.weight_sum) == (3, 1, 2.0)
    assert rows.reweighted(np.full(5, 2.0)).weight_sum == 10.0


def test_unweighted_rows_count_once_each() -> None:
    rows = Pieces([np.zeros((3, 2)), np.ones((4, 2))], None)
    assert (rows.weights(), rows.n_rows, rows.weight_sum) == (None, 7, 7.0)
    drawn = ArrayRows.sample_of(rows, 10, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn.sample_weight, np.ones(7))


def test_rounding_of_many_rows_looks_at_evenly_spaced_ones() -> None:
    """Of 12,001 rows every fourth, so that the halves in between are not seen."""
    X = np.arange(12_001.0)[:, None]
    X[1::4] += 0.5
    for rows in (ArrayRows(X), BlockedRows([(X[:5000], None), (X[5000:], None)])):
        np.testing.assert_array_equal(rows.rounding(np.ones(1)), [1.0])  # no more than the scale
        np.testing.assert_allclose(rows.rounding(np.full(1, 10.0)), [16 / 12])


def test_equal_rows_of_float32_are_compared_with_their_own_values() -> None:
    X = np.array([[0.1], [0.3], [0.1]], dtype=np.float32)
    rows = ArrayRows(X)
    assert rows.equal_rows(rows.take([0])[0]).tolist() == [True, False, True]


def test_fingerprint_tells_numbers_types_shapes_weights_and_cuts_apart() -> None:
    X, weight = np.arange(12.0).reshape(6, 2), np.arange(6.0)

    def blocks(*cuts: int) -> RowSource:
        return BlockedRows((part, None) for part in np.split(X, cuts))

    kinds = [
        ArrayRows(X), ArrayRows(X + 1e-15), ArrayRows(X.astype(np.float32)),
        ArrayRows(X.reshape(4, 3)), ArrayRows(X, weight), ArrayRows(X, 2 * weight), blocks(2),
        blocks(3), blocks(3, 3), blocks(2, 4),
    ]  # fmt: skip
    prints = [tuple(rows.fingerprint().values()) for rows in kinds]
    assert len(set(prints)) == len(kinds)
    assert prints[0][1] is None
    assert prints[0][0].startswith("float64 of shape [6, 2], ")
    assert prints[4][1].startswith("float64 of shape [6], ")
    assert prints[8][0].startswith("float64 of shape [6, 2] in 3 blocks, ")
    same = [ArrayRows(np.asfortranarray(X)), ArrayRows(X.copy()), blocks()]
    assert {tuple(rows.fingerprint().values()) for rows in same} == {prints[0]}
    assert blocks(2).fingerprint() == blocks(2).fingerprint()


def test_fingerprint_of_a_large_array_is_that_of_its_bytes_in_any_order() -> None:
    X = np.random.default_rng(0).normal(size=(70_000, 3))
    one = ArrayRows(X).fingerprint()
    assert one == ArrayRows(np.asfortranarray(X)).fingerprint()
    X[-1, -1] += 1.0
    assert one != ArrayRows(X).fingerprint()


def test_rows_are_shown_to_functions_of_the_user() -> None:
    X = np.zeros((3, 2))
    seen = ArrayRows(X).shown()
    assert np.shares_memory(seen, X)
    with pytest.raises(ValueError, match="read-only"):
        seen[0, 0] = 1.0
    assert X.flags.writeable
    blocked = scan([X, X])
    assert blocked.shown() is blocked


def test_repr_tells_kind_size_and_type() -> None:
    X = np.zeros((3, 2), dtype=np.float32)
    assert repr(scan([X, X])) == "<BlockedRows: 6 x 2 of float32>"
    assert repr(ArrayRows(X)) == "<ArrayRows: 3 x 2 of float32>"


def test_values_of_changed_rows_are_checked_where_they_come_from() -> None:
    class Checked(Pieces):
        def checked(self, missing: object = None) -> RowSource:  # noqa: ARG002
            raise ValueError("the rows themselves")

    rows = Checked([np.zeros((3, 2))], None)
    for changed in (rows.subset(np.ones(3, dtype=bool)), rows.reweighted(np.ones(3))):
        with pytest.raises(ValueError, match="the rows themselves"):
            open_rows(changed)
    open_rows(Pieces([np.zeros((3, 2))], None))


def test_rows_as_one_array_are_refused_with_the_ways_to_read_them() -> None:
    with pytest.raises(TypeError, match=r"use take\(positions\) for some rows, or blocks\(\)"):
        np.asarray(Pieces([np.zeros((3, 2))], None))


PROMISE = "blocks() of Broken must yield 5 rows of 2 columns, in order"
MEND = "Mend blocks(), or n_samples, n_features and is_weighted."
BROKEN = {
    "fewer rows": ([Block(np.zeros((3, 2)), None, 0)], f"{PROMISE}; got 3 rows. {MEND}"),
    "more rows": ([Block(np.zeros((6, 2)), None, 0)], f"{PROMISE}; got 6 rows. {MEND}"),
    "other columns": (
        [Block(np.zeros((5, 3)), None, 0)],
        f"{PROMISE}; got a block of shape (5, 3) with 5 weights at row 0, after 0 rows. {MEND}",
    ),
    "another start": (
        [Block(np.zeros((3, 2)), None, 0), Block(np.zeros((2, 2)), None, 0)],
        f"{PROMISE}; got a block of shape (2, 2) with 2 weights at row 0, after 3 rows. {MEND}",
    ),
    "weights that were not promised": (
        [Block(np.zeros((5, 2)), np.ones(5), 0)],
        f"{PROMISE}, none with weights; got a block with them. {MEND}",
    ),
}


class Broken(RowSource):
    n_samples, n_features, dtype = 5, 2, np.dtype(float)

    def __init__(self, made: list[Block]) -> None:
        self.made = made

    def blocks(self) -> Iterator[Block]:
        yield from self.made


@pytest.mark.parametrize(("blocks", "message"), BROKEN.values(), ids=BROKEN)
def test_rows_of_a_users_own_kind_that_break_a_promise_are_refused(
    blocks: list[Block], message: str
) -> None:
    rows = open_rows(Broken(blocks), minimum=2)
    for use in (lambda: fit_gmm(rows, 2, rng=0), lambda: rows.take([0, 4])):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            use()


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("n_samples", None, "n_samples of Own must be an integer, 0 or more; got None (NoneType)."),
        ("n_features", 2.0, "n_features of Own must be an integer, 0 or more; got 2.0 (float)."),
        ("n_rows", None, "n_rows of Own must be an integer, 0 or more; got None (NoneType)."),
        ("dtype", np.int64, "dtype of Own must be float32 or float64; got <class 'numpy.int64'>."),
    ],
)
def test_rows_of_a_users_own_kind_without_a_size_or_a_type_are_refused(
    attribute: str, value: object, message: str
) -> None:
    own = type("Own", (Broken,), {attribute: value})
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        open_rows(own([Block(np.zeros((5, 2)), None, 0)]))


@pytest.mark.parametrize(("n_parts", "n_answers"), [(1, 5), (3, 15)])
def test_answers_for_more_or_fewer_rows_than_there_are_raise(n_parts: int, n_answers: int) -> None:
    rows = Pieces([np.zeros((5, 2))] * 2, None)
    question = Question(len, ("length",))  # type: ignore[arg-type]
    with pytest.raises(
        ValueError,
        match=rf"^map\(\) of Pieces must yield an answer for each of 10 rows, in order; got "
        rf"{n_answers}\. Mend map\(\)\.$",
    ):
        rows.stacked(question, [np.zeros(5)] * n_parts)


@pytest.mark.parametrize("rows", [*data.KINDS, ExecutedRows, ExecutedBlocks])
def test_every_kind_of_rows_has_written_what_it_must(rows: type[RowSource]) -> None:
    assert not rows.__abstractmethods__


def with_extras(X: Floats, cuts: list[int]) -> RowSource:
    """Rows in one array or in blocks, with what else is known of each."""
    parts = np.split(X, cuts)
    rows = ArrayRows(X) if not cuts else BlockedRows((part, None) for part in parts)
    return rows.with_extras("odd", {"code": np.arange(len(X)), "spread": X[:, :1] ** 2})


def seen_extras(rows: RowSource) -> tuple[Floats, Floats, Floats]:
    blocks = list(rows.blocks())
    codes, spreads = ([block.extras[name] for block in blocks] for name in ("code", "spread"))
    return np.concatenate([b.X for b in blocks]), np.concatenate(codes), np.concatenate(spreads)


@pytest.mark.parametrize("cuts", [[], [3, 3, 7]])
def test_extras_stay_with_their_rows(cuts: list[int]) -> None:
    X = np.random.default_rng(5).normal(size=(20, 2))
    rows = with_extras(X, cuts)
    mask = X[:, 1] > 0.0
    weight = np.where(mask, 1.0, 0.0)
    chosen = np.flatnonzero(mask)
    everything = np.arange(20)
    cases = [
        (rows, everything),
        (rows.checked(), everything),
        (rows.subset(mask), chosen),
        (rows.reweighted(weight), everything),
        (rows.reweighted(weight).subset(mask), chosen),
        (ArrayRows.sample_of(rows.reweighted(weight), 20, np.random.default_rng(0)), chosen),
        (rows.with_extras("other", {"more": X[:, 1]}).subset(mask), chosen),
    ]
    for case, positions in cases:
        found, code, spread = seen_extras(case)
        np.testing.assert_array_equal(found, X[positions])
        np.testing.assert_array_equal(code, positions)
        np.testing.assert_array_equal(spread, X[positions, :1] ** 2)
    assert [case.form for case, _ in cases] == ["odd"] * 6 + ["other"]


@pytest.mark.parametrize("cuts", [[], [3, 3, 7]])
def test_plain_rows_are_whole_and_have_no_extras(cuts: list[int]) -> None:
    X = np.random.default_rng(6).normal(size=(20, 2))
    plain = with_extras(X, cuts).plain()
    assert plain.form == "whole"
    assert all(not block.extras for block in plain.blocks())
    np.testing.assert_array_equal(plain.take(range(20)), X)


def test_extras_of_another_length_raise() -> None:
    X = np.zeros((5, 2))
    rows = Pieces([X], None).with_extras("odd", {"code": np.arange(4)})
    with pytest.raises(ValueError, match=r"one entry of 'code' for each; got 4 for 5 rows at"):
        list(rows.blocks())

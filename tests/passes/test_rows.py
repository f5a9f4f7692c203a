"""The pass over a row source: that of the engine, block by block, kept only where it may be."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest
from helpers import (
    COVARIANCE_TYPES,
    EPS,
    Bounds,
    assert_same_bits,
    assert_same_statistics,
    random_mixture,
    random_rows,
    statistics_bounds,
)
from loops import ONE_THREAD, em_on, start_of
from numpy.typing import NDArray

from mixtura import Statistics
from mixtura.data import ArrayRows, Block, BlockedRows, RowSource
from mixtura.parameters import Seen
from mixtura.passes import Backend, RowsPass
from mixtura.passes.backend import BACKENDS
from mixtura.shapes import SHAPES, SPHERICAL, Floats

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
engines = pytest.mark.parametrize("engine", BACKENDS)
weighted_or_not = pytest.mark.parametrize("weighted", [False, True])
CUTS = [0, 1, 2, 130, 130, 400, 699]


def weights_of(n: int, weighted: bool) -> Floats | None:
    return np.random.default_rng(3).choice([0.0, 1.0, 2.5], size=n) if weighted else None


def in_blocks(X: NDArray[Any], weight: Floats | None = None) -> BlockedRows:
    """Of one row, of none, and of many."""
    weights = [None] * (len(CUTS) + 1) if weight is None else np.split(weight, CUTS)
    return BlockedRows(zip(np.split(X, CUTS), weights, strict=True))


class Problem:
    """Rows and what a pass may see of them, for one E-step."""

    def __init__(self, em: str, covariance_type: str, *, d: int = 3, k: int = 3) -> None:
        rng = np.random.default_rng(d)
        self.mixture = random_mixture(rng, covariance_type, k, d)
        self.X = random_rows(rng, self.mixture, 700)
        weights, means, factors = self.mixture.weights, self.mixture.means, self.mixture.factors
        self.shape = SHAPES[covariance_type]
        self.seen = Seen.of_factors(weights, means, factors, self.shape)
        if em == "nearest":
            self.shape, self.seen = SPHERICAL, Seen.of_centers(means, SPHERICAL)
        self.em = em

    def rows(self, source: RowSource, backend: Backend = ONE_THREAD) -> RowsPass:
        return RowsPass(source, self.shape, backend, em=self.em)


E_STEPS = [
    *(("soft", name) for name in COVARIANCE_TYPES),
    *(("hard", name) for name in COVARIANCE_TYPES),
    ("nearest", "spherical"),
]
every_step = pytest.mark.parametrize(("em", "covariance_type"), E_STEPS)


def assert_nearly_equal(one: Statistics, other: Statistics) -> None:
    """Expect the same sums to 1e-12, relative to the largest of their kind."""
    np.testing.assert_array_equal(one.centres, other.centres)
    for name in ("resp_sum", "resp_x", "resp_xx", "log_likelihood", "weight_sum"):
        a, b = np.asarray(getattr(one, name)), np.asarray(getattr(other, name))
        atol = 1e-12 * np.abs(b).max()
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=atol, err_msg=name)


@every_type
@weighted_or_not
@pytest.mark.parametrize("d", [1, 3, 9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_passes_of_either_engine_return_the_same_statistics(
    covariance_type: str, weighted: bool, d: int, dtype: type
) -> None:
    rng = np.random.default_rng(d)
    mixture = random_mixture(rng, covariance_type, 3, d)
    X = random_rows(rng, mixture, 700).astype(dtype)
    weight = weights_of(len(X), weighted)
    shape = SHAPES[covariance_type]
    compiled, plain = (
        RowsPass(ArrayRows(X, weight), shape, backend)
        for backend in (Backend(n_threads=2), Backend("reference"))
    )

    seen = Seen.of_factors(mixture.weights, mixture.means, mixture.factors, shape)
    bounds = Bounds(X.astype(float), mixture).statistics(weight)
    assert_same_statistics(compiled.accumulate(seen), plain.accumulate(seen), bounds)

    resp = rng.dirichlet(np.ones(3), size=len(X))
    bounds = statistics_bounds(X, resp, mixture.means, covariance_type, weight)
    for each in (resp, np.asfortranarray(resp), resp[::-1][::-1]):
        assert_same_statistics(
            compiled.given(each, mixture.means), plain.given(resp, mixture.means), bounds
        )

    labels = rng.integers(3, size=len(X))
    bounds = statistics_bounds(X, np.eye(3)[labels], mixture.means, covariance_type, weight)
    expected = plain.given(np.eye(3)[labels], mixture.means)
    for each in (compiled, plain):
        assert_same_statistics(each.given(labels, mixture.means), expected, bounds)


@every_type
def test_pass_made_again_returns_the_same_statistics(covariance_type: str) -> None:
    """What a pass keeps between calls changes nothing beyond rounding, whatever came between."""
    rng = np.random.default_rng(0)
    mixture = random_mixture(rng, covariance_type, 4, 6)
    X = random_rows(rng, mixture, 3000)
    shape = SHAPES[covariance_type]
    seen = Seen.of_factors(mixture.weights, mixture.means, mixture.factors, shape)
    rows = RowsPass(ArrayRows(X), shape, Backend())
    first = rows.accumulate(seen)
    fewer = shape.select(mixture.factors, np.arange(2))
    rows.accumulate(Seen.of_factors(mixture.weights[:2], mixture.means[:2], fewer, shape))
    bounds = Bounds(X, mixture).statistics()
    for _ in range(3):
        assert_same_statistics(rows.accumulate(seen), first, bounds)


# Over one array: the engine's own


@engines
@every_step
@weighted_or_not
def test_pass_over_an_array_is_that_of_the_engine(
    engine: str, em: str, covariance_type: str, weighted: bool
) -> None:
    """To the bit, in all that it can be asked."""
    problem = Problem(em, covariance_type)
    X, seen, n = problem.X, problem.seen, len(problem.X)
    weight = weights_of(n, weighted)
    rows = problem.rows(ArrayRows(X, weight), Backend(engine, 1))
    engine_rows = BACKENDS[engine].Rows(X, weight)
    labels = np.full((2, n), -1)
    one = rows.accumulate(seen, labels[0])
    other = engine_rows.accumulate(em, seen, 1, labels=labels[1])
    assert_same_bits(one, other)
    assert one.centres is seen.means
    np.testing.assert_array_equal(labels[0], labels[1])
    assert_same_bits(rows.accumulate(seen), one)

    resp = np.random.default_rng(0).dirichlet(np.ones(3), size=n)
    for shares in (resp, labels[0] % 3):
        assert_same_bits(
            rows.given(shares, seen.means), engine_rows.given(shares, seen.means, problem.shape, 1)
        )
    found, expected = np.full((2, n), np.inf), np.full((2, n), np.inf)
    np.testing.assert_array_equal(
        rows.potentials(X[:4], found[0]), engine_rows.potentials(X[:4], expected[0], 1)
    )
    names = ("log_prob", "labels") if em == "nearest" else ("log_prob", "labels", "resp")
    outputs = [
        {"log_prob": values[1], "labels": each, "resp": np.empty((n, 3))}
        for values, each in zip((found, expected), labels, strict=True)
    ]
    rows.evaluate(seen, **{name: outputs[0][name] for name in names})
    engine_rows.evaluate(em, seen, 1, **{name: outputs[1][name] for name in names})
    for name in names:
        np.testing.assert_array_equal(outputs[0][name], outputs[1][name], err_msg=name)
    np.testing.assert_array_equal(found, expected)
    assert rows.rounding == engine_rows.rounding


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pass_in_single_precision_is_that_of_the_engine(dtype: type) -> None:
    problem = Problem("soft", "full")
    X = problem.X.astype(dtype)
    centre = X.mean(axis=0, dtype=float)
    rows = RowsPass(ArrayRows(X), problem.shape, ONE_THREAD, centre=centre, single=True)
    engine_rows = BACKENDS["compiled"].Rows(X, None, centre, single=True)
    assert_same_bits(rows.accumulate(problem.seen), engine_rows.accumulate("soft", problem.seen, 1))
    assert rows.rounding == pytest.approx(engine_rows.rounding, rel=1e-14)
    assert rows.rounding > 100.0 * EPS


class Asking(Backend):
    """An engine whose rows keep the numbers of threads that they were asked for."""

    asked: ClassVar[list[int | None]] = []

    def rows(self, *arguments: Any, **options: Any) -> Any:
        rows, asked = super().rows(*arguments, **options), self.asked

        class Recorder:
            def __getattr__(self, name: str) -> Any:
                method = getattr(rows, name)

                def call(*arguments: Any, **options: Any) -> Any:
                    asked.append(arguments[{"accumulate": 2, "evaluate": 2}.get(name, -1)])
                    return method(*arguments, **options)

                return call

        return Recorder()


@pytest.mark.parametrize("n_threads", [None, 5])
def test_number_of_threads_reaches_the_engine_in_every_pass(n_threads: int | None) -> None:
    """No result would show it: all are the same to the bit."""
    problem = Problem("soft", "full")
    backend = Asking(n_threads=n_threads)
    backend.asked.clear()
    rows = problem.rows(ArrayRows(problem.X), backend)
    n = len(problem.X)
    rows.accumulate(problem.seen)
    rows.evaluate(problem.seen, log_prob=np.empty(n))
    rows.given(np.zeros(n, dtype=np.int64), problem.seen.means)
    rows.potentials(problem.X[:2], np.full(n, np.inf))
    assert backend.asked == [n_threads] * 4


# Over blocks: the whole


@engines
@every_step
@weighted_or_not
def test_pass_over_blocks_is_that_over_the_whole(
    engine: str, em: str, covariance_type: str, weighted: bool
) -> None:
    problem = Problem(em, covariance_type)
    X, seen, n = problem.X, problem.seen, len(problem.X)
    weight = weights_of(n, weighted)
    whole, blocks = (
        problem.rows(source, Backend(engine, 1))
        for source in (ArrayRows(X, weight), in_blocks(X, weight))
    )
    labels = np.full((2, n), -1)
    assert_nearly_equal(blocks.accumulate(seen, labels[0]), whole.accumulate(seen, labels[1]))
    np.testing.assert_array_equal(labels[0], labels[1])
    assert blocks.accumulate(seen).centres is seen.means

    resp = np.random.default_rng(0).dirichlet(np.ones(3), size=n)
    for shares in (resp, np.asfortranarray(resp), labels[0] % 3):
        assert_nearly_equal(blocks.given(shares, seen.means), whole.given(shares, seen.means))
    nearest = np.full((2, n), np.inf)
    for seeds in (X[:4], X[10:15]):
        left = [
            rows.potentials(seeds, near)
            for rows, near in zip((blocks, whole), nearest, strict=True)
        ]
        np.testing.assert_allclose(left[0], left[1], rtol=1e-12)
        np.testing.assert_allclose(nearest[0], nearest[1], rtol=1e-12, atol=1e-12)

    outputs = [{"log_prob": np.full(n, np.nan), "labels": np.full(n, -1)} for _ in range(2)]
    if em != "nearest":
        for each in outputs:
            each["resp"] = np.full((n, 3), np.nan)
    for rows, each in zip((blocks, whole), outputs, strict=True):
        rows.evaluate(seen, **each)
    np.testing.assert_array_equal(outputs[0]["labels"], outputs[1]["labels"])
    np.testing.assert_allclose(outputs[0]["log_prob"], outputs[1]["log_prob"], rtol=1e-12)
    if em != "nearest":
        np.testing.assert_allclose(outputs[0]["resp"], outputs[1]["resp"], rtol=1e-9, atol=1e-12)


def test_rounding_over_blocks_is_that_of_the_whole() -> None:
    """Errors of rows in single precision average out, whichever block they are in."""
    problem = Problem("soft", "full")
    X = problem.X.astype(np.float32)
    kinds: list[RowSource] = [ArrayRows(X), in_blocks(X)]
    whole, blocks = (
        RowsPass(source, problem.shape, ONE_THREAD, centre=X[0].astype(float), single=True).rounding
        for source in kinds
    )
    assert blocks == pytest.approx(whole, rel=1e-9)
    doubles = problem.rows(in_blocks(problem.X)).rounding
    assert doubles == problem.rows(ArrayRows(problem.X)).rounding == EPS


@pytest.mark.parametrize("em", ["soft", "hard", "nearest"])
def test_pass_over_blocks_has_equal_bits_for_any_number_of_threads(em: str) -> None:
    problem = Problem(em, "spherical" if em == "nearest" else "full")
    first, *others = (
        problem.rows(in_blocks(problem.X), Backend(n_threads=n)).accumulate(problem.seen)
        for n in (1, 2, 3, 7)
    )
    for other in others:
        assert_same_bits(other, first)


@pytest.mark.parametrize("em", ["soft", "hard"])
def test_bounds_over_blocks_are_carried_as_over_the_whole(em: str) -> None:
    """Sixty components, of which few matter to a block: from pass to pass the whole is the same."""
    rng = np.random.default_rng(0)
    means = 30.0 * rng.normal(size=(60, 4))
    X = np.sort(means[rng.integers(60, size=9000)], axis=0) + rng.normal(size=(9000, 4))
    labels = rng.integers(60, size=len(X))
    labels[:60] = np.arange(60)
    parameters = start_of(em_on(X, "full"), labels)
    sources = ArrayRows(X), BlockedRows((part, None) for part in np.split(X, [2000, 2000, 7000]))
    whole, blocks = (RowsPass(source, SHAPES["full"], ONE_THREAD, em=em) for source in sources)
    for _ in range(8):
        seen = parameters.seen()
        one, other = blocks.accumulate(seen), whole.accumulate(seen)
        assert_nearly_equal(one, other)
        parameters = em_on(X, "full").update.update(one)[0]
        parameters = parameters._replace(
            means=np.where(one.resp_sum[:, None] > 0.0, parameters.means, seen.means)
        )
    records = blocks.record()
    assert [record.passes for record in records] == [8] * 4
    assert records[0].last is records[3].last
    assert len(whole.record()) == 1


# What is kept


class Streamed(RowSource):
    """Rows that exist only while they are looked at: each block is made anew."""

    in_memory = False

    def __init__(self, X: Floats) -> None:
        self._X = X
        (self.n_samples, self.n_features), self.dtype = X.shape, X.dtype
        self.made: list[weakref.ref[Any]] = []

    def blocks(self) -> Iterator[Block]:
        start = 0
        for part in np.split(self._X, CUTS):
            copy = part.copy()
            self.made.append(weakref.ref(copy))
            yield Block(copy, None, start)
            start += len(part)

    def alive(self) -> int:
        return sum(reference() is not None for reference in self.made)


@engines
def test_pass_over_rows_that_are_not_in_memory_keeps_none_of_them(engine: str) -> None:
    problem = Problem("soft", "full")
    source = Streamed(problem.X)
    backend = Backend(engine, 1)
    rows, kept = problem.rows(source, backend), problem.rows(in_blocks(problem.X), backend)
    n = len(problem.X)
    labels, nearest = np.zeros(n, dtype=np.int64), np.full(n, np.inf)
    assert_same_bits(rows.accumulate(problem.seen, labels), kept.accumulate(problem.seen))
    rows.given(labels, problem.seen.means)
    rows.potentials(problem.X[:3], nearest)
    rows.evaluate(problem.seen, labels=labels)
    rows.restore(rows.record())
    assert rows.rounding == kept.rounding
    assert len(source.made) == 4 * (len(CUTS) + 1)
    gc.collect()
    assert source.alive() == 0


@engines
def test_pass_over_rows_that_are_not_in_memory_holds_one_block_at_a_time(engine: str) -> None:
    problem = Problem("soft", "full")
    most = []

    class Watching(Streamed):
        def blocks(self) -> Iterator[Block]:
            for block in super().blocks():
                most.append(self.alive())
                yield block

    rows = problem.rows(Watching(problem.X), Backend(engine, 1))
    labels = np.zeros(len(problem.X), dtype=np.int64)
    rows.accumulate(problem.seen, labels)
    rows.given(labels, problem.seen.means)
    rows.potentials(problem.X[:3], np.full(len(problem.X), np.inf))
    rows.evaluate(problem.seen, labels=labels)
    rows.restore(rows.record())
    assert len(most) == 4 * (len(CUTS) + 1)
    assert max(most) <= 2  # the one before may be held until this one takes its place


@pytest.mark.parametrize("kind", [ArrayRows, in_blocks])
def test_pass_over_rows_in_memory_reads_the_source_once(kind: Any) -> None:
    problem = Problem("soft", "full")
    source = kind(problem.X)
    readings = []

    class Counting(type(source)):
        def blocks(self) -> Iterator[Block]:
            readings.append(None)
            return super().blocks()

    source.__class__ = Counting
    rows = problem.rows(source)
    first = rows.accumulate(problem.seen)
    for _ in range(3):
        assert_same_bits(rows.accumulate(problem.seen), first)
    rows.restore(rows.record())
    assert rows.rounding > 0.0
    assert len(readings) == 1


@every_type
def test_pass_leaves_the_rows_and_what_it_sees_as_they_are(covariance_type: str) -> None:
    problem = Problem("soft", covariance_type)
    arrays = [problem.X, *problem.seen[:4]]
    before = [array.copy() for array in arrays]
    rows = problem.rows(in_blocks(problem.X))
    rows.accumulate(problem.seen)
    rows.evaluate(problem.seen, log_prob=np.empty(len(problem.X)))
    for one, other in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("em", ["seeds", "given_labels", "given_resp", "bogus"])
def test_pass_of_what_is_no_e_step_is_refused_by_name(em: str) -> None:
    rows = RowsPass(ArrayRows(np.ones((50, 2))), SPHERICAL, Backend(), em=em)
    seen = Seen.of_centers(np.zeros((2, 2)), SPHERICAL)
    message = f"em must be one of 'soft', 'hard', 'nearest'; got {em!r}"
    for call in (lambda: rows.accumulate(seen), lambda: rows.evaluate(seen, log_prob=np.empty(50))):
        with pytest.raises(ValueError, match=message):
            call()


@engines
@pytest.mark.parametrize("in_memory", [True, False])
def test_marks_tell_in_which_block_a_row_has_changed_its_component(
    engine: str, in_memory: bool
) -> None:
    parts = [np.array([[0.0], [10.0]]), np.array([[0.0], [4.0], [10.0]]), np.array([[10.0]])]
    source = BlockedRows([(part, None) for part in parts])
    source.in_memory = in_memory
    rows = RowsPass(source, SPHERICAL, Backend(engine, 1), em="nearest")
    marks = [
        rows.accumulate_marked(Seen.of_centers(np.array([[0.0], [other]]), SPHERICAL)).marks
        for other in (10.0, 9.0, 7.0)  # the row at 4 is nearer to 0, and to 7
    ]
    assert marks[0] == marks[1]
    changed = [one != other for one, other in zip(marks[1], marks[2], strict=True)]
    assert changed == [False, True, False]

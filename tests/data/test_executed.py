"""Rows that an executor works on: order, sums, tasks at one time, and what is refused."""

import math
import re
import threading
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mixtura
from mixtura import scan
from mixtura.data import Block, open_rows
from mixtura.data.far.executed import _groups
from mixtura.data.question import Question
from mixtura.exceptions import RowsChangedError
from mixtura.limits import thread_limit
from mixtura.statistics import total

X = np.arange(600.0).reshape(200, 3)


class Here:
    """An executor that runs a task when its result is asked for, and counts what waits."""

    max_workers: Any = None
    breaks = False

    def __init__(self) -> None:
        self.waiting = self.most = self.submitted = 0
        self.futures: list[Future[Any]] = []

    def submit(self, work: Any, task: Any) -> Future[Any]:
        here = self
        here.waiting += 1
        here.submitted += 1
        here.most = max(here.most, here.waiting)

        class Late(Future[Any]):
            def result(self, timeout: float | None = None) -> Any:  # noqa: ARG002
                here.waiting -= 1
                return work(task)

        self.futures.append(Late())
        return self.futures[-1]


@dataclass(frozen=True)
class Text:
    """The sum of texts shows the order in which they were added."""

    text: str

    def __add__(self, other: "Text") -> "Text":
        return Text(f"({self.text}{other.text})")


def text_of(block: Block) -> Text:
    return Text(f"[{block.start}]")


def limit_of(_: Block) -> int | None:
    return thread_limit()


def sum_of(block: Block) -> Any:
    return block.X.sum(axis=1)


def lengths(block: Block) -> int:
    return len(block.start)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    np.save(tmp_path / "rows.npy", X)
    return tmp_path / "rows.npy"


def rows_for(path: Path, executor: Any, size: int = 10, **options: Any) -> Any:
    return open_rows(scan(path, block_size=size, executor=executor, **options))


def test_scan_with_an_executor_reads_nothing_before_it_is_used(path: Path) -> None:
    here = Here()
    rows = scan(path, block_size=10, executor=here)
    assert (rows.n_samples, rows.n_features, rows.is_far) == (200, 3, True)
    assert here.submitted == 0


@pytest.mark.parametrize(("workers", "most"), [(None, 64), (1, 2), (3, 6)])
def test_tasks_at_one_time_are_two_for_each_worker(
    path: Path, workers: int | None, most: int
) -> None:
    here = Here()
    here.max_workers = workers
    rows = rows_for(path, here, size=2)
    starts = list(rows.map(text_of))
    assert starts == [Text(f"[{start}]") for start in range(0, 200, 2)]
    assert here.most == most
    assert here.waiting == 0


@pytest.mark.parametrize("size", [1, 2, 4, 8, 64])
def test_total_of_groups_of_blocks_is_the_same_tree(size: int) -> None:
    for n in range(1, 70):
        texts = [Text(f"{i} ") for i in range(n)]
        assert total(total(group) for group in _groups(iter(texts), size)) == total(texts)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_total_sends_several_blocks_in_a_task_where_there_are_many(
    path: Path, workers: int
) -> None:
    here = Here()
    here.max_workers = workers
    rows = rows_for(path, here, size=1)
    expected = total(rows.map(text_of))
    before = here.submitted
    assert rows.total(text_of) == expected
    group = {1: 16, 2: 8, 5: 4}[workers]
    assert here.submitted - before == math.ceil(200 / group)


def test_values_of_each_row_are_in_order_for_threads_that_end_in_any(path: Path) -> None:
    with ThreadPoolExecutor(3) as threads:
        rows = rows_for(path, threads)
        np.testing.assert_array_equal(rows.answers(Question(sum_of, ("sum",))), X.sum(axis=1))
        np.testing.assert_array_equal(rows.take([150, 3, 199]), X[[150, 3, 199]])


@pytest.mark.parametrize("make", [Here, lambda: map, lambda: lambda f, tasks: list(map(f, tasks))])
def test_tasks_are_limited_to_one_thread(path: Path, make: Any) -> None:
    rows = rows_for(path, make())
    assert set(rows.map(limit_of)) == {1}
    assert thread_limit() is None


def test_tasks_that_wait_are_cancelled_when_nobody_wants_more(path: Path) -> None:
    here = Here()
    results = rows_for(path, here).map(text_of)
    next(results)
    results.close()
    assert [future.cancelled() for future in here.futures[20:]] == [False] + [True] * 19


def test_errors_in_a_task_are_those_of_a_fit_without_an_executor(tmp_path: Path) -> None:
    bad = X.copy()
    bad[57, 1] = np.nan
    np.save(tmp_path / "bad.npy", bad)
    with ThreadPoolExecutor(2) as threads:
        rows = rows_for(tmp_path / "bad.npy", threads)
        with pytest.raises(ValueError, match=r"bad\.npy' must be finite; row 57, column 1 is nan"):
            rows.first_row()


def test_file_that_changes_between_passes_is_refused(path: Path) -> None:
    rows = rows_for(path, Here())
    list(rows.map(text_of))
    np.save(path, X[:150])
    with pytest.raises(RowsChangedError, match="must stay as it is"):
        list(rows.map(text_of))


def test_weights_and_columns_are_read_in_tasks(path: Path) -> None:
    rows = rows_for(path, Here(), columns=[2, 0], weight=1)
    assert rows.weight_sum == X[:, 1].sum()
    np.testing.assert_array_equal(rows.take([0, 70]), X[[0, 70]][:, [2, 0]])


# ---- results that are lost, or in another order ----


def backwards(f: Any, tasks: Any) -> Any:
    return reversed([f(task) for task in tasks])


def without_the_last(f: Any, tasks: Any) -> Any:
    return [f(task) for task in tasks][:-1]


def the_first_three(f: Any, tasks: Any) -> Any:
    return map(f, islice(tasks, 3))


def twice(f: Any, tasks: Any) -> Any:
    return (result for task in tasks for result in [f(task)] * 2)


def of_another_function(_f: Any, tasks: Any) -> Any:
    return [5 for _ in tasks]


def nothing(_f: Any, tasks: Any) -> Any:
    list(tasks)


IN_ORDER = (
    r"^the executor of file '.*rows\.npy' must return the result of each task, in order, as map "
    r"does; got %s\. Pass a function that does, such as imap of a pool in place of "
    r"imap_unordered\.$"
)
LOST = [
    (backwards, "that of task 19 in place of 0"),
    (without_the_last, "those of 19 of 20 tasks"),
    (the_first_three, "those of 3 tasks, and there are more"),
    (twice, "that of task 0 in place of 1"),
    (of_another_function, r"5 \(int\)"),
    (nothing, r"None \(NoneType\)"),
]


@pytest.mark.parametrize(("executor", "got"), LOST)
def test_results_that_are_lost_or_in_another_order_are_refused(
    path: Path, executor: Any, got: str
) -> None:
    rows = rows_for(path, executor)
    with pytest.raises(RuntimeError, match=IN_ORDER % got):
        list(rows.map(text_of))


def test_answers_in_another_order_are_refused(path: Path) -> None:
    model = mixtura.GaussianMixture([1.0], [X.mean(axis=0)], [np.eye(3)])
    for rows in (scan([X[:50], X[50:]], executor=backwards), rows_for(path, backwards)):
        with pytest.raises(RuntimeError, match="must return the result of each task, in order"):
            model.log_prob(rows)


def test_map_of_an_executor_is_the_executor(path: Path) -> None:
    with ThreadPoolExecutor(1) as threads:
        rows = rows_for(path, threads.map)
        assert rows.total(text_of) == total(rows.map(text_of))
    with pytest.raises(RuntimeError, match="must accept tasks; ThreadPoolExecutor does not"):
        list(rows.map(text_of))


def test_executor_that_returns_no_future_is_refused(path: Path) -> None:
    class Absent:
        def submit(self, work: Any, task: Any) -> Any:
            return work(task)

    with pytest.raises(
        TypeError,
        match=r"^submit of Absent must return a future, which has a method result; got \[.*"
        r"\(list\)\. Pass concurrent\.futures\.ProcessPoolExecutor\(\), or a function that is "
        r"called like map\.$",
    ):
        list(rows_for(path, Absent()).map(text_of))


# ---- arrays in this process ----


def test_arrays_are_sent_for_sums_and_answers_and_looked_at_here() -> None:
    here = Here()
    rows = open_rows(scan([X[:50], X[50:]], executor=here))
    assert rows.is_far
    np.testing.assert_array_equal(rows.take([0, 60]), X[[0, 60]])
    assert (rows.n_rows, here.submitted) == (200, 0)
    assert rows.total(text_of) == Text("([0][50])")
    np.testing.assert_array_equal(rows.answers(Question(sum_of, ("sum",))), X.sum(axis=1))
    assert here.submitted == 4


def test_arrays_are_cut_where_a_size_is_given() -> None:
    rows = open_rows(scan([X[:50], X[50:50], X[50:]], executor=Here(), block_size=40))
    assert [block.start for block in rows.blocks()] == [0, 40, 50, 50, 90, 130, 170]


def test_changed_arrays_are_still_sent() -> None:
    here = Here()
    weight = np.arange(200.0)
    rows = open_rows(scan([X[:50], X[50:]], weight=[weight[:50], weight[50:]], executor=here))
    changed = [rows, rows.subset(np.arange(200) % 2 == 0), rows.plain(), rows.reweighted(weight)]
    changed.append(rows.with_extras("whole", {"code": np.arange(200)}))
    for some in changed:
        before = here.submitted
        assert some.total(text_of).text.startswith("([0]")
        assert here.submitted - before == 2
        assert some.is_weighted
    np.testing.assert_array_equal(changed[1].weights(), np.arange(0.0, 200.0, 2.0))


# ---- what is refused ----

JOBLIB = "joblib.externals.loky.get_reusable_executor()"
REFUSED = [
    (lambda: 3, "3 (int). Pass concurrent.futures.ProcessPoolExecutor()."),
    (lambda: "processes", "'processes' (str). Pass concurrent.futures.ProcessPoolExecutor()."),
    (lambda: ThreadPoolExecutor, "Pass an object of it, ThreadPoolExecutor()."),
    (lambda: pytest.importorskip("joblib").Parallel(2), f"Pass {JOBLIB}."),
]


@pytest.mark.parametrize(("make", "remedy"), REFUSED)
def test_what_is_no_executor_is_refused(path: Path, make: Any, remedy: str) -> None:
    expected = "executor must have a method submit, as those of concurrent.futures have, or be "
    with pytest.raises(TypeError, match=f"^{expected}called like map; got .*{re.escape(remedy)}$"):
        scan(path, executor=make())


def test_pool_of_multiprocessing_is_refused_in_favour_of_its_method(path: Path) -> None:
    with ThreadPool(1) as pool:
        with pytest.raises(TypeError, match=r"Pass the method imap of the ThreadPool\.$"):
            scan(path, executor=pool)
        rows = rows_for(path, pool.imap)
        assert rows.total(text_of) == total(rows.map(text_of))


def test_executor_that_is_shut_down_is_refused(path: Path) -> None:
    threads = ThreadPoolExecutor(1)
    rows = scan(path, executor=threads)
    threads.shutdown()
    with pytest.raises(
        RuntimeError,
        match=r"^the executor of file '.*rows\.npy' must accept tasks; ThreadPoolExecutor does "
        r"not: .*shutdown\. Scan with a new one, and use the rows before it is shut down\.$",
    ):
        list(open_rows(rows).map(text_of))


@dataclass
class Broken(Here):
    """An executor of which a worker dies, before a task is accepted or after."""

    accepts: bool
    waiting: int = 0
    most: int = 0
    submitted: int = 0
    futures: list[Future[Any]] = field(default_factory=list)

    def submit(self, work: Any, task: Any) -> Future[Any]:
        if not self.accepts:
            raise BrokenProcessPool("A child died")
        return super().submit(partial(self.dies, work), task)

    def dies(self, _work: Any, _task: Any) -> None:
        raise BrokenProcessPool("A child died")


@pytest.mark.parametrize("accepts", [False, True])
def test_executor_of_which_a_worker_died_is_named_with_a_remedy(path: Path, accepts: bool) -> None:
    broken = Broken(accepts)
    rows = rows_for(path, broken)
    with pytest.raises(
        BrokenExecutor,
        match=r"^the executor of file '.*rows\.npy' must work until the end; a worker of Broken "
        r"died: .* \(A child died\)\. Scan with a new executor and call the function again; with "
        r"checkpoint= a fit continues\.$",
    ):
        list(rows.map(text_of))
    assert not any(future.cancelled() for future in broken.futures)


def test_rows_that_cannot_be_sent_are_refused_with_a_remedy(path: Path) -> None:
    lock = threading.Lock()
    with ProcessPoolExecutor(1) as processes:
        rows = rows_for(path, processes)
        assert rows.n_rows == 200
        with pytest.raises(
            TypeError,
            match=r"^what a task needs to read file '.*rows\.npy' must be picklable for "
            r"ProcessPoolExecutor; got: .*lock.*\. Pass the path of a file, functions that "
            r"`def` names at the top of a module, or an executor of threads\.$",
        ):
            list(rows.map(partial(np.add, lock)))
        np.testing.assert_array_equal(rows.take([0, 199]), X[[0, 199]])  # it still works


def test_errors_of_types_in_a_task_are_not_taken_for_those_of_sending(path: Path) -> None:
    with pytest.raises(TypeError, match="has no len"):
        list(rows_for(path, Here()).map(lengths))


def test_rows_with_workers_of_their_own_are_refused(path: Path) -> None:
    from mixtura.data.far.executed import executed

    rows = scan(path)
    far: Any = type(
        "Cluster", (type(rows).__mro__[1],), {"blocks": None, "name": "it", "n_known": 1}
    )()
    with pytest.raises(TypeError, match=r"^executor must be None for Cluster, which have workers"):
        executed(far, map)

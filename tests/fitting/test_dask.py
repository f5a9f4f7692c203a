"""Fits to rows of Dask on a cluster of two processes: the bits are those of rows in memory."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dask_tasks import Waiting, fitted, frame_of, limit_of, n_rows_of

import mixtura
from mixtura import GMMFit
from mixtura.data import open_rows, scan
from mixtura.exceptions import FitInterrupted

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.thread_unsafe(reason="clients belong to the process, signals too")
RNG = np.random.default_rng(0)
CENTRES = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 1.0], [0.0, 5.0, -2.0]])
X = RNG.normal(size=(3000, 3)) + CENTRES[RNG.integers(0, 3, size=3000)]
HOLED = np.where(RNG.random(X.shape) < 0.05, np.nan, X)
W = RNG.uniform(0.5, 2.0, size=3000)
SIZES = (500, 0, 700, 300, 100, 650, 250, 480, 20)
ENDS = np.cumsum(SIZES)[:-1]
NAMES = ["a", "b", "c"]


def parts(values: Any = X) -> list[Any]:
    return np.split(values, ENDS)


def array(values: Any = X) -> Any:
    return da.from_array(values, chunks=(SIZES, values.shape[1]))


def frame(values: Any = X, names: list[str] = NAMES) -> Any:
    return dd.from_map(frame_of, parts(values), names=names, meta=frame_of(values[:0], names))


def fit(rows: Any, **options: Any) -> GMMFit:
    return mixtura.fit_gmm(rows, 3, rng=0, **options)


def assert_equal_fits(one: GMMFit, other: GMMFit) -> None:
    assert one.n_iter == other.n_iter
    np.testing.assert_array_equal(one.history, other.history)
    for name in ("weights", "means", "covariances"):
        np.testing.assert_array_equal(getattr(one.model, name), getattr(other.model, name))
    assert one.log_likelihood == other.log_likelihood


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Return the client of two worker processes, each with one thread."""
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "60s"}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def threaded_worker() -> Iterator[Any]:
    """Return the client of one worker in this process, with three threads."""
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=3, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


# ---- equal bits ----


def test_fit_has_the_bits_of_blocks_in_memory(client: Any) -> None:
    assert len(client.nthreads()) == 2
    assert_equal_fits(fit(array()), fit(scan(parts())))


def test_fit_has_the_same_bits_with_another_number_of_workers(threaded_worker: Any) -> None:
    assert threaded_worker.nthreads()
    assert_equal_fits(fit(array()), fit(scan(parts())))


def test_fit_of_a_weighted_frame_has_the_bits_of_its_partitions(client: Any) -> None:  # noqa: ARG001
    rows = scan(frame(np.column_stack([X, W]), [*NAMES, "w"]), weight="w")
    found = fit(rows, covariance_type="VEI")
    assert found.model.feature_names == ("a", "b", "c")
    blocks = scan([frame_of(part, NAMES) for part in parts()], weight=parts(W))
    assert_equal_fits(found, fit(blocks, covariance_type="VEI"))
    weight = da.from_array(W, chunks=(SIZES,))
    assert_equal_fits(fit(frame(), sample_weight=weight, covariance_type="VEI"), found)


@pytest.mark.parametrize("init", ["kmeans", CENTRES])
def test_fit_of_float32_has_the_bits_of_blocks_in_memory(client: Any, init: Any) -> None:  # noqa: ARG001
    values = X.astype(np.float32)
    assert_equal_fits(fit(array(values), init=init), fit(scan(parts(values)), init=init))


def test_fit_of_incomplete_rows_has_the_bits_of_blocks_in_memory(client: Any) -> None:  # noqa: ARG001
    found = fit(array(HOLED), missing="em")
    assert found.n_missing == np.isnan(HOLED).sum()
    assert_equal_fits(found, fit(scan(parts(HOLED)), missing="em"))


def test_fit_has_the_same_bits_where_parameters_travel_once(
    client: Any,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mixtura.data.far import dask_graphs

    monkeypatch.setattr(dask_graphs, "LARGE", 1)
    assert_equal_fits(fit(array()), fit(scan(parts())))


def test_fit_has_the_same_bits_in_groups_of_partitions(client: Any) -> None:  # noqa: ARG001
    chunks = [X[first : first + 50] for first in range(0, 3000, 50)]
    rows = da.from_array(X, chunks=(50, 3))
    opened = open_rows(rows)
    opened.total(n_rows_of)
    assert opened._held().size > 1
    assert_equal_fits(fit(rows), fit(scan(chunks)))


def test_selection_by_bic_has_the_bits_of_blocks_in_memory(client: Any) -> None:  # noqa: ARG001
    options: dict[str, Any] = {"covariance_type": ["diag"], "criterion": "bic", "rng": 0}
    found = mixtura.select_gmm(array(), [2, 3], **options)
    expected = mixtura.select_gmm(scan(parts()), [2, 3], **options)
    assert_equal_fits(found.best, expected.best)


# ---- what the cluster does ----


def test_threads_of_a_task_are_its_share_of_the_worker(client: Any, threaded_worker: Any) -> None:
    with client.as_current():
        assert set(open_rows(array()).map(limit_of)) == {1}
    with threaded_worker.as_current():
        assert set(open_rows(array()).map(limit_of)) == {1}
        assert set(open_rows(da.from_array(X, chunks=(3000, 3))).map(limit_of)) == {3}


def _received_bytes(client: Any, rows: Any) -> int:
    """Return how many bytes come to the client in a fit, in messages of the cluster."""
    sizes: list[int] = []
    get = client.get

    def counting(*arguments: Any, **options: Any) -> Any:
        results = get(*arguments, **options)
        sizes.append(sum(len(pickle.dumps(each)) for each in results))
        return results

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(client), "get", lambda _, *args, **options: counting(*args, **options))
        fit(rows, init=CENTRES, max_iter=5, tol=0)
    assert len(sizes) > 5
    return sum(sizes)


def test_what_comes_to_the_client_does_not_grow_with_the_rows(client: Any) -> None:
    def rows(n: int) -> Any:
        made = da.random.RandomState(0).normal(size=(n, 3), chunks=(n // 8, 3))
        return made + CENTRES[1] * (made[:, :1] > 0)

    some, more = (_received_bytes(client, rows(n)) for n in (80_000, 320_000))
    assert more < 1.1 * some
    assert more < 320_000 * 3 * 8 / 10


def test_nothing_stays_on_the_cluster_after_a_fit(client: Any) -> None:
    fit(array())
    gc.collect()
    assert not client.futures


@pytest.mark.parametrize("n_partitions", [10, 60])  # the latter are grouped
def test_killed_worker_costs_no_bit_of_the_result(client: Any, n_partitions: int) -> None:
    blocks = np.split(X, n_partitions)
    expected = fit(scan(blocks), tol=0, max_iter=12)
    killed: list[int] = []

    def kill(state: Any) -> None:
        if state.iteration == 4:
            pid = next(iter(client.run(os.getpid).values()))
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    rows = da.from_array(X, chunks=(len(blocks[0]), 3))
    found = fit(rows, tol=0, max_iter=12, callback=kill)
    assert len(killed) == 1
    assert_equal_fits(found, expected)
    client.wait_for_workers(2, timeout=60)
    assert killed[0] not in client.run(os.getpid).values()


def test_predictions_are_computed_by_the_workers(client: Any) -> None:
    model = fit(X).model
    labels = client.persist(model.predict(array()))
    distributed.wait(labels)
    np.testing.assert_array_equal(labels.compute(), model.predict(X))
    resp = model.responsibilities(frame())
    assert resp.compute().shape == (3000, 3)
    assert model.bic(array()) == pytest.approx(model.bic(X), rel=1e-13)


def test_fit_in_a_task_of_the_cluster_has_the_same_bits(client: Any) -> None:
    assert_equal_fits(client.submit(fitted, X).result(), fit(scan(np.split(X, 4))))


def test_more_fits_in_tasks_than_there_are_threads_wait_for_no_other(client: Any) -> None:
    """A task that waits for its own tasks leaves its thread to them."""
    assert sum(client.nthreads().values()) == 2
    futures = [client.submit(fitted, X, pure=False) for _ in range(5)]
    expected = fit(scan(np.split(X, 4)))
    for future in futures:
        assert_equal_fits(future.result(timeout=120), expected)


def test_errors_in_a_partition_come_to_the_client(client: Any) -> None:  # noqa: ARG001
    with pytest.raises(ValueError, match=r"partition \d of X must be finite; row \d+, column"):
        fit(array(HOLED))


def test_asynchronous_client_is_refused(client: Any) -> None:
    async def work() -> None:
        async with distributed.Client(client.scheduler.address, asynchronous=True) as other:
            with other.as_current(), pytest.raises(TypeError, match="must wait for results"):
                fit(array())

    import asyncio

    asyncio.run(work())


# ---- interrupts and checkpoints ----


def test_ctrl_c_in_a_fit_returns_what_was_done(client: Any) -> None:
    def interrupt(state: Any) -> None:
        if state.iteration == 3:
            raise KeyboardInterrupt

    with pytest.raises(FitInterrupted) as caught:
        fit(array(), tol=0, callback=interrupt)
    assert caught.value.fit.n_iter == 3
    expected = fit(scan(parts()), tol=0, max_iter=3)
    np.testing.assert_array_equal(caught.value.fit.model.means, expected.model.means)
    assert client.status == "running"


def test_ctrl_c_in_a_pass_cancels_its_graph(client: Any) -> None:
    rows = open_rows(array())
    rows.total(n_rows_of)
    begun, end = distributed.Event("begun", client=client), distributed.Event("end", client=client)

    def interrupt() -> None:
        begun.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        rows.total(Waiting())
    thread.join()
    end.set()
    gc.collect()
    assert not [key for key in client.futures if "mixtura-look" in str(key)]
    assert rows.total(n_rows_of) == 3000.0  # what was kept is computed again


CANCELLED = (
    r"^the client of Dask must run, and keep the rows, until the function returns; got: .*%s.*\. "
    r"Call the function again where a client runs; with checkpoint= a fit continues\.$"
)


def test_client_that_is_closed_during_a_fit_is_named(client: Any) -> None:
    def close(state: Any) -> None:
        if state.iteration == 2:
            other.close()

    with (
        distributed.Client(client.scheduler.address, set_as_default=False) as other,
        other.as_current(),
        pytest.raises(RuntimeError, match=CANCELLED % "is closed"),
    ):
        fit(array(), tol=0, callback=close)


def test_rows_that_are_cancelled_during_a_fit_are_named(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancelled(*_: Any, **__: Any) -> Any:
        raise CancelledError("mixtura-sum cancelled for reason: lost dependencies.")

    monkeypatch.setattr(type(client), "get", cancelled)
    with pytest.raises(RuntimeError, match=CANCELLED % "lost dependencies"):
        fit(array())


def test_checkpoint_of_a_fit_on_a_cluster_continues_to_the_same_bits(
    client: Any,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    path = tmp_path / "fit.checkpoint"

    def interrupt(state: Any) -> None:
        if state.iteration == 3:
            raise KeyboardInterrupt

    options: dict[str, Any] = {"checkpoint": path, "checkpoint_every": 0.0, "tol": 1e-9}
    with pytest.raises(FitInterrupted):
        fit(array(), callback=interrupt, **options)
    assert path.exists()
    assert_equal_fits(fit(array(), **options), fit(scan(parts()), tol=1e-9))
    assert not path.exists()

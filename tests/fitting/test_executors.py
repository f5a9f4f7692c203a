"""Fits and answers that an executor computes: the bits of those in this process."""

import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import written
from clusters import assert_same_fit_bits, clustered

from mixtura import FitInterrupted, GaussianMixture, State, fit_gmm, fit_kmeans, scan, select_gmm

SIZE = 700  # rows of a block
WHOLE = clustered(5000, 3, 3)[0].astype(np.float32)
INCOMPLETE = np.where(np.random.default_rng(0).random((2000, 3)) < 0.1, np.nan, WHOLE[:2000])
INITIAL = WHOLE[:1000].astype(np.float64)
WEIGHTED = np.column_stack([WHOLE, np.random.default_rng(1).integers(0, 4, 5000)])

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


@contextmanager
def processes(method: str, workers: int = 2) -> Iterator[Executor]:
    with ProcessPoolExecutor(workers, mp_context=get_context(method)) as pool:
        yield pool


@contextmanager
def pool_imap() -> Iterator[Any]:
    with get_context("spawn").Pool(2) as pool:
        yield pool.imap
        pool.close()
        pool.join()


@contextmanager
def pool_map() -> Iterator[Any]:
    with get_context("spawn").Pool(1) as pool:
        yield pool.map
        pool.close()
        pool.join()


@contextmanager
def loky() -> Iterator[Any]:
    executor = pytest.importorskip("joblib.externals.loky").get_reusable_executor(2)
    yield executor
    executor.shutdown()


@contextmanager
def builtin_map() -> Iterator[Any]:
    yield map


EXECUTORS = {
    "one thread": lambda: ThreadPoolExecutor(1),
    "three threads": lambda: ThreadPoolExecutor(3),
    **{
        f"processes by {method}": lambda method=method: processes(method)
        for method in get_all_start_methods()
    },
    "one process": lambda: processes("spawn", 1),
    "imap": pool_imap,
    "map of a pool": pool_map,
    "map": builtin_map,
    "loky": loky,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    np.save(folder / "whole.npy", WHOLE)
    np.save(folder / "incomplete.npy", INCOMPLETE)
    np.save(folder / "weighted.npy", WEIGHTED)
    return folder


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.mark.parametrize("make", EXECUTORS.values(), ids=EXECUTORS)
def test_fit_and_answers_are_those_of_this_process_to_the_bit(folder: Path, make: Any) -> None:
    path = folder / "whole.npy"
    here = fit_gmm(scan(path, block_size=SIZE), 3, rng=0)
    with make() as executor:
        rows = scan(path, block_size=SIZE, executor=executor)
        fit = fit_gmm(rows, 3, rng=0)
        assert_same_fit_bits(fit, here)
        for method in ("predict", "log_prob", "responsibilities"):
            expected = getattr(here.model, method)(WHOLE)
            np.testing.assert_array_equal(getattr(fit.model, method)(rows), expected)


@pytest.mark.parametrize("make", [EXECUTORS["three threads"], EXECUTORS["processes by spawn"]])
def test_fit_of_arrays_is_that_of_this_process_to_the_bit(make: Any) -> None:
    parts = [WHOLE[:1000], WHOLE[1000:1000], WHOLE[1000:]]
    weights = [np.ones(1000), np.ones(0), np.linspace(0.0, 2.0, 4000)]
    here = fit_gmm(scan(parts, weight=weights), 3, rng=0)
    with make() as executor:
        rows = scan(parts, weight=weights, executor=executor)
        assert_same_fit_bits(fit_gmm(rows, 3, rng=0), here)
        np.testing.assert_array_equal(here.model.predict(rows), here.model.predict(WHOLE))


def test_fit_of_blocks_that_a_function_yields_sends_them(threads: Executor) -> None:
    def make() -> Iterator[np.ndarray]:
        return (WHOLE[start : start + SIZE] for start in range(0, len(WHOLE), SIZE))

    fit = fit_gmm(scan(make, executor=threads), 3, rng=0)
    assert_same_fit_bits(fit, fit_gmm(scan(make), 3, rng=0))


OPTIONS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("incomplete", {}, {"missing": "em"}),
    ("weighted", {"weight": 3}, {}),
    ("whole", {"columns": [2, 0]}, {"covariance_type": "diag"}),
    ("whole", {}, {"em": "hard"}),
    ("whole", {}, {"em": "annealed", "max_iter": 30, "n_init": 1}),
    ("whole", {}, {"init": WHOLE[[0, 2500, 4999]].astype(float)}),
    ("whole", {}, {"init": GaussianMixture(np.full(3, 1 / 3), WHOLE[[0, 2500, 4999]],
                                           np.tile(np.eye(3), (3, 1, 1)))}),
    ("whole", {}, {"covariance_type": "VEV", "reg_covar": 1e-3}),
    ("whole", {}, {"backend": "reference", "max_iter": 5, "tol": 0.0}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "columns", "options"), OPTIONS)
def test_fit_with_options_is_that_of_this_process_to_the_bit(
    folder: Path, threads: Executor, name: str, columns: Any, options: Any
) -> None:
    path = folder / f"{name}.npy"
    near = fit_gmm(scan(path, block_size=SIZE, **columns), 3, rng=0, **options)
    far = fit_gmm(scan(path, block_size=SIZE, **columns, executor=threads), 3, rng=0, **options)
    assert_same_fit_bits(far, near)


def test_selection_by_bic_is_that_of_this_process_to_the_bit(
    folder: Path, threads: Executor
) -> None:
    path, options = folder / "whole.npy", {"rng": 0, "covariance_type": ["full", "diag"]}
    near = select_gmm(scan(path, block_size=SIZE), [2, 3], **options)
    far = select_gmm(scan(path, block_size=SIZE, executor=threads), [2, 3], **options)
    np.testing.assert_array_equal(far.table, near.table)
    assert_same_fit_bits(far.best, near.best)


@pytest.fixture(scope="module")
def process() -> Iterator[Executor]:
    with processes("spawn", 1) as pool:
        yield pool


@pytest.mark.parametrize("name", sorted(written.KINDS.keys() - {"opened_hdf5"}))
def test_rows_of_any_kind_are_read_in_another_process(
    tmp_path: Path, process: Executor, name: str
) -> None:
    source = written.KINDS[name](tmp_path / "rows", INITIAL)
    options: dict[str, Any] = {"init": INITIAL[:3], "max_iter": 2, "tol": 0.0}
    near = fit_gmm(scan(source, block_size=130), 3, **options)
    rows = scan(source, block_size=130, executor=process)
    assert_same_fit_bits(fit_gmm(rows, 3, **options), near)
    np.testing.assert_array_equal(near.predict(rows), near.predict(scan(source, block_size=130)))


def test_array_of_an_open_file_is_read_by_its_path(tmp_path: Path, process: Executor) -> None:
    source = written.opened_hdf5(tmp_path / "rows", INITIAL)
    near, far = (fit_gmm(scan(source, executor=each), 3, rng=0) for each in (None, process))
    np.testing.assert_array_equal(far.means, near.means)
    source.file.close()


def test_clusters_are_those_of_this_process_to_the_bit(folder: Path, threads: Executor) -> None:
    path = folder / "whole.npy"
    near = fit_kmeans(scan(path, block_size=SIZE), 4, rng=0)
    far = fit_kmeans(scan(path, block_size=SIZE, executor=threads), 4, rng=0)
    np.testing.assert_array_equal(far.centers, near.centers)
    assert (far.n_iter, far.inertia) == (near.n_iter, near.inertia)


# ---- workers that die, and Ctrl-C ----


def kill_a_worker_of(pool: Any, at: int) -> Any:
    def callback(state: State) -> None:
        if state.iteration == at:
            os.kill(next(iter(pool._processes)), signal.SIGKILL)

    return callback


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal on this platform")
def test_fit_of_which_a_worker_was_killed_continues_from_its_checkpoint(
    folder: Path, tmp_path: Path
) -> None:
    path = folder / "whole.npy"
    options: dict[str, Any] = {"rng": 0, "tol": 0.0, "max_iter": 8, "init": WHOLE[:3].astype(float)}
    here = fit_gmm(scan(path, block_size=SIZE), 3, **options)
    options |= {"checkpoint": tmp_path / "fit.ckpt", "checkpoint_every": 0.0}
    with processes("spawn") as pool:
        rows = scan(path, block_size=SIZE, executor=pool)
        with pytest.raises(BrokenExecutor, match="Scan with a new executor and call the function"):
            fit_gmm(rows, 3, **options, callback=kill_a_worker_of(pool, at=3))
    assert (tmp_path / "fit.ckpt").exists()
    with processes("spawn") as pool:
        fit = fit_gmm(scan(path, block_size=SIZE, executor=pool), 3, **options)
    assert_same_fit_bits(fit, here)


@pytest.mark.thread_unsafe(reason="signals come to the main thread")
def test_ctrl_c_keeps_what_was_done_and_the_pool_can_be_used_again(folder: Path) -> None:
    path = folder / "whole.npy"
    options: dict[str, Any] = {"tol": 0.0, "max_iter": 6, "init": WHOLE[:3].astype(float)}

    def press(state: State) -> None:
        if state.iteration == 3:
            signal.raise_signal(signal.SIGINT)

    with processes("spawn") as pool:
        rows = scan(path, block_size=SIZE, executor=pool)
        with pytest.raises(FitInterrupted) as caught:
            fit_gmm(rows, 3, callback=press, **options)
        assert caught.value.fit.n_iter == 3
        fit = fit_gmm(rows, 3, **options)
    assert_same_fit_bits(fit, fit_gmm(scan(path, block_size=SIZE), 3, **options))


class Interrupted(ThreadPoolExecutor):
    """Ctrl-C comes while a task is handed out."""

    left = 10**9

    def submit(self, *arguments: Any, **options: Any) -> Any:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        return super().submit(*arguments, **options)


def test_ctrl_c_within_a_pass_keeps_the_iterations_before(folder: Path) -> None:
    options: dict[str, Any] = {"tol": 0.0, "max_iter": 6, "init": WHOLE[:3].astype(float)}
    with Interrupted(2) as pool:
        rows = scan(folder / "whole.npy", block_size=SIZE, executor=pool)

        def soon(state: State) -> None:
            pool.left = 5 if state.iteration == 2 else pool.left

        with pytest.raises(FitInterrupted) as caught:
            fit_gmm(rows, 3, callback=soon, **options)
        assert caught.value.fit.n_iter == 2
        assert fit_gmm(rows, 3, **options).n_iter == 6


# ---- the scripts in the documentation ----

PAGE = Path(__file__).parents[2] / "docs" / "manual" / "executors.md"
SCRIPTS = {
    found[1]: found
    for found in re.finditer(
        r"^```python\n# (\w+\.py): ([^\n]*)\n(.*?)^```$",
        PAGE.read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
}
NEEDED = {"with_joblib.py": ["joblib"], "with_mpi.py": ["mpi4py"], "with_ray.py": ["ray"]}
SECONDS = 120.0


def command_of(line: str) -> list[str]:
    """The command, with this interpreter."""
    return [sys.executable if word == "python" else word for word in shlex.split(line)]


def test_scripts_of_the_page_are_found() -> None:
    assert set(SCRIPTS) == {"processes.py", *NEEDED}


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_of_the_page_prints_what_a_fit_without_executor_has(
    name: str, tmp_path: Path
) -> None:
    for needed in NEEDED.get(name, ()):
        spec = importlib.util.find_spec(needed)
        # A folder of this name, such as Ray's for its files, is a package without an origin.
        if not (spec and spec.origin):
            pytest.skip(f"{needed} is not installed")
    program, *_ = command_of(line := SCRIPTS[name].group(2))
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    np.save(tmp_path / "rows.npy", WHOLE)
    (tmp_path / name).write_text(SCRIPTS[name].group(3), encoding="utf-8")
    done = subprocess.run(
        command_of(line), cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS,
        env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = fit_gmm(scan(tmp_path / "rows.npy"), 2, rng=0).log_likelihood
    assert done.stdout.split() == [repr(expected)]

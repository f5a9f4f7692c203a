"""What a fit reports: lines while it runs, and its summary."""

import errno
import io
import itertools
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from clusters import clustered

import mixtura.sklearn
from mixtura import (
    FitError,
    FitInterrupted,
    GaussianMixture,
    State,
    bootstrap_lrt,
    fit_gmm,
    fit_kmeans,
    scan,
    select_gmm,
)
from mixtura.fitting import progress, stages

Capture = pytest.CaptureFixture[str]

LINE = re.compile(
    r"mixtura: iteration \d+: objective -?\d+\.\d{6} nats per row, "
    r"(the gain not yet predicted|about \d\.\de[+-]\d\d to gain), \d+\.\d s"
)


def test_verbose_fit_reports_how_it_ended_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fit = fit_gmm(clustered()[0], 3, rng=0, verbose=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == f"mixtura: converged after {fit.n_iter} iterations"


def test_verbose_fit_reports_iterations_when_it_is_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(np.arange(0.0, 100.0, 0.2))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    seen: list[int] = []

    def callback(state: State) -> None:
        seen.append(state.iteration)

    X = clustered()[0]
    labels = np.arange(len(X)) % 3
    fit_gmm(X, 3, init=labels, tol=0.0, max_iter=10, verbose=True, callback=callback)
    *lines, last = capsys.readouterr().err.splitlines()
    assert all(LINE.fullmatch(line) for line in lines)
    assert [line.split()[2] for line in lines] == ["3:", "6:", "9:"]
    assert last == "mixtura: max_iter after 10 iterations"
    assert seen == list(range(1, 11))


def test_verbose_fit_reports_its_starts_when_it_is_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(np.arange(0.0, 100.0, 0.2))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    fit_gmm(clustered()[0], 3, rng=0, n_init=6, max_iter=1, tol=0.0, verbose=True)
    *lines, _ = capsys.readouterr().err.splitlines()
    expected = re.compile(
        r"mixtura: run (\d+) of the search: objective (-\d+\.\d{6}) nats per row, "
        r"best (-\d+\.\d{6}), \d\.\d s"
    )
    found = [expected.fullmatch(line) for line in lines if line.startswith("mixtura: run ")]
    assert [int(match[1]) for match in found] == list(range(3, 3 * len(found) + 1, 3))
    assert len(found) > 2
    objectives, bests = ([float(match[i]) for match in found] for i in (2, 3))
    assert bests == sorted(bests)
    assert all(best >= objective for best, objective in zip(bests, objectives, strict=True))


def test_verbose_fit_reports_the_best_of_its_starts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(np.arange(0.0, 100.0, 0.6))  # it is always time
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    fit_gmm(clustered()[0], 5, rng=0, init="random", max_iter=1, tol=0.0, verbose=True)
    runs = re.findall(r"objective (\S+) nats per row, best (\S+),", capsys.readouterr().err)
    objectives, bests = np.array(runs, dtype=float).T
    assert (np.diff(objectives) < 0.0).any()
    np.testing.assert_array_equal(bests, np.maximum.accumulate(objectives))


def test_verbose_fit_reports_a_long_pass(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 0.001)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    written = threading.Event()
    original = progress.Lines.wait

    def wait(self: progress.Lines, line: str) -> None:
        original(self, line)
        if "iteration 2 under way" in line:
            written.set()

    monkeypatch.setattr(progress.Lines, "wait", wait)
    X = clustered()[0]
    labels = np.arange(len(X)) % 3
    fit_gmm(X, 3, init=labels, max_iter=2, tol=0.0, verbose=True,
            callback=lambda state: state.iteration == 1 and not written.wait(60))  # fmt: skip
    lines = capsys.readouterr().err.splitlines()
    expected = re.compile(
        r"mixtura: iteration 2 under way for \d+\.\d s \(the last took \d+\.\d s\)"
    )
    assert any(expected.fullmatch(line) for line in lines)
    assert lines[-1] == "mixtura: max_iter after 2 iterations"
    assert_no_watcher()


def assert_no_watcher() -> None:
    for thread in threading.enumerate():
        if thread.name == "mixtura progress":
            thread.join(60)
            assert not thread.is_alive()


def test_bar_shows_starts_and_iterations_with_objective_and_gain(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("tqdm")
    X = clustered()[0]
    fit = fit_gmm(X, 3, rng=0, n_init=4, tol=0.0, max_iter=12, verbose="bar")
    out, err = capsys.readouterr()
    assert out == ""
    search, iterations = (
        [part for part in re.split(r"[\r\n]", err) if part.startswith(f"mixtura {what}")][-1]
        for what in ("search", "iterations")
    )
    assert re.search(r"mixtura search: \d+run .* objective -\d+\.\d{6}", search)
    assert f"mixtura iterations: {fit.n_iter}it " in iterations
    assert f"objective {fit.history[-1]:.6f}, about " in iterations
    assert iterations.endswith("to gain]")
    assert err.endswith("mixtura: max_iter after 12 iterations\n")
    assert_no_watcher()


def test_bar_updates_its_clock_in_a_long_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 0.001)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr("tqdm.auto.tqdm.monitor_interval", 0)  # it may refresh bars too
    refreshed = threading.Event()
    monkeypatch.setattr("tqdm.auto.tqdm.refresh", lambda *_, **__: refreshed.set())
    X = clustered()[0]
    seen: list[bool] = []

    def wait(_: State) -> None:
        refreshed.clear()  # after what the iteration itself has shown
        seen.append(refreshed.wait(60))

    fit_gmm(X, 3, init=np.arange(len(X)) % 3, max_iter=2, tol=0.0, verbose="bar", callback=wait)
    assert seen == [True, True]


def test_bar_without_tqdm_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    message = (
        'verbose="bar" needs tqdm, which is not installed. '
        "Install it with: pip install 'mixtura[progress]'."
    )
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        fit_gmm(clustered()[0], 3, verbose="bar")


def test_verbose_fit_that_fails_leaves_no_watcher() -> None:
    with pytest.raises(FitError):
        fit_gmm(
            [[0.0], [1.0], [2.0], [5.0]], 2, init=[0, 0, 0, 1], reg_covar=0, verbose=True,
            on_collapse="raise",
        )  # fmt: skip
    assert_no_watcher()


def test_verbose_fit_that_is_interrupted_or_stopped_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(_: State) -> None:
        raise KeyboardInterrupt

    X = clustered()[0]
    with pytest.raises(FitInterrupted):
        fit_gmm(X, 3, rng=0, verbose=True, callback=interrupt)
    assert capsys.readouterr().err == "mixtura: interrupted after 1 iteration\n"
    fit_gmm(X, 3, rng=0, verbose=True, callback=lambda state: state.iteration == 2)
    assert capsys.readouterr().err == "mixtura: callback after 2 iterations\n"


def test_fit_that_is_not_verbose_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    fit_gmm(clustered()[0], 3, rng=0)
    assert capsys.readouterr() == ("", "")


# Every function, and terminals


@pytest.fixture(autouse=True)
def reports_of_every_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "REPORTED", 1)


def run_gmm(**options: Any) -> None:
    fit_gmm(X, 3, init=LABELS, tol=0.0, max_iter=30, **options)


def run_kmeans(**options: Any) -> None:
    fit_kmeans(clustered(500, 2, 7, spread=1.0)[0], 7, n_init=3, tol=0, rng=0, **options)


def run_selection(**options: Any) -> None:
    select_gmm(X, range(1, 5), ["EII", "VII", "EEI"], n_init=1, rng=0, **options)


def run_bootstrap(**options: Any) -> None:
    bootstrap_lrt(X[:60], 1, covariance_type="EII", n_bootstrap=9, n_init=1, rng=0, **options)


X = clustered()[0]
LABELS = np.arange(len(X)) % 3
RUNS = (run_gmm, run_kmeans, run_selection, run_bootstrap)
every_function = pytest.mark.parametrize("run", RUNS)
Run = Callable[..., None]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Capture:
    """Standard error as if it were a terminal."""
    monkeypatch.setattr(progress, "is_terminal", lambda: True)
    return capsys


def tick(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let each look at the clock take some seconds."""
    clock = itertools.count()
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds * next(clock))


@every_function
def test_verbose_that_is_none_of_the_words_is_refused_by_every_function(run: Run) -> None:
    message = (
        'verbose must be True, False, None or "bar"; got {}. Use None for progress on a terminal '
        "after 2 seconds, True for lines, False for nothing."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message.format(repr('yes') + ' (str)'))}$"):
        run(verbose="yes")
    with pytest.raises(TypeError, match=f"^{re.escape(message.format('0.5 (float)'))}$"):
        run(verbose=0.5)


@every_function
@pytest.mark.parametrize("verbose", [None, False, np.False_])
def test_progress_is_not_shown_where_standard_error_is_no_terminal(
    run: Run, verbose: Any, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    tick(monkeypatch, 5.0)
    run(verbose=verbose)
    assert capsys.readouterr() == ("", "")
    assert_no_watcher()


@pytest.mark.parametrize("stderr", [None, "closed"])
def test_fit_without_standard_error_shows_nothing(
    stderr: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed if stderr else None)
    assert not progress.is_terminal()
    run_gmm()


def test_standard_error_says_itself_whether_it_is_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    assert not progress.is_terminal()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    assert progress.is_terminal()


class Unwritable(io.StringIO):
    """Standard error on a disk that is full."""

    def write(self, text: str) -> int:  # noqa: ARG002
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@every_function
@pytest.mark.parametrize("verbose", [True, "bar"])
@pytest.mark.parametrize("kind", ["full", "closed", "none"])
def test_progress_that_cannot_be_written_does_not_lose_the_work(
    run: Run, verbose: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if verbose == "bar":
        pytest.importorskip("tqdm")
    tick(monkeypatch, 5.0)
    stream = Unwritable() if kind == "full" else io.StringIO()
    if kind == "closed":
        stream.close()
    monkeypatch.setattr(sys, "stderr", None if kind == "none" else stream)
    run(verbose=verbose)


@every_function
def test_progress_is_not_shown_on_a_terminal_for_work_of_less_than_two_seconds(
    run: Run, monkeypatch: pytest.MonkeyPatch, terminal: Capture
) -> None:
    tick(monkeypatch, 0.0)
    run()
    assert terminal.readouterr() == ("", "")
    assert_no_watcher()


@every_function
def test_progress_is_not_shown_on_a_terminal_when_verbose_is_false(
    run: Run, monkeypatch: pytest.MonkeyPatch, terminal: Capture
) -> None:
    tick(monkeypatch, 5.0)
    run(verbose=False)
    assert terminal.readouterr() == ("", "")


@every_function
def test_progress_on_a_terminal_is_a_bar_that_disappears(
    run: Run, monkeypatch: pytest.MonkeyPatch, terminal: Capture
) -> None:
    pytest.importorskip("tqdm")
    tick(monkeypatch, 0.5)
    run()
    out, err = terminal.readouterr()
    assert out == ""
    stage = {run_selection: "models", run_bootstrap: "samples"}.get(run, "iterations")
    assert f"\rmixtura {stage}: " in err
    assert "\n" not in err
    assert not err.split("\r")[-2].strip()  # blanks over the bar


EXPECTED = {
    run_gmm: r"iteration \d+: objective -\d\.\d{6} nats per row, .+, (\d+\.\d) s",
    run_kmeans: r"run [123], iteration \d+: inertia \d+\.?\d*, (\d+\.\d) s",
    run_selection: r"\d+ of 12 models: (EII|VII|EEI), \d components?",
    run_bootstrap: r"(1 of 10 samples: the rows|\d+ of 10 samples: statistic \d+\.\d{3})",
}


@every_function
def test_progress_on_a_terminal_without_tqdm_is_lines_two_seconds_apart(
    run: Run, monkeypatch: pytest.MonkeyPatch, terminal: Capture
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    tick(monkeypatch, 0.5)
    run()
    lines = terminal.readouterr().err.splitlines()
    assert lines
    matches = [re.fullmatch(f"mixtura: {EXPECTED[run]}", line) for line in lines]
    assert all(matches), lines
    if run in (run_gmm, run_kmeans):
        seconds = np.array([float(match[1]) for match in matches])
        assert seconds[0] == 2.0
        np.testing.assert_array_equal(np.diff(seconds), 2.0)


@every_function
def test_verbose_function_writes_lines_to_the_end(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    tick(monkeypatch, 0.5)
    run(verbose=True)
    out, err = capsys.readouterr()
    *lines, last = err.splitlines()
    assert out == ""
    assert all(re.fullmatch(f"mixtura: {EXPECTED[run]}", line) for line in lines)
    end = {
        run_gmm: "max_iter after 30 iterations",
        run_kmeans: r"converged after \d+ iterations",
        run_selection: r"12 of 12 models: EEI, 4 components",
        run_bootstrap: r"10 of 10 samples: statistic \d+\.\d{3}",
    }
    assert re.fullmatch(f"mixtura: {end[run]}", last)


def test_reading_before_the_start_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 0.001)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.001)
    shown, lines = threading.Event(), []

    def wait(_: progress.Lines, line: str) -> None:
        lines.append(line)
        shown.set()

    monkeypatch.setattr(progress.Lines, "wait", wait)
    readings = itertools.count()

    def slow() -> Any:
        yield X
        assert next(readings) < 2 or shown.wait(60)

    fit_gmm(scan(slow), 3, rng=0, tol=0.0, max_iter=1, verbose=True)
    assert re.fullmatch(r"reading the rows under way for \d\.\d s", lines[0])
    capsys.readouterr()


@pytest.mark.parametrize("tqdm", [True, False])
def test_long_pass_on_a_terminal_is_shown_after_two_seconds(
    tqdm: bool, monkeypatch: pytest.MonkeyPatch, terminal: Capture
) -> None:
    if tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    tick(monkeypatch, 1.0)
    monkeypatch.setattr(progress, "SECONDS_UNTIL_SHOWN", 0.001)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.001)
    shown = threading.Event()
    display = progress.Bar if tqdm else progress.Lines
    original = display.wait

    def wait(self: Any, line: str) -> None:
        original(self, line)
        shown.set()

    monkeypatch.setattr(display, "wait", wait)

    def start(*_: Any) -> Any:
        assert shown.wait(60)
        return LABELS

    fit_gmm(X, 3, init=start, tol=0.0, max_iter=1)
    assert re.search(r"mixtura: the start under way for \d\.\d s", terminal.readouterr().err)
    assert_no_watcher()


@every_function
def test_ctrl_c_while_the_watcher_starts_leaves_none(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def interrupted(self: threading.Thread) -> None:
        start(self)
        if self.name == "mixtura progress":
            raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(verbose=True)
    assert_no_watcher()


def test_bar_does_not_settle_how_processes_are_started() -> None:
    pytest.importorskip("tqdm")
    code = (
        "import multiprocessing, mixtura\n"
        "mixtura.fit_kmeans([[0.0], [1.0]], 2, verbose='bar')\n"
        "multiprocessing.set_start_method('spawn')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@every_function
def test_error_while_a_bar_is_drawn_leaves_its_lock_to_others(
    run: Run, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    tqdm = pytest.importorskip("tqdm.auto").tqdm
    free = threading.Event()

    def take_the_lock() -> None:
        with tqdm.get_lock():
            free.set()

    def interrupt(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(tqdm, "display", interrupt)
        with pytest.raises(KeyboardInterrupt) if error is KeyboardInterrupt else nullcontext():
            run(verbose="bar")
    other = threading.Thread(target=take_the_lock, daemon=True)
    other.start()
    assert free.wait(60)
    other.join()


def test_estimators_of_scikit_learn_are_silent_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, terminal: Capture
) -> None:
    tick(monkeypatch, 5.0)
    mixtura.sklearn.KMeans(3, random_state=0).fit(X)
    mixtura.sklearn.GaussianMixture(3, random_state=0).fit(X)
    assert terminal.readouterr() == ("", "")


# Summaries


def test_summary_of_a_fit_says_what_came_out_and_how() -> None:
    X = clustered()[0]
    fit = fit_gmm(X, 3, covariance_type="diag", rng=0, sample_weight=np.r_[0.0, np.ones(239)])
    lines = fit.summary(["length", "width"]).splitlines()
    first, second, third, fourth, fifth, empty, *table = lines
    assert first == "Gaussian mixture: 3 components, diag covariances, 2 features, 239 rows"
    assert second == f"log-likelihood {fit.log_likelihood:.6f} nats, 14 parameters"
    assert third == f"converged after {fit.n_iter} iterations"
    share = 100 * fit.entropy / (239 * np.log(3))
    assert fourth == (
        f"entropy of the assignments {fit.entropy:.6g} nats, {share:.2f}% of the most that 3 "
        "components can have"
    )
    assert fifth == str(fit.search)
    assert empty == ""
    size = [line for line in table if line.startswith("size ")]
    np.testing.assert_allclose(
        [float(number) for number in size[0].split()[1:]], 239 * fit.model.weights, rtol=1e-4
    )
    table.remove(size[0])
    assert "\n".join(table) == fit.model.summary(["length", "width"])


def test_summary_of_a_weighted_fit_gives_the_total_that_sizes_sum_to() -> None:
    X = clustered()[0]
    fit = fit_gmm(X, 3, rng=0, sample_weight=np.full(240, 133_512 / 240))
    assert fit.summary().startswith(
        "Gaussian mixture: 3 components, full covariances, 2 features, "
        "240 rows of total weight 133512\n"
    )
    assert "240 rows of total weight 133512<br>" in fit._repr_html_()


@pytest.mark.parametrize("reg_covar", [0.0, 1e-6])
def test_summary_of_an_interrupted_fit_says_why_numbers_are_missing(reg_covar: float) -> None:
    X = clustered()[0]
    calls: list[State] = []

    def interrupt(state: State) -> None:
        calls.append(state)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(FitInterrupted) as caught:
        fit_gmm(X, 3, rng=0, reg_covar=reg_covar, callback=interrupt, tol=0)
    text = caught.value.fit.summary()
    assert "nan" not in text
    _, second, third, fourth, *_ = text.splitlines()
    if reg_covar:
        assert second == (
            "log-likelihood not computed, because the fit was interrupted: use "
            "fit.model.log_likelihood(X); 17 parameters"
        )
    else:
        assert second.startswith("log-likelihood -")
    assert third == "stopped (interrupted) after 3 iterations"
    assert fourth == "entropy of the assignments not computed, because the fit was interrupted"


def test_work_after_the_last_of_many_fits_is_not_counted_as_one_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    count = progress.Counter(2, "model", verbose=True)
    for after, line in (("EII", "model 2 of 2"), ("VVV", "after 2 of 2 models: more work")):
        count(after)
        count._report_wait(12.0)
        assert capsys.readouterr().err.endswith(f"mixtura: {line} under way for 12.0 s\n")


def test_summary_of_a_small_fit_is_in_the_singular() -> None:
    fit = fit_gmm([[1.0], [2.0]], 1, max_iter=1, tol=0.0)
    first, _, third, fourth, *_ = fit.summary().splitlines()
    assert first == "Gaussian mixture: 1 component, full covariances, 1 feature, 2 rows"
    assert third == "stopped (max_iter) after 1 iteration"
    assert fourth == ""


def test_summary_of_a_fit_names_what_happened_to_components() -> None:
    X = clustered()[0]
    start = GaussianMixture([0.5, 0.5], [X[0], [1e4, 1e4]], [1.0, 1.0], "spherical")
    fit = fit_gmm(X, 2, covariance_type="spherical", init=start, on_collapse="drop")
    assert "\niteration 1: component 1 empty, dropped (its number at that time)\n" in fit.summary()


def test_summary_names_components_that_are_in_the_model_by_their_positions() -> None:
    fit = fit_gmm(clustered()[0], 2, reg_covar=0.5, rng=0)
    kept = str(fit.events[0])
    assert kept.endswith("ridge, kept")
    assert kept in fit.summary().splitlines()


def test_fits_and_states_are_equal_only_to_themselves() -> None:
    states: list[State] = []
    X = clustered()[0]
    one = fit_gmm(X, 2, rng=0, callback=states.append)
    other = fit_gmm(X, 2, rng=0)
    assert one != other
    assert len({one, other}) == 2
    assert states[0] != states[1]

"""What a fit reports: lines while it runs, and its summary."""

import re
import sys
import threading

import numpy as np
import pytest
from clusters import clustered

from mixtura import FitError, FitInterrupted, GaussianMixture, State, fit_gmm
from mixtura.fitting import progress

LINE = re.compile(
    r"mixtura: iteration \d+: objective -?\d+\.\d{6} nats per row, "
    r"about (inf|\d\.\de[+-]\d\d) to gain, \d+\.\d s"
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
        r"mixtura: run (\d+) of the starts: objective (-\d+\.\d{6}) nats per row, "
        r"best (-\d+\.\d{6}), \d\.\d s"
    )
    found = [expected.fullmatch(line) for line in lines if line.startswith("mixtura: run ")]
    assert [int(match[1]) for match in found] == [3, 6, 9]
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
    written = threading.Event()
    original = progress.Progress.write

    def write(self: progress.Progress, line: str) -> None:
        original(self, line)
        if "iteration 2 under way" in line:
            written.set()

    monkeypatch.setattr(progress.Progress, "write", write)
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
    starts, iterations = (
        [part for part in re.split(r"[\r\n]", err) if part.startswith(f"mixtura {what}")][-1]
        for what in ("starts", "iterations")
    )
    assert re.search(r"mixtura starts: 6run .* objective -\d+\.\d{6}", starts)
    assert f"mixtura iterations: {fit.n_iter}it " in iterations
    assert f"objective {fit.history[-1]:.6f}, about " in iterations
    assert iterations.endswith("to gain]")
    assert err.endswith("mixtura: max_iter after 12 iterations\n")
    assert_no_watcher()


def test_bar_updates_its_clock_in_a_long_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 0.001)
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
    with pytest.raises(ValueError, match=r"verbose must be one of 'bar'; got 'bars'. Did you mean"):
        fit_gmm(clustered()[0], 3, verbose="bars")


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


def test_summary_of_a_fit_says_what_came_out_and_how() -> None:
    X = clustered()[0]
    fit = fit_gmm(X, 3, covariance_type="diag", rng=0, sample_weight=np.r_[0.0, np.ones(239)])
    first, second, third, fourth, empty, *table = fit.summary(["length", "width"]).splitlines()
    assert first == "Gaussian mixture: 3 components, diag covariances, 2 features, 239 rows"
    assert second == f"log-likelihood {fit.log_likelihood:.6f} nats, 14 parameters"
    assert third == f"converged after {fit.n_iter} iterations"
    share = 100 * fit.entropy / (239 * np.log(3))
    assert fourth == (
        f"entropy of the assignments {fit.entropy:.6g} nats, {share:.2f}% of the most that 3 "
        "components can have"
    )
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
    assert "\niteration 1: component 1 empty, dropped\n" in fit.summary()


def test_fits_and_states_are_equal_only_to_themselves() -> None:
    states: list[State] = []
    X = clustered()[0]
    one = fit_gmm(X, 2, rng=0, callback=states.append)
    other = fit_gmm(X, 2, rng=0)
    assert one != other
    assert len({one, other}) == 2
    assert states[0] != states[1]

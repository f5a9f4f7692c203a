"""What a fit tells: lines for people who wait, and its summary."""

import re

import numpy as np
import pytest
from clusters import clustered

from mixtura import FitInterrupted, GaussianMixture, State, fit_gmm, progress

LINE = re.compile(
    r"mixtura: iteration \d+: objective -?\d+\.\d{6} nats per row, "
    r"about (inf|\d\.\de[+-]\d\d) to gain, \d+\.\d s"
)


def test_verbose_fit_tells_how_it_ended_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fit = fit_gmm(clustered()[0], 3, rng=0, verbose=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == f"mixtura: converged after {fit.n_iter} iterations"


def test_verbose_fit_tells_of_iterations_when_it_is_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(np.arange(0.0, 100.0, 0.2))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    seen: list[int] = []

    def callback(state: State) -> None:
        seen.append(state.iteration)

    fit_gmm(clustered()[0], 3, rng=0, tol=0.0, max_iter=10, verbose=True, callback=callback)
    *lines, last = capsys.readouterr().err.splitlines()
    assert all(LINE.fullmatch(line) for line in lines)
    assert [line.split()[2] for line in lines] == ["3:", "6:", "9:"]
    assert last == "mixtura: max_iter after 10 iterations"
    assert seen == list(range(1, 11))


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


def test_fit_that_is_not_verbose_tells_nothing(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_summary_of_a_small_fit_speaks_of_one() -> None:
    fit = fit_gmm([[1.0]], 1, max_iter=1, tol=0.0)
    first, _, third, fourth, *_ = fit.summary().splitlines()
    assert first == "Gaussian mixture: 1 component, full covariances, 1 feature, 1 row"
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

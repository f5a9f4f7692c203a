"""Ctrl-C and other signals: handled within a pass, with nothing lost that was done."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from clusters import clustered
from helpers import assert_same_bits, random_mixture

from mixtura import FitInterrupted, KMeansFit, fit_gmm, fit_kmeans, kernels, scan
from mixtura.parameters import Seen
from mixtura.shapes import FULL, Floats
from mixtura.statistics import Statistics
from mixtura.updates import Ridge

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarms on this platform"),
    pytest.mark.thread_unsafe(reason="signals come to the main thread"),
]


class Alarm(Exception):
    """What the handler raises."""


@contextmanager
def alarm(*, raising: bool, exception: type[BaseException] = Alarm) -> Iterator[list[None]]:
    """Let a signal come soon, and again and again; each one that is handled leaves an entry."""
    handled: list[None] = []

    def handle(_number: int, _frame: FrameType | None) -> None:
        handled.append(None)
        if raising:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise exception

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        yield handled
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def accumulate(X: Floats, n_threads: int) -> Statistics:
    """One pass, without the checks that would read all rows beforehand."""
    mixture = random_mixture(np.random.default_rng(0), "full", 3, X.shape[1])
    seen = Seen.of_factors(mixture.weights, mixture.means, mixture.factors, FULL)
    return kernels.Rows(X).accumulate("soft", seen, n_threads)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_pass_of_many_hours_ends_when_a_signal_handler_raises(n_threads: int) -> None:
    endless = np.broadcast_to(np.zeros((1, 8)), (10**13, 8))
    with pytest.raises(Alarm), alarm(raising=True):
        accumulate(endless, n_threads)
    X = clustered(3000, 8, 3)[0]
    assert_same_bits(accumulate(X, n_threads), accumulate(X, 1))


@pytest.mark.parametrize("n_threads", [1, 2])
def test_signal_handlers_that_return_change_no_bit(n_threads: int) -> None:
    X = np.broadcast_to(clustered(1, 8, 1)[0], (20_000_000, 8))
    expected = accumulate(X, 1)
    with alarm(raising=False) as handled:
        assert_same_bits(accumulate(X, n_threads), expected)
    assert handled


def scatters(k: int, d: int) -> Floats:
    """Of components that have no axes in common, as matrices."""
    roots = np.random.default_rng((k, d)).normal(size=(k, d, d + 1))
    return roots @ roots.transpose(0, 2, 1)


def largest_likelihood(by: str, scatter: Floats) -> Floats:
    """The covariances on common axes, from no axes before, by one of two functions."""
    k, d, _ = scatter.shape
    if by == "rule":
        return kernels.covariance_rules["VVE"](scatter, np.ones(k))
    nowhere = np.zeros((k, d))
    statistics = Statistics("full", nowhere, np.ones(k), nowhere, scatter, 0.0, float(k))
    return kernels.m_step("VVE", FULL, None).maximise(statistics, None).covariances


each_function = pytest.mark.parametrize("by", ["rule", "m_step"])


@each_function
def test_m_step_of_an_hour_ends_when_a_signal_handler_raises(by: str) -> None:
    endless = scatters(3000, 32)
    with pytest.raises(Alarm), alarm(raising=True):
        largest_likelihood(by, endless)


@each_function
def test_signal_handlers_that_return_change_no_bit_of_an_m_step(by: str) -> None:
    scatter = scatters(3, 120)
    expected = largest_likelihood(by, scatter)
    with alarm(raising=False) as handled:
        np.testing.assert_array_equal(largest_likelihood(by, scatter), expected)
    assert handled


def test_fit_interrupted_in_its_first_m_step_has_nothing_to_keep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng, update = np.random.default_rng(0), Ridge.update
    labels = np.arange(30_000) % 1000

    def interrupted(self: Ridge, *args: Any) -> Any:
        with alarm(raising=True, exception=KeyboardInterrupt):
            return update(self, *args)

    monkeypatch.setattr(Ridge, "update", interrupted)
    with pytest.raises(FitInterrupted, match="before its first iteration") as caught:
        fit_gmm(rng.normal(size=(30_000, 20)), 1000, init=labels, covariance_type="VVE")
    assert caught.value.fit is None


def press_ctrl_c(monkeypatch: pytest.MonkeyPatch, when: int) -> None:
    """Let Ctrl-C be pressed in an iteration, after `when` passes over blocks of the rows."""
    passes = []
    engine = kernels.Rows

    class Rows:
        """The engine's rows, of which a pass is interrupted."""

        extras = ()

        def __init__(self, *arguments: Any, **options: Any) -> None:
            self._rows = engine(*arguments, **options)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._rows, name)

        def accumulate(self, *arguments: Any, **options: Any) -> Statistics:
            labels = options.get("labels")
            if labels is not None:
                if len(passes) == when:
                    labels[::2] = 99  # half of the rows are done
                    raise KeyboardInterrupt
                passes.append(None)
            return self._rows.accumulate(*arguments, **options)

    monkeypatch.setitem(kernels.FORMS, "whole", Rows)


@pytest.mark.parametrize("n_blocks", [1, 2])
@pytest.mark.parametrize("when", [1, 2, 3, 4])
def test_kmeans_interrupted_in_a_pass_keeps_the_iterations_before(
    monkeypatch: pytest.MonkeyPatch, when: int, n_blocks: int
) -> None:
    X = clustered(500, 2, 5)[0]
    rows = X if n_blocks == 1 else scan(np.array_split(X, n_blocks))
    settings = {"init": X[:5], "tol": 0.0}
    with monkeypatch.context() as patch:
        press_ctrl_c(patch, n_blocks * when + n_blocks - 1)  # in the last block
        with pytest.raises(FitInterrupted, match="`fit` holds what was done") as caught:
            fit_kmeans(rows, 5, **settings)
    fit: KMeansFit = caught.value.fit
    assert (fit.n_iter, fit.converged) == (when - 1, False)
    squared = np.square(X[:, None, :] - fit.centers).sum(axis=2)
    np.testing.assert_array_equal(fit.labels, squared.argmin(axis=1))
    np.testing.assert_allclose(fit.inertia, squared.min(axis=1).sum(), rtol=1e-12)
    if when > 1:
        expected = fit_kmeans(rows, 5, **settings, max_iter=when - 1)
        np.testing.assert_array_equal(fit.centers, expected.centers)


def test_kmeans_interrupted_before_its_first_pass_has_nothing_to_keep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    press_ctrl_c(monkeypatch, 0)
    with pytest.raises(FitInterrupted, match="before its first iteration") as caught:
        fit_kmeans(clustered()[0], 3, rng=0)
    assert caught.value.fit is None


def test_kmeans_interrupted_before_its_start_has_nothing_to_keep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    interrupted.extras = ()  # type: ignore[attr-defined]
    monkeypatch.setitem(kernels.FORMS, "whole", interrupted)
    with pytest.raises(FitInterrupted) as caught:
        fit_kmeans(clustered()[0], 3, rng=0)
    assert caught.value.fit is None


def test_kmeans_interrupted_in_a_later_run_keeps_the_best(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X = clustered(500, 2, 5)[0]
    best = fit_kmeans(X, 5, rng=0, n_init=1, tol=0.0)
    press_ctrl_c(monkeypatch, best.n_iter + 2)  # the second run has made a pass
    with pytest.raises(FitInterrupted) as caught:
        fit_kmeans(X, 5, rng=0, n_init=2, tol=0.0)
    assert caught.value.fit.inertia == best.inertia
    assert caught.value.fit.converged


def test_kmeans_interrupted_in_a_pass_keeps_the_names_of_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X = pd.DataFrame(clustered(500, 2, 5)[0], columns=["a", "b"])
    press_ctrl_c(monkeypatch, 2)
    with pytest.raises(FitInterrupted) as caught:
        fit_kmeans(X, 5, rng=0, init=X[:5], tol=0.0)
    assert caught.value.fit.feature_names == ("a", "b")

"""Rows that come by once: stepwise EM ends near the fit to all, and follows rows that drift."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest
from clusters import objective
from streams import D, K, N, assert_same_bits, cut, learned, shuffled

import mixtura
from mixtura import Event, FitError, GaussianMixture, StepwiseGMM, fit_gmm, kernels, scan
from mixtura.covariance import CELEUX_GOVAERT
from mixtura.shapes import Floats

NEAR = 0.01  # nats per row
MAKE_WITH_EM = r'or make the stream with StepwiseGMM\(k, missing="em"\)\.$'


def mean_log_likelihood(X: Floats, fitted: Any) -> float:
    return float(fitted.log_prob(X).mean())


# ---- rows that do not drift ----


@pytest.mark.parametrize("spread", [4.0, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_stream_read_three_times_ends_near_the_fit(seed: int, spread: float) -> None:
    X = shuffled(seed, spread=spread)
    stream = learned(X, epochs=3)
    fit = fit_gmm(X, K, init=stream.model)
    assert abs(mean_log_likelihood(X, fit) - mean_log_likelihood(X, stream)) < NEAR


@pytest.mark.parametrize("covariance_type", [*CELEUX_GOVAERT, "full", "tied", "diag", "spherical"])
def test_stream_of_every_family_ends_near_the_fit(covariance_type: str) -> None:
    X = shuffled(1, d=3)
    stream = learned(X, epochs=3, covariance_type=covariance_type)
    fit = fit_gmm(X, K, covariance_type=covariance_type, init=stream.model)
    assert abs(mean_log_likelihood(X, fit) - mean_log_likelihood(X, stream)) < NEAR
    assert stream.model.covariance_type == covariance_type


@pytest.mark.parametrize(("k", "size"), [(1, 100), (2, 37), (5, 1000)])
def test_stream_of_many_components_or_batches_ends_near_the_fit(k: int, size: int) -> None:
    X = shuffled(2, k=k, spread=5.0)
    stream = learned(X, size, k=k, epochs=3)
    fit = fit_gmm(X, k, init=stream.model)
    assert abs(mean_log_likelihood(X, fit) - mean_log_likelihood(X, stream)) < NEAR


def test_batches_of_other_sizes_end_alike() -> None:
    X = shuffled(3)
    ends = [mean_log_likelihood(X, learned(X, size, n_start=600)) for size in (1, 30, 200, 600)]
    assert max(ends) - min(ends) < NEAR


def test_one_component_with_power_one_is_the_mean_of_all_rows() -> None:
    X = shuffled(4)
    stream = learned(X, k=1, step_power=1.0, reg_covar=0)
    np.testing.assert_allclose(stream.means[0], X.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(stream.covariances[0], np.cov(X.T, bias=True), rtol=1e-11)


def test_batch_is_one_step_of_em_on_its_own_rows_where_the_past_is_forgotten() -> None:
    X = shuffled(5)
    stream = learned(X[:1000], 1000, half_life=1e-3, reg_covar=0)
    start = stream.model
    stream.update(X[1000:])
    expected = fit_gmm(X[1000:], K, init=start, reg_covar=0, max_iter=1, tol=0)
    np.testing.assert_allclose(stream.means, expected.means, rtol=1e-9)
    np.testing.assert_allclose(stream.covariances, expected.covariances, rtol=1e-8)


def test_history_is_the_objective_of_batches_before_they_are_learned() -> None:
    X = shuffled(6)
    stream = learned(X[:600], 600, reg_covar=[1e-2, 2e-2])
    assert stream.history.tolist() == []
    for batch in cut(X[600:1200], 200):
        before = stream.model
        stream.update(batch)
        expected = objective(batch, before, ridge=np.array([1e-2, 2e-2]))
        assert stream.history[-1] == pytest.approx(expected, rel=1e-10)
    assert len(stream.history) == 3


def test_only_the_last_thousand_batches_are_remembered() -> None:
    X = shuffled(7)
    stream = learned(X[:300], 300)
    for batch in cut(X[300:2300], 2):
        stream.update(batch)
    first = stream.history
    stream.update(X[2300:2302])
    assert len(stream.history) == 1000
    np.testing.assert_array_equal(stream.history[:-1], first[1:])


def test_components_of_an_automatic_start_come_heaviest_first() -> None:
    X = shuffled(8)
    weights = learned(X, len(X)).weights
    assert (np.diff(weights) <= 0.0).all()


def test_ridge_is_that_of_the_rows_of_the_start() -> None:
    X = shuffled(9)
    stream = learned(X[:500], 500, reg_covar=1e-2)
    same = learned(X[:500], 500, reg_covar=1e-2 * fit_unit(X[:500]))
    wide = 100.0 * X[500:]
    np.testing.assert_allclose(stream.update(wide).covariances, same.update(wide).covariances)


def fit_unit(X: Floats) -> Floats:
    from mixtura.data import ArrayRows
    from mixtura.fitting.survey import Survey
    from mixtura.passes import Backend

    return Survey(ArrayRows(X), Backend()).unit


# ---- rows that drift ----


def drifting(half_life: float | None, seed: int = 0) -> float:
    """Mean distance of the means from the true ones, which move, in deviations."""
    rng = np.random.default_rng(seed)
    stream = StepwiseGMM(2, half_life=half_life, rng=0)
    found = []
    for t in range(100):
        true = np.array([[0.0, 0.02 * t], [8.0, -0.02 * t]])
        stream.update(true[rng.integers(2, size=200)] + rng.normal(size=(200, 2)))
        if t >= 50:
            means = stream.means[np.argsort(stream.means[:, 0])]
            found.append(np.linalg.norm(means - true, axis=1).mean())
    return float(np.mean(found))


@pytest.mark.parametrize("seed", range(3))
def test_stream_that_forgets_follows_means_that_move(seed: int) -> None:
    # The memory lags by 500 / ln 2 rows, in which the means move by 0.07.
    assert drifting(500.0, seed) < 0.15
    assert drifting(None, seed) > 2.0 * drifting(500.0, seed)


def test_component_without_rows_is_reseeded_where_a_new_cluster_appears() -> None:
    rng = np.random.default_rng(0)
    stream = StepwiseGMM(2, half_life=100.0, n_start=100, rng=0)
    for centres in ([0.0, 50.0], [0.0, 0.0], [0.0, -50.0]):
        for _ in range(30):
            stream.update(rng.choice(centres, size=(100, 1)) + rng.normal(size=(100, 1)))
            # Running statistics are those of the mixture, after a component was split too.
            np.testing.assert_allclose(stream.statistics.means(), stream.means, rtol=1e-9)
            np.testing.assert_allclose(stream.statistics.resp_sum, stream.weights, rtol=1e-9)
    assert {(event.cause, event.action) for event in stream.events} == {("empty", "reseeded")}
    np.testing.assert_allclose(np.sort(stream.means[:, 0]), [-50.0, 0.0], atol=1.0)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VEE"])
def test_component_that_lost_its_rows_is_dropped_or_an_error(covariance_type: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.choice([0.0, 100.0], size=(400, 1)) + rng.normal(size=(400, 2))
    options = {"half_life": 10.0, "covariance_type": covariance_type, "rng": 0}
    stream = StepwiseGMM(2, on_collapse="drop", **options).update(X)
    near = rng.normal(size=(2000, 2))
    stream.update(near)
    assert [(e.iteration, e.cause, e.action) for e in stream.events] == [(2, "empty", "dropped")]
    assert stream.n_components == 1
    np.testing.assert_allclose(stream.update(near).means[0], near.mean(axis=0), atol=0.01)
    strict = StepwiseGMM(2, on_collapse="raise", **options).update(X)
    before = strict.model
    with pytest.raises(FitError, match=r"component \d has"):
        strict.update(near)
    assert strict.model == before
    assert strict.n_updates == 1


def test_component_that_is_reseeded_ten_times_is_dropped() -> None:
    rng = np.random.default_rng(0)
    X = rng.choice([0.0, 100.0], size=(400, 1)) + rng.normal(size=(400, 1))
    stream = StepwiseGMM(2, half_life=1.0, rng=0).update(X)
    for side in range(40):
        stream.update(rng.normal(size=(1000, 1)) * 1e-3 + 1000.0 * side)
    actions = [event.action for event in stream.events]
    assert actions == [*["reseeded"] * 20, "dropped"]


def test_events_of_the_start_have_iteration_zero_and_name_components_of_the_model() -> None:
    stream = StepwiseGMM(2, rng=0).update(np.ones((200, 1)))
    assert Event(0, 1, "identical", "kept") in stream.events


# ---- weights ----


def test_row_of_weight_two_is_two_rows_of_a_batch() -> None:
    X = shuffled(10)
    twice = np.arange(len(X)) % 3 == 0
    weight = np.where(twice, 2.0, 1.0)
    one, other = (StepwiseGMM(K, init=X[:K], n_start=300) for _ in range(2))
    for first in range(0, N, 300):
        rows = slice(first, first + 300)
        one.update(X[rows], weight[rows])
        other.update(np.repeat(X[rows], weight[rows].astype(int), axis=0))
    np.testing.assert_allclose(one.means, other.means, rtol=1e-7)
    np.testing.assert_allclose(one.covariances, other.covariances, rtol=1e-6)
    assert one.weight_sum == other.weight_sum == weight.sum()


def test_row_of_weight_zero_is_absent_to_the_bit() -> None:
    X = shuffled(11)
    weight = (np.arange(len(X)) % 4 > 0).astype(float)
    holes = np.where(weight[:, None] > 0.0, X, np.nan)
    one, other = StepwiseGMM(K, rng=0), StepwiseGMM(K, rng=0)
    for first in range(0, N, 400):
        rows = slice(first, first + 400)
        one.update(holes[rows], weight[rows])
        other.update(X[rows][weight[rows] > 0], np.ones(300 if first < 2800 else 150))
    assert_same_bits(one, other)


@pytest.mark.parametrize("factor", [2.0**-40, 2.0**30])
def test_unit_of_weights_changes_nothing(factor: float) -> None:
    X = shuffled(12)
    one, other = (
        StepwiseGMM(K, rng=0, half_life=900.0),
        StepwiseGMM(K, rng=0, half_life=900.0 * factor),
    )
    for batch in cut(X, 300):
        one.update(batch, np.ones(300))
        other.update(batch, np.full(300, factor))
    np.testing.assert_allclose(one.means, other.means, rtol=1e-9)


# ---- kinds of rows ----


@pytest.mark.parametrize("n_threads", [2, 3])
def test_threads_change_no_bit(n_threads: int) -> None:
    X = shuffled(13, n=6000, d=5)
    one = learned(X, 2000, n_threads=1)
    assert_same_bits(one, learned(X, 2000, n_threads=n_threads))


@pytest.mark.parametrize("missing", ["raise", "em"])
def test_backends_agree(missing: Any) -> None:
    X = shuffled(14, n=900)
    if missing == "em":
        X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    one, other = (
        learned(X, 150, missing=missing, backend=backend) for backend in ("compiled", "reference")
    )
    np.testing.assert_allclose(one.means, other.means, rtol=1e-8)
    np.testing.assert_allclose(one.covariances, other.covariances, rtol=1e-7)
    np.testing.assert_allclose(one.history, other.history, rtol=1e-9)


def test_layout_and_kind_of_rows_change_no_bit_and_rows_are_not_modified() -> None:
    X = shuffled(15)
    expected = learned(X)
    read_only = X.copy()
    read_only.flags.writeable = False
    strided = np.repeat(X, 2, axis=1)[:, ::2]
    for rows in (np.asfortranarray(X), read_only, strided):
        before = rows.copy()
        assert_same_bits(learned(rows), expected)
        np.testing.assert_array_equal(rows, before)


def test_rows_that_wait_for_the_start_are_copies() -> None:
    X = shuffled(16)
    expected = learned(X, 100)
    stream, buffer = StepwiseGMM(K, rng=0), np.empty((100, D))
    for batch in cut(X, 100):
        buffer[...] = batch
        stream.update(buffer)
        buffer[...] = np.nan
    assert_same_bits(stream, expected)


def test_blocks_of_a_scan_are_batches() -> None:
    X = shuffled(17)
    assert_same_bits(StepwiseGMM(K, rng=0).update(scan(list(cut(X, 200)))), learned(X))
    assert_same_bits(
        StepwiseGMM(K, rng=0).update(scan(lambda: cut(X, 200), block_size=200)), learned(X)
    )


def test_float32_rows_give_almost_the_same() -> None:
    X = shuffled(18, d=9, n=12_000).astype(np.float32)
    one, other = learned(X, 3000), learned(X.astype(np.float64), 3000)
    np.testing.assert_allclose(one.means, other.means, rtol=1e-4, atol=1e-4)


def test_names_of_a_frame_are_kept_and_checked() -> None:
    X = shuffled(19)
    frame = pd.DataFrame(X, columns=["a", "b"])
    stream = learned(frame.iloc[:600], 300)
    assert stream.model.feature_names == ("a", "b")
    stream.update(X[600:900])  # no names at all
    with pytest.raises(
        ValueError, match="X must have the columns 'a', 'b'; it has them in another"
    ):
        stream.update(frame[["b", "a"]])
    with pytest.raises(ValueError, match="X must have 2 columns"):
        stream.update(X[:, :1])
    assert stream.n_samples == 900


def test_missing_numbers_are_refused_by_place_or_learned_from() -> None:
    X = shuffled(20)
    X[700, 1] = np.nan
    stream = learned(X[:600])
    before = stream.model
    with pytest.raises(ValueError, match=rf"row 100, column 1 is nan.*{MAKE_WITH_EM}"):
        stream.update(X[600:])
    with pytest.raises(ValueError, match=MAKE_WITH_EM):
        stream.update(scan([X[600:]]))
    assert stream.model == before
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    X[5] = np.nan  # nothing observed
    stream = learned(X, missing="em", epochs=3)
    fit = fit_gmm(X, K, missing="em", init=stream.model)
    assert abs(mean_log_likelihood(X, fit) - mean_log_likelihood(X, stream)) < NEAR
    assert stream.model.missing == "em"


def test_features_of_any_scale_give_the_same_mixture() -> None:
    X, scale = shuffled(21), 2.0 ** np.array([-300, 200])
    one, other = learned(X), learned(X * scale)
    np.testing.assert_allclose(other.means / scale, one.means, rtol=1e-9)
    np.testing.assert_allclose(other.weights, one.weights, rtol=1e-9)


def test_rows_far_from_zero_lose_only_their_digits() -> None:
    X = shuffled(22)
    np.testing.assert_allclose(learned(X + 1e8).means - 1e8, learned(X).means, atol=1e-6)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VEE", "EVE"])
@pytest.mark.parametrize("far", [1e4, 1e10, 1e150])
def test_rows_far_away_leave_finite_numbers(far: float, covariance_type: str) -> None:
    X = shuffled(23)
    stream = learned(X[:600], covariance_type=covariance_type).update(np.full((5, D), far))
    for batch in cut(X[600:], 200):
        stream.update(batch)
    for array in stream.model._parameters().arrays():
        assert np.isfinite(array).all()


def test_rows_whose_squares_overflow_are_refused_by_place() -> None:
    stream = learned(shuffled(24))
    before = stream.model
    with pytest.raises(
        ValueError, match=r"row 0, column 1 of the batch is -1e\+200\. Drop the row"
    ):
        stream.update([[1.0, -1e200], [0.0, 0.0]])
    assert stream.model == before


def test_rows_whose_squares_overflow_do_not_wait_for_the_start() -> None:
    X = shuffled(24)
    stream = StepwiseGMM(K, rng=0).update(X[:100])
    with pytest.raises(ValueError, match=r"row 1, column 0 of the batch is 1e\+300\. Drop the row"):
        stream.update([[0.0, 1.0], [1e300, 0.0]])
    assert_same_bits(stream.update(X[100:500]), learned(X[:100], 100).update(X[100:500]))


# ---- few rows, none, and what goes wrong ----


def test_no_rows_change_nothing() -> None:
    X = shuffled(25)
    stream = StepwiseGMM(K, rng=0).update(X[:0])
    assert (stream.n_updates, stream.n_samples) == (0, 0)
    stream.update(np.empty((0, D + 1)))  # nor do they say how many columns there are
    for batch in cut(X, 200):
        stream.update(batch).update(X[:0])
        stream.update(scan([X[:0], X[:0]]))
    assert_same_bits(stream, learned(X))


def test_first_batches_are_kept_until_there_are_enough() -> None:
    X = shuffled(26)
    stream = StepwiseGMM(K, n_start=350, rng=0)
    for batch in cut(X[:300], 100):
        stream.update(batch)
    assert not stream.is_started
    assert repr(stream) == "<StepwiseGMM: 3 components, 3 updates, 300 rows, not started>"
    stream.update(X[300:400])
    assert stream.is_started
    one_batch = StepwiseGMM(K, n_start=350, rng=0).update(X[:400])
    assert stream.model == one_batch.model
    assert (stream.n_updates, one_batch.n_updates) == (4, 1)


def test_model_before_the_start_is_that_of_the_rows_so_far() -> None:
    X = shuffled(27)
    stream = StepwiseGMM(K, rng=0).update(X[:50])
    assert stream.model == StepwiseGMM(K, rng=0, n_start=50).update(X[:50]).model
    assert stream.model is stream.model
    assert stream.predict(X[:5]).shape == (5,)
    with pytest.raises(FitError, match="waits for 300 rows of positive weight; got 50"):
        _ = stream.statistics


@pytest.mark.parametrize(("reg_covar", "needed"), [(1e-6, 5), (0, 15)])
def test_model_of_too_few_rows_is_a_clear_error(reg_covar: float, needed: int) -> None:
    stream = StepwiseGMM(5, reg_covar=reg_covar)
    message = f"the mixture needs {needed} rows of positive weight or more; got 4. Call update"
    with pytest.raises(FitError, match=r"got 0\. Call update"):
        _ = stream.model
    with pytest.raises(FitError, match=message):
        _ = stream.update(shuffled()[:4]).model


def test_one_row_a_batch_is_learned() -> None:
    X = shuffled(28, n=1000)
    stream = learned(X, 1, epochs=3)
    fit = fit_gmm(X, K, init=stream.model)
    assert abs(mean_log_likelihood(X, fit) - mean_log_likelihood(X, stream)) < NEAR


def test_model_does_not_change_with_later_updates() -> None:
    X = shuffled(29)
    stream = learned(X[:1000])
    model, means = stream.model, stream.model.means.copy()
    stream.update(X[1000:])
    np.testing.assert_array_equal(model.means, means)
    assert stream.model != model


def test_statistics_give_the_model_and_are_copies() -> None:
    stream = learned(shuffled(30), reg_covar=0)
    statistics = stream.statistics
    np.testing.assert_allclose(statistics.means(), stream.means, rtol=1e-12)
    np.testing.assert_allclose(statistics.resp_sum, stream.weights, rtol=1e-12)
    statistics.resp_sum[:] = statistics.centres[:] = 0.0
    assert stream.statistics.resp_sum.all()
    assert stream.statistics.log_likelihood == 0.0  # that of rows under other parameters
    assert stream.statistics.centres.any()


@pytest.mark.parametrize("begun", [False, True])
def test_update_that_is_interrupted_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    X = shuffled(31)
    stream, expected = (learned(X[:1000] if begun else X[:200]) for _ in range(2))
    passes = kernels.FORMS["whole"]
    made: list[None] = []

    class Interrupted(passes):  # type: ignore[valid-type, misc]
        def accumulate(self, *arguments: Any, **options: Any) -> Any:
            made.append(None)
            if len(made) == 3:
                raise KeyboardInterrupt
            return super().accumulate(*arguments, **options)

    monkeypatch.setitem(kernels.FORMS, "whole", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        stream.update(scan(list(cut(X[1000:], 200))))
    monkeypatch.undo()
    assert_same_bits(stream, expected)
    assert_same_bits(stream.update(X[1000:]), expected.update(X[1000:]))


def test_batch_in_which_a_later_block_is_bad_changes_nothing() -> None:
    X = shuffled(32)
    stream = learned(X[:1000])
    before = learned(X[:1000])
    with pytest.raises(ValueError, match="squares"):
        stream.update(scan([X[:200], np.full((2, D), 1e200)]))
    assert_same_bits(stream, before)


def test_threads_that_share_a_stream_lose_no_update() -> None:
    stream = StepwiseGMM(K, rng=0).update(shuffled(36)[:600])
    batches = list(cut(shuffled(37), 50))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(stream.update, batches))
    assert stream.n_updates == 1 + len(batches)
    assert stream.n_samples == 3600


def test_rows_may_ask_the_stream_that_learns_from_them() -> None:
    X = shuffled(38)
    stream = learned(X[:600])

    def near() -> Iterator[Floats]:
        yield X[600:][stream.log_prob(X[600:]) > -10.0]

    assert stream.update(scan(near)).n_updates == 4


# ---- arguments ----


def test_init_may_be_means_a_mixture_or_a_fit() -> None:
    X = shuffled(33)
    fit = fit_gmm(pd.DataFrame(X, columns=["a", "b"]), K, rng=0)
    order = np.argsort(fit.means[:, 0])
    for init in (fit, fit.model, fit.means, StepwiseGMM(K, init=fit).update(X)):
        stream = StepwiseGMM(K, init=init).update(X)
        np.testing.assert_allclose(stream.means, fit.means, atol=0.01)
    reordered = StepwiseGMM(K, init=fit.model.reordered(order)).update(X)
    np.testing.assert_allclose(reordered.means, fit.means[order], atol=0.01)
    with pytest.raises(ValueError, match="X must have the columns 'a', 'b'"):
        StepwiseGMM(K, init=fit).update(pd.DataFrame(X, columns=["a", "c"]))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_components": 0}, ValueError, "n_components must be an integer, 1 or more"),
        ({"covariance_type": "fall"}, ValueError, "covariance_type must be one of .* 'full'\\?"),
        ({"reg_covar": -1.0}, ValueError, "reg_covar must be a finite number"),
        ({"reg_covar": [1.0, -1.0]}, ValueError, "feature 1 has -1.0"),
        ({"step_power": 0.5}, ValueError, "step_power must be above 0.5 and at most 1"),
        ({"step_power": 1.5}, ValueError, "step_power must be above 0.5 .* half_life"),
        ({"step_power": "a"}, TypeError, "step_power must be a finite number"),
        ({"half_life": 0.0}, ValueError, "half_life must be above 0.*None to forget nothing"),
        ({"half_life": -1.0}, ValueError, "half_life must be above 0, a weight of rows; got -1"),
        ({"half_life": np.inf}, ValueError, "half_life must be a finite number"),
        ({"init": "k"}, ValueError, "init must be one of"),
        ({"init": np.zeros(9, dtype=int)}, ValueError, "Labels and responsibilities are of rows"),
        ({"init": [[0.0], [np.nan], [1.0]]}, ValueError, "init must be finite"),
        ({"init": print}, TypeError, "init must be one of .* GMMFit; got"),
        ({"n_init": 0}, ValueError, "n_init"),
        ({"n_start": 0}, ValueError, "n_start"),
        ({"on_collapse": "x"}, ValueError, "on_collapse"),
        ({"missing": "x"}, ValueError, "missing"),
        ({"rng": "x"}, TypeError, "rng"),
        ({"n_threads": 0}, ValueError, "n_threads"),
        ({"backend": "x"}, ValueError, "backend"),
    ],
)
def test_bad_argument_raises_at_once(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        StepwiseGMM(**{"n_components": 3, **options})


def test_mixture_of_other_size_is_refused_as_init() -> None:
    mixture = GaussianMixture([1.0], [[0.0]], [1.0], "spherical")
    with pytest.raises(ValueError, match="init must be a mixture of 2 components; got 1"):
        StepwiseGMM(2, init=mixture)
    with pytest.raises(ValueError, match="X must have 1 column; got shape"):
        StepwiseGMM(1, init=mixture).update(shuffled())


def test_family_of_one_column_is_refused_for_two_and_changes_nothing() -> None:
    stream = StepwiseGMM(2, covariance_type="V")
    with pytest.raises(ValueError, match="is for one feature; got 2"):
        stream.update(shuffled())
    assert stream.n_updates == 0


def test_same_seed_gives_the_same_bits() -> None:
    X = shuffled(34)
    assert_same_bits(learned(X, rng=5), learned(X, rng=5))
    generator = np.random.default_rng(5)
    assert_same_bits(learned(X, rng=generator), learned(X, rng=5))


def test_repr_says_what_has_come() -> None:
    X = shuffled(35)
    stream = StepwiseGMM(K, rng=0).update(X[:400], np.full(400, 0.5))
    assert repr(stream) == "<StepwiseGMM: 3 components, 1 update, 400 rows of weight 200>"
    assert "StepwiseGMM" in mixtura.__all__


@pytest.mark.parametrize("half_life", [1000.0, None])
@pytest.mark.parametrize("heavy", [1e6, 1e-6])
def test_weights_that_become_lighter_or_heavier_lose_no_component(
    heavy: float, half_life: float | None
) -> None:
    rng = np.random.default_rng(0)

    def two_clusters() -> Floats:
        return rng.normal(size=(300, 2)) + 6.0 * (np.arange(300) < 150)[:, None]

    stream = StepwiseGMM(2, half_life=half_life, rng=0)
    stream.update(two_clusters(), np.full(300, heavy))
    for _ in range(20):
        stream.update(two_clusters())
    assert stream.events == ()
    np.testing.assert_allclose(np.sort(stream.means[:, 0]), [0.0, 6.0], atol=0.5)

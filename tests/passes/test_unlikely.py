"""The rows that a mixture explains worst: those of plain formulas, wherever the rows are."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import noisy
import numpy as np
import pytest
from clusters import joint_log_density
from helpers import COVARIANCE_TYPES
from holes import joint_of_observed, with_holes
from scipy import special

from mixtura import GaussianMixture, scan
from mixtura.data import ArrayRows, RowSource, open_rows
from mixtura.data import block as data_block
from mixtura.parameters import Parameters, Seen
from mixtura.passes import Backend, RowsPass, unlikely
from mixtura.passes.backend import BACKENDS
from mixtura.passes.unlikely import ByWeight, UnlikelyRows
from mixtura.shapes import SHAPES, SPHERICAL, Floats

ONE_THREAD = Backend(n_threads=1)
engines = pytest.mark.parametrize("engine", BACKENDS)
every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
MOST = 40
LOG_2_PI_E = np.log(2.0 * np.pi * np.e)


def mixture_of(covariance_type: str = "full", d: int = 3) -> GaussianMixture:
    """A narrow component, and a wide one far away."""
    rng = np.random.default_rng(d)
    roots = rng.normal(size=(2, d, d)) / 2.0 + np.eye(d)
    if covariance_type == "tied":
        roots[1] = roots[0]
    full = np.array([1.0, 1.0 if covariance_type == "tied" else 400.0])[:, None, None] * (
        roots @ roots.swapaxes(1, 2)
    )
    covariances = {
        "full": full,
        "tied": full[0],
        "diag": np.einsum("jaa->ja", full),
        "spherical": np.einsum("jaa->j", full) / d,
    }[covariance_type]
    means = np.stack([np.zeros(d), np.full(d, 200.0)])
    return GaussianMixture([0.7, 0.3], means, covariances, covariance_type)


def rows_of(mixture: GaussianMixture, n: int = 600) -> Floats:
    """Rows of the mixture, some of them five deviations off the narrow component, some twice."""
    X, _ = mixture.sample(n, rng=1)
    rng = np.random.default_rng(2)
    X = X[rng.permutation(n)]
    covariance = mixture.covariance_matrices()[0]
    X[50:70] = 5.0 * covariance[0] / np.sqrt(covariance[0, 0])
    X[50:70] += 0.1 * rng.normal(size=(20, mixture.n_features))
    X[300:320] = X[55]
    return X


def seen_of(mixture: GaussianMixture) -> Seen:
    arrays = mixture.weights, mixture.means, mixture.covariances, mixture.precisions_cholesky
    return Parameters(*arrays, SHAPES[mixture.covariance_type]).seen()


def over(source: RowSource, mixture: GaussianMixture, backend: Backend = ONE_THREAD) -> RowsPass:
    return RowsPass(source, SHAPES[mixture.covariance_type], backend)


def found(source: RowSource, mixture: GaussianMixture, backend: Backend = ONE_THREAD) -> Any:
    return over(source, mixture, backend).least_likely(seen_of(mixture), MOST)


def entropies(mixture: GaussianMixture) -> Floats:
    """What rows of each component have on average, with the opposite sign."""
    log_dets = np.linalg.slogdet(mixture.covariance_matrices())[1]
    entropies: Floats = 0.5 * (mixture.n_features * LOG_2_PI_E + log_dets)
    return entropies


def expected(
    joint: Floats,
    of_row: Floats,
    mixture: GaussianMixture,
    weight: Floats | None = None,
    n: int = MOST,
) -> Any:
    """The definition: by weighted densities (n, k) and the entropies of rows under components."""
    log_prob, component = special.logsumexp(joint, axis=1), joint.argmax(axis=1)
    rows = np.arange(len(joint))
    more = log_prob + of_row[rows, component]
    score = more - entropies(mixture)[component]
    more -= np.log(mixture.weights)[component]
    if weight is not None:
        score[weight == 0.0] = more[weight == 0.0] = np.inf
    first = [np.argsort(each, kind="stable") for each in (score, more)]
    chosen = np.union1d(first[0][: (n + 1) // 2], first[1][: n // 2])
    return chosen, log_prob[chosen], component[chosen]


def expected_whole(X: Floats, mixture: GaussianMixture, weight: Floats | None = None) -> Any:
    of_row = np.tile(entropies(mixture), (len(X), 1))
    return expected(joint_log_density(X, mixture), of_row, mixture, weight)


def assert_found(rows: UnlikelyRows, definition: Any, rtol: float = 1e-9) -> None:
    assert rows.positions.tolist() == definition[0].tolist()
    np.testing.assert_allclose(rows.log_prob, definition[1], rtol=rtol)
    assert rows.components.tolist() == definition[2].tolist()


def assert_same_rows(one: UnlikelyRows, other: UnlikelyRows) -> None:
    for name in ("positions", "log_prob", "components", "scores"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)


# ---- the definition ----


@engines
@every_type
@pytest.mark.parametrize("weighted", [False, True])
def test_least_likely_rows_are_those_of_plain_formulas(
    engine: Any, covariance_type: str, weighted: bool
) -> None:
    mixture = mixture_of(covariance_type)
    X = rows_of(mixture)
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], len(X)) if weighted else None
    definition = expected_whole(X, mixture, weight)
    rows = found(ArrayRows(X, weight), mixture, Backend(engine, 1))
    assert_found(rows, definition)
    assert MOST // 2 + 5 * (covariance_type != "tied") <= len(rows.positions) <= MOST


def test_half_of_least_likely_rows_have_the_lowest_densities() -> None:
    mixture = mixture_of()
    X = rows_of(mixture)
    lowest = np.argsort(mixture.log_prob(X), kind="stable")[: MOST // 2]
    positions = found(ArrayRows(X), mixture).positions
    assert set(lowest) <= set(positions)


def test_rows_far_from_a_narrow_component_are_found_below_a_wide_one() -> None:
    """All rows of the wide one have lower densities."""
    mixture = GaussianMixture([0.5, 0.5], [[0.0] * 10, [1e6] * 10], [1.0, 1e6], "spherical")
    rng = np.random.default_rng(0)
    X = np.concatenate([1e6 + 1e3 * rng.normal(size=(500, 10)), rng.normal(size=(500, 10))])
    X[700:710] = 0.1 * X[700:710] + 10.0 / np.sqrt(10.0)
    assert mixture.log_prob(X[700:710]).min() > mixture.log_prob(X[:500]).max()
    assert set(range(700, 710)) <= set(found(ArrayRows(X), mixture).positions)


@engines
def test_first_of_equal_rows_are_taken(engine: Any) -> None:
    X = np.zeros((100, 2))
    X[30:90] = 9.0
    mixture = GaussianMixture([1.0], [[0.0, 0.0]], [1.0], "spherical")
    rows = found(scan(np.split(X, [40, 41])), mixture, Backend(engine, 1))
    assert rows.positions.tolist() == list(range(30, 50))
    assert over(ArrayRows(X), mixture).least_likely(seen_of(mixture), 7).positions.tolist() == [
        30, 31, 32, 33,
    ]  # fmt: skip


@pytest.mark.parametrize("n_rows", [0, 1, 10_000])
def test_least_likely_are_at_most_as_many_as_asked_for(n_rows: int) -> None:
    mixture = mixture_of()
    X = rows_of(mixture)
    rows = over(ArrayRows(X), mixture).least_likely(seen_of(mixture), n_rows)
    assert len(rows.positions) == min(n_rows, len(X))


def test_least_likely_rows_by_weight_are_as_many_as_by_number_where_all_are_different() -> None:
    mixture = mixture_of()
    for n in (100, 105, 109, 110, 119, 120, 600):
        X = mixture.sample(n, rng=n)[0]
        rows = over(ArrayRows(X), mixture)
        by_number = rows.least_likely(seen_of(mixture), max(n // 10, 4))
        by_weight = rows.least_likely(seen_of(mixture), ByWeight(n / 20, 2, 500))
        assert_same_rows(by_weight, by_number)


@pytest.mark.parametrize("chunk", [37, 8192])
def test_least_likely_rows_by_weight_are_the_same_where_rows_are_repeated(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unlikely, "CHUNK", chunk)
    mixture = mixture_of()
    X, times = rows_of(mixture), np.random.default_rng(3).integers(0, 4, size=600)
    lowest = ByWeight(times.sum() / 20, 8, 500)
    sources = ArrayRows(X, times.astype(np.float64)), ArrayRows(np.repeat(X, times, axis=0))
    one, other = (over(each, mixture).least_likely(seen_of(mixture), lowest) for each in sources)
    which = np.repeat(np.arange(600), times)
    assert np.unique(which[other.positions]).tolist() == one.positions.tolist()
    assert one.weight.sum() == other.weight.sum() == len(other.positions)
    assert 0.05 * times.sum() <= one.weight.sum() <= 0.1 * times.sum() + 30.0


def test_least_likely_rows_by_weight_are_no_fewer_and_no_more_than_stated() -> None:
    mixture = mixture_of("tied")  # both scores put rows in one order
    X = mixture.sample(300, rng=0)[0]
    rows = over(ArrayRows(X), mixture)
    for lowest, n in [(ByWeight(0.0, 8, 500), 8), (ByWeight(300.0, 8, 20), 20)]:
        assert n <= len(rows.least_likely(seen_of(mixture), lowest).positions) < n + 8


def test_least_likely_of_no_row_of_weight_is_none() -> None:
    mixture = mixture_of()
    rows = found(ArrayRows(rows_of(mixture), np.zeros(600)), mixture)
    assert len(rows.positions) == 0


@engines
def test_rows_of_density_zero_come_first(engine: Any) -> None:
    mixture = GaussianMixture([1.0], [[0.0, 0.0]], [1.0], "spherical")
    X = np.random.default_rng(0).normal(size=(200, 2))
    X[[3, 150]] = 1e200
    rows = over(ArrayRows(X), mixture, Backend(engine, 1)).least_likely(seen_of(mixture), 2)
    assert rows.positions.tolist() == [3]  # the lowest by both scores
    assert np.isneginf(rows.log_prob).all()


@engines
def test_scores_of_rows_of_density_zero_are_numbers(engine: Any) -> None:
    """Also where the component that they are given has the weight zero."""
    seen = seen_of(GaussianMixture([0.5, 0.5], [[0.0], [1.0]], [1.0, 1.0], "spherical"))
    seen = seen._replace(log_weights=np.array([-np.inf, 0.0]))
    rows = RowsPass(ArrayRows(np.array([[0.0], [1e200]])), SPHERICAL, Backend(engine, 1))
    least = rows.least_likely(seen, 4)
    assert least.positions.tolist() == [0, 1]
    assert not np.isnan(least.scores).any()
    assert np.isneginf(least.scores[:, 1]).all()


def test_pass_over_distances_finds_the_farthest_rows() -> None:
    X = np.random.default_rng(0).normal(size=(300, 2))
    rows = RowsPass(ArrayRows(X), SPHERICAL, ONE_THREAD, em="nearest")
    least = rows.least_likely(Seen.of_centers(np.zeros((1, 2)), SPHERICAL), 20)
    farthest = np.argsort(-np.square(X).sum(axis=1))[:10]
    assert least.positions.tolist() == sorted(farthest)


# ---- what is known of rows ----


@engines
@every_type
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_with_missing_numbers_are_compared_with_rows_that_lack_the_same(
    engine: Any, covariance_type: str, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unlikely, "MOST_NUMBERS", 20)
    monkeypatch.setattr(unlikely, "MOST_KINDS", 3)
    mixture = mixture_of(covariance_type)
    X = with_holes(rows_of(mixture))
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], len(X)) if weighted else None
    of_row = np.zeros((len(X), 2))
    for i, row in enumerate(X):
        o = np.flatnonzero(~np.isnan(row))
        for j, covariance in enumerate(mixture.covariance_matrices()):
            log_det = np.linalg.slogdet(covariance[np.ix_(o, o)])[1] if len(o) else 0.0
            of_row[i, j] = 0.5 * (len(o) * LOG_2_PI_E + log_det)
    definition = expected(joint_of_observed(X, mixture), of_row, mixture, weight)
    source = open_rows(X, weight, missing="em")
    assert source.form == "incomplete"
    assert_found(found(source, mixture, Backend(engine, 1)), definition, rtol=1e-8)


@engines
@pytest.mark.parametrize("kind", noisy.KINDS)
def test_rows_with_noise_are_compared_with_rows_of_the_same_noise(engine: Any, kind: str) -> None:
    mixture = mixture_of()
    of_noise = noisy.rows(kind, 150, 3, seed=0)
    weighted = GaussianMixture([0.6, 0.4], mixture.means / 40.0, mixture.covariances[::-1] / 50.0)
    arrays = weighted.weights, weighted.means, weighted.covariances, weighted.precisions_cholesky
    parameters = Parameters(*arrays, SHAPES["full"])
    joint = noisy.by_loops(of_noise, parameters).log_density + np.log(weighted.weights)
    of_row = np.empty((150, 2))
    for i, (w, R, N) in enumerate(zip(*of_noise.matrices(), strict=True)):
        for j, covariance in enumerate(weighted.covariance_matrices()):
            log_det = np.linalg.slogdet(R @ covariance @ R.T + N)[1]
            of_row[i, j] = 0.5 * (len(w) * LOG_2_PI_E + log_det)
    source = ArrayRows(of_noise.X).with_extras("noisy", of_noise.known)
    assert_found(
        found(source, weighted, Backend(engine, 1)), expected(joint, of_row, weighted), rtol=1e-8
    )


@engines
@pytest.mark.parametrize("em", ["soft", "hard"])
def test_row_of_a_forbidden_component_is_unlikely(engine: Any, em: str) -> None:
    mixture = GaussianMixture([0.5, 0.5], [[0.0, 0.0], [30.0, 0.0]], [1.0, 1.0], "spherical")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2)) + np.array([[30.0, 0.0]]) * (np.arange(400)[:, None] % 2)
    code = np.zeros(400, dtype=np.int64)
    code[[11, 200]] = [1, 1]  # known to be of the first component
    prior = np.array([[0.0, 0.0], [0.0, -np.inf]])
    source = ArrayRows(X).with_extras("whole", {"code": code})
    seen = seen_of(mixture)._replace(extras={"prior": prior})
    rows = RowsPass(source, SPHERICAL, Backend(engine, 1), em=em).least_likely(seen, 2)
    assert rows.positions.tolist() == [11]
    assert rows.components.tolist() == [0]


# ---- wherever rows are ----


@pytest.mark.parametrize("form", ["whole", "incomplete", "noisy"])
def test_least_likely_rows_are_the_same_for_any_blocks_and_threads(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixture = mixture_of()
    X = rows_of(mixture)
    extras: dict[str, Any] = {}
    if form == "incomplete":
        X = with_holes(X)
    if form == "noisy":
        extras = {"noise": np.random.default_rng(0).uniform(size=(len(X), 3))}
    first = found(ArrayRows(X).with_extras(form, extras), mixture)
    for cuts in ([300], [1, 130, 130, 400, 599]):
        blocks = scan(np.split(X, cuts)).checked("em").with_extras(form, extras)
        for n_threads in (1, 2, 3):
            other = found(blocks, mixture, Backend(n_threads=n_threads))
            assert other.positions.tolist() == first.positions.tolist()
            np.testing.assert_allclose(other.log_prob, first.log_prob, rtol=1e-12)
    monkeypatch.setattr(unlikely, "CHUNK", 37)
    assert data_block.CHUNK > 37
    other = found(ArrayRows(X).with_extras(form, extras), mixture)
    assert other.positions.tolist() == first.positions.tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("single", [False, True])
def test_least_likely_rows_of_floats_are_those_of_doubles(dtype: type, single: bool) -> None:
    mixture = mixture_of()
    X = rows_of(mixture).astype(dtype)
    centre = X.mean(axis=0, dtype=np.float64)
    rows = RowsPass(ArrayRows(X), SHAPES["full"], ONE_THREAD, centre=centre, single=single)
    definition = expected_whole(X.astype(np.float64), mixture)
    assert_found(rows.least_likely(seen_of(mixture), MOST), definition, 1e-4 if single else 1e-9)


def in_file(X: Floats, path: Path) -> RowSource:
    np.save(path / "rows.npy", X)
    return scan(path / "rows.npy", block_size=70)


def in_frame(X: Floats, path: Path) -> RowSource:  # noqa: ARG001
    return open_rows(pytest.importorskip("pandas").DataFrame(X))


def in_dask(X: Floats, path: Path) -> RowSource:  # noqa: ARG001
    return open_rows(pytest.importorskip("dask.array").from_array(X, chunks=(70, 3)))


def streamed(X: Floats, path: Path) -> RowSource:  # noqa: ARG001
    return scan(lambda: iter(np.split(X, [100, 350])))


PLACES = [in_file, in_frame, in_dask, streamed]


@pytest.mark.parametrize("place", PLACES)
def test_least_likely_rows_elsewhere_have_the_bits_of_those_in_memory(
    place: Callable[[Floats, Path], RowSource], tmp_path: Path
) -> None:
    mixture = mixture_of()
    X = rows_of(mixture)
    assert_same_rows(found(open_rows(place(X, tmp_path)), mixture), found(ArrayRows(X), mixture))


def test_least_likely_rows_of_other_processes_have_the_bits_of_those_in_memory(
    tmp_path: Path,
) -> None:
    mixture = mixture_of()
    X = rows_of(mixture)
    np.save(tmp_path / "rows.npy", X)
    with ProcessPoolExecutor(2) as pool:
        rows = open_rows(scan(tmp_path / "rows.npy", block_size=70, executor=pool))
        assert_same_rows(found(rows, mixture), found(ArrayRows(X), mixture))


def test_no_array_of_a_pass_has_an_entry_for_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    mixture = mixture_of()
    X = rows_of(mixture)
    monkeypatch.setattr(unlikely, "CHUNK", 50)
    sizes = []

    class Watching(Backend):
        def rows(self, *arguments: Any, **options: Any) -> Any:
            sizes.append(len(arguments[1].X))
            return super().rows(*arguments, **options)

    rows = over(scan(lambda: iter([X])), mixture, Watching(n_threads=1))
    rows.least_likely(seen_of(mixture), MOST)
    assert sorted(sizes)[:-1] == [50] * 12

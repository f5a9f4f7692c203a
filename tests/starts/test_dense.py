"""Groups of rows that are denser than a mixture has it."""

import numpy as np
import pytest

from mixtura import GaussianMixture, fit_gmm
from mixtura.data import ArrayRows
from mixtura.parameters import Parameters
from mixtura.passes import Backend, RowsPass
from mixtura.reference.dense import _nearest
from mixtura.shapes import FULL, Floats
from mixtura.starts.dense import DenseGroup, densest

ENGINES = [Backend("compiled", 1), Backend("reference", 1)]
engines = pytest.mark.parametrize("backend", ENGINES, ids=lambda each: each.name)


def groups_of(
    X: Floats, weight: Floats | None = None, scale: float = 1.0, backend: Backend = ENGINES[0],
    **options: int,
) -> list[DenseGroup]:  # fmt: skip
    weight = np.ones(len(X)) if weight is None else weight
    log_prob = np.full(len(X), -20.0)
    scales = np.full(X.shape[1], scale)
    return densest(X, weight, log_prob, scales, 1000.0, backend, **({"size": 6} | options))


def scattered(n_far: int = 12) -> Floats:
    """Rows far from each other, and some close together: the last ones."""
    rng = np.random.default_rng(0)
    return np.concatenate([300.0 * rng.normal(size=(80, 2)), 50.0 + rng.normal(size=(n_far, 2))])


def test_densest_group_lies_in_the_cluster() -> None:
    X = scattered()
    first, second, *_ = groups_of(X)
    assert len(first.rows) == 6
    assert (first.rows >= 80).all()
    assert first.gain > second.gain
    assert not set(first.rows) & set(second.rows)
    distances = np.square(X - X[first.rows[0]]).sum(axis=1)
    assert first.rows.tolist() == np.argsort(distances)[:6].tolist()


def test_gain_is_that_of_a_round_component() -> None:
    X = scattered()
    weight = np.random.default_rng(1).uniform(0.5, 2.0, len(X))
    (group,) = groups_of(X, weight, n_groups=1)
    w, z = weight[group.rows], X[group.rows] - X[group.rows[0]]
    variance = (w * np.square(z).sum(axis=1)).sum() / (2.0 * w.sum())
    log_density = -np.log(2.0 * np.pi * variance) - np.square(z).sum(axis=1) / (2.0 * variance)
    gain = (w * (np.log(w.sum() / 1000.0) + log_density + 20.0)).sum()
    assert group.gain == pytest.approx(gain, rel=1e-12)
    other = groups_of(X, weight, scale=7.0, n_groups=1)[0]
    assert (other.rows.tolist(), other.gain) == (group.rows.tolist(), pytest.approx(gain))


def test_groups_without_gain_are_left_out() -> None:
    X = 1e6 * np.random.default_rng(0).normal(size=(60, 2))
    assert groups_of(X) == []
    assert groups_of(X[:5]) == []
    assert groups_of(X[:0]) == []


def test_equal_rows_have_a_finite_gain() -> None:
    X = scattered()
    X[-10:] = X[-1]
    first = groups_of(X)[0]
    assert np.isfinite(first.gain)
    assert first.rows[0] >= 82


def test_each_of_equal_rows_comes_first_in_its_own_group() -> None:
    near, squares = _nearest(np.ones((20, 2)), 3)
    assert near[:, 0].tolist() == list(range(20))
    assert (squares == 0.0).all()


@pytest.mark.parametrize("d", [1, 2, 5, 13])
@pytest.mark.parametrize("m", [6, 7, 40, 300])
@pytest.mark.parametrize("n_groups", [0, 1, 5])
@pytest.mark.parametrize("rounded", [False, True])
def test_groups_of_the_kernel_are_those_of_the_reference(
    rounded: bool, n_groups: int, m: int, d: int
) -> None:
    """Rounded rows have many equal distances, and some are equal."""
    rng = np.random.default_rng(m + d)
    X = rng.standard_t(2, size=(m, d))
    X = np.round(2.0 * X) / 2.0 if rounded else X
    weight = rng.integers(1, 4, size=m).astype(np.float64)
    found, expected = (groups_of(X, weight, 0.5, backend, n_groups=n_groups) for backend in ENGINES)
    assert [each.rows.tolist() for each in found] == [each.rows.tolist() for each in expected]
    np.testing.assert_allclose(
        [each.gain for each in found], [each.gain for each in expected], rtol=1e-11
    )
    assert found or n_groups == 0 or d > 2 or m < 40


def test_groups_of_many_rows_are_those_of_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = ENGINES[1]
    expected = groups_of(scattered(), backend=reference)
    monkeypatch.setattr("mixtura.reference.dense.AT_ONE_TIME", 100)
    found = groups_of(scattered(), backend=reference)
    assert [each.rows.tolist() for each in found] == [each.rows.tolist() for each in expected]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("n", "n_far", "off"), [(50_000, 25, 25.0), (50_000, 30, 10.0)])
def test_small_cluster_that_a_sample_misses_is_found(
    seed: int, n: int, n_far: int, off: float
) -> None:
    """From a fit to a sample, by one pass, a sample with the unlikely rows, and a short fit."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    X[:n_far] += off / np.sqrt(3.0)
    X = X[rng.permutation(n)]
    is_far = X.mean(axis=1) > off / 2.0 / np.sqrt(3.0)
    source = ArrayRows(X)
    near = X[~is_far]
    leader = fit_gmm(near[:4000], 3, rng=seed, tol=1e-4).model
    parameters = Parameters(
        leader.weights, leader.means, leader.covariances, leader.precisions_cholesky, FULL
    )
    found = RowsPass(source, FULL, Backend()).least_likely(parameters.seen(), 1000)
    assert is_far[found.positions].sum() == n_far
    sample = ArrayRows.sample_of(source, 4000, np.random.default_rng(seed), found.positions)
    rows = source.take(found.positions)
    scale = np.sqrt(np.einsum("j,jaa->a", leader.weights, leader.covariances))
    group = densest(rows, np.ones(len(rows)), found.log_prob, scale, n, Backend(), size=8)[0].rows
    assert is_far[found.positions[group]].all()
    j = int(np.argmin(leader.weights))
    means, covariances = leader.means.copy(), leader.covariances.copy()
    means[j] = rows[group[0]]
    covariances[j] = np.diag(rows[group].var(axis=0) + 0.01)
    start = GaussianMixture(np.full(3, 1 / 3), means, covariances)
    fit = fit_gmm(sample.X, 3, sample_weight=sample.sample_weight, init=start, tol=1e-4)
    labels = fit.predict(X)
    (component,) = np.unique(labels[is_far])
    assert (labels == component).sum() == n_far

"""Agglomeration: the definition, the reference against it, the kernel against the reference."""

import math
import signal
import tracemalloc
from itertools import combinations
from types import ModuleType

import numpy as np
import pytest
from helpers import BACKENDS, LAYOUTS, unchanged
from scipy.cluster.hierarchy import linkage

from mixtura import kernels, reference
from mixtura.data.checks import MODELS
from mixtura.kernels.instruction_set import compiled_hierarchical
from mixtura.shapes import Floats

every_model = pytest.mark.parametrize("model", MODELS)
every_backend = pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)


def some_rows(n: int, d: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Rows of about unit spread, and weights."""
    rng = np.random.default_rng((n, d, seed))
    return rng.normal(size=(n, d)), rng.uniform(0.5, 3.0, n)


def criterion(
    X: Floats, weight: Floats, clusters: list[list[int]], model: str, blur: float
) -> float:
    """What a partition is judged by, from covariances as NumPy has them."""
    d = X.shape[1]
    masses = [weight[c].sum() for c in clusters]
    covariances = [
        np.cov(X[c], rowvar=False, ddof=0, aweights=weight[c]).reshape(d, d) + blur * np.eye(d)
        for c in clusters
    ]
    if model == "VVV":
        return sum(n * math.log(np.linalg.det(S)) for n, S in zip(masses, covariances, strict=True))
    if model == "VII":
        traces = [np.trace(S) / d for S in covariances]
        return sum(n * d * math.log(s) for n, s in zip(masses, traces, strict=True))
    within = sum(n * S for n, S in zip(masses, covariances, strict=True))
    return float(np.trace(within)) if model == "EII" else math.log(np.linalg.det(within))


@every_model
@every_backend
@pytest.mark.parametrize("d", [1, 3])
def test_merger_is_the_one_that_costs_least(backend: ModuleType, model: str, d: int) -> None:
    X, weight = some_rows(9, d)
    merges, losses = backend.agglomerate(X, model=model, blur=0.01, sample_weight=weight)
    clusters = {i: [i] for i in range(9)}
    for t, (a, b) in enumerate(merges):
        before = criterion(X, weight, list(clusters.values()), model, 0.01)
        costs = {}
        for i, j in combinations(sorted(clusters), 2):
            rest = [c for name, c in clusters.items() if name not in (i, j)]
            union = [*rest, clusters[i] + clusters[j]]
            costs[i, j] = criterion(X, weight, union, model, 0.01) - before
        assert (a, b) == min(costs, key=lambda pair: costs[pair])
        assert losses[t] == pytest.approx(costs[a, b], rel=1e-10, abs=1e-12)
        clusters[9 + t] = clusters.pop(a) + clusters.pop(b)


@every_model
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d"), [(1, 2), (2, 1), (3, 9), (8, 2), (9, 17), (17, 3), (26, 5)])
def test_kernel_and_reference_make_one_tree(model: str, weighted: bool, n: int, d: int) -> None:
    X, weight = some_rows(n, d)
    settings = {"model": model, "blur": 0.003, "sample_weight": weight if weighted else None}
    merges, losses = kernels.agglomerate(X, **settings)
    expected_merges, expected_losses = reference.agglomerate(X, **settings)
    assert merges.dtype == expected_merges.dtype == np.int64
    np.testing.assert_array_equal(merges, expected_merges)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("d", [1, 2, 7])
def test_eii_is_the_method_of_ward(d: int) -> None:
    X = some_rows(400, d)[0]
    merges, losses = kernels.agglomerate(X, model="EII", blur=1.0)
    expected = linkage(X, method="ward")
    np.testing.assert_array_equal(merges, expected[:, :2])
    np.testing.assert_allclose(np.sqrt(2.0 * losses), expected[:, 2], rtol=1e-10)


@every_model
def test_losses_add_up_to_the_whole_and_none_is_negative(model: str) -> None:
    X, weight = some_rows(300, 4)
    losses = kernels.agglomerate(X, model=model, blur=0.01, sample_weight=weight)[1]
    singles = criterion(X, weight, [[i] for i in range(300)], model, 0.01)
    whole = criterion(X, weight, [list(range(300))], model, 0.01)
    assert losses.sum() == pytest.approx(whole - singles, rel=1e-10)
    assert losses.min() >= 0.0


@every_model
@every_backend
def test_ties_are_for_the_pair_with_the_earliest_rows(backend: ModuleType, model: str) -> None:
    X = np.array([[0.0], [8.0], [2.0], [10.0], [-8.0], [-6.0]]) / 8.0  # exact, and so its squares
    merges = backend.agglomerate(X, model=model, blur=0.25)[0]
    np.testing.assert_array_equal(merges[:3], [[0, 2], [1, 3], [4, 5]])


@every_model
def test_equal_rows_are_merged_first_and_for_nothing(model: str) -> None:
    X = np.repeat(some_rows(20, 3)[0], 3, axis=0)
    losses = kernels.agglomerate(X, model=model, blur=0.01)[1]
    np.testing.assert_allclose(losses[:40], 0.0, atol=1e-12)
    assert losses[40] > 1e-6


@every_model
@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_unit_of_the_weights_does_not_matter(model: str, factor: float) -> None:
    X, weight = some_rows(60, 2)
    one = kernels.agglomerate(X, model=model, blur=0.01, sample_weight=weight)
    other = kernels.agglomerate(X, model=model, blur=0.01, sample_weight=weight * factor)
    np.testing.assert_array_equal(one[0], other[0])
    unit = 1.0 if model == "EEE" else factor
    np.testing.assert_allclose(one[1] * unit, other[1], rtol=1e-8)


@every_backend
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_in_any_layout_make_one_tree(backend: ModuleType, dtype: str, layout: str) -> None:
    plain = some_rows(12, 3)[0].astype(dtype)
    X = LAYOUTS[layout](plain)
    with unchanged(X):
        merges, losses = backend.agglomerate(X, model="VVV", blur=0.01)
    expected = backend.agglomerate(plain.astype(float), model="VVV", blur=0.01)
    np.testing.assert_array_equal(merges, expected[0])
    np.testing.assert_array_equal(losses, expected[1])


def test_tree_of_many_rows_needs_no_matrix_of_pairs() -> None:
    X = some_rows(2500, 2)[0]
    tracemalloc.start()
    try:
        kernels.agglomerate(X, model="VVV", blur=0.01)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < len(X) ** 2


def test_kernel_when_interrupted_stops_at_once() -> None:
    """An alarm rings in the middle; without a look at signals the tree would be complete."""
    X, weight = some_rows(5000, 8)
    merges = np.full((len(X) - 1, 2), -1)

    def ring(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            compiled_hierarchical.agglomerate(X, weight, "VVV", 0.01, merges, np.empty(len(X) - 1))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert (merges[-1] == -1).all()


@every_backend
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": np.empty((0, 2))}, "X must have at least 1 row; got 0. Add rows."),
        ({"model": "EVE"}, "model must be one of 'VVV', 'EEE', 'VII', 'EII'; got 'EVE'."),
        ({"blur": 0.0}, "blur must be a finite number, 1e-12 or more; got 0.0."),
        (
            {"sample_weight": [1.0, 0.0, 2.0]},
            "sample_weight must be positive; row 1 is 0.0. Drop the row.",
        ),
    ],
)
def test_bad_arguments_are_refused(
    backend: ModuleType, arguments: dict[str, object], message: str
) -> None:
    good = {"X": [[0.0], [1.0], [5.0]], "model": "VVV", "blur": 0.01}
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared below
        backend.agglomerate(**good | arguments)
    assert str(caught.value).startswith(message)

"""The kernel that splits components, against the search's own loop in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import COVARIANCE_TYPES, LAYOUTS
from loops import ONE_THREAD
from numpy.typing import NDArray
from searches import outcome_from, pair_update

from mixtura.passes import Backend
from mixtura.schedules import EM, Outcome
from mixtura.schedules.changes import emptied, reordered
from mixtura.search.shares import Shares
from mixtura.search.splits import Split, best_splits
from mixtura.shapes import Floats
from mixtura.statistics import Statistics

every_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)


def clusters(n: int, d: int, k: int) -> tuple[Floats, NDArray[np.int64]]:
    """Rows of components, some of which are two clusters, or a core and its halo."""
    rng = np.random.default_rng(n + d)
    labels = np.arange(n) % k
    X = rng.normal(size=(n, d)) * rng.uniform(0.5, 2.0, size=(k, d))[labels]
    X[:, 0] += 8.0 * labels
    X[labels == 0, -1] += 5.0 * (np.arange(n)[labels == 0] // k % 2)
    X[labels == k - 1] *= 1.0 + 3.0 * (np.arange(n)[labels == k - 1, None] // k % 2)
    return X, labels.astype(np.int64)


def splits_of(
    outcome: Outcome, em: EM, name: str, ridge: float = 0.0, *, backend: Backend = ONE_THREAD,
    kernel: bool = True,
) -> list[Split | None]:  # fmt: skip
    k, d = outcome.parameters.means.shape
    pair: Any = pair_update(name, d, backend, ridge)
    if not kernel:
        pair._m_step = None
    shares = Shares(outcome, em)
    shares.backend = backend
    return best_splits(outcome, range(k), shares, pair, np.ones(d), backend.algebra)


def in_order(halves: Statistics) -> Statistics:
    """The half with the smaller mean first: engines choose the sign of an axis."""
    return reordered(halves, np.argsort(halves.means()[:, 0]))


def assert_same_splits(found: list[Split | None], expected: list[Split | None]) -> None:
    assert [each is None for each in found] == [each is None for each in expected]
    for one, other in zip(found, expected, strict=True):
        if one is None or other is None:
            continue
        assert one.component == other.component
        assert one.gain == pytest.approx(other.gain, rel=1e-8, abs=1e-8)
        for name in ("centres", "resp_sum", "resp_x", "resp_xx"):
            ours, theirs = (getattr(in_order(each.halves), name) for each in (one, other))
            size = np.abs(other.halves.resp_xx).max()
            np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-9 * size, err_msg=name)


@every_type
@pytest.mark.parametrize(("n", "d", "k"), [(31, 1, 2), (129, 2, 2), (400, 3, 4), (700, 9, 3)])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_splits_of_the_kernel_are_those_of_the_loop(
    weighted: bool, ridge: float, n: int, d: int, k: int, covariance_type: str
) -> None:
    X, labels = clusters(n, d, k)
    weight = np.random.default_rng(0).exponential(size=n) if weighted else None
    outcome, em = outcome_from(
        X, labels, covariance_type, n_iter=3, sample_weight=weight, ridge=ridge
    )
    found = splits_of(outcome, em, covariance_type, ridge)
    assert any(each is not None and each.gain > 1.0 for each in found)
    for backend in (ONE_THREAD, Backend("reference", 1)):
        loop = splits_of(outcome, em, covariance_type, ridge, backend=backend, kernel=False)
        assert_same_splits(found, loop)


@every_type
def test_splits_that_fail_are_none_in_the_kernel_too(covariance_type: str) -> None:
    """A component of three different rows, one on a line, and one without rows."""
    X, labels = clusters(200, 2, 4)
    X, labels = X.copy(), labels.copy()
    X[labels == 1] = np.repeat(X[labels == 1][:3], 17, axis=0)[:50]
    X[labels == 2, 1] = X[labels == 2, 0]
    outcome, em = outcome_from(X, labels, covariance_type, n_iter=1, ridge=1e-9)
    assert outcome.statistics is not None
    outcome.statistics = emptied(outcome.statistics, 3)
    found = splits_of(outcome, em, covariance_type)
    assert found[0] is not None
    assert (found[1] is None) == (covariance_type != "tied")
    assert found[3] is None
    expected = splits_of(outcome, em, covariance_type, kernel=False)
    if covariance_type in ("full", "tied"):  # rounding decides whether rows on a line are singular
        found[2] = expected[2] = None
    else:
        assert found[2] is not None
    assert_same_splits(found, expected)


@every_type
@pytest.mark.parametrize("layout", sorted({*LAYOUTS} - {"other-byte-order"}))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_splits_do_not_depend_on_the_layout_of_rows_nor_on_threads(
    dtype: type, layout: str, covariance_type: str
) -> None:
    X, labels = clusters(300, 3, 2)
    X = X.astype(dtype)
    outcome, em = outcome_from(X, labels, covariance_type, n_iter=3)
    expected = splits_of(outcome, em, covariance_type)
    em.rows.source.X = LAYOUTS[layout](X)  # type: ignore[attr-defined]
    for n_threads in (1, 2, 3):
        found = splits_of(outcome, em, covariance_type, backend=Backend(n_threads=n_threads))
        for one, other in zip(found, expected, strict=True):
            assert one is not None
            assert other is not None
            assert one.gain == other.gain
            np.testing.assert_array_equal(one.halves.resp_xx, other.halves.resp_xx)

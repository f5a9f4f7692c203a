"""Selection among models of rows that are not in memory, and what is refused for such rows."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clusters import clustered
from numpy.typing import NDArray

from mixtura import GaussianMixture, GMMSelection, bootstrap_lrt, fit_gmm, hierarchical, scan
from mixtura import select_gmm as select
from mixtura.data import RowSource, open_rows
from mixtura.data.reweighed import Fold, Reweighed

X = clustered()[0]
SIZE = 110
FEW: dict[str, Any] = {"n_init": 1, "rng": 0, "verbose": False, "max_iter": 20, "tol": 0}


def cut(rows: NDArray[np.float64] = X) -> list[NDArray[np.float64]]:
    return [rows[start : start + SIZE] for start in range(0, len(rows), SIZE)]


def stored(rows: NDArray[np.float64] = X) -> RowSource:
    return scan(lambda: iter(cut(rows)))


def far(path: Path, executor: Any = map) -> RowSource:
    np.save(path / "rows.npy", X)
    return scan(path / "rows.npy", block_size=SIZE, executor=executor)


def assert_same(one: GMMSelection, other: GMMSelection) -> None:
    np.testing.assert_array_equal(one.table, other.table)
    assert one.reasons == other.reasons
    for model, fit in other.fits.items():
        np.testing.assert_array_equal(one.fits[model].means, fit.means)


def bic_of(model: GaussianMixture, rows: Any, sample_weight: object) -> float:
    assert sample_weight is None
    return model.bic(rows)


@pytest.mark.parametrize("criterion", ["bic", "aic", "icl", bic_of])
def test_table_of_stored_and_far_rows_has_the_bits_of_blocks_in_memory(
    criterion: Any, tmp_path: Path
) -> None:
    expected = select(scan(cut()), [1, 2], ["EEE", "VVI"], criterion=criterion, **FEW)
    for rows in (stored(), far(tmp_path)):
        assert_same(
            select(rows, [1, 2], ["EEE", "VVI"], criterion=criterion, **FEW),
            expected,
        )


def test_table_computed_in_other_processes_has_the_bits_of_blocks_in_memory(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2) as pool:
        found = select(far(tmp_path, pool), [2], ["EEE"], criterion="icl", **FEW)
    assert_same(found, select(scan(cut()), [2], ["EEE"], criterion="icl", **FEW))


def test_cross_validation_of_rows_elsewhere_agrees_with_that_in_memory(tmp_path: Path) -> None:
    options = {"criterion": "cv", "n_folds": 3} | FEW
    memory = select(X, [1, 2], ["EEE"], **options)
    found = select(stored(), [1, 2], ["EEE"], **options)
    assert_same(select(far(tmp_path), [1, 2], ["EEE"], **options), found)
    assert found.standard_error is not None
    assert memory.standard_error is not None
    # Other folds: the deviances differ by a few of their errors at most.
    assert (np.abs(found.table - memory.table) < 3.0 * memory.standard_error).all()
    assert found.best.n_components == memory.best.n_components
    np.testing.assert_allclose(found.standard_error, memory.standard_error, rtol=1.0)


@pytest.mark.parametrize("n_folds", [2, 5, 7])
def test_folds_of_blocks_are_of_equal_size_and_hold_each_row_once(n_folds: int) -> None:
    rows = open_rows(stored())
    held = np.array(
        [Reweighed(rows, Fold(1, n_folds, fold, held=True)).weights() for fold in range(n_folds)]
    )
    rest = np.array(
        [Reweighed(rows, Fold(1, n_folds, fold, held=False)).weights() for fold in range(n_folds)]
    )
    np.testing.assert_array_equal(held.sum(axis=0), 1.0)
    np.testing.assert_array_equal(held + rest, 1.0)
    assert np.ptp(held.sum(axis=1)) <= 1.0


def test_folds_keep_weights_and_leave_out_rows_without() -> None:
    weight = np.random.default_rng(0).integers(0, 3, len(X)).astype(float)
    rows = open_rows(scan(lambda: iter(cut(np.column_stack([X, weight]))), weight=X.shape[1]))
    parts = [Reweighed(rows, Fold(1, 4, fold, held=True)) for fold in range(4)]
    np.testing.assert_array_equal(sum(part.weights() for part in parts), weight)
    assert sum(part.n_rows for part in parts) == np.count_nonzero(weight)
    assert sum(part.weight_sum for part in parts) == weight.sum()


def test_folds_without_rows_give_a_reason_in_place_of_a_value() -> None:
    weight = np.zeros(40)
    weight[[0, 20]] = 1.0
    rows = np.column_stack([X[:40], weight])
    found = select(
        scan(lambda: iter([rows]), weight=X.shape[1]), 1, "EII", criterion="cv", n_folds=2, **FEW
    )
    held = select(
        scan(lambda: iter([rows[:20], rows[20:]]), weight=X.shape[1]), 1, "EII",
        criterion="cv", n_folds=2, **FEW,
    )  # fmt: skip
    assert np.isfinite(found.table).all()
    assert held.reasons == {
        (1, "EII"): "fold 0: it has all rows of positive weight, or none. Use fewer folds"
    }


def test_trees_of_rows_elsewhere_are_grown_on_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixtura.fitting.scouts.ROWS_OF_TREES", 60)
    options = FEW | {"init": "hierarchical", "max_iter": 1000, "tol": 1e-6}
    expected = select(X, [2], ["EEE", "VVV"], **options)
    found = select(stored(), [2], ["EEE", "VVV"], **options)
    np.testing.assert_allclose(found.table, expected.table, rtol=1e-6)
    assert_same(select(far(tmp_path), [2], ["EEE", "VVV"], **options), found)


def test_labels_of_stored_rows_serve_as_in_memory() -> None:
    labels = np.where(np.arange(len(X)) % 7, -1, (X[:, 0] > np.median(X[:, 0])).astype(int))
    for init in ("kmeans", "hierarchical"):
        expected = select(scan(cut()), [2], ["EEE"], labels=labels, **FEW | {"init": init})
        found = select(stored(), [2], ["EEE"], labels=labels, **FEW | {"init": init})
        np.testing.assert_allclose(found.table, expected.table, rtol=1e-6)
        assert found.best.n_labelled == expected.best.n_labelled


HOLED = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
FORMS: dict[str, tuple[NDArray[np.float64], dict[str, Any]]] = {
    "missing": (HOLED, {"missing": "em"}),
    "noise": (X, {"noise_covariance": np.full(len(X), 0.01)}),
    "weights": (X, {"sample_weight": np.arange(len(X)) % 3 + 0.5}),
}


@pytest.mark.parametrize("form", FORMS)
def test_stored_rows_of_every_form_are_ranked_as_blocks_in_memory(form: str) -> None:
    rows, options = FORMS[form]
    expected = select(scan(cut(rows)), [1, 2], ["EEE"], **options, **FEW)
    assert_same(select(stored(rows), [1, 2], ["EEE"], **options, **FEW), expected)


@pytest.mark.parametrize("form", FORMS)
def test_stored_rows_of_every_form_are_cross_validated(form: str) -> None:
    rows, options = FORMS[form]
    found = select(stored(rows), [1, 2], ["EEE"], criterion="cv", n_folds=2, **options, **FEW)
    memory = select(rows, [1, 2], ["EEE"], criterion="cv", n_folds=2, **options, **FEW)
    np.testing.assert_allclose(found.table, memory.table, rtol=0.05)


REFUSED: dict[str, tuple[Callable[[RowSource], object], str]] = {
    "labels": (
        lambda rows: select(rows, 2, "EEE", labels=np.zeros(len(X), dtype=int)),
        "labels must not be an array with an entry a row",
    ),
    "weights": (
        lambda rows: fit_gmm(rows, 2, sample_weight=np.ones(len(X))),
        "sample_weight must not be an array with an entry a row .* Use the weight of scan",
    ),
    "init": (
        lambda rows: fit_gmm(rows, 2, init=np.arange(len(X)) % 2),
        "init must not be an array with an entry a row .* Pass means, or the model of a",
    ),
    "responsibilities": (
        lambda rows: fit_gmm(rows, 2, init=np.full((len(X), 2), 0.5)),
        "init must not be an array with an entry a row",
    ),
    "tree": (
        lambda rows: select(rows, 2, "EEE", init=hierarchical(X)),
        "init must not be an array with an entry a row",
    ),
    "noise": (
        lambda rows: fit_gmm(rows, 2, noise_covariance=np.ones(len(X))),
        "noise_covariance must not be an array with an entry a row .* Pass rows that are in memory",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arrays_with_an_entry_a_row_are_refused_for_far_rows(name: str, tmp_path: Path) -> None:
    call, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        call(far(tmp_path))


def test_tree_of_far_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"X must be rows that this process reads, .* X\.take\("):
        hierarchical(far(tmp_path))


def test_tree_of_stored_rows_is_that_of_blocks_in_memory() -> None:
    one, other = (hierarchical(rows, max_leaves=60, rng=0) for rows in (stored(), scan(cut())))
    np.testing.assert_array_equal(one.linkage, other.linkage)
    np.testing.assert_array_equal(one.leaf, other.leaf)


def test_means_and_mixtures_start_far_rows(tmp_path: Path) -> None:
    start = fit_gmm(X, 2, rng=0, max_iter=2, tol=0).model
    for init in (start, start.means):
        expected = fit_gmm(scan(cut()), 2, init=init, max_iter=3, tol=0)
        found = fit_gmm(far(tmp_path), 2, init=init, max_iter=3, tol=0)
        np.testing.assert_array_equal(found.means, expected.means)


def test_bootstrap_of_rows_elsewhere_is_refused() -> None:
    with pytest.raises(ValueError, match=r"X must be in memory, .*Pass some of them, such as X.ta"):
        bootstrap_lrt(stored(), 1)


def test_means_start_far_rows_that_lack_numbers(tmp_path: Path) -> None:
    holed = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
    np.save(tmp_path / "holed.npy", holed)
    rows = scan(tmp_path / "holed.npy", block_size=SIZE, executor=map)
    means = fit_gmm(X, 2, rng=0, max_iter=2, tol=0).means
    options = {"init": means, "missing": "em", "max_iter": 3, "tol": 0}
    found = fit_gmm(rows, 2, **options)
    np.testing.assert_array_equal(found.means, fit_gmm(stored(holed), 2, **options).means)
    expected = fit_gmm(scan(cut(holed)), 2, **options)
    assert found.log_likelihood == pytest.approx(expected.log_likelihood, rel=0.02)


@pytest.mark.parametrize("name", ["bic", "aic", "icl", "log_likelihood"])
def test_criteria_of_rows_elsewhere_have_the_bits_of_blocks_in_memory(
    name: str, tmp_path: Path
) -> None:
    model = fit_gmm(X, 2, rng=0, max_iter=2, tol=0).model
    expected = getattr(model, name)(scan(cut()))
    assert getattr(model, name)(stored()) == expected
    assert getattr(model, name)(far(tmp_path)) == expected
    assert getattr(model, name)(X) == pytest.approx(expected, rel=1e-13)

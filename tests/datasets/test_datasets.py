"""The data sets are whole, and every call gives arrays of its own."""

from collections.abc import Callable

import numpy as np
import pytest

from mixtura import datasets
from mixtura.datasets import Dataset

# Shape, sums of the columns (added up outside Python), rows of each class.
FACTS: dict[str, tuple[tuple[int, int], list[float], dict[str, int]]] = {
    "acidity": ((155, 1), [791.289947], {}),
    "banknote": (
        (200, 6),
        [42979.2, 26024.3, 25991.3, 1883.5, 2130.1, 28096.7],
        {"genuine": 100, "counterfeit": 100},
    ),
    "birthwt": ((189, 1), [556527], {}),
    "diabetes_reaven_miller": (
        (145, 3),
        [17688, 78414, 26987],
        {"Normal": 76, "Chemical": 36, "Overt": 33},
    ),
    "faithful": ((272, 2), [948.677, 19284], {}),
    "galaxies": ((82, 1), [1707910], {}),
    "iris": (
        (150, 4),
        [876.5, 458.6, 563.7, 179.9],
        {"setosa": 50, "versicolor": 50, "virginica": 50},
    ),
    "naples_crabs": ((29, 1), [18.5455], {}),
    "thyroid": (
        (215, 5),
        [23563, 2108, 440.8, 619.2, 902.8],
        {"Normal": 150, "Hyper": 35, "Hypo": 30},
    ),
}


def load(name: str) -> Dataset:
    loader: Callable[[], Dataset] = getattr(datasets, f"load_{name}")
    return loader()


def test_loaders_in_all_are_those_with_facts() -> None:
    assert {f"load_{name}" for name in FACTS} == set(datasets.__all__) - {"Dataset"}


@pytest.mark.parametrize("name", FACTS)
def test_data_of_each_loader_has_the_published_size_and_sums(name: str) -> None:
    shape, sums, _ = FACTS[name]
    dataset = load(name)
    assert dataset.name == name
    assert dataset.data.shape == shape
    assert dataset.data.dtype == np.float64
    assert len(dataset.feature_names) == shape[1]
    assert dataset.source
    np.testing.assert_allclose(dataset.data.sum(axis=0), sums, rtol=1e-12)


@pytest.mark.parametrize("name", FACTS)
def test_labels_of_each_loader_count_the_known_classes(name: str) -> None:
    _, _, classes = FACTS[name]
    dataset = load(name)
    assert dataset.label_names == tuple(classes)
    if dataset.labels is None:
        assert not classes
    else:
        assert dataset.labels.dtype == np.int64
        assert np.bincount(dataset.labels).tolist() == list(classes.values())


def test_labels_of_iris_follow_the_order_of_the_rows() -> None:
    labels = datasets.load_iris().labels
    assert labels is not None
    assert labels.tolist() == [0] * 50 + [1] * 50 + [2] * 50


def test_naples_crabs_weights_count_a_thousand_crabs() -> None:
    crabs = datasets.load_naples_crabs()
    assert crabs.sample_weight is not None
    assert crabs.sample_weight.sum() == 1000
    assert np.flatnonzero(crabs.sample_weight == 0).tolist() == [27]
    np.testing.assert_allclose(np.diff(crabs.data[:, 0]), 0.004, rtol=1e-9)


def test_galaxies_row_77_is_the_value_that_r_ships() -> None:
    assert datasets.load_galaxies().data[77, 0] == 26690


@pytest.mark.parametrize("name", FACTS)
def test_arrays_changed_by_a_caller_are_fresh_in_the_next_call(name: str) -> None:
    changed, expected = load(name), load(name)
    for array in (changed.data, changed.labels, changed.sample_weight):
        if array is not None:
            array[:] = -1
    again = load(name)
    np.testing.assert_array_equal(again.data, expected.data)
    if expected.labels is not None:
        np.testing.assert_array_equal(again.labels, expected.labels)
    if expected.sample_weight is not None:
        np.testing.assert_array_equal(again.sample_weight, expected.sample_weight)


def test_repr_of_one_column_names_the_set_and_its_size() -> None:
    assert repr(datasets.load_galaxies()) == "Dataset('galaxies': 82 rows, 1 feature)"


def test_edges_of_the_crabs_are_those_of_the_bins_whose_middles_are_the_rows() -> None:
    crabs = datasets.load_naples_crabs()
    assert crabs.edges is not None
    assert crabs.edges[[0, 1, -1]].tolist() == [0.5815, 0.5855, 0.6975]
    middles = 0.5 * (crabs.edges[:-1] + crabs.edges[1:])
    np.testing.assert_allclose(middles, crabs.data[:, 0], rtol=1e-13)
    assert datasets.load_acidity().edges is None

"""Trees of real and simulated rows."""

import numpy as np
import pytest
from clusters import clustered
from helpers import unchanged
from scipy.cluster.hierarchy import dendrogram, fcluster, is_valid_linkage, linkage
from scipy.spatial.distance import cdist

from mixtura import HierarchicalTree, datasets, hierarchical
from mixtura.data.checks import MODELS
from mixtura.shapes import Floats
from mixtura.starts.hierarchical import TRANSFORMS, UNITLESS_TRANSFORMS, most_leaves

every_model = pytest.mark.parametrize("model", MODELS)
every_transform = pytest.mark.parametrize("transform", TRANSFORMS)


def assert_same_tree(one: HierarchicalTree, other: HierarchicalTree, rtol: float = 1e-9) -> None:
    """The same mergers at the same heights, to rounding."""
    np.testing.assert_array_equal(one.linkage[:, [0, 1, 3]], other.linkage[:, [0, 1, 3]])
    np.testing.assert_allclose(one.linkage[:, 2], other.linkage[:, 2], rtol=rtol)


def same_partition(labels: object, other: object) -> bool:
    return len(set(zip(labels, other, strict=True))) == len(set(labels)) == len(set(other))


@every_model
@every_transform
def test_tree_is_one_that_scipy_reads(model: str, transform: str) -> None:
    tree = hierarchical(clustered()[0], model=model, transform=transform)
    assert is_valid_linkage(tree.linkage)
    assert (np.diff(tree.linkage[:, 2]) >= 0.0).all()
    assert len(dendrogram(tree.linkage, no_plot=True)["leaves"]) == len(tree.leaves)
    for k in (1, 2, 5, len(tree.leaves)):
        assert same_partition(tree.labels(k), fcluster(tree.linkage, k, "maxclust")[tree.leaf])


def test_clusters_are_nested_and_numbered_by_their_first_leaves() -> None:
    tree = hierarchical(datasets.load_faithful().data)
    finer = tree.labels(20)
    for k in reversed(range(1, 20)):
        labels = tree.labels(k)
        assert (labels.dtype, labels.max()) == (np.int64, k - 1)
        first = [np.flatnonzero(labels == j)[0] for j in range(k)]
        assert first == sorted(first)
        assert len(set(zip(labels, finer, strict=True))) == k + 1
        finer = labels


def test_ward_of_faithful_as_it_is_agrees_with_scipy() -> None:
    X = np.unique(datasets.load_faithful().data, axis=0)
    rng = np.random.default_rng(0)
    X = X + 1e-6 * rng.normal(size=X.shape)  # minutes are whole, and ties go either way
    tree = hierarchical(X, model="EII", transform="none")
    expected = linkage(X, method="ward")
    np.testing.assert_array_equal(tree.linkage[:, [0, 1, 3]], expected[:, [0, 1, 3]])
    spread = X.var(axis=0).mean()
    n = X.size
    heights = 0.5 * n * np.log1p(np.cumsum(expected[:, 2] ** 2) / (2 * spread * n * 2e-3))
    np.testing.assert_allclose(tree.linkage[:, 2], heights, rtol=1e-9)


@every_model
def test_backends_make_one_tree(model: str) -> None:
    X = datasets.load_iris().data[::6]
    weight = np.random.default_rng(0).choice([0.0, 1.0, 2.5], len(X))
    trees = [
        hierarchical(X, model=model, sample_weight=weight, backend=backend)
        for backend in ("compiled", "reference")
    ]
    assert_same_tree(*trees)


@every_model
def test_well_separated_clusters_are_found(model: str) -> None:
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat([0, 1, 2], [50, 100, 150]))
    X = rng.normal(size=(300, 2)) + 12.0 * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])[labels]
    assert same_partition(hierarchical(X, model=model).labels(3), labels)


@every_transform
def test_row_of_weight_two_is_two_equal_rows_and_of_zero_is_none(transform: str) -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    weight = np.random.default_rng(1).integers(0, 4, 60)
    tree = hierarchical(X, transform=transform, sample_weight=weight)
    repeated = hierarchical(np.repeat(X, weight, axis=0), transform=transform)
    present = weight > 0
    absent = hierarchical(X[present], transform=transform, sample_weight=weight[present])
    assert_same_tree(tree, repeated)
    assert_same_tree(tree, absent)
    np.testing.assert_array_equal(tree.leaves, np.flatnonzero(present))
    np.testing.assert_array_equal(np.repeat(tree.labels(4), weight), repeated.labels(4))
    np.testing.assert_array_equal(tree.labels(4)[present], absent.labels(4))


@every_model
@pytest.mark.parametrize("transform", UNITLESS_TRANSFORMS)
def test_units_of_the_features_do_not_matter(model: str, transform: str) -> None:
    X = clustered()[0]
    units = np.array([1e-5, 300.0, 1.0])[: X.shape[1]]
    tree = hierarchical(X, model=model, transform=transform)
    other = hierarchical(X * units + 7.0 * units, model=model, transform=transform)
    assert_same_tree(tree, other, rtol=1e-6)


@every_transform
@pytest.mark.parametrize("unit", [1e-140, 1e140])
def test_extreme_units_do_not_matter(transform: str, unit: float) -> None:
    X = clustered()[0]
    expected = hierarchical(X, transform=transform)
    assert_same_tree(hierarchical(X * unit, transform=transform), expected, rtol=1e-6)


def test_no_model_sees_a_rotation() -> None:
    X = clustered()[0]
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(X.shape[1],) * 2))[0]
    for model in MODELS:
        one, other = (hierarchical(Z, model=model, transform="none") for Z in (X, X @ turn))
        np.testing.assert_allclose(one.linkage[:, 2], other.linkage[:, 2], rtol=1e-7)
        np.testing.assert_array_equal(one.labels(3), other.labels(3))


def transformed(X: Floats, weight: Floats, transform: str) -> Floats:
    """The coordinates that a transform stands for, by its definition."""
    Z = X / np.sqrt(np.cov(X.T, ddof=0, aweights=weight).diagonal())
    correlation = np.cov(Z.T, ddof=0, aweights=weight)
    variances, directions = np.linalg.eigh(correlation)
    return {
        "none": X,
        "scaled": Z,
        "whitened": Z @ directions / np.sqrt(variances),
        "svd": Z @ directions / variances**0.25,  # half-way between
    }[transform]


@every_model
@every_transform
def test_tree_in_coordinates_of_a_transform_is_that_of_rows_with_their_spread(
    transform: str, model: str
) -> None:
    """Of what is the same for all models: turned axes, and one unit for all of them."""
    X = datasets.load_iris().data
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    tree = hierarchical(X, model=model, transform=transform, sample_weight=weight)
    Z = transformed(X, weight, transform)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    for rows in (Z, 3.0 * Z @ turn + 7.0):
        other = hierarchical(rows, model=model, transform="none", sample_weight=weight)
        assert_same_tree(tree, other, rtol=1e-7)


@every_model
@every_transform
def test_constant_feature_changes_nothing(model: str, transform: str) -> None:
    X = clustered()[0]
    wider = np.column_stack([X[:, :1], np.full(len(X), 0.1 + 1e8), X[:, 1:]])
    tree = hierarchical(wider, model=model, transform=transform)
    assert_same_tree(tree, hierarchical(X, model=model, transform=transform))


@every_model
@every_transform
@pytest.mark.parametrize("shape", [(1, 3), (2, 1), (2, 5), (12, 40)])
def test_few_rows_make_a_tree(model: str, transform: str, shape: tuple[int, int]) -> None:
    X = np.random.default_rng(0).normal(size=shape)
    tree = hierarchical(X, model=model, transform=transform)
    assert tree.linkage.shape == (shape[0] - 1, 4)
    assert np.isfinite(tree.linkage).all()
    np.testing.assert_array_equal(tree.labels(shape[0]), np.arange(shape[0]))


@every_transform
def test_equal_rows_are_one_leaf(transform: str) -> None:
    tree = hierarchical(np.full((30, 2), 0.1), transform=transform)
    assert tree.linkage.shape == (0, 4)
    np.testing.assert_array_equal(tree.labels(1), np.zeros(30))
    tree = hierarchical([[3.0, 1.0], [0.0, 0.0], [3.0, 1.0], [1.0, 1.0]], transform=transform)
    np.testing.assert_array_equal(tree.leaves, [0, 1, 3])
    np.testing.assert_array_equal(tree.leaf, [0, 1, 0, 2])


def test_float32_rows_are_those_of_float64() -> None:
    X = clustered()[0].astype(np.float32)
    with unchanged(X):
        tree = hierarchical(X)
    assert_same_tree(tree, hierarchical(X.astype(float)))


@pytest.mark.parametrize("weighted", [False, True])
def test_of_many_rows_a_sample_makes_the_tree_and_each_goes_with_its_nearest(
    weighted: bool,
) -> None:
    X, labels = (np.repeat(a, 40, axis=0) for a in clustered(spread=30.0))
    X = X + 1e-3 * np.random.default_rng(0).normal(size=X.shape)
    weight = np.random.default_rng(1).uniform(0.0, 2.0, len(X)) if weighted else None
    settings = {"sample_weight": weight, "max_leaves": 150, "transform": "none", "rng": 3}
    tree = hierarchical(X, **settings)
    assert 100 < len(tree.leaves) <= 150
    np.testing.assert_array_equal(tree.leaf, cdist(X, X[tree.leaves]).argmin(axis=1))
    assert same_partition(tree.labels(3), labels)
    for n_threads in (1, 2, 3, 7):
        other = hierarchical(X, n_threads=n_threads, **settings)
        assert_same_tree(tree, other, rtol=0.0)
        np.testing.assert_array_equal(tree.leaf, other.leaf)


def test_leaves_are_fewer_where_features_are_many() -> None:
    assert [most_leaves("VVV", d) for d in (1, 19, 50, 1000)] == [2000, 2000, 489, 50]
    assert most_leaves("EII", 1000) == 2000


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": "full"}, ValueError, "'VVV', 'EEE', 'VII', 'EII'; got 'full'. Choose one"),
        ({"transform": "SVD"}, ValueError, "got 'SVD'. Did you mean 'svd'?"),
        ({"backend": "numpy"}, ValueError, "backend must be one of 'compiled', 'reference'"),
        ({"max_leaves": 0}, ValueError, "max_leaves must be an integer, 1 or more; got 0."),
        ({"max_leaves": 2.0}, TypeError, "max_leaves must be an integer, 1 or more; got 2.0"),
        ({"blur": -1}, ValueError, "blur must be a finite number, 1e-12 or more; got -1.0."),
        ({"n_threads": 0}, ValueError, "n_threads must be an integer, 1 or more; got 0."),
        ({"rng": "0"}, TypeError, "rng must be None, an integer seed"),
        ({"X": [[1.0], [np.nan]]}, ValueError, "X must be finite; row 1, column 0 is nan."),
        ({"X": np.empty((0, 1))}, ValueError, "X must have at least 1 row; got 0."),
        ({"sample_weight": [1.0]}, ValueError, "sample_weight must have shape (2,)"),
        ({"sample_weight": [0, 0]}, ValueError, "sample_weight must not be zero for all rows"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(
    arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        hierarchical(**{"X": [[0.0], [1.0]]} | arguments)
    assert message in str(caught.value)


def test_more_clusters_than_leaves_are_refused() -> None:
    tree = hierarchical([[0.0], [1.0], [1.0]])
    with pytest.raises(
        ValueError, match="n_clusters must be at most 2, the number of leaves of the"
    ):
        tree.labels(3)
    with pytest.raises(TypeError, match="n_clusters must be an integer, 1 or more"):
        tree.labels(2.0)

"""The two engines behind one name, and that the reference runs nothing that is compiled."""

import numpy as np
import pytest
from clusters import clustered

import mixtura
from mixtura.covariance import CELEUX_GOVAERT
from mixtura.data import Block
from mixtura.kernels import doors, matrices
from mixtura.passes import Backend
from mixtura.passes.backend import BACKENDS
from mixtura.starts import INIT_METHODS


def test_backend_makes_the_rows_of_its_engine() -> None:
    X, weight = np.ones((3, 2)), np.array([1.0, 0.0, 2.0])
    for name, module in BACKENDS.items():
        rows = Backend(name).rows("whole", Block(X, weight, 17))
        assert type(rows) is module.Rows
        assert (rows.n_samples, rows.n_features) == (3, 2)


def test_backend_factorises_by_its_engine() -> None:
    covariances = np.array([[[4.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]]])
    for name in BACKENDS:
        found, failed = Backend(name).algebra.factorise(covariances)
        np.testing.assert_array_equal(found[0], [[0.5, 0.0], [0.0, 1.0]])
        assert failed.tolist() == [False, True]


@pytest.fixture
def nothing_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every call of a compiled function an error."""

    class Forbidden:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(f"{name} is compiled")

        def __call__(self, *_: object, **__: object) -> object:
            raise AssertionError("this is compiled")

    for name in ("Rows", *mixtura.kernels.__all__):
        monkeypatch.setattr(mixtura.kernels, name, Forbidden())
    monkeypatch.setattr(doors, "Rows", Forbidden())
    monkeypatch.setattr(doors, "compiled_hierarchical", Forbidden())
    monkeypatch.setattr(matrices, "compiled_kernels", Forbidden())


@pytest.mark.usefixtures("nothing_compiled")
def test_compiled_backend_is_forbidden_by_the_fixture() -> None:
    """The premise of the tests below."""
    X, labels = clustered()
    for fit in (
        lambda: mixtura.fit_gmm(X, 3, init=labels),
        lambda: mixtura.fit_kmeans(X, 3),
        lambda: mixtura.hierarchical(X),
        lambda: Backend().algebra.factorise(np.eye(2)[None]),
    ):
        with pytest.raises(AssertionError, match="is compiled"):
            fit()


@pytest.mark.usefixtures("nothing_compiled")
@pytest.mark.parametrize("init", INIT_METHODS)
@pytest.mark.parametrize("em", ["soft", "hard", "annealed"])
def test_fit_with_the_reference_runs_nothing_compiled(init: str, em: str) -> None:
    X = clustered(90 if init != "hierarchical" else 30)[0]  # whose trees are slow
    fit = mixtura.fit_gmm(X, 3, init=init, em=em, n_init=2, rng=0, backend="reference")
    assert fit.converged


@pytest.mark.usefixtures("nothing_compiled")
@pytest.mark.parametrize("covariance_type", CELEUX_GOVAERT)
def test_fit_of_any_family_with_the_reference_runs_nothing_compiled(covariance_type: str) -> None:
    X, labels = clustered(200)
    for start in (labels, np.eye(3)[labels]):
        fit = mixtura.fit_gmm(
            X, 3, covariance_type=covariance_type, init=start, max_iter=5, tol=0.0,
            backend="reference", reg_covar=0.0,
        )  # fmt: skip
        assert fit.n_iter == 5


@pytest.mark.usefixtures("nothing_compiled")
@pytest.mark.parametrize("init", ["kmeans++", "random"])
def test_kmeans_with_the_reference_runs_nothing_compiled(init: str) -> None:
    X = clustered(200)[0]
    weight = np.arange(200) % 3.0
    fit = mixtura.fit_kmeans(
        X, 12, init=init, n_init=2, rng=0, sample_weight=weight, backend="reference"
    )
    assert fit.converged


@pytest.mark.usefixtures("nothing_compiled")
@pytest.mark.parametrize("model", ["VVV", "EEE", "VII", "EII"])
def test_tree_with_the_reference_runs_nothing_compiled(model: str) -> None:
    X = clustered(40)[0]
    tree = mixtura.hierarchical(X, model=model, backend="reference", max_leaves=20, rng=0)
    assert len(tree.leaves) == 20


def test_fits_of_either_engine_are_the_same() -> None:
    X, labels = clustered(300)
    one, other = (
        mixtura.fit_gmm(X, 3, init=labels, tol=0.0, max_iter=10, backend=name) for name in BACKENDS
    )
    np.testing.assert_allclose(one.history, other.history, rtol=1e-12)
    np.testing.assert_allclose(one.model.means, other.model.means, rtol=1e-9)

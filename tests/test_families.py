"""The fourteen families of Celeux and Govaert: what they share, and that nothing is better."""

import re

import numpy as np
import pytest
from clusters import clustered
from scipy import linalg, optimize

from mixtura import FitError, GaussianMixture, datasets, fit_gmm, reference
from mixtura.covariance import CELEUX_GOVAERT, FAMILIES
from mixtura.statistics import Floats, Statistics
from mixtura.update import MaximumLikelihood

each_family = pytest.mark.parametrize("name", CELEUX_GOVAERT)
SAME_AS = {"VVV": "full", "EEE": "tied", "VVI": "diag", "VII": "spherical"}
K, D = 2, 3
FAR = 20.0  # logarithms of variances that the optimiser need not look beyond


def centred(name: str, X: Floats, resp: Floats) -> Statistics:
    """Statistics about the component means, in the shape of the family."""
    shape = FAMILIES[name].factor_shape
    s = reference.accumulate_resp(
        X, resp, np.zeros((resp.shape[1], X.shape[1])), covariance_type=shape
    )
    return reference.accumulate_resp(X, resp, s.means(), covariance_type=shape)


def statistics(name: str) -> Statistics:
    """Of random rows and shares."""
    resp = np.random.default_rng(0).dirichlet(np.full(K, 0.3), size=90)
    return centred(name, clustered(90, D, K)[0], resp)


def scatters() -> tuple[Floats, Floats]:
    s = statistics("VVV")
    return s.resp_xx, s.resp_sum


def deviance(matrices: Floats, scatter: Floats, counts: Floats) -> float:
    """Minus twice the expected log-likelihood, but for a constant."""
    return float(
        sum(
            n * np.linalg.slogdet(matrix)[1] + np.trace(np.linalg.solve(matrix, W))
            for matrix, W, n in zip(matrices, scatter, counts, strict=True)
        )
    )


def composed(name: str, numbers: Floats) -> Floats:
    """Covariances volume D diag(shape) D^T from free numbers, by the letters of the family."""
    left = iter(numbers)

    def take(letter: str, size: int) -> Floats:
        if letter == "I":
            return np.zeros((K, size))
        times = 1 if letter == "E" else K
        return np.broadcast_to([[next(left) for _ in range(size)] for _ in range(times)], (K, size))

    logs = take(name[0], 1)
    shapes = take(name[1], D - 1)
    planes = take(name[2], D * (D - 1) // 2)
    logs = logs + np.hstack([shapes, -shapes.sum(axis=1, keepdims=True)])
    matrices = np.empty((K, D, D))
    for j in range(K):
        skew = np.zeros((D, D))
        skew[np.triu_indices(D, 1)] = planes[j]
        axes = linalg.expm(skew - skew.T)
        matrices[j] = axes * np.exp(logs[j]) @ axes.T
    assert next(left, None) is None
    return matrices


@each_family
def test_update_reaches_what_generic_optimisation_reaches(name: str) -> None:
    scatter, counts = scatters()
    family = FAMILIES[name]
    found = family.matrices(family.update(statistics(name)), K, D)
    rng = np.random.default_rng(5)
    n_free = family.n_parameters(K, D)

    def height(numbers: Floats) -> float:
        if np.abs(numbers).max() > FAR:
            return 1e10
        return deviance(composed(name, numbers), scatter, counts)

    best = min(optimize.minimize(height, rng.normal(size=n_free)).fun for _ in range(2))
    assert deviance(found, scatter, counts) <= best + 1e-7 * abs(best)


@each_family
def test_update_from_the_covariances_before_is_never_worse_than_these(name: str) -> None:
    scatter, counts = scatters()
    family = FAMILIES[name]
    rng = np.random.default_rng(6)
    for _ in range(5):
        before = composed(name, rng.normal(size=family.n_parameters(K, D)))
        kept = {"diag": np.einsum("jaa->ja", before), "spherical": before[:, 0, 0]}.get(
            family.factor_shape, before
        )
        kept = kept[0] if family.factor_shape == "tied" else kept
        after = family.matrices(family.update(statistics(name), kept), K, D)
        assert deviance(after, scatter, counts) < deviance(before, scatter, counts)


@pytest.mark.parametrize(
    ("name", "counts"),
    # Table 1 of Celeux and Govaert (1995) for k, d = (3, 4), (5, 10), (2, 1), (1, 3).
    [
        ("EII", (1, 1, 1, 1)),
        ("VII", (3, 5, 2, 1)),
        ("EEI", (4, 10, 1, 3)),
        ("VEI", (6, 14, 2, 3)),
        ("EVI", (10, 46, 1, 3)),
        ("VVI", (12, 50, 2, 3)),
        ("EEE", (10, 55, 1, 6)),
        ("VEE", (12, 59, 2, 6)),
        ("EVE", (16, 91, 1, 6)),
        ("VVE", (18, 95, 2, 6)),
        ("EEV", (22, 235, 1, 6)),
        ("VEV", (24, 239, 2, 6)),
        ("EVV", (28, 271, 1, 6)),
        ("VVV", (30, 275, 2, 6)),
    ],
)
def test_n_parameters_are_those_of_the_published_table(name: str, counts: tuple[int, ...]) -> None:
    sizes = ((3, 4), (5, 10), (2, 1), (1, 3))
    assert tuple(FAMILIES[name].n_parameters(*size) for size in sizes) == counts


@each_family
def test_fit_shares_what_its_letters_say(name: str) -> None:
    X, labels = clustered(200, 3, 3)
    model = fit_gmm(X, 3, covariance_type=name, init=labels, max_iter=5, tol=0).model
    volume, shape, orientation = model.volume, model.shape, model.orientation
    assert (volume.shape, shape.shape, orientation.shape) == ((3,), (3, 3), (3, 3, 3))
    again = orientation * (volume[:, None] * shape)[:, None, :] @ orientation.transpose(0, 2, 1)
    np.testing.assert_allclose(again, model.covariance_matrices(), atol=1e-10)
    np.testing.assert_allclose(shape.prod(axis=1), 1.0)
    np.testing.assert_allclose(
        orientation.transpose(0, 2, 1) @ orientation, [np.eye(3)] * 3, atol=1e-12
    )
    for letter, array in zip(name, (volume, shape, orientation), strict=True):
        if letter == "V":
            assert np.ptp(array, axis=0).max() > 1e-3
        else:
            np.testing.assert_allclose(array, [array[0]] * 3, rtol=1e-8, atol=1e-8)
    if name[1] == "I":
        np.testing.assert_allclose(shape, 1.0)
    if name[2] == "I":
        np.testing.assert_array_equal(orientation, [np.eye(3)] * 3)
    elif name[1:] != "VE":  # axes that are shared keep one order in all components
        assert (np.diff(shape) <= 1e-9).all()


@each_family
@pytest.mark.parametrize("reg_covar", [0.0, 0.05])
def test_objective_of_a_fit_never_falls(name: str, reg_covar: float) -> None:
    for seed in range(3):
        X, labels = clustered(80, 4, 3, seed=seed, spread=1.5)
        fit = fit_gmm(
            X, 3, covariance_type=name, init=labels, reg_covar=reg_covar, max_iter=60, tol=0
        )
        assert np.diff(fit.history).min() >= -1e-12
        assert fit.history[-1] > fit.history[0]


@each_family
def test_backends_agree(name: str) -> None:
    X, labels = clustered(120, 3, 3)
    one, other = (
        fit_gmm(X, 3, covariance_type=name, init=labels, max_iter=20, tol=0, backend=backend)
        for backend in ("compiled", "reference")
    )
    np.testing.assert_allclose(one.history, other.history, rtol=1e-10)


@each_family
def test_fit_in_other_units_or_turned_is_the_same_where_the_family_says_so(name: str) -> None:
    """Diagonal and affine families do not see units; all do not see rotations but diagonal ones."""
    X, labels = clustered(150, 3, 2)
    units = np.array([1.0, 30.0, 0.2])
    turn = linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]

    def log_likelihood(rows: Floats) -> float:
        fit = fit_gmm(
            rows, 2, covariance_type=name, init=labels, reg_covar=0, tol=1e-12, max_iter=5000
        )
        return fit.log_likelihood

    here = log_likelihood(X)
    scaled = log_likelihood(X * units) + len(X) * np.log(units).sum()
    in_any_units = {"EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVV", "VVV"}
    assert (abs(scaled - here) < 1e-6) == (name in in_any_units)
    turned = log_likelihood(X @ turn)
    assert (abs(turned - here) < 1e-6) == (name not in {"EEI", "VEI", "EVI", "VVI"})


@each_family
def test_one_component_depends_on_shape_and_orientation_alone(name: str) -> None:
    X = clustered(60, 3, 1)[0]
    kind = "VII" if name[1] == "I" else "VVI" if name[2] == "I" else "VVV"
    one, other = (fit_gmm(X, 1, covariance_type=type_, rng=0).model for type_ in (name, kind))
    np.testing.assert_allclose(
        one.covariance_matrices(), other.covariance_matrices(), rtol=1e-12, atol=1e-12
    )
    assert one.n_parameters == other.n_parameters


@each_family
def test_one_column_depends_on_the_volume_alone(name: str) -> None:
    X, labels = clustered(100, 1, 3)
    one, other = (
        fit_gmm(X, 3, covariance_type=type_, init=labels, max_iter=10, tol=0)
        for type_ in (name, name[0])
    )
    np.testing.assert_allclose(one.history, other.history, rtol=1e-12)
    assert one.model.n_parameters == other.model.n_parameters
    np.testing.assert_allclose(one.model.shape, 1.0)


@pytest.mark.parametrize(("letters", "word"), SAME_AS.items())
def test_two_names_of_one_family_are_interchangeable(letters: str, word: str) -> None:
    X, labels = clustered()
    one, other = (
        fit_gmm(X, 3, covariance_type=name, init=labels).model for name in (letters, word)
    )
    assert (one.covariance_type, other.covariance_type) == (letters, word)
    assert one == other
    assert hash(one) == hash(other)
    assert fit_gmm(X, 3, covariance_type=word, init=one, max_iter=1, tol=0).n_iter == 1


def test_names_for_one_column_are_refused_for_more() -> None:
    X = clustered()[0]
    message = "covariance_type 'V' is for one feature; got 2. Use 'VVV' or another family"
    with pytest.raises(ValueError, match=re.escape(message)):
        fit_gmm(X, 2, covariance_type="V")


def test_unknown_family_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="must be one of") as caught:
        fit_gmm(clustered()[0], 2, covariance_type="VVW")
    for name in FAMILIES:
        assert repr(name) in str(caught.value)
    with pytest.raises(ValueError, match="Did you mean 'EVE'"):
        fit_gmm(clustered()[0], 2, covariance_type="eve")


@each_family
def test_family_with_too_few_rows_says_so_by_name(name: str) -> None:
    k, d = 2, 3
    needed = FAMILIES[name].least_rows(k, d)
    X = np.random.default_rng(0).normal(size=(needed, d))
    message = f"covariance_type '{name}' cannot be estimated: 2 components of 3 features need"
    with pytest.raises(FitError, match=message):
        fit_gmm(X[1:], k, covariance_type=name, reg_covar=0)
    fit = fit_gmm(X[1:], k, covariance_type=name, reg_covar=1e-3, rng=0, max_iter=2, tol=0)
    assert fit.model.covariance_type == name
    if name == "VEE":
        return  # no row less is possible, but so many are not always enough
    least = {"EII": 1, "EEI": 1, "EEE": 1, "EEV": 1, "VEV": 2}.get(name, needed // 2)
    sizes = [needed - least, least]
    rule = MaximumLikelihood(FAMILIES[name], np.zeros(d))
    resp = np.repeat(np.eye(k), sizes, axis=0)
    assert not rule.update(centred(name, X, resp))[1].any()


@pytest.mark.parametrize("name", [name for name in CELEUX_GOVAERT if name not in SAME_AS])
def test_mixture_with_covariances_of_its_family_is_accepted_and_others_are_not(name: str) -> None:
    X, labels = clustered(200, 3, 3)
    model = fit_gmm(X, 3, covariance_type=name, init=labels, max_iter=3, tol=0).model
    again = GaussianMixture(model.weights, model.means, model.covariances, name)
    assert again == model
    rng = np.random.default_rng(0)
    covariances = model.covariances * rng.uniform(0.5, 2.0, size=model.covariances.shape)
    if covariances.ndim == 3:
        root = rng.normal(size=(3, 3, 3))
        covariances = root @ root.transpose(0, 2, 1)
    with pytest.raises(ValueError, match=f"must be of covariance_type '{name}'"):
        GaussianMixture(model.weights, model.means, covariances, name)


@each_family
def test_update_without_weight_or_scatter_leaves_the_others_alone(name: str) -> None:
    X = clustered(60, 2, 2)[0]
    resp = np.zeros((60, 4))
    resp[:30, 0] = resp[30:59, 2] = resp[59, 3] = 1.0  # nobody in 1, one row in 3
    rule = MaximumLikelihood(FAMILIES[name], np.zeros(2))
    parameters, failed = rule.update(centred(name, X, resp))
    alone = name[0] == "E" and name[1] != "V"  # shares volume and shape: one row suffices
    assert failed.tolist() == [False, True, False, not alone]
    sound = FAMILIES[name].matrices(parameters.covariances, 4, 2)[[0, 2]]
    assert np.linalg.eigvalsh(sound).min() > 1e-6


def test_update_of_many_features_reaches_a_maximum() -> None:
    """Beyond the size for which all curvatures are set up, common axes are found all the same."""
    rng = np.random.default_rng(1)
    k, d = 3, 20
    axes = linalg.qr(rng.normal(size=(d, d)))[0]
    roots = rng.normal(size=(k, 3 * d, d)) * rng.uniform(0.5, 3.0, size=(k, 1, d)) @ axes.T
    scatter = roots.transpose(0, 2, 1) @ roots
    counts = np.full(k, 3.0 * d)
    for name in ("EVE", "VVE"):
        family = FAMILIES[name]
        s = Statistics("full", np.zeros((k, d)), counts, np.zeros((k, d)), scatter, 0.0, 1.0)
        found = family.update(s)
        best = deviance(found, scatter, counts)
        turned = []
        for _ in range(20):
            skew = rng.normal(size=(d, d)) * 1e-4
            turn = linalg.expm(skew - skew.T)
            turned.append(deviance(turn @ found @ turn.T, scatter, counts))
        assert min(turned) > best


@each_family
def test_fit_of_real_data_chooses_its_own_start(name: str) -> None:
    X = datasets.load_faithful().data
    fit = fit_gmm(X, 2, covariance_type=name, rng=0)
    assert fit.converged
    assert fit.summary().startswith(f"Gaussian mixture: 2 components, {name} covariances")


@pytest.mark.parametrize("name", ["EVE", "VVE", "EEV", "VEV"])
def test_family_that_mixes_units_refuses_those_too_far_apart(name: str) -> None:
    """A variance that is lost in the rounding of another cannot be told from zero."""
    X, labels = clustered(100, 3, 2)
    fit_gmm(
        X * [1.0, 1e5, 1.0], 2, covariance_type=name, init=labels, reg_covar=0, max_iter=2, tol=0
    )
    with pytest.raises(FitError, match="singular"):
        fit_gmm(X * [1.0, 1e9, 1.0], 2, covariance_type=name, init=labels, reg_covar=0)

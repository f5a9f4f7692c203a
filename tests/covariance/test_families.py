"""The fourteen families of Celeux and Govaert: what they share, and that nothing is better."""

import re

import numpy as np
import pytest
from helpers import BACKENDS
from numpy.typing import NDArray
from scipy import linalg, optimize

from mixtura import kernels, reference
from mixtura.algebra import Algebra
from mixtura.covariance import CELEUX_GOVAERT, FAMILIES, CovarianceFamily, family_named
from mixtura.shapes import DIAG, FULL, SPHERICAL, TIED, Floats
from mixtura.statistics import Statistics

each_family = pytest.mark.parametrize("name", CELEUX_GOVAERT)
each_engine = pytest.mark.parametrize("by", list(BACKENDS.values()), ids=BACKENDS)
K, D = 2, 3
FAR = 20.0  # logarithms of variances that the optimiser need not look beyond


def clusters(n: int, d: int, k: int) -> Floats:
    """Rows of correlated clusters of unlike size."""
    rng = np.random.default_rng((n, d, k))
    roots = rng.normal(size=(k, d, d)) + 0.5 * np.eye(d)
    labels = np.arange(n) % k
    return np.einsum("iab,ib->ia", roots[labels], rng.normal(size=(n, d))) + 3.0 * labels[:, None]


def centred(name: str, X: Floats, resp: Floats) -> Statistics:
    """Statistics about the component means, in the shape of the family."""
    rows, shape = reference.Rows(X), FAMILIES[name].shape
    rough = rows.given(resp, np.zeros((resp.shape[1], X.shape[1])), shape, None)
    return rows.given(resp, rough.means(), shape, None)


def failed_components(name: str, X: Floats, resp: Floats) -> NDArray[np.bool_]:
    """Which components have no regular covariance."""
    family, statistics = FAMILIES[name], centred(name, X, resp)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        covariances = family.update(statistics, reference)
    failed = family.factorise(covariances, reference)[1]
    return failed | (statistics.resp_sum == 0.0)


def statistics(name: str) -> Statistics:
    """Of random rows and shares."""
    resp = np.random.default_rng(0).dirichlet(np.full(K, 0.3), size=90)
    return centred(name, clusters(90, D, K), resp)


def scatters() -> tuple[Floats, Floats]:
    s = statistics("VVV")
    return s.resp_xx, s.resp_sum


def deviance(matrices: Floats, scatter: Floats, counts: Floats) -> float:
    """Minus twice the expected log-likelihood, but for a constant."""
    traces = np.einsum("jaa->j", np.linalg.solve(matrices, scatter))
    return float(counts @ np.linalg.slogdet(matrices)[1] + traces.sum())


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
    skew = np.zeros((K, D, D))
    skew[:, *np.triu_indices(D, 1)] = planes
    skew -= skew.transpose(0, 2, 1)
    axes = np.linalg.solve(np.eye(D) - skew, np.eye(D) + skew)  # Cayley: orthogonal
    assert next(left, None) is None
    return axes * np.exp(logs)[:, None, :] @ axes.transpose(0, 2, 1)


@each_family
def test_update_reaches_what_generic_optimisation_reaches(name: str) -> None:
    scatter, counts = scatters()
    family = FAMILIES[name]
    rng = np.random.default_rng(5)
    n_free = family.n_parameters(K, D)

    def height(numbers: Floats) -> float:
        if np.abs(numbers).max() > FAR:
            return 1e10
        return deviance(composed(name, numbers), scatter, counts)

    options = {"gtol": 1e-3, "maxiter": 300}  # of deviances in the hundreds
    starts = rng.normal(size=(2, n_free))
    best = min(optimize.minimize(height, start, options=options).fun for start in starts)
    for by in BACKENDS.values():
        found = family.shape.matrices(family.update(statistics(name), by), K, D)
        assert deviance(found, scatter, counts) == pytest.approx(best, rel=1e-7)


@each_family
@each_engine
def test_update_from_the_covariances_before_is_never_worse_than_these(
    by: Algebra, name: str
) -> None:
    scatter, counts = scatters()
    family = FAMILIES[name]
    rng = np.random.default_rng(6)
    for _ in range(5):
        before = composed(name, rng.normal(size=family.n_parameters(K, D)))
        kept = family.shape.from_matrices(before)
        after = family.shape.matrices(family.update(statistics(name), by, kept), K, D)
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
def test_update_without_weight_or_scatter_leaves_the_others_alone(name: str) -> None:
    X = clusters(60, 2, 2)
    resp = np.zeros((60, 4))
    resp[:30, 0] = resp[30:59, 2] = resp[59, 3] = 1.0  # nobody in 1, one row in 3
    family = FAMILIES[name]
    alone = name[0] == "E" and name[1] != "V"  # shares volume and shape: one row suffices
    assert failed_components(name, X, resp).tolist() == [False, True, False, not alone]
    covariances = family.update(centred(name, X, resp), reference)
    sound = family.shape.matrices(covariances, 4, 2)[[0, 2]]
    assert np.linalg.eigvalsh(sound).min() > 1e-6
    if family.shape is not TIED:
        assert np.isnan(family.shape.matrix(covariances, 1, 2)).any()


@each_engine
@pytest.mark.parametrize("name", ["EVE", "VVE"])
def test_common_axes_of_scatters_without_variance_are_found_without_overflow(
    by: Algebra, name: str
) -> None:
    flat = np.array([np.diag([1.0, 0.0, 0.0]), np.outer([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])])
    s = Statistics("full", np.zeros((2, 3)), np.ones(2), np.zeros((2, 3)), flat, 0.0, 2.0)
    covariances = FAMILIES[name].update(s, by)
    assert FAMILIES[name].factorise(covariances, reference)[1].any()


def test_update_of_many_features_reaches_a_maximum() -> None:
    rng = np.random.default_rng(1)
    k, d = 3, 20
    axes = linalg.qr(rng.normal(size=(d, d)))[0]
    roots = rng.normal(size=(k, 3 * d, d)) * rng.uniform(0.5, 3.0, size=(k, 1, d)) @ axes.T
    scatter = roots.transpose(0, 2, 1) @ roots
    counts = np.full(k, 3.0 * d)
    for name in ("EVE", "VVE"):
        family = FAMILIES[name]
        s = Statistics("full", np.zeros((k, d)), counts, np.zeros((k, d)), scatter, 0.0, 1.0)
        found = family.update(s, kernels)
        best = deviance(found, scatter, counts)
        assert best == pytest.approx(deviance(family.update(s, reference), scatter, counts))
        turned = []
        for _ in range(20):
            skew = rng.normal(size=(d, d)) * 1e-4
            turn = linalg.expm(skew - skew.T)
            turned.append(deviance(turn @ found @ turn.T, scatter, counts))
        assert min(turned) > best


@pytest.mark.parametrize("name", ["EVE", "VVE"])
def test_updates_one_after_the_other_reach_what_one_without_covariances_before_does(
    name: str,
) -> None:
    """Each makes a few sweeps of rotations only."""
    rng = np.random.default_rng(4)
    k, d = 3, 5
    roots = rng.normal(size=(k, 4 * d, d)) * rng.uniform(0.5, 3.0, size=(k, 1, d))
    scatter, counts = roots.transpose(0, 2, 1) @ roots, np.full(k, 4.0 * d)
    family = FAMILIES[name]
    s = Statistics("full", np.zeros((k, d)), counts, np.zeros((k, d)), scatter, 0.0, 1.0)
    best = deviance(family.update(s, kernels), scatter, counts)
    heights, found = [np.inf], np.array([np.eye(d)] * k)
    for _ in range(30):
        found = family.update(s, kernels, found)
        heights.append(deviance(found, scatter, counts))
    assert np.diff(heights).max() < 1e-10
    assert heights[-1] == pytest.approx(best, rel=1e-10)


@each_family
def test_least_rows_are_enough_for_regular_covariances_and_one_less_is_not(name: str) -> None:
    k, d = 2, 3
    family = FAMILIES[name]
    needed = family.least_rows(k, d)
    X = np.random.default_rng(0).normal(size=(needed, d))
    if name == "VEE":
        return  # no row less is possible, but so many are not always enough
    least = {"EII": 1, "EEI": 1, "EEE": 1, "EEV": 1, "VEV": 2}.get(name, needed // 2)
    resp = np.repeat(np.eye(k), [needed - least, least], axis=0)
    assert not failed_components(name, X, resp).any()
    if name in ("EVE", "VVE"):
        return  # with one less there is no maximum, but a local one may be found
    for first in range(needed):
        resp = np.repeat(np.eye(k), [first, needed - 1 - first], axis=0)
        assert failed_components(name, X[1:], resp).any()


@each_family
def test_family_contains_those_whose_letters_allow_no_more(name: str) -> None:
    family = FAMILIES[name]
    for other in map(FAMILIES.__getitem__, CELEUX_GOVAERT):
        allowed = all(
            letter in {"I": "I", "E": "IE", "V": "IEV"}[freedom]
            for letter, freedom in zip(other.letters, name, strict=True)
        )
        assert family.contains(other) == allowed
        if allowed:
            for k, d in ((1, 1), (2, 3), (5, 4)):
                assert other.n_parameters(k, d) <= family.n_parameters(k, d)


def test_families_stand_in_the_order_of_their_freedom() -> None:
    assert CELEUX_GOVAERT == (
        "EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV",
        "VVV",
    )  # fmt: skip
    assert tuple(FAMILIES) == ("full", "tied", "diag", "spherical", *CELEUX_GOVAERT, "E", "V")


SAME_AS = {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII", "E": "EEE", "V": "VVV"}


@pytest.mark.parametrize(("word", "letters"), SAME_AS.items())
def test_two_names_stand_for_one_family(word: str, letters: str) -> None:
    family = FAMILIES[word]
    assert family is FAMILIES[letters]
    assert family.letters == letters
    assert family.name == (word if len(word) > 1 else FAMILIES[letters].name)


@each_family
def test_shape_of_a_family_is_the_least_that_holds_its_covariances(name: str) -> None:
    expected = SPHERICAL if name[1] == "I" else DIAG if name[2] == "I" else FULL
    assert FAMILIES[name].shape is (TIED if name == "EEE" else expected)


def test_family_is_made_of_letters_a_shape_and_a_rule() -> None:
    """One of each suffices: here variances of their own along axes that are known beforehand."""
    axes = linalg.qr(np.random.default_rng(0).normal(size=(D, D)))[0]

    def on_known_axes(
        scatter: Floats, counts: Floats, _previous: Floats | None, _by: Algebra
    ) -> Floats:
        along = np.einsum("ba,jbc,ca->ja", axes, scatter, axes)
        return (axes * (along / counts[:, None])[:, None, :]) @ axes.T

    family = CovarianceFamily("VVI", FULL, on_known_axes, "known-axes")
    assert family.name == "known-axes"
    assert family.n_parameters(K, D) == FAMILIES["VVI"].n_parameters(K, D)
    covariances = family.update(statistics("VVV"), reference)
    family.check(covariances, K, D, reference)
    with pytest.raises(ValueError, match="must be of covariance_type 'known-axes'"):
        family.check(FAMILIES["VVV"].update(statistics("VVV"), reference), K, D, reference)
    scatter, counts = scatters()
    best = deviance(covariances, scatter, counts)
    for factor in (0.99, 1.01):
        assert deviance(covariances * factor, scatter, counts) > best


def test_only_one_family_has_an_alternative_rule_for_the_same_covariances() -> None:
    assert [name for name in CELEUX_GOVAERT if FAMILIES[name].alternative] == ["VVE"]
    alternative = FAMILIES["VVE"].alternative
    assert alternative is not None
    scatter, counts = scatters()
    one, other = (
        FAMILIES["VVE"].update(statistics("VVE"), reference),
        alternative.update(statistics("VVE"), reference),
    )
    assert deviance(one, scatter, counts) < deviance(other, scatter, counts)
    FAMILIES["VVE"].check(other, K, D, reference)


@each_family
def test_orientation_gives_back_the_covariances(name: str) -> None:
    family = FAMILIES[name]
    numbers = np.random.default_rng(3).normal(size=family.n_parameters(K, D))
    matrices = composed(name, numbers)
    axes = family.orientation(reference.factorise(matrices)[0])
    np.testing.assert_allclose(axes.transpose(0, 2, 1) @ axes, [np.eye(D)] * K, atol=1e-12)
    along = axes.transpose(0, 2, 1) @ matrices @ axes
    variances = np.einsum("jaa->ja", along)
    np.testing.assert_allclose(along, variances[:, :, None] * np.eye(D), atol=1e-9 * along.max())
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    assert (largest > 0.0).all()
    if name[2] == "I":
        np.testing.assert_array_equal(axes, [np.eye(D)] * K)
    elif name[2] == "E":
        np.testing.assert_array_equal(axes, [axes[0]] * K)
    else:
        assert (np.diff(variances, axis=1) <= 0.0).all()


def test_names_for_one_column_are_refused_for_more() -> None:
    assert family_named("V", 1) is FAMILIES["VVV"]
    message = (
        "covariance_type 'V' is for one feature; got 2. Use 'VVV' or another family with three "
        "letters."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        family_named("V", 2)


def test_unknown_family_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^covariance_type must be one of") as caught:
        family_named("VVW", 2)
    for name in FAMILIES:
        assert repr(name) in str(caught.value)
    with pytest.raises(ValueError, match="Did you mean 'EVE'"):
        family_named("eve", 2)


def test_five_families_need_iterations() -> None:
    """Celeux and Govaert 1995, table 1."""
    of_letters = {family.letters: family for family in FAMILIES.values()}
    iterated = {letters for letters, family in of_letters.items() if not family.is_closed}
    assert iterated == {"VEI", "VEE", "EVE", "VVE", "VEV"}

"""Bad input of functions that fit: refused in clear words before any work is done."""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from bad_input import BAD_ROWS, BAD_SAMPLE_WEIGHTS, GOOD, Bad
from helpers import unchanged
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture as SklearnMixture

from mixtura import (
    Event,
    FitError,
    GaussianMixture,
    fit_bayesian_gmm,
    fit_gmm,
    fit_kmeans,
    hierarchical,
)
from mixtura.covariance import FAMILIES
from mixtura.passes.backend import BACKENDS

FITS: dict[str, Callable[..., object]] = {
    "fit_gmm": fit_gmm,
    "fit_kmeans": fit_kmeans,
    "fit_bayesian_gmm": fit_bayesian_gmm,
}
every_fit = pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
X = GOOD["X"]
LABELS = np.array([0, 0, 1, 1])


def each_of(table: dict[str, Bad]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("bad", table.values(), ids=table)


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give both engines rows that cannot be passed over."""

    def work(*_: object, **__: object) -> None:
        raise AssertionError("work was done before the arguments were checked")

    engine: Any = SimpleNamespace(Rows=work, factorise=work)
    for name in BACKENDS:
        monkeypatch.setitem(BACKENDS, name, engine)


def assert_refused(
    fit: Callable[..., object],
    bad: Bad,
    capsys: pytest.CaptureFixture[str],
    **arguments: object,
) -> None:
    values = {"X": X} | arguments
    counts = {"n_clusters" if fit is fit_kmeans else "n_components": 2}
    with (
        unchanged(*GOOD.values(), *values.values()),
        pytest.raises(bad.error, match=f"^{re.escape(bad.message)}"),
    ):
        fit(**(counts | values))
    assert capsys.readouterr() == ("", "")


Capture = pytest.CaptureFixture[str]


@every_fit
@each_of(BAD_ROWS)
@pytest.mark.usefixtures("no_work")
def test_rows_that_are_bad_are_refused(
    fit: Callable[..., object], bad: Bad, capsys: Capture
) -> None:
    assert_refused(fit, bad, capsys, X=bad.value)


@every_fit
@each_of(BAD_SAMPLE_WEIGHTS)
@pytest.mark.usefixtures("no_work")
def test_sample_weight_that_is_bad_is_refused(
    fit: Callable[..., object], bad: Bad, capsys: Capture
) -> None:
    assert_refused(fit, bad, capsys, sample_weight=bad.value)


FEWER = "Add rows or ask for fewer components."
TOO_FEW = {
    "no rows": Bad(
        {"X": np.zeros((0, 2))}, ValueError, f"X must have at least 2 rows; got 0. {FEWER}"
    ),
    "one row": Bad({"X": X[:1]}, ValueError, f"X must have at least 2 rows; got 1. {FEWER}"),
    "one row with weight": Bad(
        {"sample_weight": [0.0, 3.0, 0.0, 0.0]},
        ValueError,
        f"at least 2 rows with positive weight are needed, one for each component; got 1. {FEWER}",
    ),
}


@every_fit
@each_of(TOO_FEW)
@pytest.mark.usefixtures("no_work")
def test_fewer_rows_than_components_are_refused(
    fit: Callable[..., object], bad: Bad, capsys: Capture
) -> None:
    """And named as the fit's users call them."""
    message = bad.message.replace("component", "cluster") if fit is fit_kmeans else bad.message
    assert_refused(fit, bad._replace(message=message), capsys, **bad.value)


def count(name: str) -> dict[str, Bad]:
    expected = f"{name} must be an integer, 1 or more; got"
    return {
        f"{name} zero": Bad({name: 0}, ValueError, f"{expected} 0. Pass 1 or more."),
        f"{name} negative": Bad({name: -2}, ValueError, f"{expected} -2. Pass 1 or more."),
        f"{name} a float": Bad({name: 2.0}, TypeError, f"{expected} 2.0 (float). Pass an int."),
        f"{name} a word": Bad({name: "2"}, TypeError, f"{expected} '2' (str). Pass an int."),
        f"{name} true": Bad({name: True}, TypeError, f"{expected} True (bool). Pass an int."),
    }


def number(name: str) -> dict[str, Bad]:
    expected = f"{name} must be a finite number, 0 or more; got"
    return {
        f"{name} negative": Bad({name: -1.0}, ValueError, f"{expected} -1.0. Pass 0 or more."),
        f"{name} nan": Bad({name: np.nan}, ValueError, f"{expected} nan. Pass 0 or more."),
        f"{name} infinite": Bad({name: np.inf}, ValueError, f"{expected} inf. Pass 0 or more."),
        f"{name} a word": Bad({name: "0"}, TypeError, f"{expected} '0' (str). Pass a float."),
        f"{name} none": Bad({name: None}, TypeError, f"{expected} None (NoneType). Pass a float."),
    }


def option(name: str, *known: str) -> dict[str, Bad]:
    expected = f"{name} must be one of {', '.join(map(repr, known))}; got"
    typo = known[0][:-1]
    return {
        f"{name} unknown": Bad({name: "?"}, ValueError, f"{expected} '?'. Choose one of them."),
        f"{name} misspelt": Bad(
            {name: typo}, ValueError, f"{expected} {typo!r}. Did you mean {known[0]!r}?"
        ),
        f"{name} a number": Bad(
            {name: 1}, TypeError, f"{expected} 1 (int). Pass one of these words."
        ),
    }


def flag(name: str) -> dict[str, Bad]:
    expected = f"{name} must be True or False; got"
    remedy = "Pass one of these."
    return {
        f"{name} nan": Bad({name: np.nan}, TypeError, f"{expected} nan (float). {remedy}"),
        f"{name} empty": Bad({name: []}, TypeError, f"{expected} [] (list). {remedy}"),
    }


RNG = "rng must be None, an integer seed, a SeedSequence, a BitGenerator or a Generator; got"
OF_BOTH = {
    **count("n_init"),
    **count("max_iter"),
    **count("n_threads"),
    **number("tol"),
    **option("backend", "compiled", "reference"),
    "rng a word": Bad({"rng": "0"}, TypeError, f"{RNG} '0' (str)."),
    "rng old": Bad({"rng": np.random.RandomState(0)}, TypeError, f"{RNG} RandomState"),
    "rng negative": Bad({"rng": -1}, ValueError, "rng must be an integer, 0 or more; got -1."),
}
OF_GMM = {
    **count("n_components"),
    **option("covariance_type", *FAMILIES),
    **option("on_collapse", "reseed", "drop", "raise"),
    **option("em", "soft", "hard", "annealed", "memoised"),
    **number("reg_covar"),
    **flag("accelerate"),
    **flag("avoid_spurious"),
    "accelerate a word": Bad(
        {"accelerate": "no"},
        TypeError,
        "accelerate must be True or False; got 'no' (str). Pass one of these.",
    ),
    "covariance_type for one column": Bad(
        {"covariance_type": "V"},
        ValueError,
        "covariance_type 'V' is for one feature; got 2. Use 'VVV' or another family with three",
    ),
    "reg_covar too long": Bad(
        {"reg_covar": [0.1, 0.1, 0.1]},
        ValueError,
        "reg_covar must be a number or have shape (2,), one for each feature; got shape (3,). "
        "Pass a number to regularise relative to the variances.",
    ),
    "reg_covar with a negative": Bad(
        {"reg_covar": [0.1, -0.1]},
        ValueError,
        "reg_covar must be finite and non-negative; feature 1 has -0.1. Use 0 for none.",
    ),
    "reg_covar with a nan": Bad(
        {"reg_covar": [np.nan, 0.1]},
        ValueError,
        "reg_covar must be finite and non-negative; feature 0 has nan. Use 0 for none.",
    ),
    "reg_covar complex": Bad(
        {"reg_covar": [1j, 1.0]},
        TypeError,
        "reg_covar must hold real numbers; got an array of dtype complex128.",
    ),
    "callback no function": Bad(
        {"callback": 3}, TypeError, "callback must be callable or None; got 3. Pass a function."
    ),
}
NO_START = (
    "init must be one of 'mixed', 'kmeans', 'kmeans++', 'random', 'hierarchical', integer labels "
    "of shape (n_samples,) with -1 for none, boolean labels of two components, responsibilities of "
    "shape (n_samples, n_components), means of shape (n_components, n_features), a "
    "GaussianMixture, a GMMFit, a KMeansFit, a HierarchicalTree or a callable; got"
)
ONE_EACH = "Give each row one"
BAD_STARTS = {
    "unknown": Bad(
        "median",
        ValueError,
        "init must be one of 'mixed', 'kmeans', 'kmeans++', 'random', 'hierarchical'; got "
        "'median'. Did you mean 'kmeans'?",
    ),
    "none": Bad(None, TypeError, f"{NO_START} NoneType of dtype object and shape ()."),
    "sparse": Bad(scipy.sparse.csr_matrix(X), TypeError, f"{NO_START} csr_matrix of dtype object"),
    "ragged": Bad(
        [[1.0, 0.0], [1.0]], TypeError, f"{NO_START} list of dtype object and shape (2,)"
    ),
    "words": Bad(list("abab"), TypeError, f"{NO_START} list of dtype <U1 and shape (4,)."),
    "labels as floats": Bad(
        LABELS.astype(float), TypeError, f"{NO_START} ndarray of dtype float64 and shape (4,)."
    ),
    "three dimensions": Bad(
        np.ones((2, 2, 2)), TypeError, f"{NO_START} ndarray of dtype float64 and shape (2, 2, 2)."
    ),
    "too few labels": Bad(
        LABELS[:3],
        ValueError,
        f"labels in init must have shape (4,), one for each row of X; got (3,). {ONE_EACH} label.",
    ),
    "labels from one": Bad(
        LABELS + 1,
        ValueError,
        "labels in init must lie between 0 and 1, or be -1 for none; row 2 has 2. Number the "
        "components from 0.",
    ),
    "labels below -1": Bad(
        LABELS - 2,
        ValueError,
        "labels in init must lie between 0 and 1, or be -1 for none; row 0 has -2. Number the "
        "components from 0.",
    ),
    "no row with a label": Bad(
        0 * LABELS - 1,
        ValueError,
        "labels in init must give every component some weight; component 0 has none.",
    ),
    "labels of one component": Bad(
        0 * LABELS,
        ValueError,
        "labels in init must give every component some weight; component 1 has none. "
        "Use fewer components or other labels.",
    ),
    "responsibilities of another shape": Bad(
        np.full((4, 3), 1 / 3),
        ValueError,
        "init must have shape (4, 2), (n_samples, n_components), for responsibilities, or (2, 2), "
        "(n_components, n_features), for means; got (4, 3). Give each row one value for each "
        "component, or each component one mean.",
    ),
    "means that are nan": Bad(
        [[0.0, np.nan], [1.0, 1.0]],
        ValueError,
        "means in init must be finite; component 0, feature 1 is nan.",
    ),
    "a fit of k-means with more clusters": Bad(
        fit_kmeans(X, 3, rng=0),
        ValueError,
        "init must be a fit of k-means with 2 clusters of the 4 rows of X, as it stands for its "
        "labels; got 3 clusters of 4 rows. Fit k-means again.",
    ),
    "a fit of k-means to other rows": Bad(
        fit_kmeans(X[:3], 2, rng=0),
        ValueError,
        "init must be a fit of k-means with 2 clusters of the 4 rows of X, as it stands for its "
        "labels; got 2 clusters of 3 rows.",
    ),
    "a tree of other rows": Bad(
        hierarchical(X[:3]),
        ValueError,
        "init must be a tree of the 4 rows of X; got one of 3. Grow it from X.",
    ),
    "responsibilities that sum to two": Bad(
        np.array([[0.5, 0.5], [0.5, 0.5], [1.0, 1.0], [0.0, 1.0]]),
        ValueError,
        "init must sum to one in every row; row 2 sums to 2.0. Divide each row by its sum.",
    ),
    "responsibilities below zero": Bad(
        np.array([[1.0, 0.0], [1.5, -0.5], [0.0, 1.0], [0.0, 1.0]]),
        ValueError,
        "init must be non-negative; row 1, component 1 is -0.5.",
    ),
    "responsibilities that are nan": Bad(
        np.full((4, 2), np.nan), ValueError, "init must be finite; row 0, component 0 is nan."
    ),
    "a mixture of other features": Bad(
        GaussianMixture([0.5, 0.5], np.zeros((2, 3)), [np.eye(3)] * 2),
        ValueError,
        "init must be a mixture of 2 components and 2 features; got 2 and 3. Fit with its "
        "settings, or start from its means or labels.",
    ),
    "a mixture of more components": Bad(
        GaussianMixture([0.5, 0.25, 0.25], np.zeros((3, 2)), [np.eye(2)] * 3),
        ValueError,
        "init must be a mixture of 2 components and 2 features; got 3 and 2.",
    ),
}
KMEANS_INIT = "init must be one of 'kmeans++', 'random'; got"
OF_KMEANS = {
    **count("n_clusters"),
    "init unknown": Bad({"init": "?"}, ValueError, f"{KMEANS_INIT} '?'. Choose one of them."),
    "init misspelt": Bad(
        {"init": "kmeans"}, ValueError, f"{KMEANS_INIT} 'kmeans'. Did you mean 'kmeans++'?"
    ),
    "too few centers": Bad(
        {"init": X[:1]},
        ValueError,
        "init must hold 2 centers; got 1. Give one row for each cluster.",
    ),
    "centers of another width": Bad(
        {"init": np.zeros((2, 3))},
        ValueError,
        "init must have shape (n_clusters, 2), a column for each column of X; got (2, 3).",
    ),
    "centers that are nan": Bad(
        {"init": np.full((2, 2), np.nan)},
        ValueError,
        "init must be finite; cluster 0, feature 0 is nan.",
    ),
    "centers of words": Bad(
        {"init": list("ab")},
        TypeError,
        "init must be one of 'kmeans++', 'random', centers of shape (n_clusters, n_features), a "
        "KMeansFit or a HierarchicalTree; got ['a', 'b'] (list). Pass one of these.",
    ),
    "a fit with more clusters": Bad(
        {"init": fit_kmeans(X, 3, rng=0)},
        ValueError,
        "init must hold 2 centers; got 3. Give one row for each cluster.",
    ),
    "a tree of other rows": Bad(
        {"init": hierarchical(X[:3])},
        ValueError,
        "init must be a tree of the 4 rows of X; got one of 3. Grow it from X.",
    ),
}


@every_fit
@each_of(OF_BOTH)
@pytest.mark.usefixtures("no_work")
def test_option_that_is_bad_is_refused(
    fit: Callable[..., object], bad: Bad, capsys: Capture
) -> None:
    assert_refused(fit, bad, capsys, **bad.value)


@each_of(OF_GMM)
@pytest.mark.usefixtures("no_work")
def test_option_of_fit_gmm_that_is_bad_is_refused(bad: Bad, capsys: Capture) -> None:
    assert_refused(fit_gmm, bad, capsys, **({"verbose": True} | bad.value))


@each_of(OF_KMEANS)
@pytest.mark.usefixtures("no_work")
def test_option_of_fit_kmeans_that_is_bad_is_refused(bad: Bad, capsys: Capture) -> None:
    assert_refused(fit_kmeans, bad, capsys, **bad.value)


@each_of(BAD_STARTS)
@pytest.mark.usefixtures("no_work")
def test_start_that_is_bad_is_refused(bad: Bad, capsys: Capture) -> None:
    assert_refused(fit_gmm, bad, capsys, init=bad.value)


@each_of(BAD_STARTS)
@pytest.mark.usefixtures("no_work")
def test_start_that_is_bad_from_a_callable_is_refused(bad: Bad, capsys: Capture) -> None:
    assert_refused(fit_gmm, bad, capsys, init=lambda *_: bad.value)


def test_boolean_labels_of_three_components_are_refused() -> None:
    message = (
        "init must be integer labels for 3 components; got true and false, which are two. Number "
        "the components from 0, or ask for two."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fit_gmm(X, 3, init=[True, False, True, False])


def test_table_that_could_be_means_or_responsibilities_is_refused() -> None:
    message = (
        "init of shape (2, 2) could be responsibilities or means, as there are as many rows as "
        "components and features. Pass labels, or a GaussianMixture."
    )
    for table in (np.eye(2), X[:2]):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            fit_gmm(X[:2], 2, init=table)


def test_labels_of_one_component_after_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="every component some weight; component 1 has none"):
        fit_gmm(X, 2, init=LABELS, sample_weight=[1.0, 1.0, 0.0, 0.0])


LONE = "a singular covariance, constant in feature 0"


@pytest.mark.parametrize(
    ("init", "cause", "remedy"),
    [
        (np.array([0, 0, 0, 1]), LONE, "reg_covar > 0, fewer components, or drop the feature"),
        (np.eye(2)[[0, 0, 0, 1]], LONE, "reg_covar > 0, fewer components, or drop the feature"),
        (np.eye(2)[[0, 0, 0, 0]], "no weight", "fewer components"),
    ],
)
def test_start_that_is_not_positive_definite_cannot_start_or_is_mended(
    init: object, cause: str, remedy: str
) -> None:
    rows = [[0.0], [1.0], [2.0], [5.0]]
    with pytest.raises(FitError) as caught:
        fit_gmm(rows, 2, init=init, reg_covar=0, on_collapse="raise")
    assert str(caught.value) == (
        f'the fit cannot start: component 1 has {cause}. Use {remedy}, or on_collapse="reseed".'
    )
    word = "empty" if cause == "no weight" else "singular"
    settings = {"init": init, "reg_covar": 0, "tol": 0.0, "max_iter": 1}
    dropped = fit_gmm(rows, 2, on_collapse="drop", **settings)
    assert dropped.events[0] == Event(0, 1, word, "dropped")
    assert dropped.model.n_components == 1
    reseeded = fit_gmm(rows, 2, on_collapse="reseed", **settings)
    assert reseeded.events[0] == Event(0, 1, word, "reseeded")
    assert reseeded.model.n_components == 2


@pytest.mark.parametrize("reg_covar", [1e308, [0.0, 1e308]])
def test_ridge_that_leaves_no_room_is_refused(reg_covar: object) -> None:
    with pytest.raises(ValueError, match=r"reg_covar must leave .+ would be .+ Pass a smaller"):
        fit_gmm(X, 2, reg_covar=reg_covar)
    assert np.isfinite(fit_gmm(X, 2, reg_covar=1e290, rng=0).log_likelihood)


def test_callable_init_that_returns_a_callable_is_refused() -> None:
    with pytest.raises(TypeError, match=r"init must return labels, .+ callable again\. Return"):
        fit_gmm(X, 2, init=lambda *_: len)


def test_callback_that_returns_an_array_is_refused() -> None:
    with pytest.raises(TypeError, match=r"callback must return True .+ got ndarray, .+ Return one"):
        fit_gmm(X, 2, rng=0, callback=lambda _: np.ones(2))


@every_fit
def test_rows_whose_squares_overflow_are_refused(fit: Callable[..., object]) -> None:
    message = r"X must have variances below 2e\+308; column 1 has not\. Divide it by a large"
    with pytest.raises(ValueError, match=message):
        fit(X * [1.0, 1e200], 2)


@every_fit
def test_rows_whose_squares_underflow_are_refused(fit: Callable[..., object]) -> None:
    message = (
        r"X must have variances of 1e-290 or more, or constant columns; column 1 has .*e-2\d\d\. "
        r"Multiply it by a large number\."
    )
    with pytest.raises(ValueError, match=message):
        fit(X * [1.0, 1e-147], 2)
    with pytest.raises(ValueError, match=r"column 1 has 0\. Multiply it by a large number\."):
        fit(X * [1.0, 1e-300], 2, sample_weight=[1.0, 1.0, 1.0, 0.0])


@pytest.mark.parametrize(
    ("fit", "init", "remedy"),
    [
        (fit_gmm, np.zeros(len(X)), "Pass np.asarray(init).astype(int)."),
        (
            fit_gmm,
            np.full(len(X), 0.5),
            "Pass np.unique(init, return_inverse=True)[1], which numbers them from 0.",
        ),
        (
            fit_gmm,
            np.array([np.nan, 0.0, 1.0, 1.0]),
            "Set labels that are missing to -1, then pass init.astype(int).",
        ),
        (fit_gmm, KMeans(2), "Pass init.labels_."),
        (fit_gmm, SklearnMixture(2), "Pass GaussianMixture.from_sklearn(init)."),
        (fit_kmeans, KMeans(2, n_init=1).fit(X), "Pass init.cluster_centers_."),
        (fit_kmeans, SklearnMixture(1).fit(X), "Pass init.means_."),
        (fit_kmeans, None, "Pass one of these."),
    ],
)
def test_start_of_another_type_is_refused_with_what_to_pass(
    fit: Callable[..., object], init: object, remedy: str
) -> None:
    with pytest.raises(TypeError, match=rf"^init must be one of .*; got .*\. {re.escape(remedy)}$"):
        fit(X, 2, init=init)


@pytest.mark.parametrize(
    ("init", "message"),
    [
        (
            [0] * len(X),
            (
                f"init must hold 2 centers, of shape (n_clusters, n_features); got shape "
                f"({len(X)},), as labels have. Pass the mean of each cluster's rows."
            ),
        ),
        (
            np.zeros((2, 5)),
            (
                "init must have shape (n_clusters, 2), a column for each column of X; got (2, 5). "
                "Give each cluster one row."
            ),
        ),
    ],
)
def test_kmeans_start_of_another_shape_is_refused_in_its_own_words(
    init: object, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fit_kmeans(X, 2, init=init)


@pytest.mark.parametrize(
    ("checkpoint", "error", "message"),
    [
        (
            3,
            TypeError,
            "checkpoint must be the name of a file; got 3 (int). Pass a string or a pathlib.Path.",
        ),
        ("", ValueError, "checkpoint must be the name of a file; got ''. Pass one, such as"),
    ],
)
def test_checkpoint_that_is_no_name_is_refused(
    checkpoint: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        fit_gmm(X, 2, checkpoint=checkpoint)

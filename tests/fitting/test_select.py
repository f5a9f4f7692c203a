"""select_gmm: the table, what its entries rest on, and what happens to models that fail."""

import functools
import pickle
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event as Flag
from typing import Any

import numpy as np
import pytest
from clusters import clustered
from scipy import stats

import mixtura
from mixtura import (
    ConvergenceWarning,
    FitError,
    GaussianMixture,
    GMMSelection,
    SelectionInterrupted,
    WeightsWarning,
    datasets,
    fit_gmm,
    fit_kmeans,
    hierarchical,
    select_gmm,
)
from mixtura.covariance import CELEUX_GOVAERT, FAMILIES
from mixtura.fitting import cell_fits, cells, models, scouts, select
from mixtura.shapes import Floats
from mixtura.starts.hierarchical import UNITLESS_TRANSFORMS
from mixtura.updates import Event

QUICK = {"n_init": 2, "rng": 0}


@pytest.fixture(scope="module")
def faithful() -> Floats:
    return datasets.load_faithful().data


@pytest.fixture(scope="module")
def selection(faithful: Floats) -> GMMSelection:
    return select_gmm(faithful, range(1, 4), rng=0)


def test_table_is_the_criterion_of_each_fit(selection: GMMSelection, faithful: Floats) -> None:
    assert selection.table.shape == (3, 14)
    assert selection.covariance_types == CELEUX_GOVAERT
    assert not selection.reasons
    for i, k in enumerate(selection.n_components):
        for j, name in enumerate(CELEUX_GOVAERT):
            model = selection.fits[k, name].model
            assert (model.n_components, model.covariance_type) == (k, name)
            assert selection.table[i, j] == pytest.approx(model.bic(faithful), rel=1e-12)


def test_best_is_the_lowest_and_the_published_one(selection: GMMSelection) -> None:
    best, second = selection.top(2)
    assert best[:2] == (3, "EEE")
    assert f"{best[2]:.2f}" == "2314.30"
    assert second[2] == np.sort(selection.table, axis=None)[1]
    assert selection.best is selection.fits[3, "EEE"]
    assert len(selection.top(1000)) == 42


def test_family_never_ends_below_one_that_it_contains(selection: GMMSelection) -> None:
    pairs = 0
    for k in (2, 3):
        for name in CELEUX_GOVAERT:
            for other in CELEUX_GOVAERT:
                if other != name and FAMILIES[name].contains(FAMILIES[other]):
                    pairs += 1
                    simple, rich = selection.fits[k, other], selection.fits[k, name]
                    assert rich.history[-1] >= simple.history[-1] - 1e-9
    assert pairs == 2 * 61


def test_selection_finds_as_good_fits_as_fits_one_by_one() -> None:
    X = datasets.load_iris().data
    found = select_gmm(X, [2, 3], ["EII", "VEI", "EEE", "VVE", "VVV"], rng=0)
    for (k, name), fit in found.fits.items():
        alone = fit_gmm(X, k, covariance_type=name, n_init=4, rng=1)
        assert fit.history[-1] > alone.history[-1] - 0.02
    assert found.best.model.bic(X) < 575


def test_contains_is_an_order_with_the_sphere_below_and_the_full_matrix_above() -> None:
    for name, family in FAMILIES.items():
        assert family.contains(family)
        assert family.contains(FAMILIES["EII"])
        assert FAMILIES["VVV"].contains(family), name
    assert not FAMILIES["VVI"].contains(FAMILIES["EEE"])
    assert not FAMILIES["EVV"].contains(FAMILIES["VEV"])


@pytest.mark.parametrize("criterion", ["aic", "icl"])
def test_other_criteria_are_those_of_the_model(faithful: Floats, criterion: str) -> None:
    found = select_gmm(faithful, [1, 2], ["VVV", "EEE"], criterion=criterion, **QUICK)
    for (k, name), fit in found.fits.items():
        value = found.table[k - 1, ["VVV", "EEE"].index(name)]
        assert value == pytest.approx(getattr(fit.model, criterion)(faithful), rel=1e-12)


def test_callable_criterion_gets_model_rows_and_weights(faithful: Floats) -> None:
    weight = np.linspace(0.5, 1.5, len(faithful))

    def negative_size(model: GaussianMixture, X: Floats, sample_weight: Floats) -> float:
        np.testing.assert_array_equal(X, faithful)
        np.testing.assert_array_equal(sample_weight, weight)
        return -model.n_components

    found = select_gmm(
        faithful, [2, 3, 1], ["EII"], criterion=negative_size, sample_weight=weight, **QUICK
    )
    assert found.table.tolist() == [[-2], [-3], [-1]]
    assert found.top(1) == [(3, "EII", -3.0)]
    assert found.criterion == "negative_size"


def test_cross_validation_holds_each_fold_out_once(faithful: Floats) -> None:
    found = select_gmm(faithful, 1, ["VVV", "VII"], criterion="cv", n_folds=4, reg_covar=0, rng=7)
    folds = np.random.default_rng(7).spawn(6)[0].permutation(len(faithful)) % 4
    for j, spherical in enumerate((False, True)):
        deviances, sizes = [], []
        for fold in range(4):
            train, held = faithful[folds != fold], faithful[folds == fold]
            covariance = np.cov(train.T, bias=True)
            if spherical:
                covariance = np.trace(covariance) / 2 * np.eye(2)
            density = stats.multivariate_normal(train.mean(axis=0), covariance)
            deviances.append(-2 * density.logpdf(held).sum())
            sizes.append(len(held))
        assert found.table[0, j] == pytest.approx(sum(deviances), rel=1e-12)
        error = len(faithful) * np.std(np.divide(deviances, sizes), ddof=1) / 2
        assert found.standard_error[0, j] == pytest.approx(error, rel=1e-9)
    assert found.best.n_samples == len(faithful)


def test_cross_validation_leaves_out_what_a_fold_cannot_fit() -> None:
    X = clustered(13, 3, 1)[0]
    options = QUICK | {"n_folds": 2, "reg_covar": 0}
    found = select_gmm(X, 3, ["EII", "VVV"], criterion="cv", **options)
    assert np.isfinite(found.table[0, 0])
    assert np.isnan(found.table[0, 1])
    assert found.reasons[3, "VVV"].startswith("fold 0: VVV needs at least 12 rows")


def test_model_with_too_few_rows_is_nan_with_the_reason() -> None:
    X = clustered(8, 2, 2)[0]
    assert select_gmm(X, 4, ["VVV"], **QUICK).top() == []
    found = select_gmm(X, [1, 4], ["EII", "VVV"], **QUICK)
    assert np.isnan(found.table).tolist() == [[False, False], [False, True]]
    assert found.reasons[4, "VVV"].startswith("VVV needs at least 12 rows, and there are 8")
    assert "not fitted\n  VVV, 4: VVV needs at least 12 rows" in found.summary()


def test_model_that_is_singular_is_nan_with_the_reason() -> None:
    X = clustered(50, 2, 2)[0]
    X = np.column_stack([X, X.sum(axis=1)])
    found = select_gmm(X, 2, ["EEI", "EEE"], reg_covar=0, **QUICK)
    assert np.isnan(found.table).tolist() == [[False, True]]
    assert "singular covariance" in found.reasons[2, "EEE"]
    with pytest.raises(mixtura.FitError, match="no model has a value"):
        _ = select_gmm(X, 2, ["EEE"], reg_covar=0, **QUICK).best


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (np.linalg.LinAlgError("Singular matrix"), "Singular matrix (LinAlgError)"),
        (MemoryError(), "not enough memory (MemoryError)"),
    ],
)
@pytest.mark.parametrize("criterion", ["bic", "cv"])
def test_model_whose_fit_breaks_off_is_nan_with_the_reason(
    faithful: Floats, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str, criterion: str
) -> None:
    class Breaking(cell_fits.Fitting):
        def run(self, begin: object, rng: np.random.Generator) -> object:
            if self.covariance_type == "VVE" and self.n_components == 2:
                raise error
            return super().run(begin, rng)

    monkeypatch.setattr(cell_fits, "Fitting", Breaking)
    options = QUICK | {"criterion": criterion, "n_folds": 2}
    found = select_gmm(faithful, [1, 2], ["EEI", "VVE"], **options)
    assert np.isnan(found.table).tolist() == [[False, False], [False, True]]
    assert found.reasons == {(2, "VVE"): reason}
    assert (2, "VVE") not in found.fits


def test_fold_whose_rows_do_not_fit_into_memory_leaves_the_other_models(
    faithful: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = GaussianMixture.log_likelihood

    def log_likelihood(model: GaussianMixture, *arguments: object, **options: object) -> float:
        if model.n_components == 2:
            raise MemoryError("8 GiB")
        return whole(model, *arguments, **options)

    monkeypatch.setattr(GaussianMixture, "log_likelihood", log_likelihood)
    found = select_gmm(faithful, [1, 2], ["EEI"], criterion="cv", n_folds=2, **QUICK)
    assert np.isfinite(found.table).tolist() == [[True], [False]]
    assert found.reasons == {(2, "EEI"): "fold 0: 8 GiB (MemoryError)"}


def test_start_that_breaks_off_leaves_the_other_numbers_of_components(faithful: Floats) -> None:
    def init(X: Floats, n_components: int, _: np.random.Generator) -> object:
        if n_components == 2:
            raise np.linalg.LinAlgError("Singular matrix")
        return np.arange(len(X)) % n_components

    found = select_gmm(faithful, [1, 2, 3], ["EEI", "VVV"], init=init, **QUICK)
    assert np.isnan(found.table).tolist() == [[False] * 2, [True] * 2, [False] * 2]
    assert set(found.reasons.values()) == {"Singular matrix (LinAlgError)"}


def test_criterion_that_is_nan_is_missing_with_the_reason(faithful: Floats) -> None:
    def never(*_: object) -> float:
        return np.nan

    found = select_gmm(faithful, 1, ["EEI"], criterion=never, **QUICK)
    assert found.reasons == {(1, "EEI"): "never is nan"}
    assert found.top() == []


@pytest.mark.parametrize(
    ("returned", "got"),
    [
        (np.array([1.0]), "array([1.]) (ndarray)"),
        (None, "None (NoneType)"),
        ("7", "'7' (str)"),
        (1j, "1j (complex)"),
        ([[1.0], [2.0, 3.0]], "[[1.0], [2.0, 3.0]] (list)"),
    ],
)
def test_criterion_that_returns_no_number_is_missing_with_the_reason_and_the_others_stay(
    faithful: Floats, returned: object, got: str
) -> None:
    def odd(model: GaussianMixture, *_: object) -> object:
        return returned if model.n_components == 2 else np.float32(3.0)

    found = select_gmm(faithful, [1, 2], ["EII", "VVV"], criterion=odd, **QUICK)
    assert found.reasons == {
        (2, name): f"odd must return a number; got {got} for {name} with 2 components. "
        "Return a float."
        for name in ("EII", "VVV")
    }
    assert found.top(1) == [(1, "EII", 3.0)]
    assert set(found.fits) == {(k, name) for k in (1, 2) for name in ("EII", "VVV")}
    assert "\nwithout a value\n  EII, 2: odd must return a number; got" in found.summary()
    assert "2 models without a value: see reasons" in found._repr_html_()


def test_criterion_that_raises_is_missing_with_the_reason_and_the_others_stay(
    faithful: Floats,
) -> None:
    def odd(model: GaussianMixture, *_: object) -> float:
        return 1.0 / (model.n_components - 1)

    found = select_gmm(faithful, [1, 2], ["EII"], criterion=odd, **QUICK)
    assert found.reasons == {(1, "EII"): "odd raised ZeroDivisionError: float division by zero"}
    assert found.top() == [(2, "EII", 1.0)]
    nothing = select_gmm(faithful, 1, ["EII"], criterion=odd, **QUICK)
    expected = (
        "no model has a value of the criterion; `reasons` says why. The first is EII, 1: odd "
        "raised ZeroDivisionError: float division by zero"
    )
    with pytest.raises(FitError, match=f"^{re.escape(expected)}$"):
        _ = nothing.best


def test_selection_without_any_value_says_so_and_why() -> None:
    found = select_gmm([[1.0]], 1)
    assert found.summary().startswith(
        "BIC of 0 mixtures; none: no model has a value of the criterion\n"
    )
    assert "best" not in found.summary()
    assert "not fitted\n  E, 1: E needs at least 2 rows" in found.summary()
    assert "none: no model has a value of the criterion" in found._repr_html_()


def test_criterion_without_a_name_is_called_criterion(faithful: Floats) -> None:
    for criterion in (
        lambda *_: 1.0,
        functools.partial(max, 1.0, 0.0, key=lambda value: isinstance(value, float)),
    ):
        found = select_gmm(faithful, 1, ["EII"], criterion=criterion, **QUICK)
        assert found.summary().startswith("criterion of 1 mixture; lower is better\n")


def test_criterion_of_ones_own_keeps_its_name_as_it_is_written(faithful: Floats) -> None:
    def held_Out(*_: object) -> float:
        return 1.0

    found = select_gmm(faithful, [1, 2], ["EII"], criterion=held_Out, **QUICK)
    assert found.summary().startswith("held_Out of 2 mixtures; lower is better\n")


def test_method_of_a_fit_asked_of_a_selection_is_an_error_that_names_best(
    selection: GMMSelection,
) -> None:
    with pytest.raises(AttributeError) as caught:
        _ = selection.predict
    assert str(caught.value) == (
        "GMMSelection has many mixtures and no 'predict'; its best fit has. Use "
        "selection.best.predict, or one of selection.fits."
    )
    with pytest.raises(AttributeError, match="'GMMSelection' object has no attribute 'bests'"):
        _ = selection.bests
    assert pickle.loads(pickle.dumps(selection)).top() == selection.top()


def test_interrupted_cross_validation_keeps_what_was_done(
    faithful: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the last fold, the models of one component are done, and those of two are not."""
    fitted: list[tuple[int, str]] = []

    class Interrupted(models.Models):
        def fits(self, sizes: tuple[int, ...], rng: np.random.Generator) -> object:
            for k, name, end in super().fits(sizes, rng):
                fitted.append((k, name))
                if fitted.count((2, "EEI")) == 4:
                    raise KeyboardInterrupt
                yield k, name, end

    monkeypatch.setattr(select, "Models", Interrupted)
    options = QUICK | {"criterion": "cv", "n_folds": 3}
    with pytest.raises(SelectionInterrupted) as caught:
        select_gmm(faithful, [1, 2], ["EEI", "VVV"], **options)
    done = caught.value.selection
    assert np.isfinite(done.table).tolist() == [[True, True], [False, False]]
    assert np.isfinite(done.standard_error).tolist() == [[True, True], [False, False]]
    assert done.reasons == {(2, "EEI"): "interrupted", (2, "VVV"): "interrupted"}
    assert len(done.fits) == 4
    monkeypatch.undo()
    whole = select_gmm(faithful, [1, 2], ["EEI", "VVV"], **options)
    np.testing.assert_array_equal(whole.table[0], done.table[0])
    assert not whole.reasons


@pytest.mark.parametrize("criterion", ["bic", "aic", "icl"])
def test_few_rows_under_a_ridge_are_not_compared_by_their_likelihood(criterion: str) -> None:
    X = clustered(8, 2, 2)[0]
    found = select_gmm(X, 4, ["VVV"], criterion=criterion, **QUICK)
    assert found.reasons == {
        (4, "VVV"): "VVV needs at least 12 rows, and there are 8; with fewer, reg_covar alone "
        'decides its likelihood. Use criterion="cv", or fit_gmm for this model'
    }


def test_few_rows_under_a_ridge_are_fitted_where_the_criterion_is_not_their_likelihood() -> None:
    X = clustered(12, 2, 2)[0]
    names = ["EII", "VVV"]
    folds = select_gmm(X, 3, names, criterion="cv", n_folds=3, reg_covar=0.1, **QUICK)
    assert np.isfinite(folds.table).all()
    assert not folds.reasons
    own = select_gmm(X, 5, names, criterion=lambda model, *_: model.n_parameters, **QUICK)
    assert own.table.tolist() == [[15, 29]]
    without = select_gmm(X, 5, names, criterion="cv", n_folds=2, reg_covar=0, **QUICK)
    assert without.reasons[5, "VVV"] == "VVV needs at least 15 rows, and there are 12"


def test_given_labels_begin_every_family(faithful: Floats) -> None:
    sizes = []

    def by_eruption(X: Floats, n_components: int, _: np.random.Generator) -> object:
        sizes.append(n_components)
        edges = np.quantile(X[:, 0], np.linspace(0, 1, n_components + 1)[1:-1])
        return np.searchsorted(edges, X[:, 0]).astype(np.int64)

    found = select_gmm(faithful, [2, 3], ["EII", "VVV"], init=by_eruption, rng=0)
    assert sizes == [2, 3]
    labels = by_eruption(faithful, 2, np.random.default_rng())
    alone = fit_gmm(faithful, 2, covariance_type="EII", init=labels)
    assert found.fits[2, "EII"].log_likelihood == pytest.approx(alone.log_likelihood, abs=1e-2)


def test_trees_are_grown_once_for_all_numbers_of_components(
    faithful: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = []

    def counted(X: Floats, **options: object) -> object:
        grown.append(options["transform"])
        return mixtura.hierarchical(X, **options)

    monkeypatch.setattr(scouts, "hierarchical", counted)
    found = select_gmm(faithful, range(1, 4), ["EEE", "VVV"], init="hierarchical", rng=0)
    assert sorted(grown) == sorted(UNITLESS_TRANSFORMS)
    assert f"{found.top(1)[0][2]:.2f}" == "2314.30"
    few = select_gmm([[0.0], [0.0], [1.0], [3.0], [3.5], [3.0]], 5, init="hierarchical")
    assert few.reasons[5, "E"] == "no tree has 5 leaves; there are too few distinct rows"


def test_named_start_of_a_callable_is_that_start(faithful: Floats) -> None:
    one, other = (
        select_gmm(faithful, [2], ["EEE", "VVV"], init=init, **QUICK)
        for init in ("random", lambda *_: "random")
    )
    np.testing.assert_array_equal(one.table, other.table)


def test_given_mixture_begins_every_family(faithful: Floats) -> None:
    mixture = fit_gmm(faithful, 2, rng=0).model
    found = select_gmm(faithful, 2, ["EEE", "VVV"], init=lambda *_: mixture)
    assert found.fits[2, "VVV"].model.means == pytest.approx(mixture.means, rel=1e-3)


@pytest.mark.parametrize("criterion", ["bic", "cv"])
def test_selection_is_the_same_for_any_number_of_threads(criterion: str) -> None:
    X = clustered(1500, 4, 3)[0]
    one, other = (
        select_gmm(
            X, [2, 3], ["EEI", "VVE"], criterion=criterion, n_folds=2, max_iter=5, tol=0,
            n_threads=n_threads, **QUICK,
        )
        for n_threads in (1, 3)
    )  # fmt: skip
    np.testing.assert_array_equal(one.table, other.table)
    for model, fit in one.fits.items():
        assert fit.model == other.fits[model].model


def test_selection_of_one_size_is_that_of_the_same_place_among_many(faithful: Floats) -> None:
    one = select_gmm(faithful, [2], ["VVV"], **QUICK)
    many = select_gmm(faithful, [2, 5], ["VVV"], **QUICK)
    assert one.table[0, 0] == many.table[0, 0]


def test_interrupted_selection_keeps_what_was_done(faithful: Floats) -> None:
    def until_three(X: Floats, n_components: int, rng: np.random.Generator) -> object:
        if n_components == 3:
            raise KeyboardInterrupt
        return fit_gmm(X, n_components, rng=rng, n_init=1).model

    with pytest.raises(SelectionInterrupted) as caught:
        select_gmm(faithful, range(1, 5), ["EEE", "VVV"], init=until_three)
    done = caught.value.selection
    assert np.isfinite(done.table).tolist() == [[True] * 2, [True] * 2, [False] * 2, [False] * 2]
    assert set(done.reasons.values()) == {"interrupted"}
    assert done.best.model.n_components == 2
    lines = done.summary().splitlines()
    assert lines[0] == "BIC of 4 mixtures; lower is better"
    assert lines[-2:] == ["not fitted", "  4 models: interrupted"]


def test_summary_of_a_selection_without_values_has_no_list_of_the_best(faithful: Floats) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(SelectionInterrupted) as caught:
        select_gmm(faithful, range(1, 4), ["EEE", "VVV"], init=interrupted)
    done = caught.value.selection
    lines = done.summary().splitlines()
    assert lines[0] == "BIC of 0 mixtures; none: no model has a value of the criterion"
    assert lines[5:] == [
        "         3         -         -",
        "",
        "not fitted",
        "  6 models: interrupted",
    ]
    html = done._repr_html_()
    assert "BIC of 0 mixtures; none: no model has a value of the criterion<br>6 models not" in html


def test_summary_counts_models_with_a_value_and_gives_equal_reasons_once(faithful: Floats) -> None:
    def fussy(model: GaussianMixture, *_: object) -> float:
        return float("nan") if model.n_components > 1 else 1.0

    found = select_gmm(faithful, [1, 2, 3], ["EEE", "VVV"], **QUICK | {"criterion": fussy})
    lines = found.summary().splitlines()
    assert lines[0] == "fussy of 2 mixtures; lower is better"
    assert lines[-2:] == ["without a value", "  4 models: fussy is nan"]
    found = select_gmm(faithful, [1, 2], ["VVV"], **QUICK | {"criterion": fussy})
    assert found.summary().splitlines()[-1] == "  VVV, 2: fussy is nan"


def test_absent_rows_are_in_no_fold(faithful: Floats) -> None:
    weight = np.zeros(len(faithful))
    weight[5:11] = 2.0
    options = {"criterion": "cv", "init": lambda X, *_: np.zeros(len(X), int), "rng": 0}
    options["reg_covar"] = [0.1, 0.1]
    found = select_gmm(faithful, 1, ["VVI"], sample_weight=weight, **options)
    alone = select_gmm(faithful[5:11], 1, ["VVI"], sample_weight=weight[5:11], **options)
    np.testing.assert_allclose(found.table, alone.table, rtol=1e-9)
    np.testing.assert_allclose(found.standard_error, alone.standard_error, rtol=1e-9)


def test_interrupted_selection_closes_its_bar(
    faithful: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    tqdm = pytest.importorskip("tqdm.auto", reason="the progress extra is not installed").tqdm
    closed: list[int] = []
    monkeypatch.setattr(tqdm, "close", lambda bar: closed.append(bar.n))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(SelectionInterrupted) as caught:
        select_gmm(faithful, 2, ["EEE"], init=interrupt, verbose="bar")
    assert 0 in closed
    with pytest.raises(FitError, match="no model has a value of the criterion"):
        _ = caught.value.selection.best


def test_weights_are_repeated_rows(faithful: Floats) -> None:
    rows, weight = faithful[:100], np.arange(100) % 3
    options = {"init": lambda *_: fit_gmm(rows, 2, rng=0).model, "reg_covar": [1e-9, 1e-9]}
    weighted = select_gmm(rows, 2, ["EEE", "EVE"], sample_weight=weight, **options)
    repeated = select_gmm(np.repeat(rows, weight, axis=0), 2, ["EEE", "EVE"], **options)
    np.testing.assert_allclose(weighted.table, repeated.table, rtol=1e-9)


@pytest.mark.parametrize("criterion", ["bic", "aic", "icl"])
def test_selection_with_weights_far_below_the_rows_warns_once(
    faithful: Floats, criterion: str
) -> None:
    shares = np.full(len(faithful), 1 / len(faithful))
    with pytest.warns(
        WeightsWarning, match=r"of the 272 rows sum to 1, .* by n / sum, 272"
    ) as seen:
        select_gmm(faithful, [1, 2], ["EEE"], criterion=criterion, sample_weight=shares, **QUICK)
    assert [warning.filename for warning in seen] == [__file__]


def test_selection_by_cross_validation_with_small_weights_does_not_warn(faithful: Floats) -> None:
    shares = np.full(len(faithful), 1 / len(faithful))
    one, other = (
        select_gmm(faithful, [1, 2, 3], ["EEE"], criterion="cv", sample_weight=weight, **QUICK)
        for weight in (shares, None)
    )
    np.testing.assert_allclose(one.table * len(faithful), other.table, rtol=1e-6)


@pytest.mark.parametrize("criterion", ["bic", "icl", "cv", "callable"])
def test_selection_among_blocks_is_that_among_their_rows(faithful: Floats, criterion: str) -> None:
    def deviance(model: GaussianMixture, X: object, sample_weight: Floats) -> float:
        return -2.0 * model.log_likelihood(X) + sample_weight.sum()

    blocks = mixtura.scan([faithful[:90], faithful[90:91], faithful[91:]])
    options = QUICK | {"criterion": deviance if criterion == "callable" else criterion}
    weight = None if criterion != "callable" else np.ones(len(faithful))
    whole, parts = (
        select_gmm(rows, [1, 2], ["EEE", "VVV"], n_folds=3, sample_weight=weight, **options)
        for rows in (faithful, blocks)
    )
    np.testing.assert_allclose(parts.table, whole.table, rtol=1e-9)


def test_one_column_has_two_families() -> None:
    found = select_gmm(datasets.load_acidity().data, range(1, 4), rng=0)
    assert found.covariance_types == ("E", "V")
    assert found.top(1)[0][:2] == (2, "E")
    assert f"{found.table[1, 0]:.3f}" == "392.072"


def test_table_as_text_and_as_data_frame(selection: GMMSelection) -> None:
    text = selection.summary()
    assert text.startswith("BIC of 42 mixtures; lower is better\n\ncomponents       EII")
    assert "\n  EEE, 3 components: 2314.29" in text
    frame = selection.to_pandas()
    assert frame.loc[3, "EEE"] == selection.table[2, CELEUX_GOVAERT.index("EEE")]
    assert (frame.index.name, frame.columns.name) == ("n_components", "covariance_type")


def test_summary_and_html_mark_models_with_spurious_components_and_name_these() -> None:
    X = np.random.default_rng(0).integers(0, 5, size=(300, 2)).astype(float)

    def labels(X: Floats, n_components: int, rng: object) -> np.ndarray:  # noqa: ARG001
        return (X[:, 0] == 3.0).astype(int) * (n_components - 1)

    found = select_gmm(X, [1, 2], ["EEE", "VVI"], init=labels, rng=0)
    first, *_ = found.fits[2, "VVI"].events
    assert (first.cause, first.action) == ("spurious", "kept")
    lines = found.summary().splitlines()
    assert lines[3].split()[1:] == [f"{value:.1f}" for value in found.table[0]]
    assert lines[4].split()[1:] == [f"{found.table[1, 0]:.1f}", f"{found.table[1, 1]:.1f}*"]
    assert [line.rindex(".") for line in lines[3:5]] == [lines[3].rindex(".")] * 2
    aside = lines.index(
        "lower, but not among the best: spurious components and few rows make it too low"
    )
    assert lines[aside + 1].startswith("  VVI, 2 components: ")
    assert lines[aside + 1].endswith(", 9 parameters; spurious: component 1)")
    assert lines[lines.index("best") + 1].startswith("  EEE, 2 components: ")
    (note,) = (line for line in lines if line.startswith("* "))
    assert note == "* has spurious components, which sit on ties or on a handful of rows"
    html = found._repr_html_()
    assert f"<strong>{found.table[1, 0]:.1f}</strong>" in html
    assert f"{found.table[1, 1]:.1f}*" in html
    assert "spurious: component 1)" in html
    assert note in html


def test_summary_and_html_mark_models_with_components_on_few_rows() -> None:
    X = np.random.default_rng(1).normal(size=(200, 2))
    X[:5] += 30.0  # fewer than six, but wide

    def labels(X: Floats, n_components: int, rng: object) -> np.ndarray:  # noqa: ARG001
        return (X[:, 0] > 15.0).astype(int) * (n_components - 1)

    found = select_gmm(X, 2, ["EEE", "VVV"], init=labels, rng=0)
    (event,) = found.fits[2, "VVV"].events
    assert (event.component, event.cause, event.action) == (1, "few", "kept")
    lines = found.summary().splitlines()
    assert lines[3].split()[1:] == [f"{found.table[0, 0]:.1f}", f"{found.table[0, 1]:.1f}^"]
    line = next(line for line in lines if line.startswith("  VVV, 2 components: "))
    assert line.endswith("; on few rows: component 1)")
    note = "^ has components on few rows"
    assert note in lines
    html = found._repr_html_()
    assert f"{found.table[0, 1]:.1f}^" in html
    assert note in html


def marked(found: GMMSelection, model: tuple[int, str], cause: str) -> None:
    """Say of a fit that its first component is spurious or has few rows in the end."""
    event = Event(1, 0, cause, "kept")
    found.fits[model] = replace(found.fits[model], events=(event,))


@pytest.mark.parametrize("criterion", ["bic", "aic", "icl"])
def test_best_is_a_model_without_spurious_components_where_there_is_one(
    faithful: Floats, criterion: str
) -> None:
    found = select_gmm(faithful, [2, 3], ["EEI", "EEE"], criterion=criterion, **QUICK)
    first, second, third, fourth = found.top(4)
    marked(found, first[:2], "spurious")
    assert found.top(4) == [second, third, fourth, first]
    assert found.best is found.fits[second[:2]]
    lines = found.summary().splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("lower, but not among"))
    assert lines[place + 1].startswith(f"  {first[1]}, {first[0]} components: ")
    assert lines[place + 2] == ""
    for model in (second, third, fourth):
        marked(found, model[:2], "spurious")
    assert found.top(4) == [first, second, third, fourth]
    assert found.best is found.fits[first[:2]]
    assert "lower, but" not in found.summary() + found._repr_html_()


def test_few_rows_with_the_covariance_of_all_leave_a_model_the_best(faithful: Floats) -> None:
    found = select_gmm(faithful, [2, 3], ["EEI", "EEE"], **QUICK)
    ranked = found.top(4)
    marked(found, ranked[0][:2], "few")
    assert found.top(4) == ranked


@pytest.mark.parametrize(("narrow", "is_first"), [(0.9, True), (1e-80, False)])
def test_model_with_a_suspect_is_the_best_if_it_is_lower_than_that_can_gain(
    faithful: Floats, narrow: float, is_first: bool
) -> None:
    """Two components of one row each, beside one of all rows; log-densities are not looked at."""
    found = select_gmm(faithful, [1, 3], ["VVV"], **QUICK)
    assert found.top(1)[0][0] == 3
    weights, means = np.array([1, 1, 270]) / 272, np.zeros((3, 2))
    covariances = np.eye(2) * np.array([narrow, 1.0, 1.0])[:, None, None]
    model = GaussianMixture(weights, means, covariances)
    found.fits[3, "VVV"] = replace(found.fits[3, "VVV"], model=model)
    marked(found, (3, "VVV"), "few")
    ahead = found.table[0, 0] - found.table[1, 0]
    assert 1.0 < ahead < -2.0 * np.log(1e-80)
    assert (found.top(1)[0][0] == 3) == is_first


def test_marks_do_not_count_where_the_criterion_is_not_of_the_likelihood(faithful: Floats) -> None:
    def size(model: GaussianMixture, *_: object) -> float:
        return model.n_components

    for criterion in (size, "cv"):
        found = select_gmm(faithful, [2, 3], ["EEE"], criterion=criterion, n_folds=2, **QUICK)
        ranked = found.top()
        marked(found, ranked[0][:2], "spurious")
        assert found.top() == ranked


def test_mark_of_spurious_components_weighs_more_than_that_of_few_rows(faithful: Floats) -> None:
    found = select_gmm(faithful, [2], ["EEE"], **QUICK)
    few, spurious = (Event(1, j, c, "kept") for j, c in enumerate(("few", "spurious")))
    for events, mark in (((few,), "^"), ((few, spurious), "*")):
        found.fits[2, "EEE"] = replace(found.fits[2, "EEE"], events=events)
        assert f"{found.table[0, 0]:.1f}{mark}\n" in found.summary()
    assert "; spurious: component 1; on few rows: component 0)" in found.summary()
    assert "^" not in found.summary()


def test_model_that_is_among_the_best_is_not_below_a_fit_of_its_own() -> None:
    X = datasets.load_thyroid().data
    found = select_gmm(X, [2, 3], ["EEE", "VVV"], rng=0)
    k, name, best = found.top(1)[0]
    alone = fit_gmm(X, k, covariance_type=name, n_init=20, rng=0)
    assert best <= alone.model.bic(X) + 1e-3


def test_model_starts_where_other_families_have_ended(faithful: Floats) -> None:
    """A cell alone has scouts of its own; among others it is no worse, and mostly better."""
    names = ["EII", "VEI", "VVI", "EEV", "VEV", "VVV"]
    together = select_gmm(faithful, [4], names, n_init=1, rng=0)
    alone = [select_gmm(faithful, [4], [name], n_init=1, rng=0).table[0, 0] for name in names]
    assert (together.table[0] <= np.array(alone) + 1e-3).mean() >= 0.8


@pytest.mark.parametrize(
    ("names", "scouted"),
    [
        (CELEUX_GOVAERT, ["EII", "VVI", "EEE", "VVV"]),
        (["full", "EEV", "EVI", "diag", "EEI", "spherical"], ["spherical", "EEI", "diag", "full"]),
        (["VEV", "EEV", "EVI"], ["EVI", "EEV"]),
        (["VEV", "VVE", "VEI"], ["VEI", "VEV"]),
    ],
)
def test_scouts_are_few_families_with_fast_updates(
    faithful: Floats, monkeypatch: pytest.MonkeyPatch, names: list[str], scouted: list[str]
) -> None:
    searched: list[str] = []
    whole = cell_fits.CellFits.searched

    def recorded(self: cell_fits.CellFits, name: str, *arguments: Any) -> Any:
        searched.append(name)
        return whole(self, name, *arguments)

    monkeypatch.setattr(cell_fits.CellFits, "searched", recorded)
    monkeypatch.setattr(select, "SEARCHED", 0)
    select_gmm(faithful[::4], 2, names, n_init=1, rng=0)
    assert searched == scouted


def test_models_start_where_those_of_other_sizes_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sweeps find better maxima of some models, and lose none."""
    X = datasets.load_iris().data
    options = {"n_components": [3, 4, 5], "covariance_type": ["EII", "EEV", "VVV"], "rng": 0}
    swept = select_gmm(X, n_init=1, **options)
    monkeypatch.setattr(models, "MOST_SWEEPS", 0)
    monkeypatch.setattr(select, "SEARCHED", 0)
    once = select_gmm(X, n_init=1, **options)
    ranks = [
        [cells.rank_of_fit(found.fits[model]) for model in once.fits] for found in (swept, once)
    ]
    assert all(one >= other for one, other in zip(*ranks, strict=True))
    assert sum(one > other for one, other in zip(*ranks, strict=True)) >= 2


def test_models_are_yielded_again_when_they_get_better(monkeypatch: pytest.MonkeyPatch) -> None:
    yielded: list[tuple[int, str]] = []

    class Recorded(models.Models):
        def fits(self, sizes: tuple[int, ...], rng: np.random.Generator) -> object:
            for k, name, end in super().fits(sizes, rng):
                yielded.append((k, name))
                yield k, name, end

    monkeypatch.setattr(select, "Models", Recorded)
    X = datasets.load_iris().data
    found = select_gmm(X, [3, 4, 5], ["EII", "EEV", "VVV"], n_init=1, rng=0)
    assert len(yielded) > len(found.fits) == len(set(yielded)) == 9
    for (k, name), fit in found.fits.items():
        value = found.table[found.n_components.index(k), found.covariance_types.index(name)]
        assert value == pytest.approx(fit.model.bic(X), rel=1e-12)


def test_summary_and_html_mark_models_that_were_smoothed(faithful: Floats) -> None:
    found = select_gmm(faithful.round(), [1, 2], ["VVV"], **QUICK)
    assert {event.action for event in found.fits[2, "VVV"].events} == {"smoothed"}
    lines = found.summary().splitlines()
    assert lines[3].endswith(f" {found.table[0, 0]:.1f}")
    assert lines[4].endswith(f" {found.table[1, 0]:.1f}~")
    best = next(line for line in lines if line.startswith("  VVV, 2 components: "))
    assert best.endswith(" parameters; smoothed)")
    note = "~ was smoothed: each row was spread over its cell of the grid that the data lie on"
    assert note in lines
    assert not any(line.startswith("* ") for line in lines)
    html = found._repr_html_()
    assert f"{found.table[1, 0]:.1f}~" in html
    assert note in html


def test_summary_without_spurious_components_has_no_mark(selection: GMMSelection) -> None:
    assert not {"*", "^", "~"} & set(selection.summary())
    assert "spurious" not in selection.summary()
    assert "*" not in selection._repr_html_()


def test_progress_goes_to_standard_error(
    faithful: Floats, capsys: pytest.CaptureFixture[str]
) -> None:
    select_gmm(faithful, 1, ["EEE", "VVV"], verbose=True, **QUICK)
    assert capsys.readouterr().err == "mixtura: 2 of 2 models: VVV, 1 component\n"


def test_select_gmm_with_a_bar_counts_models(
    faithful: Floats, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tqdm", reason="the progress extra is not installed")
    select_gmm(faithful, 1, ["EEE", "VVV"], verbose="bar", **QUICK)
    assert "2/2" in capsys.readouterr().err


def test_fits_that_are_not_finished_are_reported_once(faithful: Floats) -> None:
    with pytest.warns(ConvergenceWarning, match="2 of 2 fits used up their iterations") as caught:
        select_gmm(faithful, 4, ["EEE", "VVV"], max_iter=2, tol=1e-12, **QUICK)
    assert len(caught) == 1


def test_selections_in_two_threads_leave_the_warning_filters_alone(faithful: Floats) -> None:
    before, during = list(warnings.filters), []
    one_began, other_began, one_ended = Flag(), Flag(), Flag()

    def of_one(*_: object) -> str:
        one_began.set()
        assert other_began.wait(60)
        during.append(list(warnings.filters))
        return "random"

    def of_other(*_: object) -> str:
        other_began.set()
        assert one_ended.wait(60)
        during.append(list(warnings.filters))
        return "random"

    def select(init: object) -> GMMSelection:
        return select_gmm(faithful, 2, ["EEE"], init=init, **QUICK)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(select, of_one)
        assert one_began.wait(60)
        other = pool.submit(select, of_other)  # begins after the first, and ends after it
        one.result()
        one_ended.set()
        other.result()
    assert during == [before, before]
    assert warnings.filters == before


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"n_components": []}, ValueError, "n_components must be one or more different numbers"),
        ({"n_components": [2, 2]}, ValueError, "different numbers; got (2, 2)"),
        ({"n_components": [0]}, ValueError, "n_components must be an integer, 1 or more; got 0"),
        ({"n_components": 1.5}, TypeError, "n_components must be an integer"),
        ({"covariance_type": ["VVW"]}, ValueError, "must be one of 'full'"),
        ({"covariance_type": 3}, TypeError, "covariance_type must be one of 'full'"),
        ({"covariance_type": []}, ValueError, "covariance_type must name one model or more"),
        (
            {"covariance_type": ["full", "VVV"]},
            ValueError,
            "covariance_type must name different models; 'full' and 'VVV' are the same",
        ),
        (
            {"covariance_type": ["full", "full"]},
            ValueError,
            "covariance_type must name different models; 'full' and 'full' are the same",
        ),
        (
            {"covariance_type": {"full", "tied"}},
            TypeError,
            "which has no order that counts. Pass a list.",
        ),
        ({"covariance_type": ["V"]}, ValueError, "is for one feature; got 2"),
        ({"criterion": "mdl"}, ValueError, "criterion must be one of 'bic', 'aic', 'icl', 'cv'"),
        ({"init": "centre"}, ValueError, "init must be one of"),
        ({"init": list("abab")}, TypeError, "init must be one of"),
        ({"init": np.arange(4)}, ValueError, "labels in init must lie between 0 and 0"),
        (
            {"init": np.zeros(4, dtype=int), "n_components": [1, 2]},
            ValueError,
            (
                "init must be a name, a HierarchicalTree or a callable for several n_components; "
                "got ndarray. Ask for one number of components, or pass a callable."
            ),
        ),
        (
            {"init": np.zeros(4, dtype=int), "criterion": "cv", "n_folds": 2},
            ValueError,
            (
                'init must be a start of any rows for criterion="cv", which leaves out some; got '
                "ndarray, of all rows. Pass means, a mixture or a callable."
            ),
        ),
        ({"n_folds": 1}, ValueError, "n_folds must be an integer, 2 or more"),
        ({"n_folds": 5, "criterion": "cv"}, ValueError, "n_folds must be at most 4"),
        (
            {"X": [[0.0, 1.0]], "criterion": "cv"},
            ValueError,
            (
                "criterion 'cv' needs two rows that have weight, or more; got 1. Add rows, or "
                "choose another criterion."
            ),
        ),
        ({"on_collapse": "drop"}, ValueError, "on_collapse must be one of 'reseed', 'raise'"),
        ({"reg_covar": -1.0}, ValueError, "reg_covar must be a finite number, 0 or more"),
        ({"sample_weight": [1.0]}, ValueError, "sample_weight must have shape (4,)"),
        ({"rng": "0"}, TypeError, "rng must be None"),
        ({"avoid_spurious": "no"}, TypeError, "avoid_spurious must be True or False; got 'no'"),
        ({"verbose": []}, TypeError, 'verbose must be True, False, None or "bar"; got [] (list)'),
    ],
)
def test_argument_that_is_bad_is_refused(
    changed: dict[str, object], error: type[Exception], message: str
) -> None:
    arguments = {"X": [[0.0, 1.0], [1.0, 0.0], [2.0, 5.0], [7.0, 1.0]], "n_components": 1}
    with pytest.raises(error, match=re.escape(message)):
        select_gmm(**(arguments | changed))


def test_selection_from_a_given_start_equals_that_from_a_callable() -> None:
    X, labels = clustered(200, 2, 3)
    means = np.array([X[labels == j].mean(axis=0) for j in range(3)])
    fit = fit_gmm(X, 3, init=labels)
    kmeans = fit_kmeans(X, 3, init=means)
    for init in (labels, np.eye(3)[labels], means, means.tolist(), fit, fit.model, kmeans):
        one, other = (
            select_gmm(X, 3, ["VII", "VVV"], init=start, rng=0)
            for start in (init, lambda *_, init=init: init)
        )
        np.testing.assert_array_equal(one.table, other.table)
    means_cv = select_gmm(X, 3, ["VII"], init=means, criterion="cv", rng=0)
    assert np.isfinite(means_cv.table).all()


def test_selection_from_a_tree_cuts_it_for_every_number_of_components() -> None:
    X, _ = clustered(200, 2, 3)
    tree = hierarchical(X)
    one = select_gmm(X, [2, 3], ["VVV"], init=tree)
    other = select_gmm(X, [2, 3], ["VVV"], init=lambda _, k, __: tree.labels(k))
    np.testing.assert_array_equal(one.table, other.table)

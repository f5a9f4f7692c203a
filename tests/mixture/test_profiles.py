"""Profiles: weighted statistics of other columns, against plain loops over repeated rows."""

import re
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mixtura import GaussianMixture, datasets, fit_bayesian_gmm, fit_gmm, fit_kmeans, scan
from mixtura.mixture import profiles

IRIS = datasets.load_iris()
RNG = np.random.default_rng(0)
MIXTURE = GaussianMixture([0.4, 0.6], [[0.0, 0.0], [2.0, 1.0]], np.ones(2), "spherical")
X = MIXTURE.sample(60, rng=0)[0]
WEIGHT = RNG.integers(0, 4, size=60)
FRAME = pd.DataFrame(
    {
        "age": np.where(RNG.random(60) < 0.2, np.nan, RNG.integers(18, 60, size=60)),
        "income": RNG.lognormal(10, 1, size=60),
        "city": RNG.choice(np.array(["Bonn", "Aachen", None], dtype=object), size=60),
        "size": pd.Categorical(RNG.choice(["S", "L", "M"], 60), categories=["XS", "S", "M", "L"]),
        "member": RNG.random(60) < 0.3,
        "score": pd.array(np.where(RNG.random(60) < 0.1, None, 3), dtype="Int64"),
        "seen": pd.array(np.where(RNG.random(60) < 0.1, None, True), dtype="boolean"),
    }
)


def by_loops(values: list[Any], weights: list[float]) -> dict[str, float]:
    """Return the statistics of one column in one component, from their definitions."""
    rows = sorted((v, w) for v, w in zip(values, weights, strict=True) if v == v)
    total = sum(w for _, w in rows)
    mean = sum(w * v for v, w in rows) / total
    expected = {
        "mean": mean,
        "standard deviation": (sum(w * (v - mean) ** 2 for v, w in rows) / total) ** 0.5,
        "missing weight": sum(w for v, w in zip(values, weights, strict=True) if v != v),
    }
    for name, share in (("25%", 0.25), ("median", 0.5), ("75%", 0.75)):
        below, expected[name] = 0.0, np.nan
        for v, w in rows:
            below += w
            if below >= share * total:
                expected[name] = v
                break
    return expected


@pytest.mark.parametrize("hard", [False, True])
def test_statistics_of_numbers_are_those_of_their_definitions(hard: bool) -> None:
    table = MIXTURE.profile(X, FRAME, sample_weight=WEIGHT, hard=hard)
    resp = MIXTURE.responsibilities(X)
    if hard:
        resp = np.eye(2)[resp.argmax(axis=1)]
    for name in ("age", "income"):
        for component, shares in ((0, resp[:, 0]), (1, resp[:, 1]), ("all", np.ones(60))):
            expected = by_loops(FRAME[name].tolist(), (shares * WEIGHT).tolist())
            found = table[component][name]
            assert set(found.index) == set(expected)
            for statistic, value in expected.items():
                assert found[statistic] == pytest.approx(value, rel=1e-12), (name, statistic)


@pytest.mark.parametrize("hard", [False, True])
def test_shares_of_levels_are_weights_over_those_of_rows_with_a_level(hard: bool) -> None:
    table = MIXTURE.profile(X, FRAME, sample_weight=WEIGHT, hard=hard)
    resp = MIXTURE.responsibilities(X)
    if hard:
        resp = np.eye(2)[resp.argmax(axis=1)]
    for name in ("city", "size", "member", "seen"):
        for component, shares in ((0, resp[:, 0]), (1, resp[:, 1]), ("all", np.ones(60))):
            sums: dict[str, float] = {}
            for level, weight in zip(FRAME[name].tolist(), shares * WEIGHT, strict=True):
                key = "nothing" if pd.isna(level) else str(level)
                sums[key] = sums.get(key, 0.0) + weight
            nothing = sums.pop("nothing", 0.0)
            expected = {level: w / sum(sums.values()) for level, w in sums.items()}
            found = table[component][name].to_dict()
            assert found.pop("missing weight") == pytest.approx(nothing)
            assert found == pytest.approx(expected)


def test_rows_of_the_table_have_an_order() -> None:
    table = MIXTURE.profile(X, FRAME)
    columns = list(dict.fromkeys(column for column, _ in table.index))
    assert columns == ["component", *FRAME.columns]
    assert table.columns.tolist() == [0, 1, "all"]
    assert table.loc["component"].index.tolist() == ["size", "share"]
    assert table.loc["city"].index.tolist() == ["Aachen", "Bonn", "missing weight"]
    assert table.loc["size"].index.tolist() == ["S", "M", "L", "missing weight"]
    assert table.loc["member"].index.tolist() == ["False", "True", "missing weight"]
    numbers = ["mean", "standard deviation", "25%", "median", "75%", "missing weight"]
    assert table.loc["score"].index.tolist() == numbers


@pytest.mark.parametrize("hard", [False, True])
def test_row_of_weight_w_is_w_equal_rows(hard: bool) -> None:
    weighted = MIXTURE.profile(X, FRAME, sample_weight=WEIGHT, hard=hard)
    rows = np.repeat(np.arange(60), WEIGHT)
    repeated = MIXTURE.profile(X[rows], FRAME.iloc[rows], hard=hard)
    pd.testing.assert_frame_equal(weighted, repeated, rtol=1e-12)


def test_units_of_weights_change_sizes_alone() -> None:
    one = MIXTURE.profile(X, FRAME, sample_weight=WEIGHT)
    other = MIXTURE.profile(X, FRAME, sample_weight=WEIGHT / 8)
    weights = one.index.get_level_values(1).isin(["size", "missing weight"])
    pd.testing.assert_frame_equal(one[~weights], other[~weights])
    pd.testing.assert_frame_equal(one[weights] / 8, other[weights])


@pytest.mark.parametrize("unit", [0.1, 1 / 3, 1e-3])
def test_quartiles_at_the_edge_of_a_share_do_not_depend_on_rounding(unit: float) -> None:
    one = GaussianMixture([1.0], [[0.0]], [1.0], "spherical")
    for n in range(4, 61, 4):
        rows, values = np.zeros((n, 1)), {"a": np.arange(n)}
        table = one.profile(rows, values, sample_weight=np.full(n, unit)).loc["a", "all"]
        assert table[["25%", "median", "75%"]].tolist() == [n // 4 - 1, n // 2 - 1, 3 * n // 4 - 1]


@pytest.mark.parametrize("exponent", [-990, -600, 600, 990])
def test_statistics_have_the_scale_of_the_numbers(exponent: int) -> None:
    table = MIXTURE.profile(X, {"a": X[:, 0]}).loc["a"]
    scaled = MIXTURE.profile(X, {"a": np.ldexp(X[:, 0], exponent)}).loc["a"]
    pd.testing.assert_frame_equal(np.ldexp(scaled, -exponent), table, rtol=1e-14)


def test_equal_numbers_have_no_deviation() -> None:
    table = MIXTURE.profile(X, {"a": np.full(60, 0.1)}).loc["a"]
    assert (table.loc[["mean", "median"]] == 0.1).all(axis=None)
    assert (table.loc["standard deviation"] == 0).all()


def test_level_of_rows_of_weight_zero_alone_is_absent() -> None:
    city = np.array(["a"] * 59 + ["b"], dtype=object)
    weight = np.array([1.0] * 59 + [0.0])
    table = MIXTURE.profile(X, {"city": city}, sample_weight=weight)
    assert table.loc["city"].index.tolist() == ["a", "missing weight"]


def test_columns_of_the_rows_themselves_are_described_by_default() -> None:
    frame = pd.DataFrame(IRIS.data, columns=IRIS.feature_names)
    fit = fit_gmm(frame, 3, rng=0, n_init=1)
    table = fit.profile(frame)
    assert table.loc["component", "size"].tolist() == pytest.approx([*150 * fit.weights, 150], 1e-3)
    np.testing.assert_allclose(table.xs("mean", level=1)[[0, 1, 2]].T, fit.means, rtol=1e-3)
    pd.testing.assert_frame_equal(fit.profile(frame, frame), table)
    numbered = fit.model.marginal([0, 1]).profile(IRIS.data[:, :2]).loc["component"]
    assert numbered.loc["share", "all"] == 1
    assert "feature 1" in MIXTURE.profile(X).index.get_level_values(0)


def test_columns_without_names_have_those_of_the_mixture() -> None:
    frame = pd.DataFrame(X, columns=["a", "b"])
    fit = fit_gmm(frame, 2, rng=0, n_init=1)
    pd.testing.assert_frame_equal(fit.profile(X), fit.profile(frame))
    clusters = fit_kmeans(frame, 2, rng=0)
    pd.testing.assert_frame_equal(clusters.profile(X), clusters.profile(frame))


def test_rows_with_a_projection_are_described_where_they_are_data_too() -> None:
    sums = X.sum(axis=1)[:, None]
    noise = {"projection": np.ones((60, 1, 2)), "noise_covariance": np.ones(60)}
    table = MIXTURE.profile(sums, sums, **noise)
    resp = MIXTURE.responsibilities(sums, **noise)
    np.testing.assert_allclose(table.loc["component", "size"][[0, 1]], resp.sum(axis=0))
    assert table["all"][0, "mean"] == pytest.approx(sums.mean())
    with pytest.raises(ValueError, match=r"data must be given .*; got None\. Pass .* data=X"):
        MIXTURE.profile(sums, **noise)


def test_profile_of_no_rows_is_refused() -> None:
    for model in (MIXTURE, fit_kmeans(X, 2, rng=0)):
        with pytest.raises(ValueError, match=r"X must have at least 1 row; got 0. Add rows"):
            model.profile(X[:0])


def test_mixture_fit_and_posterior_answer_alike() -> None:
    fit = fit_gmm(X, 2, rng=0, n_init=1)
    pd.testing.assert_frame_equal(fit.profile(X, FRAME), fit.model.profile(X, FRAME))
    bayesian = fit_bayesian_gmm(X, 2, rng=0)
    assert bayesian.profile(X, FRAME).loc["component", "size"]["all"] == 60


def test_profile_of_clusters_is_that_of_their_labels() -> None:
    fit = fit_kmeans(X, 2, rng=0)
    table = fit.profile(X, FRAME, sample_weight=WEIGHT)
    for c in (0, 1):
        expected = by_loops(FRAME["age"].tolist(), ((fit.labels == c) * WEIGHT).tolist())
        assert table[c]["age"].to_dict() == pytest.approx(expected, rel=1e-12)
        assert table[c]["cluster", "size"] == WEIGHT[fit.labels == c].sum()
    assert table.columns.name == "cluster"
    means = fit.profile(X).xs("mean", level=1)[[0, 1]]
    np.testing.assert_allclose(means.T, fit.centers, rtol=1e-12)
    with pytest.raises(ValueError, match="data must have 60 rows"):
        fit.profile(X, FRAME[:50])


def test_row_of_k_means_with_nothing_observed_counts_in_all_rows_only() -> None:
    holes = X.copy()
    holes[3] = np.nan
    fit = fit_kmeans(holes, 2, rng=0, missing="em")
    sizes = fit.profile(holes, FRAME).loc["cluster", "size"]
    assert sizes.tolist() == [*np.bincount(fit.labels[fit.labels >= 0]), 60]
    shares = fit.profile(holes, FRAME).loc["cluster", "share"]
    assert shares.tolist() == (sizes / 60).tolist()


def test_rows_in_blocks_have_the_profile_of_all_rows() -> None:
    blocks = scan([X[:20], X[20:]])
    whole = MIXTURE.profile(X, FRAME)
    pd.testing.assert_frame_equal(MIXTURE.profile(blocks, FRAME), whole)
    pd.testing.assert_frame_equal(MIXTURE.profile(blocks), MIXTURE.profile(X))


def test_other_kinds_of_columns_have_the_same_profile() -> None:
    frame = FRAME[["age", "income", "city"]]
    whole = MIXTURE.profile(X, frame)
    pd.testing.assert_frame_equal(MIXTURE.profile(X, pl.from_pandas(frame)), whole)
    pd.testing.assert_frame_equal(MIXTURE.profile(X, dict(frame.items())), whole)
    arrays = {name: column.to_numpy() for name, column in frame.items()}
    pd.testing.assert_frame_equal(MIXTURE.profile(X, arrays), whole)
    alone = whole.loc[["component", "income"]]
    pd.testing.assert_frame_equal(MIXTURE.profile(X, FRAME["income"]), alone)
    pd.testing.assert_frame_equal(MIXTURE.profile(X, FRAME, columns=["income"]), alone)
    assert 1 in MIXTURE.profile(X, FRAME[["age", "income"]].to_numpy()).index.get_level_values(0)
    chosen = MIXTURE.profile(X, FRAME, columns=iter(["income"]))
    pd.testing.assert_frame_equal(chosen, alone)
    turned = MIXTURE.profile(X, FRAME, columns=["city", "age"])
    expected = pd.concat([whole.loc[[name]] for name in ("component", "city", "age")])
    pd.testing.assert_frame_equal(turned, expected)


def test_numbers_in_a_column_of_objects_are_numbers() -> None:
    numbers = FRAME[["age", "income"]]
    objects = numbers.astype(object).where(numbers.notna(), None)
    pd.testing.assert_frame_equal(MIXTURE.profile(X, objects), MIXTURE.profile(X, numbers))
    decimals = MIXTURE.profile(X, {"price": [Decimal("1.5")] * 60})
    assert decimals["all"]["price", "mean"] == 1.5


def test_memory_is_that_of_the_rows_and_of_one_column() -> None:
    n = 20_000
    rows = MIXTURE.sample(n, rng=0)[0]
    numbers = pd.DataFrame({f"n{a}": rows[:, 0] for a in range(6)})
    levels = pd.DataFrame({f"c{a}": pd.Categorical(rows[:, 0] > 0) for a in range(6)})
    for data in (numbers, levels):
        MIXTURE.profile(rows, data, hard=True)
        tracemalloc.start()
        MIXTURE.profile(rows, data, hard=True)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < (8 + 50 + 6) * n


def test_rows_with_missing_numbers_count_by_what_is_observed() -> None:
    holes = np.where(np.random.default_rng(1).random(X.shape) < 0.3, np.nan, X)
    table = MIXTURE.profile(holes, missing="em")
    resp = MIXTURE.responsibilities(holes, missing="em")
    expected = by_loops(holes[:, 1].tolist(), resp[:, 1].tolist())
    for statistic, value in expected.items():
        assert table[1]["feature 1", statistic] == pytest.approx(value, rel=1e-12)
    with pytest.raises(ValueError, match="X must be finite; row 1, column 0 is nan"):
        MIXTURE.profile(holes)


def test_rows_with_noise_count_by_their_responsibilities_under_noise() -> None:
    noise = np.full(60, 3.0)
    table = MIXTURE.profile(X, noise_covariance=noise)
    sizes = MIXTURE.responsibilities(X, noise_covariance=noise).sum(axis=0)
    np.testing.assert_allclose(table.loc["component", "size"][[0, 1]], sizes)
    assert abs(table.loc["component", "size"][0] - MIXTURE.profile(X)[0].iloc[0]) > 0.1
    fit = fit_gmm(X, 2, noise_covariance=noise, rng=0, n_init=1)
    with pytest.raises(ValueError, match="noise_covariance must be given"):
        fit.profile(X)


def test_component_without_weight_has_no_statistics() -> None:
    mixture = GaussianMixture([1.0, 0.0], [[0.0, 0.0], [2.0, 1.0]], np.ones(2), "spherical")
    table = mixture.profile(X, FRAME, sample_weight=WEIGHT)
    assert table.loc["component", "size"].tolist() == [WEIGHT.sum(), 0, WEIGHT.sum()]
    assert np.isnan(table[1]["age", "median"])
    assert np.isnan(table[1]["city", "Bonn"])
    assert table[1]["age", "missing weight"] == 0
    nothing = MIXTURE.profile(X, {"a": np.full(60, np.nan), "b": np.full(60, None)})
    assert nothing.loc["a"].iloc[:-1].isna().all(axis=None)
    assert nothing.loc["b"].index.tolist() == ["missing weight"]
    assert nothing["all"]["a", "missing weight"] == nothing["all"]["b", "missing weight"] == 60


def test_column_of_many_levels_lists_those_of_the_largest_weight() -> None:
    names = np.array([f"n{i:02d}" for i in range(60)], dtype=object)
    names[50:] = "often"
    table = MIXTURE.profile(X, {"name": names}).loc["name"]
    assert len(table) == 22
    assert table.index[19:].tolist() == ["often", "31 other levels", "missing weight"]
    np.testing.assert_allclose(table.iloc[:-1].sum(), 1)


def test_levels_of_several_types_are_listed_in_the_order_of_their_text() -> None:
    levels = np.array([2, "a", 10, 2] * 15, dtype=object)
    assert MIXTURE.profile(X, {"c": levels}).loc["c"].index.tolist() == [
        10, 2, "a", "missing weight",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        (FRAME[:50], {}, ValueError,
         "data must have 60 rows, one for each row of X; got 50. Pass the same rows in the same"),
        (FRAME, {"columns": ["age", "wage"]}, ValueError,
         "'member', 'score', 'seen'; got 'wage'. Choose some of them."),
        (FRAME, {"columns": "age"}, TypeError,
         "columns must be a list of labels; got 'age'. Put it in a list."),
        (FRAME, {"columns": 5}, TypeError, "columns must be a list of labels; got 5. Put it in"),
        (FRAME, {"columns": [np.arange(2)]}, ValueError, "got array([0, 1]). Choose some of them."),
        (None, {"columns": ["age"]}, ValueError,
         "columns must be among 'feature 0', 'feature 1'; got 'age'. Choose some of them."),
        ({"a": "x" * 60}, {}, TypeError, "(str) for 'a'. Pass one value for each row of X."),
        (FRAME, {"hard": "yes"}, TypeError, "hard must be True or False; got 'yes' (str)"),
        ([1, 2], {}, TypeError, "data must be a DataFrame, a Series, a mapping of columns or a"),
        ({"day": pd.date_range("2020", periods=60)}, {}, TypeError,
         "must be numbers, text, categories or truth values; got 'day' of datetime64"),
        ({"day": np.array([date(2020, 1, 1)] * 60)}, {}, TypeError,
         "must be numbers, text, categories or truth values; got 'day' of date. Convert it"),
        ({"a": 1}, {}, TypeError,
         "columns of data must be lists or one-dimensional arrays; got 1 (int) for 'a'. Pass one"),
        ({"a": X}, {}, TypeError, "(ndarray) for 'a'. Pass one value for each row of X."),
        ({"a": X[:, 0], "b": [1, 2]}, {}, ValueError,
         "columns of data must have 60 values, one for each row of X; got 2 for 'b'. Pass the"),
        ({"a": pd.Series(range(60)), "b": pd.Series(range(60), index=range(59, -1, -1))}, {},
         ValueError, "data['b'] must have the index of data['a']; row 0 has the label 59, and 0"),
        ({"z": np.ones(60) * 1j}, {}, TypeError, "truth values; got 'z' of complex128"),
        ({"z": [[1]] * 60}, {}, TypeError, "got 'z' with values that are none of them. Convert it"),
        ({"z": [1.0] * 59 + [np.inf]}, {}, ValueError,
         "columns of data must be finite or NaN; got 'z' with inf in row 59. Put NaN or a number"),
        (FRAME, {"sample_weight": [1.0]}, ValueError, "sample_weight must have shape (60,)"),
    ],
)  # fmt: skip
def test_bad_arguments_say_what_is_expected_before_any_work(
    data: Any,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(profiles, "of_opened", lambda *_: pytest.fail("rows were assigned"))
    with pytest.raises(error, match=re.escape(message)):
        MIXTURE.profile(X, data, **options)


@pytest.mark.parametrize("wrapped", [lambda frame: frame, lambda frame: dict(frame.items())])
def test_columns_in_another_order_of_rows_are_refused(wrapped: Any) -> None:
    rows = pd.DataFrame(X, columns=["a", "b"], index=FRAME.index)
    other = wrapped(FRAME.sort_values("income"))
    with pytest.raises(ValueError, match=r"data must have the index of X; .*data\.loc\[X\.index\]"):
        MIXTURE.profile(rows, other)


def test_rows_that_other_processes_work_on_are_refused() -> None:
    with ThreadPoolExecutor(1) as executor:
        rows = scan([X[:20], X[20:]], executor=executor)
        with pytest.raises(ValueError, match="got rows that other processes work on"):
            MIXTURE.profile(rows, FRAME)


def test_profile_without_pandas_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="profile needs pandas, which is not installed"):
        MIXTURE.profile(X)

"""Histories, curves of criteria, and trees."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pictures import FAITHFUL, faithful_fit, selection, tree
from scipy.cluster.hierarchy import dendrogram, fcluster, linkage

from mixtura import Event, fit_gmm, fit_kmeans, hierarchical

pytest.importorskip("matplotlib")

from matplotlib import colors

from mixtura.plot import CriterionDisplay, DendrogramDisplay, HistoryDisplay
from mixtura.plot.style import component_style

pytestmark = pytest.mark.usefixtures("close_figures")


# History


def test_history_of_a_fit_is_drawn_value_by_value() -> None:
    fit = faithful_fit()
    display = HistoryDisplay.from_fit(fit)
    np.testing.assert_array_equal(display.line_.get_ydata(), fit.history)
    assert display.line_.get_xdata().tolist() == list(range(1, fit.n_iter + 1))
    assert display.ax_.get_xlabel() == "iteration"
    assert display.ax_.get_ylabel().startswith("objective")
    (note,) = display.ax_.texts
    assert note.get_text().startswith(f"{fit.n_iter} iterations: converged")


@pytest.mark.parametrize(("n_iter", "scale"), [(1, "linear"), (50, "linear"), (51, "log")])
def test_history_of_many_iterations_has_a_logarithmic_axis(n_iter: int, scale: str) -> None:
    display = HistoryDisplay(history=-1 / np.arange(1.0, n_iter + 1), stop_reason="max_iter")
    assert display.plot().ax_.get_xscale() == scale


def test_predicted_limit_of_linear_convergence_is_its_limit() -> None:
    history = -2.0 - 3.0 * 0.8 ** np.arange(12)
    display = HistoryDisplay(history=history, stop_reason="max_iter").plot()
    np.testing.assert_allclose(display.limit_line_.get_ydata(), -2.0, rtol=1e-12)
    assert display.predicted_gain == pytest.approx(3.0 * 0.8**11)
    assert f"predicted limit, {display.predicted_gain:.1g} above" in display.ax_.texts[0].get_text()


def test_predicted_limit_of_a_fit_stopped_early_is_where_it_ends_up() -> None:
    X = FAITHFUL.data
    start = {"init": np.arange(len(X)) % 2, "reg_covar": 0}
    early = fit_gmm(X, 2, max_iter=25, tol=0, **start)
    late = fit_gmm(X, 2, tol=1e-12, max_iter=5000, **start)
    predicted = early.history[-1] + HistoryDisplay.from_fit(early).predicted_gain
    left = late.history[-1] - early.history[-1]
    assert predicted == pytest.approx(late.history[-1], abs=0.1 * left + 1e-12)


@pytest.mark.parametrize("history", [[-3.0], [-3.0, -2.0], [-3.0, -2.0, -1.0], [-3.0, -2.0, -2.5]])
def test_history_that_predicts_nothing_has_no_limit(history: list[float]) -> None:
    display = HistoryDisplay(history=np.array(history), stop_reason="callback").plot()
    assert display.limit_line_ is None
    assert "limit" not in display.ax_.texts[0].get_text()


def test_prediction_after_a_collapse_looks_at_what_came_later() -> None:
    event = Event(3, 0, "empty", "reseeded")
    history = np.array([-9.0, -8.0, -7.5, -7.25])
    display = HistoryDisplay(history=history, stop_reason="max_iter", events=(event,)).plot()
    assert display.limit_line_ is None
    assert [line.get_xdata()[0] for line in display.ax_.lines[1:]] == [3]
    assert "dotted: a component collapsed" in display.ax_.texts[0].get_text()
    assert HistoryDisplay(history=history, stop_reason="max_iter").predicted_gain == 0.25


@pytest.mark.parametrize("span", [3e-9, 1e-12, 1e-5])
def test_history_of_an_easy_fit_shows_short_ticks_from_its_start(span: float) -> None:
    history = -4.155294212 - span * 0.4 ** np.arange(8)
    display = HistoryDisplay(history=history, stop_reason="converged").plot()
    ax = display.ax_
    display.figure_.canvas.draw()
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert 3 <= len(labels) <= 8
    assert "0" in labels
    assert max(map(len, labels)) <= 8
    np.testing.assert_allclose(
        [float(label) for label in labels], ax.get_yticks() - history[0], atol=0.01 * span
    )
    expected = "objective less that of the first iteration\n(nats per row)"
    assert ax.get_ylabel() == expected
    assert f"first: {history[0]:.10g}" in ax.texts[0].get_text()
    bottom, top = ax.get_ylim()
    assert bottom < history[0] < display.limit_line_.get_ydata()[0] < top
    assert top - bottom < 2 * span


def test_history_without_a_rise_shows_no_change_and_the_value_in_a_note() -> None:
    for history in ([-4.0] * 2, [-4.0] * 6, [0.0] * 3, [-4.0, -4.0 + 1e-15]):
        ax = HistoryDisplay(history=np.array(history), stop_reason="max_iter").plot().ax_
        ax.figure.canvas.draw()
        assert ax.get_ylabel().startswith("objective less that of the first iteration\n")
        assert [text.get_text() for text in ax.get_yticklabels()] == ["0"]
        assert ax.get_yticks().tolist() == [history[0]]
        assert ax.texts[0].get_text().endswith(f"first: {history[0]:.10g}")
        bottom, top = ax.get_ylim()
        assert bottom < history[0] < top


def test_history_of_one_iteration_shows_its_value() -> None:
    ax = HistoryDisplay(history=np.array([-4.0]), stop_reason="max_iter").plot().ax_
    ax.figure.canvas.draw()
    assert ax.get_ylabel() == "objective (nats per row)"
    assert max(len(text.get_text()) for text in ax.get_yticklabels()) <= 6
    assert "first" not in ax.texts[0].get_text()


@pytest.mark.parametrize(("size", "power"), [(1.16e10, "1e10"), (2e-7, "1e\u22127")])
def test_history_of_large_and_small_values_has_short_ticks(size: float, power: str) -> None:
    history = size * (1 + 0.5 ** np.arange(8))
    display = HistoryDisplay(history=history, stop_reason="stopped", quantity="inertia").plot()
    display.figure_.canvas.draw()
    assert max(len(text.get_text()) for text in display.ax_.get_yticklabels()) <= 5
    assert display.ax_.yaxis.get_offset_text().get_text() == power


def test_history_of_a_fit_with_a_clear_rise_shows_its_values() -> None:
    history = -4.0 - 0.5 ** np.arange(8)
    ax = HistoryDisplay(history=history, stop_reason="max_iter").plot().ax_
    ax.figure.canvas.draw()
    shown = [float(text.get_text().replace("\u2212", "-")) for text in ax.get_yticklabels()]
    np.testing.assert_allclose(shown, ax.get_yticks())
    assert "first" not in ax.texts[0].get_text()


def test_history_of_kmeans_is_its_inertia_and_falls_to_the_limit() -> None:
    fit = fit_kmeans(np.random.default_rng(0).normal(size=(3000, 2)), 8, rng=0, tol=0, max_iter=25)
    display = HistoryDisplay.from_fit(fit)
    np.testing.assert_array_equal(display.line_.get_ydata(), fit.history)
    assert display.ax_.get_ylabel() == "inertia (squared units)"
    assert display.ax_.texts[0].get_text().startswith(f"{fit.n_iter} iterations: stopped")
    falling = 5.0 + 3.0 * 0.8 ** np.arange(12)
    display = HistoryDisplay(history=falling, stop_reason="stopped", quantity="inertia").plot()
    np.testing.assert_allclose(display.limit_line_.get_ydata(), 5.0, rtol=1e-12)
    assert "predicted limit, 0.3 below the last" in display.ax_.texts[0].get_text()


def test_history_of_what_has_none_says_what_is_expected() -> None:
    with pytest.raises(TypeError, match="fit must be a GMMFit or a KMeansFit; got GaussianMix"):
        HistoryDisplay.from_fit(faithful_fit().model)
    old = dataclasses.replace(fit_kmeans(FAITHFUL.data, 2, rng=0), history=np.empty(0))
    message = "fit must have a history; got a KMeansFit of a file without one. Fit it again."
    with pytest.raises(ValueError, match=message):
        HistoryDisplay.from_fit(old)


# Criterion


def curves(**changed: Any) -> CriterionDisplay:
    nan = float("nan")
    arguments = {
        "n_components": [1, 2, 3],
        "covariance_types": ["EII", "VVV", "EEE"],
        "table": [[400.0, 300.0, 300.0], [220.0, 130.0, nan], [215.0, nan, nan]],
    }
    return CriterionDisplay(**arguments | changed).plot()


def test_curves_are_the_columns_of_the_table_above_the_lowest() -> None:
    display = curves()
    expected = np.asarray(display.table) - 130.0
    for line, column in zip(display.lines_, expected.T, strict=True):
        assert line.get_xdata().tolist() == [1, 2, 3]
        np.testing.assert_array_equal(line.get_ydata(), column)
    assert display.best == (2, "VVV")
    (ring,) = display.ax_.collections
    assert ring.get_offsets().tolist() == [[2.0, 0.0]]


def test_curves_legend_has_the_lowest_value_of_each_family_best_first() -> None:
    legend = curves(criterion="icl").ax_.get_legend()
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["lowest of all", "VVV: 130 at 2", "EII: 215 at 3", "EEE: 300 at 1"]
    assert legend.get_title().get_text() == "ICL, lower is better"
    nothing = curves(table=[[1.0, np.nan, np.inf]] * 3).ax_.get_legend()
    assert [text.get_text() for text in nothing.get_texts()][2:] == [
        "VVV: not fitted",
        "EEE: not fitted",
    ]


def test_curves_of_unordered_numbers_of_components_run_from_left_to_right() -> None:
    display = curves(n_components=[8, 2, 4])
    assert display.lines_[0].get_xdata().tolist() == [2, 4, 8]
    assert (display.lines_[0].get_ydata() + 130).tolist() == [220, 215, 400]
    assert display.best == (2, "VVV")


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_curves_axis_has_readable_ticks_from_zero_to_the_top(scale: float) -> None:
    ax = curves(table=scale * np.asarray(curves().table)).ax_
    ticks = ax.get_yticks()
    assert ticks[0] == 0
    assert 4 <= len(ticks) <= 12
    assert np.diff(np.sqrt(ticks)).min() > 0.08 * np.sqrt(270 * scale)
    bottom, top = ax.get_ylim()
    assert bottom < 0 < 270 * scale < top
    ax.figure.canvas.draw()


def test_curves_of_one_model_are_a_point() -> None:
    display = curves(n_components=[3], covariance_types=["full"], table=[[12.5]])
    assert display.best == (3, "full")
    display.figure_.canvas.draw()


@pytest.mark.parametrize(
    ("criterion", "label"),
    [("bic", "BIC"), ("aic", "AIC"), ("cv", "cross-validation"), ("dic", "dic"), (max, "max")],
)
def test_curves_axis_names_the_criterion(criterion: Any, label: str) -> None:
    assert curves(criterion=criterion).ax_.get_ylabel().startswith(f"{label} above the lowest")


def test_curves_of_a_selection_are_those_of_its_table() -> None:
    chosen = selection()
    display = CriterionDisplay.from_selection(chosen)
    assert display.best == (3, chosen.covariance_types[0])
    drawn = np.transpose([line.get_ydata() for line in display.lines_])
    np.testing.assert_allclose(drawn, chosen.table - chosen.table.min())


def test_fourteen_curves_differ_without_colour() -> None:
    names = [f"m{j}" for j in range(14)]
    display = curves(covariance_types=names, table=np.ones((3, 14)), highlight=14)
    assert len({(line.get_marker(), str(line._dash_pattern)) for line in display.lines_}) == 14


def test_curves_of_the_best_families_are_in_colour_and_the_others_thin_and_grey() -> None:
    table = np.add.outer([40.0, 0.0, 7.0], [5.0, 3.0, 900.0, 1.0, 4.0, np.nan, 2.0])
    names = list("abcdefg")
    display = curves(covariance_types=names, table=table)
    best, others = [display.lines_[j] for j in (3, 6, 1, 4, 0)], [display.lines_[j] for j in (2, 5)]
    for rank, line in enumerate(best):
        assert colors.same_color(line.get_color(), component_style(rank).colour)
        assert line.get_marker() == component_style(rank).marker
    assert len({line.get_color() for line in others} | {line.get_color() for line in best}) == 6
    assert {line.get_marker() for line in others} == {""}
    orders = [line.get_zorder() for line in best]
    assert orders == sorted(orders, reverse=True), "the best must be on top"
    assert max(line.get_zorder() for line in others) < orders[-1] < orders[0]
    shade = colors.to_rgb(others[0].get_color())
    assert max(shade) - min(shade) < 0.1, "not grey"
    assert 0.5 < min(shade) < 0.9, "not pale"
    widest = max(line.get_linewidth() for line in others)
    assert widest < min(line.get_linewidth() for line in best)
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert [text.split(":")[0] for text in texts[1:]] == ["d", "g", "b", "e", "a", "2 others"]
    top = display.ax_.get_ylim()[1]
    assert 44 < top < 100, "the axis must fit the curves in colour, and not those in grey"
    assert "lower is better" in display.ax_.get_ylabel()
    one = curves(covariance_types=names, table=table, highlight=6).ax_.get_legend().get_texts()
    assert one[-1].get_text() == "1 other"
    points = curves(covariance_types=["a", "b"], n_components=[1], table=[[1, 2]], highlight=1)
    assert points.lines_[1].get_marker() == ".", "a line of one point is not seen"


def test_curves_take_the_number_of_families_in_colour_from_the_call() -> None:
    def entries(highlight: int) -> int:
        display = CriterionDisplay.from_selection(selection(), highlight=highlight)
        return len(display.ax_.get_legend().get_texts())

    n = len(selection().covariance_types)
    assert [entries(h) for h in (1, n - 1, n, n + 1)] == [3, n + 1, n + 1, n + 1]
    with pytest.raises(ValueError, match="highlight must be an integer, 1 or more; got 0"):
        CriterionDisplay.from_selection(selection(), highlight=0)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros((2, 3)), r"table must have shape \(3, 3\).*got \(2, 3\)"),
        (np.full((3, 3), np.nan), "table must have a finite number; got none"),
    ],
)
def test_curves_of_a_bad_table_say_what_is_expected(table: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        curves(table=table)


def test_curves_with_a_legend_that_is_no_flag_are_refused() -> None:
    with pytest.raises(TypeError, match=r"legend must be True or False; got 'no' \(str\)"):
        CriterionDisplay.from_selection(selection(), legend="no")


# Dendrogram


def heights(display: DendrogramDisplay) -> list[float]:
    """Return the heights of all merges drawn."""
    return sorted(path.vertices[1, 1] for links in display.links_ for path in links.get_paths())


def test_dendrogram_merges_where_scipy_does() -> None:
    Z = linkage(np.random.default_rng(0).normal(size=(30, 3)), "average")
    display = DendrogramDisplay(linkage=Z).plot()
    expected = dendrogram(Z, no_plot=True)
    np.testing.assert_allclose(heights(display), sorted(y for _, y, _, _ in expected["dcoord"]))
    names = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert names == expected["ivl"]
    feet = [path.vertices[[0, 3]] for links in display.links_ for path in links.get_paths()]
    on_the_ground = sorted(x for x, y in np.concatenate(feet) if y == 0)
    assert on_the_ground == list(range(30)), "every leaf must hang on one link"


def test_dendrogram_of_many_rows_shows_its_last_merges_and_what_came_before() -> None:
    display = DendrogramDisplay.from_tree(tree(), max_leaves=12)
    expected = dendrogram(tree().linkage, truncate_mode="lastp", p=12, no_plot=True)
    np.testing.assert_allclose(heights(display), sorted(y for _, y, _, _ in expected["dcoord"]))
    names = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert sorted(names) == sorted(expected["ivl"])
    assert "in brackets" in display.ax_.get_xlabel()


def test_dendrogram_clusters_are_those_of_the_cut() -> None:
    Z = tree().linkage
    display = DendrogramDisplay.from_tree(tree(), n_clusters=4, max_leaves=len(Z) + 1)
    labels = fcluster(Z, 4, "maxclust")
    *within, between = display.links_
    assert len(between.get_paths()) == 3
    order = [int(text.get_text()) for text in display.ax_.get_xticklabels()]
    for links in within:
        x = np.concatenate([path.vertices[:, 0] for path in links.get_paths()])
        members = np.arange(np.ceil(x.min()), np.floor(x.max()) + 1).astype(int)
        cluster = labels[order][members]
        assert len(set(cluster)) == 1
        assert len(members) == (labels == cluster[0]).sum()
        assert len(links.get_paths()) == len(members) - 1
    styles = {(colors.to_hex(links.get_color()[0]), str(links.get_linestyle())) for links in within}
    assert len(styles) == 4


def test_dendrogram_of_names_writes_them_below() -> None:
    Z = linkage([[0.0], [1.0], [10.0]])
    display = DendrogramDisplay.from_tree(SimpleNamespace(linkage=Z), names=["a", "b", "$c$"])
    texts = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert sorted(texts) == sorted(["a", "b", r"\$c\$"])


def test_dendrogram_of_a_hierarchical_tree_names_the_rows_that_are_leaves() -> None:
    tree = hierarchical([[5.0], [5.0], [0.0], [9.0]])
    assert tree.leaves.tolist() == [0, 2, 3]

    def drawn(**options: Any) -> list[str]:
        display = DendrogramDisplay.from_tree(tree, **options)
        return sorted(text.get_text() for text in display.ax_.get_xticklabels())

    assert drawn() == ["0", "2", "3"]
    assert drawn(names=np.array(["a", "b", "c", "d"])) == ["a", "c", "d"]
    with pytest.raises(ValueError, match="names must be 4 strings, one for each row; got 3"):
        drawn(names=["a", "c", "d"])


def test_dendrogram_of_falling_and_negative_heights_is_drawn_by_the_order_of_merges() -> None:
    Z = [[0, 1, 2.0, 2], [2, 3, 1.5, 2], [4, 5, -0.5, 4]]
    display = DendrogramDisplay(linkage=Z, n_clusters=2).plot()
    assert heights(display) == [-0.5, 1.5, 2.0]
    assert len(display.links_[-1].get_paths()) == 1


def test_dendrogram_of_a_chain_of_many_rows_is_drawn() -> None:
    n = 5_000
    Z = np.column_stack(
        [np.r_[0, n + np.arange(n - 2)], np.arange(1, n), np.arange(1.0, n), np.arange(2, n + 1)]
    )
    display = DendrogramDisplay(linkage=Z, max_leaves=300, n_clusters=3).plot()
    assert len(heights(display)) == 299


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"linkage": [[0, 1, 1.0]]}, r"linkage must be finite.*got shape \(1, 3\)"),
        ({"linkage": [[0, 1, np.nan, 2]]}, "linkage must be finite"),
        ({"linkage": [[0, 1, 1.0, 2], [1, 3, 1.0, 3]]}, "must merge each of 3 rows.*once"),
        ({"linkage": [[0, 3, 1.0, 2], [1, 2, 1.0, 3]]}, "after it was made"),
        ({"n_clusters": 4}, "n_clusters must be at most 3, the number of rows; got 4"),
        ({"n_clusters": 0}, "n_clusters must be an integer, 1 or more"),
        ({"max_leaves": 1}, "max_leaves must be an integer, 2 or more"),
        ({"names": ["a"]}, "names must be 3 strings, one for each row; got 1"),
    ],
)
def test_dendrogram_of_bad_arguments_says_what_is_expected(
    arguments: dict[str, Any], message: str
) -> None:
    good = {"linkage": [[0, 1, 1.0, 2], [2, 3, 2.0, 3]]}
    with pytest.raises(ValueError, match=message):
        DendrogramDisplay(**good | arguments)

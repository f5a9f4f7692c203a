"""What all pictures have in common: axes, names of columns, legibility, and errors."""

import re
import subprocess
import sys
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pictures import FAITHFUL, MODEL_DISPLAYS, PICTURES, faithful_fit, mixture

from mixtura import GaussianMixture, datasets, fit_gmm, plot, scan

pytest.importorskip("matplotlib")

from matplotlib import colors
from matplotlib import pyplot as plt

from mixtura.plot import HistogramDisplay, PairDisplay, ScatterDisplay
from mixtura.plot.style import component_style

IRIS = datasets.load_iris()
NEVER_HAVE_A_LEGEND = {
    "DendrogramDisplay",
    "SurfaceDisplay",
    *(name for name in PICTURES if "istory" in name),
}

pytestmark = pytest.mark.usefixtures("close_figures")


def painted(figure: Any, **options: Any) -> np.ndarray:
    """Return the picture as pixels (height, width, 4)."""
    file = BytesIO()
    figure.savefig(file, format="png", **options)
    return plt.imread(BytesIO(file.getvalue()), format="png")


def test_every_public_display_is_among_the_pictures_tested() -> None:
    assert {name for name in plot.__all__ if name.endswith("Display")} <= PICTURES.keys()


@pytest.mark.parametrize("name", PICTURES)
def test_picture_given_axes_is_drawn_there_and_makes_no_figure(name: str) -> None:
    axes = plot.new_axes(1, 2)
    display = PICTURES[name](ax=axes[0, 1])
    assert len(plt.get_fignums()) == 1
    assert display.ax_ is axes[0, 1]
    assert display.figure_ is axes[0, 1].figure


@pytest.mark.parametrize("name", PICTURES)
def test_picture_plotted_again_has_the_same_artists_on_new_axes(name: str) -> None:
    display = PICTURES[name]()
    first, n_artists = display.ax_, len(display.ax_.get_children())
    assert display.plot() is display
    assert display.ax_ is not first
    assert len(display.ax_.get_children()) == len(first.get_children()) == n_artists


@pytest.mark.parametrize("name", PICTURES)
def test_picture_when_saved_has_dark_marks_on_white_and_nothing_beyond_its_edge(name: str) -> None:
    figure = PICTURES[name]().figure_
    grey = painted(figure, dpi=50)[..., :3] @ [0.299, 0.587, 0.114]
    assert grey.min() < 0.3, "there must be something that can be read in grey"
    assert np.median(grey) > 0.9
    drawn, page = figure.get_tightbbox(), figure.bbox_inches
    assert drawn.x0 > -0.02
    assert drawn.y0 > -0.02
    assert drawn.x1 < page.width + 0.02
    assert drawn.y1 < page.height + 0.02


def test_looks_of_components_without_colour_are_all_different() -> None:
    looks = {(component_style(j).marker, str(component_style(j).line_style)) for j in range(45)}
    assert len(looks) == 45


def test_component_in_scatter_and_histogram_has_one_colour() -> None:
    scatter = ScatterDisplay.from_model(mixture())
    histogram = HistogramDisplay.from_model(mixture())
    for ellipses, line in zip(scatter.ellipses_, histogram.component_lines_, strict=True):
        assert colors.same_color(ellipses[0].get_edgecolor(), line.get_color())


@pytest.mark.parametrize("display", MODEL_DISPLAYS)
def test_names_on_axes_are_those_of_the_data_frame_unless_given(display: type[Any]) -> None:
    def labels(**options: Any) -> set[str]:
        drawn = display.from_fit(faithful_fit(), frame, **options)
        return {ax.get_xlabel() for ax in drawn.figure_.axes}

    frame = pd.DataFrame(FAITHFUL.data, columns=["eruptions", 2])
    assert "eruptions" in labels()
    assert "length" in labels(feature_names=["length", "wait"])
    numbered = display.from_fit(faithful_fit(), FAITHFUL.data)
    assert "feature 0" in {ax.get_xlabel() for ax in numbered.figure_.axes}


@pytest.mark.parametrize("display", MODEL_DISPLAYS)
def test_fit_of_a_frame_is_drawn_with_its_names_and_refuses_other_frames(
    display: type[Any],
) -> None:
    frame = pd.DataFrame(FAITHFUL.data, columns=["eruptions", "waiting"])
    fit = fit_gmm(frame, 3, covariance_type="tied", init=faithful_fit().model, max_iter=1, tol=0)
    for X in (None, FAITHFUL.data, frame):
        drawn = display.from_fit(fit, X)
        assert "eruptions" in {ax.get_xlabel() for ax in drawn.figure_.axes}
    with pytest.raises(ValueError, match="X must have the columns 'eruptions', 'waiting'"):
        display.from_fit(fit, frame[["waiting", "eruptions"]])


@pytest.mark.parametrize("display", MODEL_DISPLAYS)
@pytest.mark.parametrize("table", [pl.from_pandas, pa.Table.from_pandas])
def test_names_of_other_frames_are_drawn_too(display: type[Any], table: Any) -> None:
    frame = table(pd.DataFrame(FAITHFUL.data, columns=["eruptions", "waiting"]))
    drawn = display.from_fit(faithful_fit(), frame)
    assert "eruptions" in {ax.get_xlabel() for ax in drawn.figure_.axes}


@pytest.mark.parametrize("display", MODEL_DISPLAYS)
def test_picture_of_blocks_of_rows_is_that_of_all_rows(display: type[Any]) -> None:
    X, fit, weight = FAITHFUL.data, faithful_fit(), np.arange(len(FAITHFUL.data)) % 3
    whole = display.from_fit(fit, X, sample_weight=weight)
    blocks = display.from_fit(fit, scan([X[:100], X[100:]]), sample_weight=weight)
    np.testing.assert_array_equal(painted(blocks.figure_), painted(whole.figure_))


@pytest.mark.parametrize("display", MODEL_DISPLAYS)
def test_features_are_chosen_by_name_as_by_number(display: type[Any]) -> None:
    def drawn(columns: tuple[Any, ...], **options: Any) -> np.ndarray:
        chosen = {"feature": columns[0]} if display is HistogramDisplay else {"features": columns}
        return painted(display.from_fit(fit, rows, **chosen, **options).figure_, dpi=40)

    fit, rows = fit_gmm(IRIS.data, 2, rng=0, n_init=1), IRIS.data
    names = ["a", "b", "age", "income"]
    expected = drawn((2, 3), feature_names=names)
    np.testing.assert_array_equal(drawn(("age", "income"), feature_names=names), expected)
    np.testing.assert_array_equal(drawn((np.str_("age"), 3), feature_names=names), expected)
    rows = pd.DataFrame(rows, columns=names)
    np.testing.assert_array_equal(drawn(("age", "income")), expected)
    fit, rows = fit_gmm(rows, 2, init=fit.model, max_iter=1, tol=0), IRIS.data
    assert drawn(("age", "income")).shape == expected.shape


@pytest.mark.parametrize("display", MODEL_DISPLAYS)
@pytest.mark.parametrize(
    ("columns", "names", "error", "message"),
    [
        (("agee", "b"), ["age", "b"], ValueError,
         "a feature to draw must be one of 'age', 'b'; got 'agee'. Did you mean 'age'?"),
        (("a", "b"), None, ValueError, "must be one of 'feature 0', 'feature 1'; got 'a'"),
        ((0.5, 1), None, TypeError, "a feature to draw must be an integer, 0 or more; got 0.5"),
        ((7, 1), None, ValueError,
         "must be from 0 to 1; got 7. Pass the number or the name of a column of the mixture."),
    ],
)  # fmt: skip
def test_feature_that_is_not_there_is_named_with_those_that_are(
    display: type[Any],
    columns: tuple[Any, ...],
    names: list[str] | None,
    error: type[Exception],
    message: str,
) -> None:
    chosen = {"feature": columns[0]} if display is HistogramDisplay else {"features": columns}
    with pytest.raises(error, match=re.escape(message)):
        display.from_model(mixture(), feature_names=names, **chosen)


@pytest.mark.parametrize("display", [ScatterDisplay, PairDisplay, plot.DensityDisplay])
def test_single_name_for_several_features_is_not_taken_letter_by_letter(display: type[Any]) -> None:
    message = "features must be a tuple of numbers or names of columns; got 'ab'. Pass two or more"
    with pytest.raises(TypeError, match=message):
        display.from_model(mixture(), features="ab", feature_names=["a", "b"])
    with pytest.raises(TypeError, match=r"features must be a tuple of numbers or names.*; got 0"):
        display.from_model(mixture(), features=0)


def test_same_column_by_name_and_by_number_is_one() -> None:
    message = r"features must be two different columns; got \('a', 0\)"
    with pytest.raises(ValueError, match=message):
        ScatterDisplay.from_model(mixture(), features=("a", 0), feature_names=["a", "b"])


@pytest.mark.parametrize("name", sorted(PICTURES.keys() - NEVER_HAVE_A_LEGEND))
def test_picture_without_legend_has_none_also_when_drawn_again(name: str) -> None:
    assert PICTURES[name]().ax_.get_legend() is not None
    display = PICTURES[name](legend=False)
    for _ in range(2):
        assert all(ax.get_legend() is None for ax in display.figure_.axes)
        display.plot()


@pytest.mark.parametrize("display", [ScatterDisplay, PairDisplay, HistogramDisplay])
def test_names_of_components_are_in_the_legend_beside_their_numbers(display: type[Any]) -> None:
    drawn = display.from_model(mixture(), np.zeros((3, 2)), names=["US$", "other"])
    texts = [text.get_text() for text in drawn.ax_.get_legend().get_texts()]
    assert texts[-2:] == [r"0: US\$ (25%)", "1: other (75%)"]


def test_names_of_components_of_a_density_are_at_their_means() -> None:
    ax = plot.DensityDisplay.from_model(mixture(), names=("first", "second")).ax_
    assert [text.get_text() for text in ax.texts] == ["first", "second"]
    np.testing.assert_array_equal([text.xy for text in ax.texts], mixture().means)


@pytest.mark.parametrize("display", MODEL_DISPLAYS)
@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["a"], ValueError, "names must be 2 strings, one for each component; got 1. Name each"),
        ("ab", TypeError, "names must be 2 strings, one for each component; got 'ab'. Put it in"),
        (
            {0: "a", 1: "b"},
            TypeError,
            r"one for each component; got \{0: 'a', 1: 'b'\} \(dict\), which has",
        ),
        ({"a", "b"}, TypeError, r"one for each component; got .* \(set\), which has no order"),
        (
            [3, 4],
            TypeError,
            r"names must be 2 strings, .*; got 3 \(int\) for component 0. Pass strings",
        ),
    ],
)
def test_bad_names_of_components_are_refused(
    display: type[Any], names: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        display.from_model(mixture(), names=names)


@pytest.mark.parametrize("name", [name for name in PICTURES if name != "DendrogramDisplay"])
def test_common_limits_are_the_widest_of_all_pictures(name: str) -> None:
    one, other = PICTURES[name](), PICTURES[name]()
    one.ax_.set_xlim(-3, 1)
    for panel in other._panels():
        panel.set_ylim(-10, 50_000)
    plot.common_limits(one, other)
    for a, b in zip(one._panels(), other._panels(), strict=True):
        assert (a.get_xlim(), a.get_ylim()) == (b.get_xlim(), b.get_ylim())
        assert a.get_ylim()[1] == 50_000


def test_common_limits_of_pictures_with_other_panels_are_refused() -> None:
    message = r"displays must have the same number of panels; got \[1, 3\]. Draw the same features"
    with pytest.raises(ValueError, match=message):
        plot.common_limits(PICTURES["ScatterDisplay"](), PICTURES["PairDisplay"]())
    assert plot.common_limits() is None


@pytest.mark.parametrize(
    ("wrapped", "message"),
    [
        (lambda a, b: ([a, b],), r"got \[.* \(list\). Pass them one by one: common_limits"),
        (
            lambda a, b: (a, b.ax_),
            r"displays of mixtura.plot; got .*\(Axes\). Pass .*not their axes",
        ),
    ],
)
def test_common_limits_of_other_objects_say_what_to_pass(wrapped: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        plot.common_limits(*wrapped(PICTURES["ScatterDisplay"](), PICTURES["ScatterDisplay"]()))


def test_common_limits_of_a_display_that_was_not_drawn_are_refused() -> None:
    display = plot.HistoryDisplay(history=np.arange(3.0), stop_reason="converged")
    message = "displays must have been drawn; got a HistoryDisplay without axes. Call its plot()"
    with pytest.raises(ValueError, match=message):
        plot.common_limits(display)


@pytest.mark.parametrize("display", [HistogramDisplay, ScatterDisplay, PairDisplay])
def test_common_limits_of_other_columns_are_refused(display: type[Any]) -> None:
    several = display is not HistogramDisplay
    one = display.from_model(mixture(), **({} if several else {"feature": 0}))
    other = display.from_model(mixture(), **({"features": (1, 0)} if several else {"feature": 1}))
    before = one.ax_.get_xlim()
    with pytest.raises(ValueError, match=r"displays must show the same columns; got \['feature 0"):
        plot.common_limits(one, other)
    assert one.ax_.get_xlim() == before


def test_argument_that_a_display_lacks_names_the_function_called_and_those_it_has() -> None:
    expected = (
        "HistogramDisplay.from_fit has no argument 'features'. It takes fit, X, sample_weight, "
        "feature, feature_names, names, legend, ax."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(expected)}$"):
        HistogramDisplay.from_fit(faithful_fit(), features="eruptions")
    with pytest.raises(TypeError, match=r"HistogramDisplay\.from_fit has no argument 'model'"):
        HistogramDisplay.from_fit(faithful_fit(), model=mixture())


def test_long_name_with_dollars_is_drawn_on_two_lines_as_it_stands() -> None:
    names = ["cost in US$ and C$ " * 8, "b"]
    label = ScatterDisplay.from_model(mixture(), feature_names=names).ax_.xaxis.label
    assert label.get_text().count("\n") == 1
    assert label.get_text().endswith("…")
    assert label.get_text().count("$") == label.get_text().count(r"\$") > 0


@pytest.mark.parametrize("display", [ScatterDisplay, HistogramDisplay, plot.DensityDisplay])
def test_twenty_components_are_numbered_and_have_no_list_of_names(display: type[Any]) -> None:
    means = np.random.default_rng(0).normal(size=(20, 2)) * 10
    model = GaussianMixture(np.full(20, 0.05), means, np.ones(20), "spherical")
    ax = display.from_model(model, means).ax_
    assert [text.get_text() for text in ax.texts] == [str(j) for j in range(20)]
    legend = ax.get_legend()
    assert legend is None or not any("component" in text.get_text() for text in legend.get_texts())


def test_many_rows_in_a_vector_format_are_thinned_and_embedded_as_a_picture() -> None:
    X, _ = mixture().sample(100_000, rng=0)
    display = ScatterDisplay.from_model(mixture(), X)
    assert len(display.points) == 5_000
    assert "5,000 of 100,000 rows" in display.ax_.get_legend().get_title().get_text()
    assert all(points.get_rasterized() for points in display.points_)
    file = BytesIO()
    display.figure_.savefig(file, format="svg")
    assert b"<image" in file.getvalue()
    assert len(file.getvalue()) < 400_000


@pytest.mark.parametrize("name", PICTURES)
def test_picture_on_an_array_of_axes_says_to_pass_one(name: str) -> None:
    with pytest.raises(TypeError, match=r"ax must be one matplotlib Axes.*ndarray.*axes\[0, 0\]"):
        PICTURES[name](ax=plot.new_axes(1, 2))


@pytest.mark.parametrize("name", sorted(set(PICTURES) - {"SurfaceDisplay"}))
def test_flat_picture_on_axes_in_three_dimensions_says_how_to_make_others(name: str) -> None:
    axes = plt.figure().add_subplot(projection="3d")
    with pytest.raises(ValueError, match=r"ax must have two dimensions.*with plt.subplots\(\)"):
        PICTURES[name](ax=axes)
    assert not axes.collections


@pytest.mark.parametrize("display", [ScatterDisplay, PairDisplay, plot.DensityDisplay])
def test_picture_of_two_features_for_a_mixture_of_one_names_the_histogram(
    display: type[Any],
) -> None:
    model = GaussianMixture([1.0], [[0.0]], [[1.0]], "diag")
    with pytest.raises(ValueError, match=r"two.*feature.*For one column draw a HistogramDisplay"):
        display.from_model(model)


@pytest.mark.parametrize("display", MODEL_DISPLAYS)
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"feature_names": ["a"]}, ValueError, "feature_names must be 2 strings.*got 1"),
        ({"feature_names": "ab"}, TypeError, "feature_names must be 2 strings.*got 'ab'"),
        (
            {"feature_names": {"a": 1, "b": 2}},
            TypeError,
            r"one for each feature; got .*\(dict\), which has",
        ),
        ({"legend": "no"}, TypeError, r"legend must be True or False; got 'no' \(str\). Pass one"),
        ({"sample_weight": [1.0]}, ValueError, r"sample_weight must have shape \(3,\)"),
    ],
)
def test_picture_with_bad_options_says_what_is_expected(
    display: type[Any], options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        display.from_model(mixture(), np.zeros((3, 2)), **options)


@pytest.mark.parametrize("display", MODEL_DISPLAYS)
def test_picture_of_data_with_another_number_of_columns_raises(display: type[Any]) -> None:
    frame = pd.DataFrame(np.zeros((3, 4)), columns=list("abcd"))
    with pytest.raises(ValueError, match="X must have 2 columns"):
        display.from_model(mixture(), frame)


@pytest.mark.parametrize("name", PICTURES)
def test_picture_without_matplotlib_names_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'mixtura\[plot\]'"):
        PICTURES[name]()


def test_package_when_imported_leaves_matplotlib_alone() -> None:
    code = "import sys, mixtura.plot; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "asked", "known"),
    [
        (
            "ScatterDisplay",
            "from_estimator",
            "ScatterDisplay.from_fit or ScatterDisplay.from_model",
        ),
        ("HistoryDisplay", "from_model", "HistoryDisplay.from_fit"),
        ("CriterionDisplay", "from_fit", "CriterionDisplay.from_selection"),
        ("DendrogramDisplay", "from_fit", "DendrogramDisplay.from_tree"),
    ],
)
def test_constructor_that_a_display_lacks_is_an_error_that_names_those_it_has(
    name: str, asked: str, known: str
) -> None:
    display = getattr(plot, name)
    expected = f"type object '{name}' has no attribute '{asked}'; use {known}"
    with pytest.raises(AttributeError, match=f"^{re.escape(expected)}$"):
        getattr(display, asked)
    with pytest.raises(AttributeError, match=f"^type object '{name}' has no attribute 'draw'$"):
        _ = display.draw


def test_object_without_a_table_or_a_linkage_is_an_error_that_names_what_to_pass() -> None:
    model = mixture()
    with pytest.raises(TypeError) as caught:
        plot.CriterionDisplay.from_selection(model)
    assert str(caught.value).startswith(
        "selection must have the attributes n_components, covariance_types, table, criterion; got "
        "GaussianMixture("
    )
    assert str(caught.value).endswith(
        " without covariance_types, table, criterion. Pass the result of select_gmm."
    )
    with pytest.raises(TypeError, match="tree must have an attribute linkage; got Gaussian"):
        plot.DendrogramDisplay.from_tree(model)

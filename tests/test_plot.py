"""The pictures show the numbers: artists are measured, not only counted."""

import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from scipy.stats import chi2

from mixtura import GaussianMixture, GMMFit, datasets, fit_gmm

pytest.importorskip("matplotlib")

from matplotlib import colors
from matplotlib import pyplot as plt

from mixtura.plot import HistogramDisplay, HistoryDisplay, ScatterDisplay, new_axes

FAITHFUL = datasets.load_faithful()
CRABS = datasets.load_naples_crabs()
COVERAGE = (0.5, 0.95)
MIXTURES = {
    "full": [[[2.0, 0.9], [0.9, 1.0]], [[0.5, -0.6], [-0.6, 2.5]]],
    "tied": [[2.0, 0.9], [0.9, 1.0]],
    "diag": [[2.0, 1.0], [0.5, 2.5]],
    "spherical": [2.0, 0.5],
}


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def faithful_fit() -> GMMFit:
    return fit_gmm(FAITHFUL.data, 3, covariance_type="tied", rng=0)


def mixture(covariance_type: str = "full") -> GaussianMixture:
    return GaussianMixture(
        [0.25, 0.75], [[0.0, 1.0], [4.0, -2.0]], MIXTURES[covariance_type], covariance_type
    )


def area_below(line: object) -> float:
    return float(np.trapezoid(line.get_ydata(), line.get_xdata()))


# Scatter


@pytest.mark.parametrize("covariance_type", MIXTURES)
def test_ellipses_of_each_covariance_type_have_half_axes_of_the_eigenvalues(
    covariance_type: str,
) -> None:
    model = mixture(covariance_type)
    display = ScatterDisplay.from_model(model, coverage=COVERAGE)
    assert len(display.ellipses_) == 2
    for j, covariance in enumerate(model.covariance_matrices()):
        assert len(display.ellipses_[j]) == len(COVERAGE)
        for ellipse, share in zip(display.ellipses_[j], COVERAGE, strict=True):
            half_axes = np.sort([ellipse.width / 2, ellipse.height / 2])
            expected = np.sqrt(np.linalg.eigvalsh(covariance) * chi2.ppf(share, df=2))
            np.testing.assert_allclose(half_axes, expected, rtol=1e-12)
            assert ellipse.center == pytest.approx(model.means[j])


def test_ellipses_drawn_on_axes_hold_the_stated_share_of_their_component() -> None:
    model = mixture()
    display = ScatterDisplay.from_model(model, coverage=COVERAGE)
    rng = np.random.default_rng(0)
    for j, covariance in enumerate(model.covariances):
        rows = rng.multivariate_normal(model.means[j], covariance, size=20_000)
        for ellipse, share in zip(display.ellipses_[j], COVERAGE, strict=True):
            path = ellipse.get_path().transformed(ellipse.get_patch_transform())
            inside = path.contains_points(rows).mean()
            assert inside == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 20_000))


def test_points_of_a_fit_are_drawn_once_each_in_the_style_of_their_component(
    faithful_fit: GMMFit,
) -> None:
    display = ScatterDisplay.from_fit(faithful_fit, FAITHFUL.data)
    labels = faithful_fit.model.predict(FAITHFUL.data)
    for j, points in enumerate(display.points_):
        np.testing.assert_array_equal(points.get_offsets(), FAITHFUL.data[labels == j])
        assert colors.same_color(
            points.get_facecolor()[0, :3], display.ellipses_[j][0].get_edgecolor()[:3]
        )
    looks = {tuple(points.get_paths()[0].vertices.ravel()) for points in display.points_}
    assert len(looks) == 3, "components must have different markers, to be told apart in grey"


def test_scatter_of_two_chosen_features_shows_their_marginal_and_names() -> None:
    iris = datasets.load_iris()
    fit = fit_gmm(iris.data, 2, rng=0)
    display = ScatterDisplay.from_fit(
        fit, iris.data, features=(3, 1), feature_names=iris.feature_names
    )
    assert display.ax_.get_xlabel() == "petal width (cm)"
    assert display.ax_.get_ylabel() == "sepal width (cm)"
    np.testing.assert_array_equal(display.means, fit.model.means[:, [3, 1]])
    np.testing.assert_array_equal(
        display.covariances[1], fit.model.covariances[1][np.ix_([3, 1], [3, 1])]
    )
    drawn = np.concatenate([points.get_offsets() for points in display.points_])
    np.testing.assert_array_equal(np.sort(drawn[:, 0]), np.sort(iris.data[:, 3]))


def test_scatter_with_weights_draws_areas_in_proportion_and_no_row_of_weight_zero() -> None:
    X = np.array([[0.0, 1.0], [0.5, 1.0], [-0.5, 0.5]])
    display = ScatterDisplay.from_model(mixture(), X, sample_weight=[1.0, 0.0, 3.0])
    points = display.points_[0]
    np.testing.assert_array_equal(points.get_offsets(), X[[0, 2]])
    first, last = points.get_sizes()
    assert last / first == pytest.approx(3)


def test_scatter_of_many_rows_draws_the_same_sample_of_them_each_time() -> None:
    X, _ = mixture().sample(500, rng=0)
    drawn = [ScatterDisplay.from_model(mixture(), X, max_points=100).points for _ in range(2)]
    assert drawn[0].shape == (100, 2)
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert {tuple(row) for row in drawn[0]} <= {tuple(row) for row in X}


def test_scatter_without_data_draws_the_components_alone() -> None:
    display = ScatterDisplay.from_model(mixture())
    assert sum(len(points.get_offsets()) for points in display.points_) == 0
    assert [text.get_text() for text in display.ax_.texts] == ["0", "1"]
    left, right = display.ax_.get_xlim()
    assert left < -np.sqrt(2 * chi2.ppf(0.95, df=2)), "the widest ellipse must be in the picture"
    assert right > 4


def test_scatter_legend_names_components_with_their_shares(faithful_fit: GMMFit) -> None:
    legend = ScatterDisplay.from_fit(faithful_fit, FAITHFUL.data).ax_.get_legend()
    assert legend is not None
    assert legend.get_title().get_text() == "ellipses hold 50% and 95%"
    shares = [f"({weight:.0%})" for weight in faithful_fit.model.weights]
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == [f"component {j} {share}" for j, share in enumerate(shares)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": (0, 0)}, r"features must be two different columns; got \(0, 0\)"),
        ({"features": (0, 1, 1)}, "features must be two different columns"),
        ({"features": (0, 2)}, "a feature to draw must be from 0 to 1; got 2"),
        ({"features": (-1, 0)}, "a feature to draw must be from 0 to 1; got -1"),
        ({"coverage": (0.5, 1.0)}, r"coverage must lie between 0 and 1.*got \(0.5, 1.0\)"),
        ({"feature_names": ("a",)}, "feature_names must be 2 strings.*got 1"),
        ({"sample_weight": [1.0, 2.0]}, r"sample_weight must have shape \(3,\)"),
    ],
)
def test_scatter_with_bad_options_says_what_is_expected(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ScatterDisplay.from_model(mixture(), np.zeros((3, 2)), **options)


def test_scatter_of_data_with_another_number_of_columns_raises() -> None:
    with pytest.raises(ValueError, match="X must have 2 columns"):
        ScatterDisplay.from_model(mixture(), np.zeros((3, 4)))


# Histogram


def test_densities_of_a_weighted_fit_integrate_to_one_and_to_the_weights() -> None:
    fit = fit_gmm(CRABS.data, 2, sample_weight=CRABS.sample_weight, rng=0)
    display = HistogramDisplay.from_fit(fit, CRABS.data, sample_weight=CRABS.sample_weight)
    assert area_below(display.mixture_line_) == pytest.approx(1, abs=1e-5)
    for line, weight in zip(display.component_lines_, fit.model.weights, strict=True):
        assert area_below(line) == pytest.approx(weight, abs=1e-5)
    np.testing.assert_allclose(
        display.mixture_line_.get_ydata(),
        np.exp(fit.model.log_prob(display.grid[:, None])),
        rtol=1e-10,
    )


def test_histogram_of_grouped_data_has_a_bar_for_each_group_as_high_as_its_count() -> None:
    model = GaussianMixture([1.0], [[0.65]], [0.02**2], "spherical")
    display = HistogramDisplay.from_model(model, CRABS.data, sample_weight=CRABS.sample_weight)
    assert CRABS.sample_weight is not None
    middles = [bar.get_x() + bar.get_width() / 2 for bar in display.bars_]
    np.testing.assert_allclose(middles, CRABS.data[:, 0], rtol=1e-9)
    heights = [bar.get_height() for bar in display.bars_]
    np.testing.assert_allclose(heights, CRABS.sample_weight / (1000 * 0.004), rtol=1e-9)


def test_histogram_of_weighted_rows_is_that_of_repeated_rows() -> None:
    rng = np.random.default_rng(3)
    X, counts = rng.normal(size=(40, 1)), rng.integers(0, 5, size=40)
    model = GaussianMixture([1.0], [[0.0]], [1.0], "spherical")
    weighted = HistogramDisplay.from_model(model, X, sample_weight=counts)
    repeated = HistogramDisplay.from_model(model, np.repeat(X, counts, axis=0))
    np.testing.assert_array_equal(weighted.edges, repeated.edges)
    np.testing.assert_allclose(weighted.heights, repeated.heights, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_histogram_of_rounded_data_has_as_many_steps_in_every_bin(dtype: type) -> None:
    X = np.random.default_rng(1).normal(50, 12, size=(5000, 1)).round().astype(dtype)
    model = GaussianMixture([1.0], [[50.0]], [144.0], "spherical")
    edges = HistogramDisplay.from_model(model, X).edges
    steps = np.histogram(np.arange(edges[0] + 0.5, edges[-1]), edges)[0]
    assert len(set(steps)) == 1
    np.testing.assert_allclose(edges % 1, 0.5)


@pytest.mark.parametrize(
    "values",
    [
        [3.0],
        [0.0, 0.0, 0.0],
        [0.0, 1e12, 1.0, 2.0, 2.5],
        [5.0] * 50 + [6.0],
        [0.0, 1e-300] * 100 + [0.001] * 100 + [29.0],
        np.random.default_rng(0).normal(1e8, 1, size=1000),
        np.random.default_rng(0).standard_cauchy(size=1000),
    ],
    ids=["one row", "equal rows", "outlier", "mostly ties", "rounding", "offset", "heavy tails"],
)
def test_histogram_of_awkward_data_counts_every_row(values: object) -> None:
    X = np.reshape(values, (-1, 1))
    model = GaussianMixture([1.0], [[0.0]], [1.0], "spherical")
    display = HistogramDisplay.from_model(model, X)
    counts = display.heights * np.diff(display.edges) * len(X)
    assert np.histogram(X, display.edges)[0].sum() == len(X)
    np.testing.assert_allclose(counts.sum(), len(X), rtol=1e-12)
    assert len(counts) <= 300


@pytest.mark.parametrize("covariance_type", MIXTURES)
def test_histogram_of_one_feature_of_two_shows_the_marginal_density(covariance_type: str) -> None:
    model = mixture(covariance_type)
    display = HistogramDisplay.from_model(model, feature=1, feature_names=["length", "width (mm)"])
    variances = model.covariance_matrices()[:, 1, 1]
    marginal = GaussianMixture(model.weights, model.means[:, 1:], variances, "spherical")
    np.testing.assert_allclose(
        display.mixture_line_.get_ydata(), np.exp(marginal.log_prob(display.grid[:, None]))
    )
    assert display.ax_.get_xlabel() == "width (mm)"
    assert len(display.bars_) == 0


def test_density_of_a_narrow_component_is_drawn_to_its_peak() -> None:
    model = GaussianMixture([0.5, 0.5], [[0.0], [3.0]], [1.0, 1e-10], "spherical")
    display = HistogramDisplay.from_model(model)
    peak = 0.5 / np.sqrt(2 * np.pi * 1e-10)
    assert display.component_lines_[1].get_ydata().max() == pytest.approx(peak)
    assert area_below(display.mixture_line_) == pytest.approx(1, abs=1e-5)


def test_component_in_scatter_and_histogram_has_one_colour() -> None:
    scatter, histogram = (
        ScatterDisplay.from_model(mixture()),
        HistogramDisplay.from_model(mixture()),
    )
    for ellipses, line in zip(scatter.ellipses_, histogram.component_lines_, strict=True):
        assert colors.same_color(ellipses[0].get_edgecolor(), line.get_color())


def test_component_lines_in_grey_differ_in_their_dashes() -> None:
    display = HistogramDisplay.from_model(mixture())
    assert len({line.get_linestyle() for line in display.component_lines_}) == 2


def test_histogram_of_a_missing_feature_raises() -> None:
    with pytest.raises(ValueError, match="a feature to draw must be from 0 to 1; got 5"):
        HistogramDisplay.from_model(mixture(), feature=5)


# History


def test_history_of_a_fit_is_drawn_value_by_value(faithful_fit: GMMFit) -> None:
    display = HistoryDisplay.from_fit(faithful_fit)
    np.testing.assert_array_equal(display.line_.get_ydata(), faithful_fit.history)
    assert display.line_.get_xdata().tolist() == list(range(1, faithful_fit.n_iter + 1))
    assert display.ax_.get_xlabel() == "iteration"
    assert display.ax_.get_ylabel() == "log-likelihood per unit of weight (nats)"
    assert [text.get_text() for text in display.ax_.texts] == [
        f"{faithful_fit.n_iter} iterations: converged"
    ]


@pytest.mark.parametrize(("n_iter", "scale"), [(1, "linear"), (50, "linear"), (51, "log")])
def test_history_of_many_iterations_has_a_logarithmic_axis(n_iter: int, scale: str) -> None:
    display = HistoryDisplay(history=-1 / np.arange(1.0, n_iter + 1), stop_reason="max_iter")
    assert display.plot().ax_.get_xscale() == scale


# All displays


def test_displays_given_axes_draw_there_and_make_no_figure(faithful_fit: GMMFit) -> None:
    axes = new_axes(1, 3)
    displays = [
        ScatterDisplay.from_fit(faithful_fit, FAITHFUL.data, ax=axes[0, 0]),
        HistogramDisplay.from_fit(faithful_fit, FAITHFUL.data, ax=axes[0, 1]),
        HistoryDisplay.from_fit(faithful_fit, ax=axes[0, 2]),
    ]
    assert len(plt.get_fignums()) == 1
    for display, ax in zip(displays, axes[0], strict=True):
        assert display.ax_ is ax
        assert display.figure_ is ax.figure


def test_display_plotted_again_draws_the_same_numbers_on_new_axes(faithful_fit: GMMFit) -> None:
    display = ScatterDisplay.from_fit(faithful_fit, FAITHFUL.data)
    first = display.ax_
    assert display.plot() is display
    assert display.ax_ is not first
    assert len(display.ax_.patches) == len(first.patches) == 6


@pytest.mark.parametrize("display", [ScatterDisplay, HistogramDisplay])
def test_picture_of_twenty_components_is_rendered_without_a_legend(
    display: type[ScatterDisplay] | type[HistogramDisplay],
) -> None:
    means = np.random.default_rng(0).normal(size=(20, 2)) * 10
    model = GaussianMixture(np.full(20, 0.05), means, np.ones(20), "spherical")
    drawn = display.from_model(model, means)
    assert drawn.ax_.get_legend() is None
    file = BytesIO()
    drawn.figure_.savefig(file, format="png")
    picture = plt.imread(BytesIO(file.getvalue()), format="png")
    assert len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 100


def test_plot_without_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'mixtura\[plot\]'"):
        ScatterDisplay.from_model(mixture())


def test_plot_module_when_imported_leaves_matplotlib_alone() -> None:
    code = "import sys, mixtura.plot; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)

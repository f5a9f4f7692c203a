"""Scatters, pairs and contours of two features: every mark is in its place."""

import re
from typing import Any

import numpy as np
import pytest
from pictures import FAITHFUL, faithful_fit, family_fit, mixture
from scipy.stats import chi2, multivariate_normal

from mixtura import GaussianMixture, datasets, fit_gmm, fit_kmeans
from mixtura.covariance import FAMILIES, ONE_COLUMN

pytest.importorskip("matplotlib")

from matplotlib import colors
from matplotlib import pyplot as plt

from mixtura.plot import MAX_FEATURES, DensityDisplay, PairDisplay, ScatterDisplay, rows, scatter
from mixtura.plot.style import component_style, mixed

pytestmark = pytest.mark.usefixtures("close_figures")

COVERAGE = (0.5, 0.95)
IRIS = datasets.load_iris()


def outline(patch: Any) -> np.ndarray:
    """Return the ends of the curves that an ellipse is made of."""
    return patch.get_path().vertices[:25:3]


def squared_distances(points: np.ndarray, mean: Any, covariance: Any) -> np.ndarray:
    from_mean = points - np.asarray(mean)
    return np.einsum("ia,ab,ib->i", from_mean, np.linalg.inv(covariance), from_mean)


# Scatter

each_family = pytest.mark.parametrize("covariance_type", sorted(set(FAMILIES) - set(ONE_COLUMN)))


@each_family
def test_ellipses_of_each_family_have_the_mahalanobis_distance_of_their_share(
    covariance_type: str,
) -> None:
    model = family_fit(covariance_type).model
    display = ScatterDisplay.from_model(model, coverage=COVERAGE)
    for j, covariance in enumerate(model.covariance_matrices()):
        for ellipse, share in zip(display.ellipses_[j], COVERAGE, strict=True):
            np.testing.assert_allclose(
                squared_distances(outline(ellipse), model.means[j], covariance),
                chi2.ppf(share, df=2),
                rtol=1e-9,
            )


def test_ellipse_of_features_in_far_apart_units_is_exact_too() -> None:
    scale = np.array([1e-9, 1e12])
    covariance = np.array([[2.0, 0.9], [0.9, 1.0]]) * np.outer(scale, scale)
    model = GaussianMixture([1.0], [[0.0, 0.0]], covariance[None])
    ellipse = ScatterDisplay.from_model(model).ellipses_[0][1]
    distances = squared_distances(outline(ellipse) / scale, [0.0, 0.0], [[2.0, 0.9], [0.9, 1.0]])
    np.testing.assert_allclose(distances, chi2.ppf(0.95, df=2), rtol=1e-9)


def test_ellipses_drawn_on_axes_hold_the_stated_share_of_their_component() -> None:
    model = mixture()
    display = ScatterDisplay.from_model(model, coverage=COVERAGE)
    rng = np.random.default_rng(0)
    for j, covariance in enumerate(model.covariances):
        rows = rng.multivariate_normal(model.means[j], covariance, size=20_000)
        for ellipse, share in zip(display.ellipses_[j], COVERAGE, strict=True):
            inside = ellipse.get_path().contains_points(rows).mean()
            assert inside == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 20_000))


def test_points_of_a_fit_are_drawn_once_each_in_the_style_of_their_component() -> None:
    display = ScatterDisplay.from_fit(faithful_fit(), FAITHFUL.data)
    labels = faithful_fit().model.predict(FAITHFUL.data)
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
    X = X[X[:, 0].argsort()]
    drawn = [ScatterDisplay.from_model(mixture(), X, max_points=100).points for _ in range(2)]
    assert drawn[0].shape == (100, 2)
    np.testing.assert_array_equal(drawn[0], drawn[1])
    kept = np.searchsorted(X[:, 0], drawn[0][:, 0])
    np.testing.assert_array_equal(X[kept], drawn[0])
    assert len(set(kept)) == 100
    assert kept.mean() == pytest.approx(250, abs=60), "of a sorted file, not the head"


def test_scatter_without_data_draws_the_components_alone() -> None:
    display = ScatterDisplay.from_model(mixture())
    assert sum(len(points.get_offsets()) for points in display.points_) == 0
    assert [text.get_text() for text in display.ax_.texts] == ["0", "1"]
    left, right = display.ax_.get_xlim()
    assert left < -np.sqrt(2 * chi2.ppf(0.95, df=2)), "the widest ellipse must be in the picture"
    assert right > 4


def test_scatter_legend_names_components_with_their_shares() -> None:
    legend = ScatterDisplay.from_fit(faithful_fit(), FAITHFUL.data).ax_.get_legend()
    assert legend is not None
    assert legend.get_title().get_text() == "ellipses hold 50% and 95%"
    shares = [f"({weight:.0%})" for weight in faithful_fit().model.weights]
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == [f"component {j} {share}" for j, share in enumerate(shares)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": (0, 0)}, r"features must be two different columns; got \(0, 0\)"),
        ({"features": (0, 1, 1)}, "features must be two different columns"),
        ({"features": (0, 2)}, "a feature to draw must be from 0 to 1; got 2"),
        ({"features": (-1, 0)}, "a feature to draw must be an integer, 0 or more"),
        ({"coverage": (0.5, 1.0)}, r"coverage must lie between 0 and 1.*got \(0.5, 1.0\)"),
        ({"show": "certainty"}, "show must be one of 'classification', 'uncertainty', 'resp"),
        ({"max_points": 0}, "max_points must be an integer, 1 or more; got 0"),
    ],
)
def test_scatter_with_bad_options_says_what_is_expected(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ScatterDisplay.from_model(mixture(), np.zeros((3, 2)), **options)


@pytest.mark.parametrize("display", [ScatterDisplay, PairDisplay, DensityDisplay])
@pytest.mark.parametrize("shares", [0.95, "0.5", ("0.5",), True])
def test_shares_that_are_no_sequence_of_numbers_are_refused(
    display: type[Any], shares: Any
) -> None:
    name = "shares" if display is DensityDisplay else "coverage"
    message = rf"^{name} must be numbers between 0 and 1, .*; got {re.escape(repr(shares))} "
    with pytest.raises(TypeError, match=f"{message}.*Pass a tuple, such as "):
        display.from_model(mixture(), **{name: shares})


def test_uncertain_rows_are_larger_darker_and_on_top() -> None:
    display = ScatterDisplay.from_fit(faithful_fit(), FAITHFUL.data, show="uncertainty")
    resp = faithful_fit().model.responsibilities(FAITHFUL.data)
    for j, points in enumerate(display.points_):
        mine = np.sort(1 - resp.max(axis=1)[resp.argmax(axis=1) == j])
        sizes, grey = points.get_sizes(), points.get_facecolor()[:, :3] @ [0.299, 0.587, 0.114]
        different = np.diff(mine) > 1e-6
        assert different.sum() > 5
        assert (np.diff(sizes)[different] > 0).all()
        assert (np.diff(grey)[different] < 0).all()
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["0", "0.33", "0.67"], "of three components, 2/3 is the most there can be"


def test_colours_of_rows_are_mixed_by_the_responsibilities_of_the_components() -> None:
    display = ScatterDisplay.from_fit(faithful_fit(), FAITHFUL.data, show="responsibilities")
    resp = faithful_fit().model.responsibilities(FAITHFUL.data)
    own = np.array([colors.to_rgb(component_style(j).colour) for j in range(3)])
    certain = resp.max(axis=1) > 1 - 1e-9
    assert certain.sum() > 50
    np.testing.assert_allclose(
        display.row_colours[certain], own[resp[certain].argmax(axis=1)], atol=1e-6
    )
    # Between components 0 and 2, a row has more of the colour of the one it belongs to more.
    pair = np.flatnonzero(resp[:, 1] < 1e-6)
    pair = pair[np.argsort(resp[pair, 0])]
    along = (display.row_colours[pair] - own[2]) @ (own[0] - own[2])
    assert (np.diff(along)[np.diff(resp[pair, 0]) > 1e-6] > 0).all()
    for j, points in enumerate(display.points_):
        mine = np.flatnonzero(resp.argmax(axis=1) == j)
        mine = mine[np.argsort(1 - resp[mine].max(axis=1))]
        np.testing.assert_allclose(points.get_facecolor()[:, :3], display.row_colours[mine])
        np.testing.assert_array_equal(points.get_offsets(), FAITHFUL.data[mine])
    legend = display.ax_.get_legend()
    assert legend.get_title().get_text().endswith("colours mixed by responsibility")
    assert len(legend.get_texts()) == 3


def test_mix_of_all_of_one_component_is_its_colour_and_of_two_lies_between_in_lightness() -> None:
    own = np.array([colors.to_rgb(component_style(j).colour) for j in range(10)])
    np.testing.assert_allclose(mixed(np.eye(10)), own, atol=1e-6)
    grey = mixed(np.array([[1.0, 0.0], [0.75, 0.25], [0.5, 0.5], [0.0, 1.0]])) @ [0.3, 0.59, 0.11]
    assert (np.diff(grey) > 0.05).all()
    anything = mixed(np.random.default_rng(0).dirichlet(np.full(8, 0.3), size=1000))
    assert anything.min() >= 0
    assert anything.max() <= 1


def test_colours_of_many_rows_are_mixed_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> np.ndarray:
        display = ScatterDisplay.from_fit(faithful_fit(), FAITHFUL.data, show="responsibilities")
        return display.row_colours

    whole = drawn()
    monkeypatch.setattr(rows, "ELEMENTS_AT_ONCE", 30)
    np.testing.assert_array_equal(drawn(), whole)


def test_other_scatters_mix_no_colours() -> None:
    assert ScatterDisplay.from_fit(faithful_fit(), FAITHFUL.data).row_colours is None


# Regions


def filled(display: ScatterDisplay) -> list[Any]:
    """Return the coloured regions, in the order in which they were drawn."""
    return [each for each in display.ax_.collections if getattr(each, "filled", False)]


def on_boundaries(display: ScatterDisplay) -> np.ndarray:
    """Return the points of all boundaries."""
    paths = [path for each in display.boundaries_ for path in each.get_paths()]
    return np.concatenate([path.vertices for path in paths])


@pytest.mark.parametrize("covariance_type", ["tied", "full", "EII", "VVI"])
def test_two_largest_responsibilities_are_equal_on_boundaries(covariance_type: str) -> None:
    fit = family_fit(covariance_type)
    display = ScatterDisplay.from_fit(fit, FAITHFUL.data, regions=True)
    least, low, high = np.sort(fit.responsibilities(on_boundaries(display)), axis=1).T[-3:]
    np.testing.assert_allclose(low, high, atol=0.03)
    assert len(display.boundaries_) == 3
    assert least.max() <= 0.34


@pytest.mark.parametrize("covariance_type", ["tied", "full"])
def test_point_of_the_plane_has_the_colour_of_its_most_probable_component(
    covariance_type: str,
) -> None:
    fit = family_fit(covariance_type)
    display = ScatterDisplay.from_fit(fit, FAITHFUL.data, regions=True)
    ends = [display.ax_.get_xlim(), display.ax_.get_ylim()]
    at = np.random.default_rng(0).uniform(*np.transpose(ends), size=(2000, 2))
    labels, areas = fit.predict(at), filled(display)
    assert len(areas) == 3
    for j, area in enumerate(areas):
        assert colors.same_color(area.get_facecolor()[0, :3], component_style(j).colour)
        inside = np.logical_or.reduce([path.contains_points(at) for path in area.get_paths()])
        assert (inside == (labels == j)).mean() > 0.995


def test_boundaries_of_a_common_covariance_are_straight_and_of_others_curved() -> None:
    def bend(covariance_type: str) -> float:
        """Return the least singular value of a boundary, relative to the largest."""
        model = GaussianMixture(
            [0.4, 0.6], [[0.0, 0.0], [3.0, 1.0]],
            [[2.0, 0.5], [0.5, 1.0]] if covariance_type == "tied" else
            [[[2.0, 0.5], [0.5, 1.0]], [[1.0, 0.0], [0.0, 3.0]]], covariance_type,
        )  # fmt: skip
        points = on_boundaries(ScatterDisplay.from_model(model, regions=True))
        sizes = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
        return float(sizes[1] / sizes[0])

    assert bend("tied") < 1e-9
    assert bend("full") > 0.05


def test_regions_of_two_of_more_features_are_those_of_the_marginal_mixture() -> None:
    fit = fit_gmm(IRIS.data, 3, rng=0, n_init=2)
    display = ScatterDisplay.from_fit(fit, IRIS.data, features=(2, 0), regions=True)
    alone = GaussianMixture(
        fit.weights, fit.means[:, [2, 0]], fit.covariances[:, [2, 0]][:, :, [2, 0]]
    )
    _, low, high = np.sort(alone.responsibilities(on_boundaries(display)), axis=1).T
    np.testing.assert_allclose(low, high, atol=0.03)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e12])
def test_regions_of_clusters_are_those_of_the_nearest_center(unit: float) -> None:
    fit = fit_kmeans(FAITHFUL.data * unit, 3, rng=0)
    display = ScatterDisplay.from_fit(fit, regions=True)
    points = on_boundaries(display)
    distances = np.linalg.norm(points[:, None] - fit.centers, axis=2)
    low, high = np.sort(distances, axis=1).T[:2]
    np.testing.assert_allclose(low, high, rtol=1e-6)
    assert "regions: nearest center" in display.ax_.get_legend().get_title().get_text()


def test_regions_do_not_change_the_limits_and_are_drawn_where_they_were_asked_for() -> None:
    plain = ScatterDisplay.from_fit(faithful_fit(), FAITHFUL.data)
    display = ScatterDisplay.from_fit(faithful_fit(), FAITHFUL.data, regions=True)
    assert display.ax_.get_xlim() == plain.ax_.get_xlim()
    assert display.ax_.get_ylim() == plain.ax_.get_ylim()
    assert plain.boundaries_ == filled(plain) == []
    title = display.ax_.get_legend().get_title().get_text()
    assert title == "ellipses hold 50% and 95%\nregions: most probable component"


def test_component_that_is_most_probable_nowhere_has_no_region() -> None:
    means = [[0.0, 0.0], [0.1, 0.0], [4.0, 0.0]]
    model = GaussianMixture([0.7, 0.0, 0.3], means, np.ones(3), "spherical")
    display = ScatterDisplay.from_model(model, regions=True)
    assert len(filled(display)) == len(display.boundaries_) == 2
    alone = ScatterDisplay.from_model(GaussianMixture([1.0], [[0.0, 0.0]], [1.0], "spherical"),
                                      regions=True)  # fmt: skip
    assert len(filled(alone)) == 1
    assert alone.boundaries_ == []


def test_narrow_component_has_its_region() -> None:
    model = GaussianMixture([0.5, 0.5], [[0.0, 0.0], [1.0, 0.0]], [1.0, 1e-8], "spherical")
    display = ScatterDisplay.from_model(model, regions=True)
    (path,) = display.boundaries_[1].get_paths()
    radius = np.linalg.norm(path.vertices - [1.0, 0.0], axis=1)
    expected = np.sqrt(2e-8 * (np.log(1e8) + 0.5))  # where the two densities are equal
    np.testing.assert_allclose(radius, expected, rtol=0.02)


def test_equal_components_have_no_regions() -> None:
    model = GaussianMixture([0.5, 0.5], np.zeros((2, 2)), np.ones(2), "spherical")
    display = ScatterDisplay.from_model(model, regions=True)
    assert filled(display) == display.boundaries_ == []


def test_regions_are_computed_within_a_bound_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    log_prob = GaussianMixture.component_log_prob

    def measured(self: GaussianMixture, points: np.ndarray) -> Any:
        sizes.append(len(points) * self.n_components)
        return log_prob(self, points)

    monkeypatch.setattr(GaussianMixture, "component_log_prob", measured)
    monkeypatch.setattr(scatter, "REGION_NUMBERS", 800)
    ScatterDisplay.from_model(mixture(), regions=True)
    assert len(sizes) == 1
    assert sizes[0] <= 800


def test_regions_where_all_densities_are_zero_have_no_colour() -> None:
    display = ScatterDisplay.from_model(mixture(), [[1e200, 1e200]], regions=True)
    at = [[9e199, 9e199]]
    assert not any(p.contains_points(at).any() for a in filled(display) for p in a.get_paths())


def test_narrow_component_has_its_region_on_an_axis_that_runs_backwards() -> None:
    model = GaussianMixture([0.5, 0.5], [[0.0, 0.0], [0.99, 0.0]], [1.0, 1e-8], "spherical")
    ax = plt.figure().add_subplot()
    ax.set_xlim(3, -3)
    display = ScatterDisplay.from_model(model, regions=True, ax=ax)
    assert ax.get_xlim() == (3, -3)
    assert len(display.boundaries_) == 2
    assert np.ptp(display.boundaries_[1].get_paths()[0].vertices, axis=0).max() < 2e-3


def test_regions_that_are_no_flag_are_refused() -> None:
    with pytest.raises(TypeError, match=r"regions must be True or False; got 'yes' \(str\)"):
        ScatterDisplay.from_model(mixture(), regions="yes")


# Pairs


def iris_pairs(**options: Any) -> PairDisplay:
    fit = fit_gmm(IRIS.data, 3, rng=0, n_init=2)
    return PairDisplay.from_fit(fit, IRIS.data, feature_names=IRIS.feature_names, **options)


def test_pairs_have_scatters_below_histograms_and_nothing_above() -> None:
    display = iris_pairs()
    n_empty = 0
    for (a, b), panel in np.ndenumerate(display.axes_):
        n_empty += panel is None
        assert (panel is None) == (b > a)
        if a == b:
            assert len(panel.patches) == len(display.histograms[a].heights)
            counts = display.histograms[a].heights * np.diff(display.histograms[a].edges) * 150
            assert counts.sum() == pytest.approx(150)
        elif b < a:
            points = np.concatenate([drawn.get_offsets() for drawn in panel.collections])
            expected = IRIS.data[:, [b, a]]
            np.testing.assert_array_equal(
                points[np.lexsort(points.T)], expected[np.lexsort(expected.T)]
            )
    assert n_empty == 6


def test_pairs_show_a_feature_within_the_same_limits_everywhere() -> None:
    axes = iris_pairs().axes_
    for a in range(4):
        limits = {panel.get_xlim() for panel in axes[a:, a]}
        limits |= {panel.get_ylim() for panel in axes[a, :a]}
        assert len(limits) == 1
        (lowest, highest), *_ = limits
        assert lowest < IRIS.data[:, a].min() < IRIS.data[:, a].max() < highest


def test_pairs_name_each_feature_once_on_each_side_and_components_once() -> None:
    display = iris_pairs(features=(3, 0, 2))
    drawn = [panel for panel in display.axes_.flat if panel is not None]
    names = ["petal width (cm)", "sepal length (cm)", "petal length (cm)"]
    assert [name for panel in drawn if (name := panel.get_xlabel())] == names
    assert [name for panel in drawn if (name := panel.get_ylabel())] == names[1:]
    assert all(panel.get_legend() is None for panel in drawn)
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert [text.split(" (")[0] for text in texts] == [f"component {j}" for j in range(3)]


def test_pairs_of_many_features_say_how_many_can_be_shown() -> None:
    model = GaussianMixture([1.0], np.zeros((1, 12)), np.ones((1, 12)), "diag")
    message = rf"shows {MAX_FEATURES} features at most; got 12. Choose some, such as features=\(0,"
    with pytest.raises(ValueError, match=message):
        PairDisplay.from_model(model)
    assert PairDisplay.from_model(model, features=[11, 4]).axes_.shape == (2, 2)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([0], "a pair plot needs two features or more; got 1"),
        ([0, 1, 0], r"features must be different columns; got \(0, 1, 0\)"),
        ([0, 7], "a feature to draw must be from 0 to 1; got 7"),
    ],
)
def test_pairs_of_bad_features_say_what_is_expected(features: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PairDisplay.from_model(mixture(), features=features)


def test_pairs_on_axes_placed_by_hand_say_how_to_make_them() -> None:
    ax = plt.figure().add_axes((0, 0, 1, 1))
    with pytest.raises(ValueError, match=r"ax must have a place in a grid.*plt.subplots\(\)"):
        PairDisplay.from_model(mixture(), ax=ax)


# Density


@each_family
def test_contours_of_each_family_are_those_of_the_mixture(covariance_type: str) -> None:
    model = family_fit(covariance_type).model
    display = DensityDisplay.from_model(model)
    at = np.stack(np.meshgrid(display.x, display.y), axis=-1).reshape(-1, 2)
    np.testing.assert_allclose(display.log_density.ravel(), model.log_prob(at), rtol=1e-9)
    np.testing.assert_array_equal(display.contours_.levels, display.levels)
    X, _ = model.sample(20_000, rng=12)
    for share, level in zip(display.shares, display.levels, strict=True):
        assert (model.log_prob(X) >= level).mean() == pytest.approx(share, abs=0.015)


def test_contours_of_one_component_are_its_ellipses() -> None:
    covariance = [[2.0, 0.9], [0.9, 1.0]]
    model = GaussianMixture([1.0], [[3.0, -1.0]], [covariance])
    shares = (0.9, 0.5)
    display = DensityDisplay.from_model(model, shares=shares)
    for path, share in zip(display.contours_.get_paths(), shares, strict=True):
        distances = squared_distances(path.vertices, [3.0, -1.0], covariance)
        assert 1 - np.exp(-distances / 2) == pytest.approx(share, abs=0.015)


def test_contours_of_two_features_of_three_are_of_their_marginal() -> None:
    covariance = np.array([[2.0, 0.5, 0.3], [0.5, 1.0, -0.2], [0.3, -0.2, 4.0]])
    model = GaussianMixture([1.0], [[1.0, 2.0, 3.0]], [covariance])
    display = DensityDisplay.from_model(model, features=(2, 0), feature_names=["a", "b", "c"])
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("c", "a")
    marginal = multivariate_normal([3.0, 1.0], covariance[np.ix_([2, 0], [2, 0])])
    at = np.stack(np.meshgrid(display.x, display.y), axis=-1)
    np.testing.assert_allclose(display.log_density, marginal.logpdf(at), rtol=1e-10)


def test_density_window_holds_every_row_and_the_outermost_contour() -> None:
    X = np.array([[40.0, 0.0], [0.0, -90.0]])
    display = DensityDisplay.from_model(mixture(), X)
    assert display.ax_.get_xlim()[1] > 40
    assert display.ax_.get_ylim()[0] < -90
    np.testing.assert_array_equal(display.points_.get_offsets(), X)
    vertices = display.contours_.get_paths()[0].vertices
    assert vertices[:, 0].min() > display.ax_.get_xlim()[0] + 0.1


def test_contour_of_a_component_narrower_than_a_pixel_is_found() -> None:
    model = GaussianMixture([0.5, 0.5], [[0.0, 0.0], [2.34, 0.56]], [1.0, 1e-8], "spherical")
    outermost = DensityDisplay.from_model(model).contours_.get_paths()[0].vertices
    assert np.linalg.norm(outermost - [2.34, 0.56], axis=1).min() < 1e-3


def test_density_legend_names_the_share_within_each_contour() -> None:
    display = DensityDisplay.from_model(mixture(), shares=[0.1, 0.9, 0.9, 0.975])
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["holds 97.5%", "holds 90%", "holds 10%"]


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((0.5, 1.0), r"shares must lie between 0 and 1.*got \(0.5, 1.0\)"),
        ((), "shares must have one number or more; got none"),
    ],
)
def test_density_with_bad_shares_says_what_is_expected(shares: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DensityDisplay.from_model(mixture(), shares=shares)

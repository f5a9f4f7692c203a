"""Surfaces: heights are densities, labels have their units, and flat axes give their place."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pictures import FAITHFUL, faithful_fit, kmeans_fit, mixture
from scipy.stats import multivariate_normal

from mixtura import GaussianMixture, datasets, fit_gmm, plot

pytest.importorskip("matplotlib")

from matplotlib import pyplot as plt

from mixtura.plot import SurfaceDisplay

pytestmark = pytest.mark.usefixtures("close_figures")

IRIS = datasets.load_iris()


def test_heights_of_a_surface_are_densities_of_the_two_features() -> None:
    fit = fit_gmm(IRIS.data, 2, rng=0, n_init=1)
    display = SurfaceDisplay.from_fit(fit, features=(2, 0), feature_names=IRIS.feature_names)
    at = np.stack(np.meshgrid(display.x, display.y), axis=-1)
    expected = sum(
        weight * multivariate_normal(mean[[2, 0]], covariance[[2, 0]][:, [2, 0]]).pdf(at)
        for weight, mean, covariance in zip(
            fit.weights, fit.means, fit.covariance_matrices(), strict=True
        )
    )
    np.testing.assert_allclose(display.density, expected, rtol=1e-9)
    axes = display.axes_3d_
    assert axes.get_xlabel() == "petal length (cm)"
    assert axes.get_ylabel() == "sepal length (cm)"
    assert axes.get_zlim()[0] == 0
    assert axes.get_zlim()[1] >= display.density.max()
    np.testing.assert_array_equal(display.means, fit.means[:, [2, 0]])


def test_surface_holds_nearly_all_of_the_mixture() -> None:
    display = SurfaceDisplay.from_model(mixture())
    held = np.trapezoid(np.trapezoid(display.density, display.x, axis=1), display.y)
    assert held == pytest.approx(1.0, abs=0.01)


def test_surface_of_a_narrow_component_reaches_its_top() -> None:
    model = GaussianMixture([0.5, 0.5], [[0.0, 0.0], [3.0, 1.0]], [1.0, 1e-6], "spherical")
    display = SurfaceDisplay.from_model(model)
    assert display.density.max() == pytest.approx(0.5 / (2 * np.pi * 1e-6), rel=0.05)


@pytest.mark.parametrize(
    ("names", "label"),
    [
        (["a (cm)", "b (kg)"], "density (per cm·kg)"),
        (["a (cm)", "b"], "density"),
        (["(cm) a", "(kg) b"], "density"),
        (["a ($)", "b (US$)"], r"density (per \$·US\$)"),
    ],
)
def test_label_of_the_density_has_the_units_that_both_names_have(
    names: list[str], label: str
) -> None:
    axes = SurfaceDisplay.from_model(mixture(), feature_names=names).axes_3d_
    assert axes.get_zlabel() == label


def test_numbers_or_names_of_components_stand_on_the_surface_above_their_means() -> None:
    display = SurfaceDisplay.from_model(mixture())
    assert [text.get_text() for text in display.axes_3d_.texts] == ["0", "1"]
    np.testing.assert_allclose(
        [text.get_position_3d() for text in display.axes_3d_.texts],
        np.column_stack([mixture().means, np.exp(mixture().log_prob(mixture().means))]),
    )
    named = SurfaceDisplay.from_model(mixture(), names=["left", "right"])
    assert [text.get_text() for text in named.axes_3d_.texts] == ["left", "right"]
    dollars = SurfaceDisplay.from_model(mixture(), names=["$a", "b$"])
    assert [text.get_text() for text in dollars.axes_3d_.texts] == [r"\$a", r"b\$"]


def test_surface_is_darker_where_it_is_higher_and_below_the_numbers() -> None:
    display = SurfaceDisplay.from_model(mixture())
    red_green_blue = display.surface_.cmap(np.linspace(0, 1, 50))[:, :3]
    assert (np.diff(red_green_blue @ [0.2126, 0.7152, 0.0722]) < 0).all()
    heights = display.surface_.get_array()
    assert display.surface_.norm(heights.max()) > display.surface_.norm(heights.min())
    axes = display.axes_3d_
    assert not axes.computed_zorder  # or all are drawn by their distance
    assert display.surface_.zorder < min(text.zorder for text in axes.texts)


def test_surface_takes_the_place_of_flat_axes_and_draws_on_axes_in_three_dimensions() -> None:
    flat = plot.new_axes(1, 2)
    display = SurfaceDisplay.from_fit(faithful_fit(), ax=flat[0, 1])
    assert display.ax_ is flat[0, 1]
    assert display.axes_3d_.get_subplotspec().get_topmost_subplotspec() == (
        flat[0, 1].get_subplotspec()
    )
    assert not flat[0, 1].axison
    space = plt.figure().add_subplot(projection="3d")
    display = SurfaceDisplay.from_fit(faithful_fit(), ax=space)
    assert display.ax_ is display.axes_3d_ is space
    assert len(space.figure.axes) == 1


def test_surface_reaches_to_the_rows_and_has_the_names_of_their_frame() -> None:
    frame = pd.DataFrame([[100.0, 0.0]], columns=["eruptions", "waiting"])
    display = SurfaceDisplay.from_model(mixture(), frame)
    assert display.x[-1] == 100
    assert display.axes_3d_.get_xlabel() == "eruptions"
    assert display.axes_3d_.get_ylabel() == "waiting"
    chosen = SurfaceDisplay.from_model(mixture(), frame, features=("waiting", "eruptions"))
    assert chosen.axes_3d_.get_xlabel() == "waiting"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"features": (0, 0)}, ValueError, r"features must be two different columns; got \(0, 0\)"),
        ({"features": "ab"}, TypeError, "features must be a tuple of numbers or names of columns"),
        ({"names": ["a"]}, ValueError, "names must be 2 strings, one for each component; got 1"),
        ({"legend": True}, TypeError, "SurfaceDisplay.from_fit has no argument 'legend'"),
    ],
)
def test_surface_with_bad_options_says_what_is_expected(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        SurfaceDisplay.from_fit(mixture(), **options)


def test_surface_of_clusters_or_of_one_feature_is_refused() -> None:
    with pytest.raises(TypeError, match="this picture needs a density, and a KMeansFit has none"):
        SurfaceDisplay.from_fit(kmeans_fit(), FAITHFUL.data)
    with pytest.raises(ValueError, match=r"two.*feature.*For one column draw a HistogramDisplay"):
        SurfaceDisplay.from_model(GaussianMixture([1.0], [[0.0]], [[1.0]], "diag"))

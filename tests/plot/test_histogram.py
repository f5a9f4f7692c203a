"""Histograms and densities of one feature: heights and areas are right."""

import numpy as np
import pytest
from pictures import COVARIANCES, CRABS, mixture

from mixtura import GaussianMixture, fit_gmm

pytest.importorskip("matplotlib")

from mixtura.plot import HistogramDisplay

pytestmark = pytest.mark.usefixtures("close_figures")


def area_below(line: object) -> float:
    return float(np.trapezoid(line.get_ydata(), line.get_xdata()))


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


@pytest.mark.parametrize("covariance_type", COVARIANCES)
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


def test_histogram_beside_a_narrow_component_keeps_its_height() -> None:
    model = GaussianMixture([0.5, 0.5], [[0.0], [3.0]], [1.0, 1e-10], "spherical")
    X, _ = model.sample(300, rng=0)
    display = HistogramDisplay.from_model(model, X)
    assert display.ax_.get_ylim()[1] < 3 * display.heights.max()
    assert all(text.xy[1] < display.ax_.get_ylim()[1] for text in display.ax_.texts)


def test_density_of_a_narrow_component_is_drawn_to_its_peak() -> None:
    model = GaussianMixture([0.5, 0.5], [[0.0], [3.0]], [1.0, 1e-10], "spherical")
    display = HistogramDisplay.from_model(model)
    peak = 0.5 / np.sqrt(2 * np.pi * 1e-10)
    assert display.component_lines_[1].get_ydata().max() == pytest.approx(peak)
    assert area_below(display.mixture_line_) == pytest.approx(1, abs=1e-5)


def test_component_lines_in_grey_differ_in_their_dashes() -> None:
    display = HistogramDisplay.from_model(mixture())
    assert len({line.get_linestyle() for line in display.component_lines_}) == 2


def test_histogram_of_a_missing_feature_raises() -> None:
    with pytest.raises(ValueError, match="a feature to draw must be from 0 to 1; got 5"):
        HistogramDisplay.from_model(mixture(), feature=5)

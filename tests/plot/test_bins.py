"""Pictures of fits to counts: heights are densities, open bins end, gaps are empty."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from pictures import CRABS, FAITHFUL, mixture

from mixtura import BinnedFit, fit_binned, fit_gmm

pytest.importorskip("matplotlib")

from mixtura.plot import DensityDisplay, HistogramDisplay

pytestmark = pytest.mark.usefixtures("close_figures")
INF = math.inf


@cache
def crab_fit(tails: str) -> BinnedFit:
    edges = CRABS.edges.copy()
    if tails == "open":
        edges[[0, -1]] = -INF, INF
    return fit_binned(edges, CRABS.sample_weight, 2, rng=0, max_iter=50, tol=0)


@cache
def geyser_fit(tails: str = "closed") -> BinnedFit:
    X = FAITHFUL.data
    counts, x, y = np.histogram2d(X[:, 0], X[:, 1], [8, 6])
    if tails == "open":
        x[0], y[-1] = -INF, INF
    names = list(FAITHFUL.feature_names)
    return fit_binned((x, y), counts, 2, rng=0, feature_names=names)


def test_bars_have_the_edges_and_the_densities_of_the_bins() -> None:
    display = HistogramDisplay.from_bins(crab_fit("closed"))
    np.testing.assert_array_equal(display.edges, CRABS.edges)
    heights = [bar.get_height() for bar in display.bars_]
    np.testing.assert_allclose(heights, CRABS.sample_weight / 1000 / np.diff(CRABS.edges))
    assert display.open_bars == ()
    curve = display.mixture_line_
    area = np.trapezoid(curve.get_ydata(), curve.get_xdata())
    assert area == pytest.approx(1.0, abs=1e-4)


def test_open_bins_end_where_little_of_the_mixture_is_beyond_and_are_hatched() -> None:
    fit = crab_fit("open")
    display = HistogramDisplay.from_bins(fit)
    assert display.open_bars == (0, 28)
    below, above = fit.cdf(display.edges[[0, 1]]), fit.cdf(display.edges[[-1, -2]], upper=True)
    assert below[0] / below[1] == pytest.approx(0.01)
    assert above[0] / above[1] == pytest.approx(0.01)
    areas = display.heights * np.diff(display.edges)
    np.testing.assert_allclose(areas, CRABS.sample_weight / 1000)
    assert [bool(bar.get_hatch()) for bar in display.bars_] == [True] + 27 * [False] + [True]
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts.count("open bin") == 1


def test_open_bin_that_the_mixture_does_not_reach_is_as_wide_as_others() -> None:
    edges = [-INF, -500.0, *np.arange(-3.0, 4.0), 500.0, INF]
    counts = [0, 0, 3, 9, 20, 19, 8, 4, 0, 0]
    display = HistogramDisplay.from_bins(fit_binned(edges, counts, 1))
    assert display.edges[[0, -1]].tolist() == [-501.0, 501.0]


def test_gaps_between_bins_are_empty_and_the_order_of_bins_does_not_matter() -> None:
    pairs = np.column_stack([CRABS.edges[:-1], CRABS.edges[1:]])
    kept = np.r_[20:29, 0:12, 14:20]
    fit = fit_binned(pairs[kept], CRABS.sample_weight[kept], 2, rng=0, max_iter=20, tol=0)
    display = HistogramDisplay.from_bins(fit)
    areas = display.heights * np.diff(display.edges) * fit.weight_sum
    expected = np.r_[CRABS.sample_weight[:12], 0, CRABS.sample_weight[14:]]
    np.testing.assert_allclose(areas, expected, atol=1e-9)


@pytest.mark.parametrize("tails", ["closed", "open"])
def test_one_of_two_features_has_the_sums_of_the_counts(tails: str) -> None:
    fit = geyser_fit(tails)
    for a, name in enumerate(FAITHFUL.feature_names):
        display = HistogramDisplay.from_bins(fit, feature=name)
        counts = fit.counts.reshape(8, 6).sum(axis=1 - a)
        areas = display.heights * np.diff(display.edges) * fit.weight_sum
        np.testing.assert_allclose(areas, counts)
        assert display.ax_.get_xlabel() == name
        assert len(display.open_bars) == (tails == "open")


@pytest.mark.parametrize("tails", ["closed", "open"])
def test_image_of_two_features_has_the_densities_of_the_bins(tails: str) -> None:
    fit = geyser_fit(tails)
    display = DensityDisplay.from_bins(fit, shares=(0.9, 0.5))
    x, y = display.edges
    area = np.outer(np.diff(x), np.diff(y))
    np.testing.assert_allclose(display.heights * area * 272, fit.counts.reshape(8, 6))
    np.testing.assert_array_equal(display.image_.get_array().data, display.heights.T)
    assert np.isfinite(x).all()
    assert np.isfinite(y).all()
    assert len(display.contours_.levels) == 2
    assert (display.ax_.get_xlim()[0] <= x[0]) & (display.ax_.get_ylim()[1] >= y[-1])
    (text,) = display.ax_.get_legend().get_texts()
    assert text.get_text() == "hold 90%, 50%"


def test_pictures_of_bins_are_drawn_again_and_without_a_legend() -> None:
    for display in (
        HistogramDisplay.from_bins(crab_fit("open"), legend=False, names=["a", "b"]),
        DensityDisplay.from_bins(geyser_fit(), legend=False, names=["short", "long"]),
    ):
        first = display.ax_
        assert first.get_legend() is None
        assert display.plot().ax_ is not first


def test_fits_without_bins_or_with_another_number_of_features_are_refused() -> None:
    whole = fit_gmm(FAITHFUL.data, 1)
    with pytest.raises(
        TypeError,
        match=r"from_bins needs a fit of mixtura.fit_binned, which has its bins; got .*GMMFit.* "
        r"Use HistogramDisplay.from_fit\(fit, X\).",
    ):
        HistogramDisplay.from_bins(whole)
    with pytest.raises(TypeError, match=r"Use DensityDisplay.from_fit\(fit, X\)."):
        DensityDisplay.from_bins(mixture())
    with pytest.raises(ValueError, match=r"fit must be of two features; got 1. Draw a Histogram"):
        DensityDisplay.from_bins(crab_fit("open"))
    with pytest.raises(ValueError, match="shares must have one number or more"):
        DensityDisplay.from_bins(geyser_fit(), shares=())

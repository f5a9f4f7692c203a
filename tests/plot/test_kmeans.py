"""Clusters of k-means are drawn as mixtures are, without what needs a density."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pictures import CLUSTER_DISPLAYS, FAITHFUL, kmeans_fit

import mixtura
from mixtura import fit_kmeans, scan

pytest.importorskip("matplotlib")

from mixtura.plot import DensityDisplay, HistogramDisplay, PairDisplay, ScatterDisplay

pytestmark = pytest.mark.usefixtures("close_figures")

X = FAITHFUL.data


def legend_of(display: Any) -> list[str]:
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_scatter_of_clusters_has_each_row_once_and_centers_but_no_ellipses() -> None:
    fit = kmeans_fit()
    display = ScatterDisplay.from_fit(fit, X)
    for j, points in enumerate(display.points_):
        np.testing.assert_array_equal(points.get_offsets(), X[fit.labels == j])
    assert display.ellipses_ == [[], [], []]
    np.testing.assert_array_equal([text.xy for text in display.ax_.texts], fit.centers)
    shares = np.bincount(fit.labels) / len(X)
    assert legend_of(display) == [f"cluster {j} ({share:.0%})" for j, share in enumerate(shares)]


@pytest.mark.parametrize("rows", [X.astype(np.float32), scan([X[:9], X[9:]]), pd.DataFrame(X)])
def test_scatter_of_clusters_takes_rows_of_any_kind_and_new_ones(rows: Any) -> None:
    display = ScatterDisplay.from_fit(kmeans_fit(), rows, sample_weight=np.arange(len(X)))
    assert sum(len(points.get_offsets()) for points in display.points_) == len(X) - 1
    new = ScatterDisplay.from_fit(kmeans_fit(), X[:5] + 0.01)
    np.testing.assert_array_equal(new.labels, kmeans_fit().predict(X[:5] + 0.01))


def test_scatter_of_centers_alone_shows_all_of_them() -> None:
    display = ScatterDisplay.from_fit(kmeans_fit())
    (left, right), (bottom, top) = display.ax_.get_xlim(), display.ax_.get_ylim()
    centers = kmeans_fit().centers
    assert left < centers[:, 0].min() < centers[:, 0].max() < right
    assert bottom < centers[:, 1].min() < centers[:, 1].max() < top


@pytest.mark.parametrize("weighted", [False, True])
def test_histogram_of_clusters_is_that_of_each_and_they_sum_to_all(weighted: bool) -> None:
    weight = np.arange(len(X), dtype=float) if weighted else None
    fit = fit_kmeans(X, 3, rng=0, sample_weight=weight)
    display = HistogramDisplay.from_fit(fit, X, sample_weight=weight, feature=1)
    np.testing.assert_allclose(
        display.component_densities.sum(axis=0), np.repeat(display.heights, 2), atol=1e-15
    )
    areas = [np.trapezoid(line.get_ydata(), line.get_xdata()) for line in display.component_lines_]
    np.testing.assert_allclose(areas, fit.sizes / fit.sizes.sum(), rtol=1e-12)
    assert legend_of(display)[0] == "all rows"
    assert legend_of(display)[1].startswith("cluster 0 (")


def test_pairs_of_clusters_have_scatters_and_histograms() -> None:
    display = PairDisplay.from_fit(kmeans_fit(), X, names=["short", "middle", "long"])
    assert [len(points.get_offsets()) for points in display.scatters[1][0].points_] == (
        np.bincount(kmeans_fit().labels).tolist()
    )
    assert display.histograms[0].part == "cluster"
    assert legend_of(display)[1].startswith("1: middle (")


@pytest.mark.parametrize("display", [HistogramDisplay, PairDisplay])
def test_histogram_of_clusters_without_rows_says_that_it_needs_them(display: type[Any]) -> None:
    message = "X must hold the rows to draw for a KMeansFit, which has no density; got none. Pass X"
    with pytest.raises(ValueError, match=message):
        display.from_fit(kmeans_fit())


def test_density_of_clusters_says_that_there_is_none_and_what_to_do() -> None:
    message = (
        "this picture needs a density, and a KMeansFit has none. Draw a ScatterDisplay, or fit a "
        "mixture that starts from the clusters: fit_gmm(X, n_clusters, init=fit.labels)."
    )
    with pytest.raises(TypeError, match=re.escape(message)):
        DensityDisplay.from_fit(kmeans_fit(), X)


@pytest.mark.parametrize("display", [ScatterDisplay, PairDisplay])
@pytest.mark.parametrize("show", ["uncertainty", "responsibilities"])
def test_uncertainty_of_clusters_is_refused(display: type[Any], show: str) -> None:
    message = (
        'show must be "classification" for a KMeansFit, which knows no uncertainty; got '
        f'"{show}". Draw a mixture for that.'
    )
    with pytest.raises(ValueError, match=message):
        display.from_fit(kmeans_fit(), X, show=show)


@pytest.mark.parametrize("display", [*CLUSTER_DISPLAYS, DensityDisplay])
def test_picture_of_something_else_says_what_is_expected(display: type[Any]) -> None:
    message = "needs a GaussianMixture, a GMMFit or a KMeansFit; got 'faithful'"
    with pytest.raises(TypeError, match=message):
        display.from_fit("faithful", X)


@pytest.mark.parametrize("display", CLUSTER_DISPLAYS)
def test_clusters_of_a_frame_are_drawn_with_its_names(display: type[Any]) -> None:
    frame = pd.DataFrame(X, columns=["eruptions", "waiting"])
    fit = fit_kmeans(frame, 2, rng=0)
    drawn = display.from_fit(fit, frame)
    assert "eruptions" in {ax.get_xlabel() for ax in drawn.figure_.axes}
    with pytest.raises(ValueError, match="X must have the columns 'eruptions', 'waiting'"):
        display.from_fit(fit, frame[["waiting", "eruptions"]])


def test_clusters_of_an_older_file_are_drawn_by_their_labels() -> None:
    old = mixtura.load(Path(__file__).parent.parent / "data" / "kmeans-v1.npz")
    assert legend_of(ScatterDisplay.from_fit(old)) == ["cluster 0 (50%)", "cluster 1 (50%)"]

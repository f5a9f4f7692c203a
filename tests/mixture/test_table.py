"""A mixture as text: repr, summary, and what a notebook shows."""

import dataclasses
import pickle
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from mixtures import make

from mixtura import GaussianMixture, fit_gmm


def test_repr_of_small_mixture_reads_like_the_call_that_makes_it() -> None:
    mixture = make("spherical")
    assert repr(mixture) == (
        "GaussianMixture(weights=[0.2, 0.5, 0.3], means=[[0, 0], [3, -1], [-2, 4]], "
        "covariances=[1, 0.5, 2], covariance_type='spherical')"
    )
    assert eval(repr(mixture), {"GaussianMixture": GaussianMixture}) == mixture


def test_repr_of_large_mixture_is_one_short_line() -> None:
    k, d = 40, 30
    mixture = GaussianMixture(np.full(k, 1 / k), np.zeros((k, d)), np.stack([np.eye(d)] * k))
    assert "..." in repr(mixture)
    assert "\n" not in repr(mixture)
    assert len(repr(mixture)) < 300


def test_summary_of_full_mixture_shows_names_and_correlations() -> None:
    lines = make().summary(["length", "width"]).splitlines()
    assert [line.split() for line in lines] == [
        ["component", "0", "component", "1", "component", "2"],
        ["weight", "0.2", "0.5", "0.3"],
        ["separation", "3.707", "3.707", "4.4188"],
        ["nearest", "component", "1", "0", "0"],
        ["mean"],
        ["length", "0", "3", "-2"],
        ["width", "0", "-1", "4"],
        ["standard", "deviation"],
        ["length", "1", "0.70711", "1.7321"],
        ["width", "1.4142", "1", "0.44721"],
        ["correlation"],
        ["length,", "width", "0.42426", "-0.42426", "0"],
    ]
    assert len({len(line) for line in lines if line[-1].isdigit()}) == 1


@pytest.mark.parametrize("covariance_type", ["diag", "spherical"])
def test_summary_without_correlations_leaves_them_out(covariance_type: str) -> None:
    text = make(covariance_type).summary()
    assert "correlation" not in text
    assert "feature 0" in text
    assert "feature 1" in text


def test_summary_of_many_features_leaves_correlations_out() -> None:
    d = 6
    mixture = GaussianMixture([1.0], np.zeros((1, d)), np.eye(d) + 0.5, "tied")
    assert "correlation" not in mixture.summary()


def test_summary_of_many_components_shows_five_side_by_side() -> None:
    k = 12
    text = GaussianMixture(np.full(k, 1 / k), np.zeros((k, 1)), np.ones(k), "spherical").summary()
    blocks = text.split("\n\n")
    assert [block.splitlines()[0].count("component") for block in blocks] == [5, 5, 2]
    assert "component 11" in blocks[2]
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["a"], ValueError, "feature_names must be 2 strings, one for each feature; got 1"),
        (
            ["a", "a"],
            ValueError,
            (
                "feature_names must be 2 strings, one for each feature; got 'a' "
                "twice. Give each feature a name of its own."
            ),
        ),
        ("ab", TypeError, "feature_names must be 2 strings, one for each feature; got 'ab'"),
    ],
)
def test_summary_with_bad_names_is_refused(
    names: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make().summary(names)


def test_summary_of_one_component_or_very_many_compares_none() -> None:
    one = GaussianMixture([1.0], [[0.0]], [1.0], "spherical").summary()
    k = 51
    many = GaussianMixture(np.full(k, 1 / k), np.arange(k)[:, None], np.ones(k), "spherical")
    assert "separation" not in one
    assert "separation" not in many.summary()


def test_feature_names_of_a_mixture_are_shown_kept_and_checked() -> None:
    plain = make()
    named = dataclasses.replace(plain, feature_names=["length", "width"])
    assert named.feature_names == ("length", "width")
    assert named.summary() == plain.summary(["length", "width"])
    assert named.summary(["a", "b"]) == plain.summary(["a", "b"])
    assert named.summary(np.array(["a", "b"])) == plain.summary(["a", "b"])  # as df.columns are
    assert "feature_names=['length', 'width']" in repr(named)
    assert pickle.loads(pickle.dumps(named)).feature_names == ("length", "width")
    with pytest.raises(ValueError, match="feature_names must be 2 strings, one for each feature"):
        dataclasses.replace(plain, feature_names=["length"])


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_frame_of_a_mixture_has_a_row_for_each_component(covariance_type: str) -> None:
    mixture = dataclasses.replace(make(covariance_type), feature_names=["length", "width"])
    table = mixture.to_pandas()
    assert table.index.name == "component"
    assert table.index.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(table["weight"], mixture.weights)
    np.testing.assert_array_equal(table["mean"], mixture.means)
    variances = np.einsum("jaa->ja", mixture.covariance_matrices())
    np.testing.assert_allclose(table["standard deviation"], np.sqrt(variances), rtol=1e-15)
    assert table["mean"].columns.tolist() == ["length", "width"]
    assert make().to_pandas()["mean"].columns.tolist() == ["feature 0", "feature 1"]


def test_frame_of_one_component_and_feature_is_one_row() -> None:
    table = GaussianMixture([1.0], [[3.0]], [4.0], "spherical").to_pandas()
    assert table.to_numpy().tolist() == [[1.0, 3.0, 2.0]]


@pytest.mark.parametrize("result", [make(), fit_gmm(make().means, 1)])
def test_frame_without_pandas_says_how_to_install_it(
    result: GaussianMixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    message = re.escape(
        "to_pandas needs pandas, which is not installed. Install it with: pip install pandas."
    )
    with pytest.raises(ImportError, match=message):
        result.to_pandas()


class Reader(HTMLParser):
    """Collects the cells of tables and expects tags to be closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        if tag == "br":
            return
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1] in ("td", "th"):
            self.rows[-1][-1] += data.strip()


def test_html_says_what_the_summary_says_with_names_escaped() -> None:
    mixture = dataclasses.replace(make(), feature_names=["<script>alert(1)</script>", "a & b"])
    html = mixture._repr_html_()
    assert "<script>" not in html
    assert "3 components, full covariances, 2 features" in html
    said = [" ".join(filter(None, row)).split() for row in Reader(html).rows]
    assert said == [line.split() for line in mixture.summary().splitlines()]


def test_names_that_are_very_long_are_cut_in_tables() -> None:
    named = dataclasses.replace(make(), feature_names=["x" * 500, "y"])
    assert max(map(len, named.summary().splitlines())) < 200
    assert f"{'x' * 57}..." in named.summary()


def test_html_of_many_components_and_features_shows_twenty_and_counts_the_others() -> None:
    k, d = 23, 22
    mixture = GaussianMixture(np.full(k, 1 / k), np.zeros((k, d)), np.ones(k), "spherical")
    html = mixture._repr_html_()
    assert "component 19" in html
    assert "component 20" not in html
    assert "<p>3 more components: see summary()</p>" in html
    assert "feature 19" in html
    assert "feature 20" not in html
    assert html.count("2 more: see summary()") == 2 * 4


def test_html_of_a_fit_says_how_it_ended_and_shows_sizes() -> None:
    X = make().sample(60, rng=0)[0]
    fit = fit_gmm(X, 2, rng=0)
    html = fit._repr_html_()
    assert f"converged after {fit.n_iter} iterations" in html
    sizes = next(row for row in Reader(html).rows if row[0] == "size")
    np.testing.assert_allclose(np.array(sizes[1:], dtype=float), 60 * fit.model.weights, rtol=1e-4)

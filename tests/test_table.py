"""A mixture in words: repr and summary."""

import numpy as np
import pytest
from mixtures import make

from mixtura import GaussianMixture


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
        ("ab", TypeError, "feature_names must be 2 strings, one for each feature; got 'ab'"),
    ],
)
def test_summary_with_bad_names_is_refused(
    names: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make().summary(names)

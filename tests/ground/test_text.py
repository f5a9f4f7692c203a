"""Short text of values: the repr of every result, and what a notebook shows of it."""

from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from typing import Any, NamedTuple

import numpy as np
import pytest
from posteriors import simple

import mixtura
from mixtura import Event, SearchReport, State
from mixtura.search import Maximum
from mixtura.text import short, short_html, short_repr

X = mixtura.datasets.load_iris().data
LONG = "<b>a & b</b> " * 40  # name of a column


@dataclass
class Result:
    number: float
    values: Any

    __repr__ = short_repr
    _repr_html_ = short_html


class Pair(NamedTuple):
    left: int
    right: Any

    def __repr__(self) -> str:
        return short_repr(self)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (0.1 + 0.2, "0.3"),
        (np.float64(-1130.263960123), "-1130.26396"),
        (float("nan"), "nan"),
        ("word", "'word'"),
        (None, "None"),
        (np.array([0.5, 2.0]), "[0.5, 2]"),
        (np.empty((0, 3)), "[]"),
        (np.arange(9.0), "[0, ..., 8] (9 values)"),
        (np.arange(9), "[0, ..., 8] (9 values)"),
        (np.array([0, 500]), "[0, 500]"),
        (np.zeros((10, 3)), "[[0, ..., 0], ..., [0, ..., 0]] (10 x 3)"),
        ((), "()"),
        (("a", "b"), "('a', 'b')"),
        (tuple(range(30)), "(0, ..., 29) (30 values)"),
        (range(1, 20), "range(1, 20)"),
        ({1: 2}, "{1 value}"),
        ({}, "{}"),
        (dict.fromkeys(range(7)), "{7 values}"),
    ],
)
def test_short_text_of_a_value_has_its_ends_and_its_size(value: object, text: str) -> None:
    assert short(value) == text


def test_short_text_of_anything_long_is_cut() -> None:
    for value in ("x" * 5000, ["x" * 5000] * 3, Result(1.0, "x" * 5000), np.array(["x" * 900] * 9)):
        assert len(short(value)) <= 300
        assert "..." in short(value)


def test_short_repr_has_one_line_or_one_for_each_field() -> None:
    assert repr(Result(1.5, [1, 2])) == "Result(number=1.5, values=[1, 2])"
    assert repr(Pair(1, np.ones(2))) == "Pair(left=1, right=[1, 1])"
    assert repr(Result(1.5, "y" * 100)).splitlines() == [
        "Result(", "    number=1.5,", f"    values='{'y' * 100}',", ")",
    ]  # fmt: skip


class Tags(HTMLParser):
    """Collects text and tags, and expects tags to be closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self._open = "", set[str](), list[str]()
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self.tags.add(tag)
        if tag != "br":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@cache
def results() -> dict[str, Any]:
    """One of each kind that users get, larger than can be read."""
    posterior = simple("full", k=12, d=3)
    names = [LONG, "b", "c", "d"]
    frame = np.rec.fromarrays(X.T, names=names)
    states: list[State] = []
    fit = mixtura.fit_gmm(
        frame, 12, rng=0, n_init=1, max_iter=40, tol=0, callback=lambda s: states.append(s)
    )
    selection = mixtura.select_gmm(frame, range(1, 30), ["EII", "VII"], n_init=1, rng=0, tol=1e-2)
    wide = mixtura.GaussianMixture([1.0], np.zeros((1, 500)), np.ones(1), "spherical",
                                   feature_names=[f"column {a}" for a in range(500)])  # fmt: skip
    factors = fit.precisions_cholesky
    return {
        "fit": fit,
        "wide": wide,
        "binned": mixtura.fit_binned(
            mixtura.datasets.load_naples_crabs().edges,
            np.arange(29.0),
            9,
            max_iter=9,
            tol=0,
            feature_names=[LONG],
        ),
        "kmeans": mixtura.fit_kmeans(frame, 30, rng=0),
        "stream": mixtura.StepwiseGMM(9, rng=0, n_start=100).update(frame),
        "selection": selection,
        "bootstrap": mixtura.bootstrap_lrt(X, 1, n_bootstrap=9, n_init=1, rng=0, tol=1e-3),
        "tree": mixtura.hierarchical(frame),
        "mixture": fit.model,
        "statistics": mixtura.reference.accumulate(
            X, fit.weights, fit.means, factors, covariance_type="full"
        ),
        "event": Event(3, 1, "empty", "dropped"),
        "search": SearchReport(tuple(Maximum(-float(i), 1, 3) for i in range(30)), 10, 14, 3, 240),
        "state": states[-1],
        "parameters": states[-1].parameters,
        "scan": mixtura.scan([X, X]),
        "posterior": posterior,
        "predictive": posterior.predictive,
        "prior": mixtura.ConjugatePrior.from_model(fit),
        "trace": mixtura.TracePrior(np.arange(40.0), relative=False),
        "bayesian": mixtura.fit_bayesian_gmm(frame, 12, rng=0, n_init=1, max_iter=40, tol=0),
    }


RESULTS = [
    "fit", "wide", "binned", "kmeans", "stream", "selection", "bootstrap", "tree", "mixture",
    "statistics", "event", "search", "state", "parameters", "scan", "posterior", "predictive",
    "prior", "trace", "bayesian",
]  # fmt: skip


def test_every_public_result_is_among_those_tested() -> None:
    assert results().keys() == {*RESULTS}
    tested = {type(result).__name__ for result in results().values()}
    errors = set(mixtura.exceptions.__all__)
    public = {name for name in mixtura.__all__ if isinstance(getattr(mixtura, name), type)}
    assert public - errors <= tested


@pytest.mark.parametrize("name", RESULTS)
def test_repr_of_every_result_is_a_few_short_lines(name: str) -> None:
    text = repr(results()[name])
    assert len(text) <= 1200
    assert text.count("\n") <= 20
    assert type(results()[name]).__name__ in text


@pytest.mark.parametrize("name", sorted({*RESULTS} - {"parameters"}))
def test_html_of_every_result_is_short_and_escaped(name: str) -> None:
    html = results()[name]._repr_html_()
    assert "<b>" not in html
    assert "b" not in Tags(html).tags
    assert len(html) < 20_000


def test_repr_of_a_fit_gives_length_and_last_value_of_its_history() -> None:
    fit = results()["fit"]
    assert f", ..., {fit.history[-1]:.6g}] (40 values)" in repr(fit)
    assert "log_likelihood=" in repr(fit)
    assert "stop_reason='max_iter'" in repr(fit)

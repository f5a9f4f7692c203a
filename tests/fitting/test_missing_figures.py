"""Fits of rows with missing values: every figure of `tests/data/missing`, to its stated digits."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mixtura import GaussianMixture, GMMFit, fit_gmm
from mixtura.data import Block, open_rows
from mixtura.passes import Backend, RowsPass
from mixtura.shapes import Floats

DATA = Path(__file__).parents[1] / "data" / "missing"
CASES: dict[str, dict[str, Any]] = {
    case["case"]: case for case in json.loads((DATA / "cases.json").read_text())
}
every_case = pytest.mark.parametrize("name", CASES)


def rows_of(name: str) -> Floats:
    return np.genfromtxt(DATA / CASES[name]["data"], delimiter=",", skip_header=1)


def mixture_of(name: str, values: dict[str, Any]) -> GaussianMixture:
    parts = (np.array(values[each]) for each in ("weights", "means", "covariances"))
    return GaussianMixture(*parts, CASES[name]["covariance_type"])


def fit(name: str, begin: GaussianMixture, **options: object) -> GMMFit:
    settings = {"reg_covar": 0.0, "avoid_spurious": False, "on_collapse": "raise"} | options
    case = CASES[name]
    return fit_gmm(
        rows_of(name), case["n_components"], covariance_type=case["covariance_type"], init=begin,
        missing="em", **settings,
    )  # fmt: skip


@every_case
def test_path_is_that_of_exact_em(name: str) -> None:
    begin = mixture_of(name, CASES[name]["start"])
    X, own = rows_of(name), begin._parameters()
    rows = RowsPass(open_rows(X, missing="em"), own.shape, Backend())
    found = {"0": rows.accumulate(own.seen()).log_likelihood}

    def follow(state: Any) -> None:
        found[str(state.iteration)] = state.objective * len(X)

    fit(name, begin, tol=0.0, max_iter=10, callback=follow)
    for n_iter, log_likelihood in CASES[name]["loglik_after_em_iterations"].items():
        assert found[n_iter] == pytest.approx(log_likelihood, rel=1e-11)


@every_case
def test_fit_reaches_what_is_published(name: str) -> None:
    case = CASES[name]
    ahead = fit(name, mixture_of(name, case["start"]), tol=1e-13, max_iter=2000)
    assert ahead.converged
    assert ahead.log_likelihood == pytest.approx(case["loglik"], rel=1e-11)
    end = fit(name, ahead.model, tol=0.0, max_iter=case["naive_em_iterations"])
    assert end.log_likelihood == pytest.approx(case["loglik"], rel=1e-11)
    for part in ("weights", "means", "covariances"):
        expected = np.array(case[part])
        np.testing.assert_allclose(
            getattr(end.model, part), expected, rtol=3e-8, atol=3e-8 * np.abs(expected).max()
        )


@every_case
def test_answers_about_rows_are_those_published(name: str) -> None:
    answers = CASES[name]["rows"]
    X = rows_of(name)[[each["row"] for each in answers]]
    own = mixture_of(name, CASES[name])._parameters()
    rows = open_rows(X, missing="em")
    log_prob, resp, expected = np.empty(len(X)), np.empty((len(X), len(own.weights))), X.copy()
    RowsPass(rows, own.shape, Backend()).evaluate(own.seen(), log_prob=log_prob, resp=resp)
    engine = Backend().rows("incomplete", Block(X, None))
    engine.complete(own.seen(), None, out=expected)
    for i, answer in enumerate(answers):
        assert np.flatnonzero(np.isnan(X[i])).tolist() == answer["missing"]
        assert log_prob[i] == pytest.approx(answer["log_prob"], abs=1e-8)
        np.testing.assert_allclose(resp[i], answer["responsibilities"], atol=1e-8)
        np.testing.assert_allclose(expected[i], answer["expected_row"], rtol=1e-8)

"""Fits that start from hierarchical trees."""

import csv
from pathlib import Path

import numpy as np
import pytest

from mixtura import datasets, fit_gmm, hierarchical
from mixtura.starts.hierarchical import UNITLESS_TRANSFORMS

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize("name", ["faithful", "iris", "acidity"])
def test_fit_from_a_tree_reaches_what_mclust_reaches_from_its_own(name: str) -> None:
    """Nearly always, and certainly for the model that BIC prefers."""
    X = getattr(datasets, f"load_{name}")().data
    types = {
        "VII": "spherical",
        "VVI": "diag",
        "EEE": "tied",
        "VVV": "full",
        "E": "tied",
        "V": "full",
    }
    with (DATA / f"{name}_loglik.csv").open() as lines:
        rows = [r for r in csv.DictReader(lines) if r["model"] in types and r["loglik"] != "NA"]
    reached = []
    for row in rows:
        fit = fit_gmm(
            X, int(row["k"]), covariance_type=types[row["model"]], init="hierarchical",
            reg_covar=0, tol=1e-9, max_iter=20_000,
        )  # fmt: skip
        reached.append(fit.log_likelihood >= float(row["loglik"]) - 1e-3)
    assert reached[np.argmin([float(row["bic"]) for row in rows])]
    assert np.mean(reached) >= 0.85


def test_start_from_trees_needs_no_random_numbers() -> None:
    X = datasets.load_iris().data
    fits = [fit_gmm(X, 3, init="hierarchical", rng=rng) for rng in (0, 1)]
    np.testing.assert_array_equal(fits[0].model.means, fits[1].model.means)
    best = max(
        fit_gmm(X, 3, init=hierarchical(X, transform=t).labels(3)).log_likelihood
        for t in UNITLESS_TRANSFORMS
    )
    assert fits[0].log_likelihood == pytest.approx(best, abs=1e-2)

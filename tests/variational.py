"""Published cases of variational Bayes, and what their names mean here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura import datasets
from mixtura.conjugate import WEIGHT_LAWS, PriorLaws
from mixtura.shapes import SHAPES, Floats

FOLDER = Path(__file__).parent / "data"
LAWS = {"dirichlet_distribution": "dirichlet", "dirichlet_process": "stick-breaking"}


@dataclass(frozen=True)
class Case:
    """One case of tests/data/vb/cases.json."""

    name: str
    X: Floats
    labels: NDArray[np.int64]
    n_components: int
    covariance_type: str
    weight_prior: str
    prior: dict[str, Any]
    exact: dict[str, Any]
    sklearn: dict[str, Any]

    def as_prior(self) -> PriorLaws:
        """Its prior as an object."""
        p = self.prior
        return PriorLaws(
            WEIGHT_LAWS[self.weight_prior],
            p["weight_concentration"],
            p["mean_precision"],
            np.array(p["mean"]),
            p["degrees_of_freedom"],
            np.array(p["covariance"]),
            SHAPES[self.covariance_type],
        )


def _case(record: dict[str, Any]) -> Case:
    name, k = record["data"].removesuffix(".csv"), record["n_components"]
    X = getattr(datasets, f"load_{name}")().data
    labels = np.zeros(len(X), dtype=np.int64)
    if k > 1:
        path = FOLDER / f"{name}_start_labels.csv"
        table = np.genfromtxt(path, delimiter=",", names=True, dtype=np.int64)
        labels = np.ascontiguousarray(table[f"k{k}"])
    return Case(
        record["case"],
        X,
        labels,
        k,
        record["covariance_type"],
        LAWS[record["weight_concentration_prior_type"]],
        record["prior"],
        record["exact"],
        record["sklearn"],
    )


CASES = {
    case.name: case
    for case in map(_case, json.loads((FOLDER / "vb/cases.json").read_text(encoding="utf-8")))
}

"""Published cases of fits under a prior, and what their names mean here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura import ConjugatePrior, TracePrior, datasets
from mixtura.shapes import Floats

FOLDER = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Case:
    """One case of tests/data/map."""

    name: str
    X: Floats
    labels: NDArray[np.int64]
    n_components: int
    covariance_type: str
    prior: ConjugatePrior | TracePrior
    is_default: bool
    figures: dict[str, Any]


def _case(record: dict[str, Any]) -> Case:
    name, k = record["data"].removesuffix(".csv"), record["n_components"]
    path = FOLDER / f"{name}_start_labels.csv"
    table = np.genfromtxt(path, delimiter=",", names=True, dtype=np.int64)
    constants = record.get("prior")
    if constants is None:
        prior: Any = TracePrior(record["lambda"], relative=False)
    else:
        prior = ConjugatePrior(**constants)
    others = ("own_prior", "shrinkage1")
    return Case(
        record["case"],
        getattr(datasets, f"load_{name}")().data,
        np.ascontiguousarray(table[f"k{k}"]),
        k,
        record["covariance_type"] or record["model"],
        prior,
        constants is not None and not record["case"].endswith(others),
        record,
    )


CASES = {
    case.name: case
    for name in ("conjugate", "trace_penalty")
    for case in map(_case, json.loads((FOLDER / f"map/{name}.json").read_text(encoding="utf-8")))
}

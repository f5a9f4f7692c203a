"""Degenerate data: the rows, and a table of what becomes of their fits.

    python tests/degenerate.py [--seed 0]

A cell says what a fit is: a finite, positive definite model, such a model with fewer components
than asked for, or an error. Each case is fitted with on_collapse "reseed" and "drop", and a cell
has what they give. Anything else, also a warning of NumPy, ends the program.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from clusters import clustered

from mixtura import (
    CoarseColumnsWarning,
    ConvergenceWarning,
    FitError,
    GMMFit,
    SingularScaleWarning,
    fit_gmm,
)
from mixtura.shapes import Floats

TYPES = ("full", "tied", "diag", "spherical")
ON_COLLAPSE = ("reseed", "drop", "raise")
TINY = 5e-324  # the smallest denormal
LARGEST = float(np.finfo(np.float64).max)


def _rows(n: int = 60, d: int = 3) -> Floats:
    return clustered(n, d, 3)[0]


def _with(X: Floats, column: Floats) -> Floats:
    return np.column_stack([X, column])


def _grid(n: int = 60, d: int = 2) -> Floats:
    return np.random.default_rng(0).integers(0, 3, size=(n, d)).astype(float)


def _far(distance: float) -> Floats:
    X = _rows()
    X[17] = distance
    return X


# Name: rows, number of components.
CASES: dict[str, tuple[Callable[[], Floats], int]] = {
    "a constant column": (lambda: _with(_rows(), np.full(60, 7.0)), 3),
    "all columns but one constant": (lambda: _rows()[:, :1] * [1, 0, 0] + [0, 7.0, -2e9], 3),
    "a copied column": (lambda: _with(_rows(), _rows()[:, 0]), 3),
    "a combined column": (lambda: _with(_rows(), _rows() @ [1.0, -2.0, 0.5]), 3),
    "integers with ties": (_grid, 4),
    "one column of zeros and ones": (lambda: _grid(d=1) > 0, 2),
    "fewer distinct rows than components": (lambda: np.repeat([[0.0, 1], [3, 4]], 9, axis=0), 3),
    "two distinct rows": (lambda: np.array([[0.0, 1.0], [3.0, 4.0]]), 2),
    "as many components as rows": (lambda: _rows(6), 6),
    "fewer rows than columns": (lambda: _rows(5, 9), 2),
    "a row at 1e12": (lambda: _far(1e12), 3),
    "a row at 1e150": (lambda: _far(1e150), 3),
    "clusters without variance": (lambda: np.repeat(_rows(3), [20, 30, 5], axis=0), 3),
    "one cluster without variance": (lambda: np.vstack([_rows(), np.full((20, 3), 50.0)]), 4),
    "columns scaled 1e-8 and 1e8": (lambda: _rows() * [1e-8, 1.0, 1e8], 3),
    "columns scaled 1e-140 and 1e140": (lambda: _rows() * [1e-140, 1.0, 1e140], 3),
    "offset 1e15": (lambda: _rows() + 1e15, 3),
    "values near the largest double": (lambda: _rows() * (LARGEST / np.abs(_rows()).max()), 3),
    "values near the root of the largest": (lambda: _rows() * 1e152, 3),
    "values near the smallest normal": (lambda: _rows() * 1e-306, 3),
    "values near the root of the smallest": (lambda: _rows() * 1e-144, 3),
    "denormals": (lambda: np.round(_rows()) * TINY, 3),
    "denormals beside ones": (lambda: np.round(_rows()) * [TINY, 1.0, 1.0], 3),
    "all rows equal": (lambda: np.full((60, 2), 3.7), 2),
    "all rows zero": (lambda: np.zeros((60, 2)), 2),
    "one row": (lambda: np.array([[3.0, -2.0]]), 1),
    "one row apart": (lambda: np.eye(60)[:, :1] * 5.0, 2),
}

# No double is the variance of these: there is no model in such units.
BEYOND = {
    "values near the largest double",
    "values near the smallest normal",
    "denormals",
    "denormals beside ones",
}


def outcome(X: Floats, k: int, covariance_type: str, **options: object) -> GMMFit | Exception:
    """The fit, or the exception of ours that it ends in."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", CoarseColumnsWarning)
            warnings.simplefilter("ignore", SingularScaleWarning)
            return fit_gmm(X, k, covariance_type=covariance_type, **options)
    except (FitError, ValueError) as error:
        return error


def assert_sound(fit: GMMFit, X: Floats) -> None:
    """Expect finite, positive definite parameters, a finite history, and methods that work."""
    model = fit.model
    for array in (model.weights, model.means, model.covariances, model.precisions_cholesky):
        assert np.isfinite(array).all()
    assert np.isfinite(fit.history).all()
    assert np.isfinite(fit.log_likelihood)
    assert abs(model.weights.sum() - 1.0) < 1e-9
    again = type(model)(model.weights, model.means, model.covariances, model.covariance_type)
    assert again == model  # which checks that the covariances are positive definite
    assert np.isfinite(model.log_prob(X)).all()
    resp = model.responsibilities(X)
    assert np.abs(resp.sum(axis=1) - 1.0).max() < 1e-9


def _described(ended: GMMFit | Exception, X: Floats, k: int) -> str:
    """What a fit is, in a word; or the name of its error."""
    if isinstance(ended, Exception):
        return type(ended).__name__
    assert_sound(ended, X)
    return "model" if ended.model.n_components == k else "fewer"


def _cell(X: Floats, k: int, types: Sequence[str], **options: object) -> str:
    """What the fits of any of these types end in, if components may be replaced or dropped."""
    ends = [
        _described(outcome(X, k, each, on_collapse=on_collapse, **options), X, k)
        for each in types
        for on_collapse in ("reseed", "drop")
    ]
    return " or ".join(dict.fromkeys(ends))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    warnings.simplefilter("error")
    head = ["rows", "n", "d", "k", "default ridge", *(f"{each}, no ridge" for each in TYPES)]
    print("| " + " | ".join(head) + " |")
    print("| --- " + "| ---: " * 3 + "| --- " * (len(head) - 4) + "|")
    for name, (rows, k) in CASES.items():
        X = np.asarray(rows(), dtype=float)
        cells = [_cell(X, k, TYPES, rng=seed)]
        cells += [_cell(X, k, [each], rng=seed, reg_covar=0.0) for each in TYPES]
        print(f"| {name} | {len(X)} | {X.shape[1]} | {k} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()

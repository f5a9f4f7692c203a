"""Problems with many local maxima: rows, a family of covariances, and a number of components.

Real rows come first. Those of mixtura are in `mixtura.datasets`; wine, digits and breast cancer
come with scikit-learn; the rock crabs of Campbell and Mahon (1974, Australian Journal of Zoology
22, 417-425) are in ``benchmarks/data``. Problems that are held back are never used to choose a
setting: the share of good fits on them says what to expect elsewhere.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from sklearn import datasets as more

from benchmarks.start_quality import gaussians, pinwheel, uneven
from mixtura import datasets
from mixtura.covariance import family_named

Array = np.ndarray


@dataclass(frozen=True)
class MaximaProblem:
    """What is to be fitted.

    Attributes
    ----------
    make : callable
        Makes the rows, the same ones in each call.
    covariance_type : str
    n_components : int
    held_back : bool
        Never used to choose a setting.
    is_real : bool
    """

    make: Callable[[], Array]
    covariance_type: str
    n_components: int
    held_back: bool = False
    is_real: bool = True

    @property
    def X(self) -> Array:
        """The rows (n_samples, n_features)."""
        return _made(self.make)

    @property
    def least_rows(self) -> int:
        """Rows of a component below which it counts as spurious: twice what its parameters need."""
        family = family_named(self.covariance_type, self.X.shape[1])
        if family.is_one:
            return 2
        return 2 * (self.X.shape[1] + 1) if family.letters == "VVV" else 4


@cache
def _made(make: Callable[[], Array]) -> Array:
    X = np.ascontiguousarray(make(), dtype=float)
    X.flags.writeable = False
    return X


def crabs() -> Array:
    """Five lengths of 200 rock crabs, in millimetres."""
    file = Path(__file__).parent / "data" / "leptograpsus_crabs.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        return np.array(
            [
                [float(row[name]) for name in ("FL", "RW", "CL", "CW", "BD")]
                for row in csv.DictReader(lines)
            ]
        )


def own(name: str) -> Array:
    """Rows of `mixtura.datasets`."""
    return getattr(datasets, f"load_{name}")().data


def breast_cancer() -> Array:
    """The ten means of features of 569 cell nuclei."""
    return more.load_breast_cancer().data[:, :10]


def wine() -> Array:
    """Thirteen chemical measurements of 178 wines."""
    return more.load_wine().data


def digits(n_directions: int) -> Array:
    """1797 pictures of digits, in the directions of largest variance."""
    X = more.load_digits().data
    X = X - X.mean(axis=0)
    return X @ np.linalg.svd(X, full_matrices=False)[2][:n_directions].T


def far_cluster(n: int, n_far: int, deviations: float, seed: int) -> Array:
    """Two large clusters in three dimensions and a small one that is far from both."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    X[: n // 2] += [3.0, 0.0, 0.0]
    X[n - n_far :] += [0.0, deviations, 0.0]
    return rng.permutation(X)


def grid(side: int, d: int, variance: float, n: int, seed: int) -> Array:
    """Equal spherical clusters on a grid, four units apart."""
    means = 4.0 * np.indices((side,) * d).reshape(d, -1).T
    k = len(means)
    return gaussians(means, [variance * np.eye(d)] * k, [1] * k, n, seed).X


def elongated(k: int, n: int, seed: int) -> Array:
    """Parallel clusters that are much longer than far apart."""
    thin = np.diag([100.0, 0.3])
    return gaussians([[0, 3 * j] for j in range(k)], [thin] * k, [1] * k, n, seed).X


def star(n: int, seed: int) -> Array:
    """Six long clusters that cross in their middles, or nearly."""
    angles = np.pi * np.arange(6) / 6
    turns = [np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in angles]
    covariances = [turn @ np.diag([16.0, 0.05]) @ turn.T for turn in turns]
    means = 0.8 * np.column_stack([np.cos(3 * angles), np.sin(2 * angles)])
    return gaussians(means, covariances, [1] * 6, n, seed).X


def high(k: int, d: int, spread: float, n: int, seed: int) -> Array:
    """Spherical clusters in many dimensions."""
    means = spread * np.random.default_rng(seed).normal(size=(k, d))
    return gaussians(means, [np.eye(d)] * k, [1] * k, n, seed).X


def column(k: int, spread: float, n: int, seed: int) -> Array:
    """One column of clusters with different variances and weights."""
    rng = np.random.default_rng(seed)
    variances = rng.gamma(2.0, 0.5, size=(k, 1, 1))
    means, weights = spread * rng.normal(size=(k, 1)), rng.dirichlet(np.full(k, 4.0))
    return gaussians(means, variances, weights, n, seed + 1).X


def rounded(k: int, d: int, step: float, n: int, seed: int) -> Array:
    """Uneven clusters on a grid of values.

    Where it is so coarse that a fit spreads its rows over their cells, EM climbs another objective
    than the log-likelihood, and no maximum of that is to be found.
    """
    return step * np.round(uneven(k, d, 2.0, n, seed).X / step)


def overlapping(n: int, seed: int) -> Array:
    """Three clusters of different shapes, near to each other."""
    shapes = [np.eye(2), np.diag([2.0, 0.5]), np.diag([0.5, 2.0])]
    return gaussians([[0, 0], [1.5, 0], [0, 1.5]], shapes, [1] * 3, n, seed).X


def nested(n: int, seed: int) -> Array:
    """Three clusters with one mean and different sizes."""
    eye = np.eye(2)
    return gaussians([[0, 0]] * 3, [0.05 * eye, eye, 25 * eye], [1] * 3, n, seed).X


def arms(n: int, seed: int) -> Array:
    """Four bent arms: no component is a Gaussian."""
    return pinwheel(n, seed).X


def rings(n: int, seed: int) -> Array:
    """Two rings, one in the other: no component is a Gaussian."""
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0.0, 2 * np.pi, n), rng.choice([2.0, 5.0], n)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    return radius[:, None] * circle + 0.3 * rng.normal(size=(n, 2))


def _uneven(k: int, d: int, spread: float, n: int, seed: int) -> Array:
    return uneven(k, d, spread, n, seed).X


Drawn = partial(MaximaProblem, is_real=False)
Held = partial(MaximaProblem, held_back=True)
HeldDrawn = partial(MaximaProblem, held_back=True, is_real=False)


def _rows(make: Callable[..., Array], *arguments: object) -> Callable[[], Array]:
    return partial(make, *arguments)


THYROID, DIABETES = _rows(own, "thyroid"), _rows(own, "diabetes_reaven_miller")
GALAXIES, IRIS, FAITHFUL = _rows(own, "galaxies"), _rows(own, "iris"), _rows(own, "faithful")
BANKNOTE, DIGITS = _rows(own, "banknote"), _rows(digits, 8)

PROBLEMS = {
    "thyroid full 3": MaximaProblem(THYROID, "full", 3),
    "thyroid full 4": MaximaProblem(THYROID, "full", 4),
    "diabetes VVI 3": MaximaProblem(DIABETES, "VVI", 3),
    "galaxies V 4": MaximaProblem(GALAXIES, "V", 4),
    "galaxies V 6": MaximaProblem(GALAXIES, "V", 6),
    "iris full 3": MaximaProblem(IRIS, "full", 3),
    "iris full 4": MaximaProblem(IRIS, "full", 4),
    "faithful full 3": MaximaProblem(FAITHFUL, "full", 3),
    "faithful full 4": MaximaProblem(FAITHFUL, "full", 4),
    "breast cancer full 3": MaximaProblem(breast_cancer, "full", 3),
    "crabs tied 4": MaximaProblem(crabs, "tied", 4),
    "banknote full 3": MaximaProblem(BANKNOTE, "full", 3),
    "digits full 10": MaximaProblem(DIGITS, "full", 10),
    "digits diag 10": MaximaProblem(DIGITS, "diag", 10),
    "wine diag 5": MaximaProblem(wine, "diag", 5),
    "wine tied 3": MaximaProblem(wine, "tied", 3),
    "acidity V 3": MaximaProblem(_rows(own, "acidity"), "V", 3),
    "birth weights V 3": Held(_rows(own, "birthwt"), "V", 3),
    "crabs full 3": Held(crabs, "full", 3),
    "banknote diag 6": Held(BANKNOTE, "diag", 6),
    "diabetes full 4": Held(DIABETES, "full", 4),
    "breast cancer diag 6": Held(breast_cancer, "diag", 6),
    "digits tied 12": Held(DIGITS, "tied", 12),
    "wine spherical 4": Held(wine, "spherical", 4),
    "25 far of 50,000": Drawn(_rows(far_cluster, 50_000, 25, 25.0, 31), "full", 3),
    "grid 5 x 5": Drawn(_rows(grid, 5, 2, 0.5, 3000, 4), "full", 25),
    "uneven 8": Drawn(_rows(_uneven, 8, 3, 2.0, 3000, 21), "full", 8),
    "uneven 20": Drawn(_rows(_uneven, 20, 4, 3.0, 5000, 23), "full", 20),
    "elongated 4": Drawn(_rows(elongated, 4, 1000, 0), "full", 4),
    "30-d": Drawn(_rows(high, 5, 30, 0.9, 4000, 7), "full", 5),
    "one column 5": Drawn(_rows(column, 5, 4.0, 2000, 32), "V", 5),
    "rounded 6": Drawn(_rows(rounded, 6, 3, 0.5, 2000, 33), "full", 6),
    "pinwheel 8": Drawn(_rows(arms, 2000, 24), "full", 8),
    "overlap 3": Drawn(_rows(overlapping, 2000, 3), "full", 3),
    "nested 3": Drawn(_rows(nested, 1500, 1), "full", 3),
    "45 far of 80,045": HeldDrawn(_rows(far_cluster, 80_045, 45, 15.0, 34), "full", 3),
    "grid 3 x 3 x 3": HeldDrawn(_rows(grid, 3, 3, 0.4, 3000, 35), "diag", 27),
    "uneven 12": HeldDrawn(_rows(_uneven, 12, 5, 1.5, 4000, 36), "full", 12),
    "star 6": HeldDrawn(_rows(star, 1500, 37), "full", 6),
    "20-d": HeldDrawn(_rows(high, 12, 20, 0.7, 3000, 38), "diag", 12),
    "one column 8": HeldDrawn(_rows(column, 8, 6.0, 3000, 39), "V", 8),
    "rounded 4": HeldDrawn(_rows(rounded, 4, 2, 0.3, 1500, 40), "diag", 4),
    "rings 10": HeldDrawn(_rows(rings, 2000, 41), "spherical", 10),
}

"""What the tests of the passes share: mixtures, rows in every layout, and error bounds.

The bounds are running error bounds: first order in the rounding unit, each term as large as the
numbers that were added up, so that they know the condition of the factors. A sum of n terms is
taken to lose sqrt(n) units (Higham and Mary, SIAM J. Sci. Comput. 41, 2019), times a safety factor.
"""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mixtura import kernels, reference
from mixtura.data.checks import check_resp, check_rows
from mixtura.parameters import Seen
from mixtura.shapes import SHAPE_NAMES, SHAPES, Floats
from mixtura.statistics import Statistics

BACKENDS = {"reference": reference, "kernels": kernels}
COVARIANCE_TYPES = SHAPE_NAMES
EPS = float(np.finfo(np.float64).eps)
SAFETY = 4.0  # over what sqrt(n) promises, and for the errors of exp and log themselves
NEGLIGIBLE = math.exp(-45.0)  # the share of a row that the kernels may leave out of statistics
UNDERFLOW = math.exp(-708.0)  # responsibilities below may be zero: they are hardly normal numbers


def usable_instruction_sets() -> dict[str, ModuleType]:
    """Every compiled module that this CPU can run."""
    config = kernels.build_config()
    compiled = config["instruction_sets"]
    usable = compiled[: compiled.index(config["instruction_set"]) + 1]
    return {name: importlib.import_module(f"mixtura.kernels._kernels_{name}") for name in usable}


@dataclass(frozen=True)
class Mixture:
    """Parameters as the kernels take them."""

    weights: Floats
    means: Floats
    factors: Floats
    covariance_type: str

    @property
    def parameters(self) -> dict[str, object]:
        """Arguments of `responsibilities` and `accumulate`."""
        return {"weights": self.weights, **self.components}

    @property
    def components(self) -> dict[str, object]:
        """Arguments of `log_density`."""
        return {
            "means": self.means,
            "precisions_cholesky": self.factors,
            "covariance_type": self.covariance_type,
        }

    def seen(self) -> Seen:
        """Return what an engine's `Rows` takes."""
        shape = SHAPES[self.covariance_type]
        return Seen.of_factors(self.weights, self.means, self.factors, shape)

    def full_factors(self) -> Floats:
        """Return the factors of any covariance type as upper-triangular (k, d, d)."""
        k, d = self.means.shape
        if self.covariance_type == "full":
            return self.factors
        if self.covariance_type == "tied":
            return np.broadcast_to(self.factors, (k, d, d))
        per_feature = np.broadcast_to(self.factors.reshape(k, -1), (k, d))
        return np.eye(d) * per_feature[:, None, :]

    def scaled(self, unit: float) -> Mixture:
        """Return the mixture of the same data in another unit."""
        return replace(self, means=self.means * unit, factors=self.factors / unit)

    def shifted(self, offset: float) -> Mixture:
        return replace(self, means=self.means + offset)


def random_mixture(
    rng: np.random.Generator, covariance_type: str, k: int, d: int, *, spread: float = 3.0
) -> Mixture:
    """Components of about unit size, correlated where the type allows, `spread` apart."""
    n_factors = 1 if covariance_type == "tied" else k
    roots = rng.normal(size=(n_factors, d, d)) / math.sqrt(d)
    lower = np.linalg.cholesky(roots @ roots.transpose(0, 2, 1) + 0.2 * np.eye(d))
    upper = np.triu(np.linalg.inv(lower).transpose(0, 2, 1))
    factors = {
        "full": upper,
        "tied": upper[0],
        "diag": rng.uniform(0.5, 2.0, size=(k, d)),
        "spherical": rng.uniform(0.5, 2.0, size=k),
    }[covariance_type]
    weights = rng.dirichlet(np.full(k, 3.0))
    return Mixture(weights, spread * rng.normal(size=(k, d)), factors, covariance_type)


def random_rows(rng: np.random.Generator, mixture: Mixture, n: int) -> Floats:
    """Rows about the means, so that several components answer for many of them."""
    k, d = mixture.means.shape
    return mixture.means[rng.integers(k, size=n)] + rng.normal(size=(n, d))


def _unaligned(X: NDArray[np.floating]) -> NDArray[np.floating]:
    records = np.zeros(len(X), np.dtype([("tag", "u1"), ("x", X.dtype, X.shape[1:])]))
    records["x"] = X
    return records["x"]


def _read_only(X: NDArray[np.floating]) -> NDArray[np.floating]:
    copy = X.copy()
    copy.flags.writeable = False
    return copy


# The same rows, laid out in memory in every way that NumPy knows; gaps hold what would be noticed.
LAYOUTS: dict[str, Callable[[NDArray[np.floating]], NDArray[np.floating]]] = {
    "c-order": np.ascontiguousarray,
    "fortran-order": np.asfortranarray,
    "negative-strides": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "every-second-row": lambda X: np.insert(X, range(len(X)), np.nan, axis=0)[1::2],
    "every-second-column": lambda X: np.insert(X, range(X.shape[1]), np.nan, axis=1)[:, 1::2],
    "read-only": _read_only,
    "other-byte-order": lambda X: X.astype(X.dtype.newbyteorder()),
    "unaligned": _unaligned,
}


@contextlib.contextmanager
def unchanged(*arrays: object) -> Iterator[None]:
    """Expect the arrays among the arguments to keep every bit."""
    kept = [array for array in arrays if isinstance(array, np.ndarray)]
    before = [array.tobytes() for array in kept]
    yield
    for array, bits in zip(kept, before, strict=True):
        assert array.tobytes() == bits, "an argument was modified"


def assert_within(computed: object, expected: object, bound: object, name: str) -> None:
    """Expect equal infinities, and finite values no further apart than the bound, element-wise."""
    computed, expected = np.asarray(computed), np.asarray(expected)
    assert computed.dtype == np.float64, name
    assert computed.shape == expected.shape, name
    assert not np.isnan(computed).any(), name
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(computed[~finite], expected[~finite], err_msg=name)
    error = np.abs(computed[finite] - expected[finite])
    allowed = np.broadcast_to(bound, expected.shape)[finite]
    worst = np.max(error / np.maximum(allowed, UNDERFLOW), initial=0.0)
    assert worst <= 1.0, f"{name}: an error is {worst:.3g} times what rounding allows"


class Bounds:
    """How far two correct evaluations of one mixture at one set of rows may be apart.

    Attributes
    ----------
    log_density : ndarray of shape (n_samples, n_components)
    resp : ndarray of shape (n_samples, n_components)
    log_prob : ndarray of shape (n_samples,)
    """

    def __init__(self, X: Floats, mixture: Mixture) -> None:
        self.X, self.mixture = np.asarray(X, dtype=np.float64), mixture
        self._expected_resp, self._expected_log_prob = reference.responsibilities(
            X, **mixture.parameters
        )
        with np.errstate(over="ignore", invalid="ignore"):
            self.log_density = self._of_log_density()
        self.log_prob, self.resp = self._of_log_prob_and_resp()

    def _of_log_density(self) -> Floats:
        d = self.X.shape[1]
        means, factors = self.mixture.means, self.mixture.full_factors()
        z = self.X - means[:, None, :]
        reach = np.abs(z)
        if self.mixture.covariance_type == "tied":  # may whiten rows and near means, then subtract
            whitened = np.einsum("ja,jab->jb", means - means[0], factors)
            near = np.abs(whitened).max() <= 1e3
            reach = reach + near * np.abs(means - means[0])[:, None, :]
        y, added = np.abs(z @ factors), reach @ np.abs(factors)
        unit = (math.sqrt(d) + 4) * EPS
        distance = (unit * (y * added + y * y) + (unit * added) ** 2).sum(axis=2).T
        log_dets = np.abs(np.log(np.einsum("jaa->ja", factors))).sum(axis=1)
        return SAFETY * (distance + unit * (log_dets + d))

    def _of_log_prob_and_resp(self) -> tuple[Floats, Floats]:
        density = reference.log_density(self.X, **self.mixture.components)
        weights = self.mixture.weights
        # Where the density is -inf a responsibility is exactly 0, or a share of the weights.
        there = np.isfinite(density) & (weights > 0.0)
        sizes = np.abs(np.where(there, density, 0.0))
        sizes += np.abs(np.log(np.where(weights > 0.0, weights, 1.0)))
        joint = np.where(there, self.log_density, 0.0) + EPS * sizes
        resp, log_prob = self._expected_resp, self._expected_log_prob
        size = np.abs(np.where(np.isfinite(log_prob), log_prob, 0.0))
        rounding = SAFETY * EPS * (size + math.sqrt(len(weights)))
        of_log_prob = (resp * joint).sum(axis=1) + rounding
        relative = joint + (of_log_prob + rounding)[:, None] + SAFETY * EPS * sizes
        # Far away, rounding decides between components: more than in proportion to the share.
        with np.errstate(invalid="ignore"):
            log_resp = np.where(there, density - log_prob[:, None], -np.inf)
        possible = np.exp(np.minimum(log_resp + relative, 0.0)) * (relative > 0.1)
        of_log_prob += (possible * joint).sum(axis=1)
        return of_log_prob, resp * relative + possible + UNDERFLOW

    def hard(self, sample_weight: Floats | None = None) -> dict[str, Floats]:
        """Bounds for `accumulate` with em="hard"; rounding may decide where two are close."""
        w = np.ones(len(self.X)) if sample_weight is None else sample_weight
        density = reference.log_density(self.X, **self.mixture.components)
        with np.errstate(divide="ignore"):
            joint = density + np.log(self.mixture.weights)
        finite = np.isfinite(joint)
        error = np.where(finite, self.log_density + SAFETY * EPS * np.abs(joint), 0.0)
        nearly = joint + error >= (joint - error).max(axis=1, keepdims=True)
        resp = (nearly & finite).astype(float)
        lost = ~finite.any(axis=1)
        resp[lost, self.mixture.weights.argmax()] = 1.0
        undecided = resp * (resp.sum(axis=1, keepdims=True) > 1.0)
        bounds = statistics_bounds(
            self.X,
            resp,
            self.mixture.means,
            self.mixture.covariance_type,
            sample_weight,
            off=undecided,
        )
        size = SAFETY * (math.sqrt(len(w)) + 4) * EPS * np.abs(joint.max(axis=1))
        errors = ((resp * error).max(axis=1) + size)[(w > 0.0) & ~lost]
        return bounds | {"log_likelihood": w[(w > 0.0) & ~lost] @ errors}

    def statistics(self, sample_weight: Floats | None = None) -> dict[str, Floats]:
        """Bounds for `accumulate`."""
        bounds = statistics_bounds(
            self.X,
            self._expected_resp,
            self.mixture.means,
            self.mixture.covariance_type,
            sample_weight,
            off=self.resp,
        )
        w = np.ones(len(self.X)) if sample_weight is None else sample_weight
        there = (w > 0.0) & np.isfinite(self._expected_log_prob)
        size = np.abs(self._expected_log_prob[there])
        errors = self.log_prob[there] + SAFETY * (math.sqrt(len(w)) + 4) * EPS * size
        return bounds | {"log_likelihood": w[there] @ errors}


def statistics_bounds(
    X: Floats,
    resp: Floats,
    centres: Floats,
    covariance_type: str,
    sample_weight: Floats | None = None,
    *,
    off: float | Floats = 0.0,
) -> dict[str, Floats]:
    """Bounds for `accumulate_resp`, where the responsibilities may themselves be `off`."""
    w = np.ones(len(X)) if sample_weight is None else sample_weight
    present = w > 0.0
    rounding = SAFETY * (math.sqrt(len(X)) + 4) * EPS
    off = ((off + rounding * resp + NEGLIGIBLE) * w[:, None])[present].T[:, :, None]
    z = np.abs(np.asarray(X, dtype=np.float64)[present] - centres[:, None, :])
    cross = covariance_type in ("full", "tied")
    resp_xx = (off * z).transpose(0, 2, 1) @ z if cross else (off * z * z).sum(axis=1)
    return {
        "resp_sum": off.sum(axis=(1, 2)),
        "resp_x": (off * z).sum(axis=1),
        "resp_xx": resp_xx.sum(axis={"tied": 0, "spherical": 1}.get(covariance_type, ())),
        "log_likelihood": np.zeros(()),
        "weight_sum": rounding * w.sum(),
    }


def assert_same_statistics(
    computed: Statistics, expected: Statistics, bounds: dict[str, Floats]
) -> None:
    """Expect the same sums about the same centres, to rounding."""
    assert computed.covariance_type == expected.covariance_type
    np.testing.assert_array_equal(computed.centres, expected.centres)
    for name, bound in bounds.items():
        assert_within(getattr(computed, name), getattr(expected, name), bound, name)


def assert_same_bits(one: Statistics, other: Statistics) -> None:
    """Expect the same sums to the last bit."""
    for name in ("resp_sum", "resp_x", "resp_xx", "log_likelihood", "weight_sum"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def all_results(
    backend: ModuleType,
    X: object,
    resp: object,
    mixture: Mixture,
    sample_weight: object,
    n_threads: int | None = None,
) -> tuple[Floats, Floats, Floats, Statistics, Statistics, Statistics]:
    """What the functions find for the same rows; the last is of hard assignment."""
    return (
        backend.log_density(X, **mixture.components, n_threads=n_threads),
        *backend.responsibilities(X, **mixture.parameters, n_threads=n_threads),
        backend.accumulate(
            X, **mixture.parameters, sample_weight=sample_weight, n_threads=n_threads
        ),
        backend.accumulate_resp(
            X,
            resp,
            mixture.means,
            covariance_type=mixture.covariance_type,
            sample_weight=sample_weight,
            n_threads=n_threads,
        ),
        backend.accumulate(
            X, **mixture.parameters, em="hard", sample_weight=sample_weight, n_threads=n_threads
        ),
    )


def results_of_module(
    module: ModuleType,
    X: object,
    resp: object,
    mixture: Mixture,
    sample_weight: Floats | None,
    n_threads: int = 1,
) -> tuple[Floats, Floats, Floats, Statistics, Statistics, Statistics]:
    """What `all_results` returns, from one compiled module."""
    X = check_rows(X)
    n, k = len(X), len(mixture.means)
    seen = mixture.seen()
    density, shares, log_prob = np.empty((n, k)), np.empty((n, k)), np.empty(n)
    module.Rows(X).evaluate(
        "soft", seen, n_threads, log_density=density, resp=shares, log_prob=log_prob
    )
    rows = module.Rows(X, sample_weight)
    return (
        density,
        shares,
        log_prob,
        rows.accumulate("soft", seen, n_threads),
        rows.given(check_resp(resp, (n, k)), mixture.means, seen.shape, n_threads),
        rows.accumulate("hard", seen, n_threads),
    )


def assert_equal_bits(one: tuple, other: tuple) -> None:
    """Expect what `all_results` returns to be the same to the last bit."""
    for a, b in zip(one[:3], other[:3], strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(one[3:], other[3:], strict=True):
        assert_same_bits(a, b)

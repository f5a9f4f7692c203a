"""The door to the compiled kernels: number of threads, output arrays.

The functions are those of `mixtura.reference`, which carries their contract. A result is the
same to the bit for any number of threads; between instruction sets it may differ in the last bits.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura._build_config import BUILD_CONFIG
from mixtura.agglomeration import TreeModel, check_agglomerate
from mixtura.bounds import Carry
from mixtura.instruction_set import INSTRUCTION_SET
from mixtura.instruction_set import compiled_hierarchical as _hierarchical
from mixtura.instruction_set import compiled_kernels as _compiled
from mixtura.statistics import FACTOR_SHAPES, FactorShape, Floats, Statistics
from mixtura.threads import choose_n_threads, threads_for_a_pass
from mixtura.validation import (
    check_centres,
    check_components,
    check_n_threads,
    check_option,
    check_output,
    check_resp,
    check_rows,
    check_sample_weight,
    check_weights,
)

__all__ = [
    "accumulate",
    "accumulate_resp",
    "agglomerate",
    "build_config",
    "log_density",
    "responsibilities",
]

EPS = float(np.finfo(np.float64).eps)
EPS_SINGLE = float(np.finfo(np.float32).eps)

# What a row costs with a component besides its factor, in multiply-adds: an exponential, mostly.
EXPONENTIAL_WORK = 20


def build_config() -> dict[str, Any]:
    """How this copy of mixtura was built, and what it uses on this machine.

    Returns
    -------
    dict
        The build's ``version``, ``compiler``, ``compiler_version``, ``c_flags``, ``openmp``
        (without it every pass runs on one thread) and ``instruction_sets`` compiled; and, of this
        process, ``instruction_set`` in use, ``lanes`` (float64 numbers to a vector) and
        ``n_threads``, the most that a pass uses by default.

    Examples
    --------
    >>> import mixtura
    >>> config = mixtura.build_config()
    >>> config["instruction_set"] in config["instruction_sets"]
    True
    """
    return {
        **BUILD_CONFIG,
        "instruction_set": INSTRUCTION_SET,
        "lanes": _compiled.lanes,
        "n_threads": choose_n_threads(None),
    }


class Rows:
    """Rows of data, perhaps weighted, and what the compiled passes over them keep.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64
        As `mixtura.validation.check_rows` returns it; held, never copied or modified.
    sample_weight : ndarray of shape (n_samples,), float64, optional
        As `mixtura.validation.check_sample_weight` returns it; None is one for each row.
    centre : ndarray of shape (n_features,), optional
        A point amid the rows: tiles are then worked on as differences from it.
    single : bool
        Work on tiles in single precision, which needs `centre`; sums over tiles stay in double.

    Attributes
    ----------
    rounding : float
        What rounding does to a mean log-likelihood, relative to it.

    Notes
    -----
    Every method takes parameters that are already checked. One `Rows` serves one thread at a time.
    """

    def __init__(
        self,
        X: NDArray[Any],
        sample_weight: Floats | None = None,
        centre: Floats | None = None,
        *,
        single: bool = False,
    ) -> None:
        self.n_samples, self.n_features = X.shape
        self._rows = _compiled.Rows(X, sample_weight, centre, single)
        self._single = single
        self.rounding = EPS_SINGLE / max(1, self.n_samples) ** 0.5 if single else EPS

    def _threads(
        self, n_threads: int | None, factors_size: int, n_components: int
    ) -> AbstractContextManager[int]:
        work_per_row = factors_size + EXPONENTIAL_WORK * n_components
        return threads_for_a_pass(n_threads, work=self.n_samples * work_per_row)

    def _about(
        self, centres: Floats, covariance_type: FactorShape, numbers: tuple[Any, ...]
    ) -> Statistics:
        """Statistics about these centres; in single precision the tiles had others, rounded."""
        if not self._single:
            return Statistics(covariance_type, centres, *numbers[1:])
        return Statistics(covariance_type, *numbers).recentred(centres)

    def log_density(
        self,
        means: Floats,
        factors: Floats,
        covariance_type: FactorShape,
        n_threads: int | None,
        out: Floats,
    ) -> None:
        """Write the log-densities (n_samples, n_components) of every component into `out`."""
        k = len(means)
        with self._threads(n_threads, factors.size, k) as n:
            self._rows.evaluate(
                np.ones(k), means, factors.reshape(-1), covariance_type, n, log_density=out
            )

    def posterior(
        self,
        weights: Floats,
        means: Floats,
        factors: Floats,
        covariance_type: FactorShape,
        n_threads: int | None,
        *,
        resp: Floats | None = None,
        log_prob: Floats | None = None,
        labels: NDArray[np.int64] | None = None,
    ) -> None:
        """Write what is wanted: responsibilities, log-probabilities, most probable components."""
        with self._threads(n_threads, factors.size, len(means)) as n:
            self._rows.evaluate(
                weights, means, factors.reshape(-1), covariance_type, n,
                resp=resp, log_prob=log_prob, labels=labels,
            )  # fmt: skip

    def accumulate(
        self,
        weights: Floats,
        means: Floats,
        factors: Floats,
        covariance_type: FactorShape,
        n_threads: int | None,
        *,
        carry: Carry | None = None,
        labels: NDArray[np.int64] | None = None,
    ) -> Statistics:
        """Return the statistics under a mixture; on demand write the most probable components."""
        with self._threads(n_threads, factors.size, len(means)) as n:
            sums = self._rows.accumulate(
                weights, means, factors.reshape(-1), covariance_type, n,
                labels=labels, **_asdict(carry),
            )  # fmt: skip
        return self._about(means, covariance_type, sums)

    @property
    def computed(self) -> float:
        """Share of (tile, component) pairs whose densities the last pass had to compute."""
        return float(self._rows.computed)

    def n_tiles(self, n_components: int, covariance_type: FactorShape) -> int:
        """Return the number of tiles that a pass cuts the rows into."""
        return int(self._rows.n_tiles(n_components, covariance_type))

    def assign(
        self,
        centers: Floats,
        n_threads: int | None,
        *,
        carry: Carry | None = None,
        labels: NDArray[np.int64] | None = None,
        log_prob: Floats | None = None,
    ) -> Statistics:
        """Return the "spherical" statistics where each row belongs to its nearest center.

        The log-likelihood is minus half the weighted sum of squared distances. On demand `labels`
        gets the position of the nearest center and `log_prob` minus half the squared distance.
        """
        with self._threads(n_threads, centers.size, len(centers)) as n:
            sums = self._rows.assign(centers, n, labels=labels, log_prob=log_prob, **_asdict(carry))
        return self._about(centers, "spherical", sums)

    def potentials(self, seeds: Floats, nearest: Floats, n_threads: int | None) -> Floats:
        """Take the first of some seeds; return what choosing each of them next would leave.

        Parameters
        ----------
        seeds : ndarray of shape (n_seeds, n_features)
            The one just chosen, and candidates to be the next.
        nearest : ndarray of shape (n_samples,)
            Squared distance of each row to the seeds before; brought up to date with the new one.
        n_threads : int or None

        Returns
        -------
        ndarray of shape (n_seeds,)
            Weighted sum of `nearest` with one more seed.
        """
        with self._threads(n_threads, seeds.size, len(seeds)) as n:
            return self._rows.potentials(seeds, nearest, n)

    def accumulate_resp(
        self, resp: Floats, centres: Floats, covariance_type: FactorShape, n_threads: int | None
    ) -> Statistics:
        """Return the statistics under responsibilities of shape (n_samples, n_components)."""
        with self._threads(n_threads, centres.size, len(centres)) as n:
            sums = self._rows.accumulate_resp(resp, centres, covariance_type, n)
        return self._about(centres, covariance_type, sums)

    def accumulate_labels(
        self,
        labels: NDArray[np.int64],
        centres: Floats,
        covariance_type: FactorShape,
        n_threads: int | None,
    ) -> Statistics:
        """Return the statistics where each row belongs to one component, its label."""
        with self._threads(n_threads, centres.size, len(centres)) as n:
            sums = self._rows.accumulate_labels(labels, centres, covariance_type, n)
        return self._about(centres, covariance_type, sums)


def _asdict(carry: Carry | None) -> dict[str, Any]:
    return {} if carry is None else carry._asdict()


def log_density(
    X: ArrayLike,
    means: ArrayLike,
    precisions_cholesky: ArrayLike,
    *,
    covariance_type: FactorShape,
    n_threads: int | None = None,
    out: Floats | None = None,
) -> Floats:
    """Log-density of every row under every component: `mixtura.reference.log_density`, compiled."""
    check_n_threads(n_threads)
    X = check_rows(X)
    means, factors = check_components(means, precisions_cholesky, covariance_type, X.shape[1])
    out = check_output(out, (len(X), len(means)))
    Rows(X).log_density(means, factors, covariance_type, n_threads, out)
    return out


def responsibilities(
    X: ArrayLike,
    weights: ArrayLike,
    means: ArrayLike,
    precisions_cholesky: ArrayLike,
    *,
    covariance_type: FactorShape,
    n_threads: int | None = None,
) -> tuple[Floats, Floats]:
    """Posterior probability of every component: `mixtura.reference.responsibilities`, compiled."""
    check_n_threads(n_threads)
    X = check_rows(X)
    means, factors = check_components(means, precisions_cholesky, covariance_type, X.shape[1])
    weights = check_weights(weights, len(means))
    resp, log_prob = np.empty((len(X), len(means))), np.empty(len(X))
    Rows(X).posterior(
        weights, means, factors, covariance_type, n_threads, resp=resp, log_prob=log_prob
    )
    return resp, log_prob


def accumulate(
    X: ArrayLike,
    weights: ArrayLike,
    means: ArrayLike,
    precisions_cholesky: ArrayLike,
    *,
    covariance_type: FactorShape,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Statistics:
    """Statistics of the rows under a mixture: `mixtura.reference.accumulate`, compiled."""
    check_n_threads(n_threads)
    X = check_rows(X)
    means, factors = check_components(means, precisions_cholesky, covariance_type, X.shape[1])
    weights = check_weights(weights, len(means))
    sample_weight = check_sample_weight(sample_weight, len(X))
    return Rows(X, sample_weight).accumulate(weights, means, factors, covariance_type, n_threads)


def accumulate_resp(
    X: ArrayLike,
    resp: ArrayLike,
    centres: ArrayLike,
    *,
    covariance_type: FactorShape,
    sample_weight: ArrayLike | None = None,
    n_threads: int | None = None,
) -> Statistics:
    """Statistics under given responsibilities: `mixtura.reference.accumulate_resp`, compiled."""
    check_n_threads(n_threads)
    covariance_type = check_option("covariance_type", covariance_type, FACTOR_SHAPES)
    X = check_rows(X)
    centres = check_centres(centres, X.shape[1])
    resp = check_resp(resp, (len(X), len(centres)))
    sample_weight = check_sample_weight(sample_weight, len(X))
    return Rows(X, sample_weight).accumulate_resp(resp, centres, covariance_type, n_threads)


def agglomerate(
    X: ArrayLike,
    *,
    model: TreeModel,
    blur: float,
    sample_weight: ArrayLike | None = None,
) -> tuple[NDArray[np.int64], Floats]:
    """Merge rows until one cluster is left: `mixtura.reference.agglomerate`, compiled."""
    rows, model, blur, weight = check_agglomerate(X, model, blur, sample_weight)
    merges, losses = np.empty((len(rows) - 1, 2), dtype=np.int64), np.empty(len(rows) - 1)
    _hierarchical.agglomerate(rows, weight, model, blur, merges, losses)
    return merges, losses

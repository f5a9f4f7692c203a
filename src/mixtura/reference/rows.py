"""Rows in plain NumPy, with the interface of the compiled `mixtura.kernels.Rows`.

A form of rows is a class: `Rows` knows every number of a row. Another form derives from it, and
says how rows are scored (`_scores`) and added up (`_sums`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.parameters import Seen
from mixtura.reference import hard, nearest, soft
from mixtura.reference.density import log_density
from mixtura.reference.given import add_up, as_resp
from mixtura.reference.seeds import potentials, seeds
from mixtura.shapes import EPS, SPHERICAL, Floats, Shape
from mixtura.statistics import Statistics

__all__ = ["E_STEPS", "Rows"]

Labels = NDArray[np.int64]

# Every E-step makes of the scores (n_samples, n_components), the log-weights and perhaps a
# log-prior of each score: the shares of the rows (responsibilities or labels), the most probable or
# nearest component of each, and log_prob.
EStep = Callable[[Floats, Floats, Floats | None], tuple[NDArray[Any], Labels, Floats]]
E_STEPS: dict[str, EStep] = {
    "soft": soft.share_out,
    "hard": hard.share_out,
    "nearest": nearest.share_out,
}


class Rows:
    """Rows of data, perhaps weighted.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64
        Held, never copied as a whole or modified.
    sample_weight : ndarray of shape (n_samples,), float64, optional
        None is one for each row.
    centre : ndarray of shape (n_features,), optional
        Not used here.
    single : bool
        Not used here: the reference always works in double precision.
    code : ndarray of shape (n_samples,), int64, optional
        What is known of the component of each row: a row of the table of log-priors
        (n_codes, n_components) that is ``seen.extras["prior"]``. The E-steps "soft" and "hard" add
        it to the weighted log-densities.

    Attributes
    ----------
    n_samples, n_features : int
    extras : tuple of str
        Names of the further sums that the E-steps "soft" and "hard" return.
    rounding : float
        What rounding does to a mean log-likelihood, relative to it.
    computed : float
        Share of the densities that the last pass computed: all of them.
    iterates : bool
        Whether several iterations can be made in one call: never here.
    shared : float
        Share of the pairs of a row and a component that matter, where masks are kept; else 1.

    Notes
    -----
    Arguments of every method are already checked. `n_threads` and `carry` change nothing but the
    time of a compiled pass, and are ignored.
    """

    extras: tuple[str, ...] = ()
    rounding = EPS
    computed: float = 1.0
    shared: float = 1.0
    iterates = False

    def __init__(
        self,
        X: NDArray[Any],
        sample_weight: Floats | None = None,
        centre: Floats | None = None,  # noqa: ARG002
        *,
        single: bool = False,  # noqa: ARG002
        code: Labels | None = None,
    ) -> None:
        self.n_samples: int = X.shape[0]
        self.n_features: int = X.shape[1]
        self._code = code
        self._X = X
        self._weight = np.ones(len(X)) if sample_weight is None else sample_weight

    def _scores(self, em: str, seen: Seen) -> Floats:
        """Return what rows are shared out by, shape (n_samples, n_components)."""
        if em == "nearest":
            return nearest.scores(self._X, seen.means)
        return log_density(self._X, seen)

    def _sums(self, em: str, shares: NDArray[Any], seen: Seen, log_prob: Floats) -> Statistics:  # noqa: ARG002
        """Return the statistics of rows that are shared out."""
        return add_up(self._X, self._weight, shares, seen.means, seen.shape, log_prob)

    def _share_out(self, em: str, seen: Seen) -> tuple[NDArray[Any], Labels, Floats]:
        table = seen.extras.get("prior")
        prior = None if self._code is None or table is None else table[self._code]
        return E_STEPS[em](self._scores(em, seen), seen.log_weights, prior)

    def n_tiles(self, n_components: int, shape: Shape) -> int:  # noqa: ARG002
        """Return the number of tiles that a pass cuts the rows into: one."""
        return 1

    def accumulate(
        self,
        em: str,
        seen: Seen,
        n_threads: int | None,  # noqa: ARG002
        *,
        carry: Any = None,  # noqa: ARG002
        labels: Labels | None = None,
    ) -> Statistics:
        """Return the statistics of one E-step about the means; write the labels on demand."""
        shares, found, log_prob = self._share_out(em, seen)
        if labels is not None:
            labels[...] = found
        return self._sums(em, shares, seen, log_prob)

    def evaluate(
        self,
        em: str,
        seen: Seen,
        n_threads: int | None,  # noqa: ARG002
        *,
        log_density: Floats | None = None,
        resp: Floats | None = None,
        log_prob: Floats | None = None,
        labels: Labels | None = None,
    ) -> None:
        """Write what is wanted of each row; `log_density` is without the weights."""
        if log_density is not None:
            log_density[...] = self._scores("soft", seen)
        if resp is None and log_prob is None and labels is None:
            return
        shares, found, total = self._share_out(em, seen)
        if resp is not None:
            resp[...] = as_resp(shares, len(seen.means))
        if log_prob is not None:
            log_prob[...] = total
        if labels is not None:
            labels[...] = found

    def given(
        self,
        shares: NDArray[Any],
        centres: Floats,
        shape: Shape,
        n_threads: int | None,  # noqa: ARG002
    ) -> Statistics:
        """Return the statistics under labels (n_samples,) or responsibilities."""
        return add_up(self._X, self._weight, shares, centres, shape)

    def lloyd(
        self,
        centers: Floats,
        n_iter: int,
        least_gain: float,
        n_threads: int | None,
        labels: Labels,
    ) -> tuple[Floats, int]:
        """Give each row to the nearest center after some iterations of Lloyd's algorithm.

        They end before `n_iter` where the last one has lowered the squared distances by no more
        than `least_gain` of them. `labels` gets the number of each row's center. Return the centers
        and the iterations made. An empty cluster keeps its center.
        """
        before = -math.inf
        for made in range(n_iter + 1):
            seen = Seen.of_centers(centers, SPHERICAL)
            statistics = self.accumulate("nearest", seen, n_threads, labels=labels)
            height = statistics.log_likelihood
            if made == n_iter or height - before <= least_gain * abs(height):
                break
            centers, before = statistics.means(), height
        return centers, made

    def potentials(
        self,
        seeds: Floats,
        nearest: Floats,
        n_threads: int | None,  # noqa: ARG002
        *,
        after: Floats | None = None,
    ) -> Floats:
        """Take the first seed into `nearest`; return what each of the seeds would leave.

        With `after`, shape (n_samples, n_seeds), no seed is taken: its columns become what each of
        the seeds would make of `nearest`. For rows without weight they are arbitrary.
        """
        return potentials(self._X, self._weight, seeds, nearest, after)

    def seeds(
        self,
        first: float,
        quantiles: Floats,
        n_threads: int | None,  # noqa: ARG002
    ) -> Labels:
        """Return the rows that greedy k-means++ chooses as seeds.

        Parameters
        ----------
        first : float
            The first row is the one at this quantile of the cumulated weights.
        quantiles : ndarray of shape (n_seeds - 1, n_trials), float64, contiguous
            The trials for each other seed are the rows at these quantiles of the cumulated weights
            times squared distances to the nearest seed. The one that lowers their sum most becomes
            the seed, the first of those that are equal but for rounding. Where all distances are
            zero, trials are drawn by weight.
        n_threads : int or None

        Returns
        -------
        ndarray of shape (n_seeds,), int64
        """
        return seeds(self._X, self._weight, first, quantiles)

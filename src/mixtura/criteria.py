"""How well a mixture describes rows: its log-likelihood, and criteria to choose among mixtures."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.tabular import Names
from mixtura.validation import Rows, check_n_threads, check_rows, check_sample_weight

__all__ = ["Criteria"]

ELEMENTS_AT_ONCE = 1 << 20  # responsibilities held while a criterion goes through the rows


class _Totals(NamedTuple):
    """Weighted sums over rows: of one, of log_prob, of the log of the largest responsibility."""

    weight: float
    log_likelihood: float
    log_assigned: float


class Criteria(ABC):
    """What every mixture can say of rows, given their log-probabilities and responsibilities."""

    @property
    @abstractmethod
    def n_components(self) -> int:
        """Number of components."""

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Number of features."""

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Free numbers among the parameters."""

    feature_names: Names | None

    def _check_rows(self, X: ArrayLike, minimum: int = 0) -> Rows:
        """Rows of as many features as the mixture describes and, of a frame, with their names."""
        return check_rows(
            X, minimum=minimum, n_features=self.n_features, feature_names=self.feature_names
        )

    @abstractmethod
    def _posterior(self, X: NDArray[Any], n_threads: int | None, **outputs: Any) -> None:
        """Write log_prob (n_samples,) and, unless None, resp (n_samples, n_components)."""

    def log_likelihood(
        self, X: ArrayLike, sample_weight: ArrayLike | None = None, *, n_threads: int | None = None
    ) -> float:
        """Total of ``sample_weight * log_prob`` over the rows.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.
        sample_weight : array_like of shape (n_samples,), optional
            Non-negative weight of each row; None is one for each.
        n_threads : int or None
            Number of threads, None for as many as are useful.

        Returns
        -------
        float, nats
        """
        return self._totals(X, sample_weight, n_threads).log_likelihood

    def aic(
        self, X: ArrayLike, sample_weight: ArrayLike | None = None, *, n_threads: int | None = None
    ) -> float:
        """Akaike's criterion ``-2 log_likelihood + 2 n_parameters`` [1]_; lower is better.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows, at least one.
        sample_weight : array_like of shape (n_samples,), optional
            Non-negative weight of each row; None is one for each.
        n_threads : int or None
            Number of threads, None for as many as are useful.

        Returns
        -------
        float

        References
        ----------
        .. [1] H. Akaike, "A new look at the statistical model identification", IEEE Transactions on
           Automatic Control 19, 716-723, 1974.
        """
        totals = self._totals(X, sample_weight, n_threads, minimum=1)
        return -2.0 * totals.log_likelihood + 2.0 * self.n_parameters

    def bic(
        self, X: ArrayLike, sample_weight: ArrayLike | None = None, *, n_threads: int | None = None
    ) -> float:
        """Schwarz's criterion, with n the sum of weights; lower is better.

        ``-2 log_likelihood + n_parameters log n`` [1]_.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows, at least one.
        sample_weight : array_like of shape (n_samples,), optional
            Non-negative weight of each row; None is one for each.
        n_threads : int or None
            Number of threads, None for as many as are useful.

        Returns
        -------
        float

        References
        ----------
        .. [1] G. Schwarz, "Estimating the dimension of a model", The Annals of Statistics 6,
           461-464, 1978.
        """
        totals = self._totals(X, sample_weight, n_threads, minimum=1)
        return -2.0 * totals.log_likelihood + self.n_parameters * math.log(totals.weight)

    def icl(
        self, X: ArrayLike, sample_weight: ArrayLike | None = None, *, n_threads: int | None = None
    ) -> float:
        """Integrated completed likelihood; lower is better.

        ``bic - 2 sum_i sample_weight[i] log max_j resp[i, j]``: BIC, and a penalty for rows that
        are not clearly of one component. It is the BIC of the likelihood of rows and labels
        together, each row assigned to its most probable component [1]_.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows, at least one.
        sample_weight : array_like of shape (n_samples,), optional
            Non-negative weight of each row; None is one for each.
        n_threads : int or None
            Number of threads, None for as many as are useful.

        Returns
        -------
        float

        Notes
        -----
        Memory of 8 MiB beyond the rows and their weights: rows are taken a chunk at a time.

        References
        ----------
        .. [1] C. Biernacki, G. Celeux, G. Govaert, "Assessing a mixture model for clustering with
           the integrated completed likelihood", IEEE Transactions on Pattern Analysis and Machine
           Intelligence 22, 719-725, 2000.
        """
        totals = self._totals(X, sample_weight, n_threads, minimum=1, assigned=True)
        completed = totals.log_likelihood + totals.log_assigned
        return -2.0 * completed + self.n_parameters * math.log(totals.weight)

    def _totals(
        self,
        X: ArrayLike,
        sample_weight: ArrayLike | None,
        n_threads: int | None,
        *,
        minimum: int = 0,
        assigned: bool = False,
    ) -> _Totals:
        """Go through the rows in chunks, so that no (n_samples, n_components) array is needed."""
        check_n_threads(n_threads)
        X = self._check_rows(X, minimum)
        sample_weight = check_sample_weight(sample_weight, len(X))
        log_likelihood = log_assigned = 0.0
        step = 1 + ELEMENTS_AT_ONCE // self.n_components
        for start in range(0, len(X), step):
            chunk, weight = X[start : start + step], sample_weight[start : start + step]
            log_prob = np.empty(len(chunk))
            resp = np.empty((len(chunk), self.n_components)) if assigned else None
            self._posterior(chunk, n_threads, log_prob=log_prob, resp=resp)
            present = weight > 0.0  # an absent row may have a log-probability of -inf
            log_likelihood += float((weight[present] * log_prob[present]).sum())
            if resp is not None:
                log_assigned += float((weight * np.log(resp.max(axis=1))).sum())
        return _Totals(float(sample_weight.sum()), log_likelihood, log_assigned)

"""What the mixture estimators have in common: checks, the course of a fit, answers for rows."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.covariance import FAMILIES
from mixtura.data.checks import (
    check_count,
    check_flag,
    check_level,
    check_n_threads,
    check_number,
    check_option,
)
from mixtura.data.missing import MISSING
from mixtura.data.row_checks import check_n_rows
from mixtura.mixture import GaussianMixture as Mixture
from mixtura.parameters import Parameters
from mixtura.schedules import Outcome
from mixtura.shapes import SHAPE_NAMES, Floats
from mixtura.sklearn.rows import WeightedRows, rows_of, weighted_rows_of
from mixtura.sklearn.starts import INIT_PARAMS

__all__ = ["MixtureEstimator"]


class MixtureEstimator(DensityMixin, BaseEstimator):
    """An estimator of a Gaussian mixture.

    A subclass says how it answers for rows that are checked, in `_labels`, `_resp`, `_log_prob` and
    `_mean_log_prob`, and fits in `_fit`. `_DESCRIBE_FIT` names the parameters that say what the
    fitted attributes are; `set_params` after a fit changes nothing of it.
    """

    _DESCRIBE_FIT: tuple[str, ...] = ("covariance_type", "n_components")

    # Set by `fit`
    weights_: NDArray[Any]
    means_: NDArray[Any]
    covariances_: NDArray[Any]
    precisions_cholesky_: NDArray[Any]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing == "em"
        return tags

    @property
    def model_(self) -> Mixture:
        """The mixture that the fitted attributes describe, frozen."""
        check_is_fitted(self)
        fitted = copy.copy(self)
        fitted.covariance_type = self._fitted_as("covariance_type")
        return Mixture.from_sklearn(fitted)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Most probable component of each row.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,), int64

        Examples
        --------
        >>> from mixtura.datasets import load_faithful
        >>> from mixtura.sklearn import GaussianMixture
        >>> X = load_faithful().data
        >>> gm = GaussianMixture(n_components=2, random_state=0).fit(X)
        >>> gm.predict([[2.0, 50.0], [4.5, 85.0]])
        array([0, 1])
        """
        check_is_fitted(self)
        return self._labels(rows_of(self, X, missing=self.missing, reset=False))

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Posterior probability of each component, given the row.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Of the dtype of the rows.

        Examples
        --------
        >>> from mixtura.datasets import load_faithful
        >>> from mixtura.sklearn import GaussianMixture
        >>> X = load_faithful().data
        >>> gm = GaussianMixture(n_components=2, random_state=0).fit(X)
        >>> gm.predict_proba([[2.0, 50.0], [3.0, 65.0]]).round(2)
        array([[1.  , 0.  ],
               [0.22, 0.78]])
        """
        check_is_fitted(self)
        X = rows_of(self, X, missing=self.missing, reset=False)
        return self._resp(X).astype(X.dtype, copy=False)

    def score_samples(self, X: ArrayLike) -> NDArray[Any]:
        """Log-density of each row.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,), nats
            Of the dtype of the rows.

        Examples
        --------
        >>> from mixtura.datasets import load_faithful
        >>> from mixtura.sklearn import GaussianMixture
        >>> X = load_faithful().data
        >>> gm = GaussianMixture(n_components=2, random_state=0).fit(X)
        >>> gm.score_samples([[2.0, 50.0], [3.0, 65.0]]).round(2)
        array([-3.55, -8.75])
        """
        check_is_fitted(self)
        X = rows_of(self, X, missing=self.missing, reset=False)
        return self._log_prob(X).astype(X.dtype, copy=False)

    def score(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> float:
        """Weighted mean of the log-density of the rows.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.
        y : None
            Ignored.
        sample_weight : array_like of shape (n_samples,), optional
            Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None
            is one for each row.

        Returns
        -------
        float, nats per row

        Examples
        --------
        >>> from mixtura.datasets import load_faithful
        >>> from mixtura.sklearn import GaussianMixture
        >>> X = load_faithful().data
        >>> gm = GaussianMixture(n_components=2, random_state=0).fit(X)
        >>> round(gm.score(X), 2)
        -4.16
        """
        check_is_fitted(self)
        X, weight, _ = weighted_rows_of(self, X, sample_weight, missing=self.missing, reset=False)
        return self._mean_log_prob(X, weight)

    def sample(self, n_samples: int = 1) -> tuple[Floats, NDArray[np.int64]]:
        """Draw rows, the same as scikit-learn from the same `random_state`.

        Parameters
        ----------
        n_samples : int
            Number of rows, at least one.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), float64
            One component after the other; `mixtura.GaussianMixture.sample` draws them mixed.
        y : ndarray of shape (n_samples,), int64
            The components they come from.

        Raises
        ------
        ValueError
            For less than one row.

        Examples
        --------
        >>> from mixtura.datasets import load_faithful
        >>> from mixtura.sklearn import GaussianMixture
        >>> X = load_faithful().data
        >>> gm = GaussianMixture(n_components=2, random_state=0).fit(X)
        >>> rows, components = gm.sample(5)
        >>> rows.shape, components
        ((5, 2), array([0, 0, 1, 1, 1]))
        """
        model = self.model_
        if n_samples < 1:
            raise ValueError(
                f"Invalid value for 'n_samples': {n_samples}. The sampling requires at least one "
                f"sample."
            )
        random_state = check_random_state(self.random_state)
        counts = random_state.multinomial(n_samples, model.weights)
        drawn: list[Floats] = []
        parameters = model._parameters()
        deviations = np.sqrt(parameters.variances())
        for j, (mean, count) in enumerate(zip(model.means, counts, strict=True)):
            if parameters.shape.is_diagonal:
                z = random_state.standard_normal((count, len(mean)))
                drawn.append(mean + z * deviations[j])
            else:
                matrix = parameters.covariance(j)
                drawn.append(random_state.multivariate_normal(mean, matrix, count))
        return np.vstack(drawn), np.repeat(np.arange(len(counts)), counts)

    def _check_parameters(self) -> None:
        check_count("n_components", self.n_components)
        _check_covariance_type(self.covariance_type)
        check_number("tol", self.tol)
        check_number("reg_covar", self.reg_covar)
        check_count("max_iter", self.max_iter, minimum=0)
        check_count("n_init", self.n_init)
        check_option("init_params", self.init_params, INIT_PARAMS)
        check_flag("warm_start", self.warm_start)
        check_level("verbose", self.verbose)
        check_count("verbose_interval", self.verbose_interval)
        check_option("missing", self.missing, MISSING)
        check_n_threads(self.n_threads)

    def _rows_to_fit(self, X: ArrayLike, sample_weight: ArrayLike | None) -> WeightedRows:
        """Check the parameters and the rows, and return these as the passes take them."""
        self._check_parameters()
        k = self.n_components
        rows = weighted_rows_of(self, X, sample_weight, missing=self.missing, ensure_min_samples=2)
        if len(rows.X) < k:
            raise ValueError(
                f"Expected n_samples >= n_components but got n_components = {k}, "
                f"n_samples = {len(rows.X)}. Ask for fewer components."
            )
        if rows.sample_weight is not None:
            check_n_rows(int(np.count_nonzero(rows.sample_weight)), k)
        return rows

    def _last_model(self, n_features: int) -> Mixture:
        """That of the last fit, which must have been of rows like these."""
        for name in self._DESCRIBE_FIT:
            last, given = self._fitted_as(name), getattr(self, name)
            if last != given:
                raise ValueError(
                    f"with warm_start=True, fit continues from the last fit, of {name}={last!r}; "
                    f"got {given!r}. Use the same, or warm_start=False."
                )
        model = self.model_
        if model.n_features != n_features:
            raise ValueError(
                f"with warm_start=True, fit continues from the last fit, of {model.n_features} "
                f"features; got {n_features}. Use the same features, or warm_start=False."
            )
        return model

    def _fitted_as(self, name: str) -> Any:
        """The value that a parameter had in the last fit, if that is known."""
        return getattr(self, "_described", {}).get(name, getattr(self, name))

    def _keep_course(self, outcome: Outcome) -> None:
        """Set the fitted attributes that describe the best run."""
        self.converged_: bool = outcome.stop_reason == "converged"
        self.n_iter_: int = len(outcome.history)
        self.lower_bounds_: list[float] = list(outcome.state.bounds[1:])
        self.lower_bound_: float = self.lower_bounds_[-1] if self.n_iter_ else -np.inf
        if self.n_iter_ and not self.converged_:
            warnings.warn(
                "Best performing initialization did not converge. Try different init parameters, "
                "or increase max_iter, tol, or check for degenerate data.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _keep_parameters(self, parameters: Parameters, dtype: Any) -> None:
        """Set the fitted attributes that describe the mixture."""
        for name in ("weights", "means", "covariances", "precisions_cholesky"):
            setattr(self, f"{name}_", getattr(parameters, name).astype(dtype))
        self.precisions_: NDArray[Any] = parameters.shape.precisions(self.precisions_cholesky_)
        self._described = {name: getattr(self, name) for name in self._DESCRIBE_FIT}

    def _labels(self, X: NDArray[Any]) -> NDArray[Any]:
        raise NotImplementedError

    def _resp(self, X: NDArray[Any]) -> Floats:
        raise NotImplementedError

    def _log_prob(self, X: NDArray[Any]) -> Floats:
        raise NotImplementedError

    def _mean_log_prob(self, X: NDArray[Any], weight: Floats | None) -> float:
        raise NotImplementedError


def _check_covariance_type(value: Any) -> None:
    try:
        check_option("covariance_type", value, SHAPE_NAMES)
    except ValueError as error:
        if value not in FAMILIES:
            raise
        choice = str(error).removesuffix(".")
        raise ValueError(f"{choice}, or use mixtura.fit_gmm, which has this family.") from None

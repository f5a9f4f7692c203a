"""MixtureImputer: missing values filled in by a Gaussian mixture, as scikit-learn's imputers do."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.impute import MissingIndicator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.data.checks import check_flag
from mixtura.data.frames import described
from mixtura.data.missing import Missing
from mixtura.exceptions import EmptyFeatureWarning
from mixtura.fitting import GMMFit, fit_gmm
from mixtura.mixture import GaussianMixture as Mixture
from mixtura.sklearn.rows import rows_of, weighted_rows_of

__all__ = ["MixtureImputer"]

SEEDS = 2**31 - 1


class MixtureImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Fill in missing values by a Gaussian mixture that is fitted to the observed ones.

    The mixture is that of ``mixtura.fit_gmm(X, n_components, missing="em")``. A missing value
    becomes its expectation given the observed values of its row, or a random draw.

    Parameters
    ----------
    n_components : int
        Number of Gaussian components. One is linear regression on whatever is observed.
    missing_values : float
        What stands for a missing value: NaN, or a number such as -999. pandas.NA is NaN, too.
    covariance_type : str
        How covariances are restricted, as for `fit_gmm`.
    n_init : int
        Number of automatic starts; a larger one searches harder.
    reg_covar : float or array_like of shape (n_features,)
        Ridge on the diagonal of each covariance, relative to the variance of each feature; an array
        is absolute, in squared units.
    tol : float, nats per row
        Stop when the predicted remaining gain is no more than this.
    max_iter : int
        Largest number of iterations.
    avoid_spurious : bool
        Avoid components that sit on equal values or on few rows.
    sample_posterior : bool
        Whether `transform` draws missing values at random from their distribution given the
        observed ones, instead of taking its mean.
    add_indicator : bool
        Whether to add a column that is one where a value was missing, for each feature that had
        missing values in `fit` (see `sklearn.impute.MissingIndicator`).
    keep_empty_features : bool
        Whether features without any value in `fit` stay, filled with 0. By default they are left
        out, with a warning.
    random_state : int, RandomState or None
        Source of random numbers for the starts and for draws. With an integer, each call of
        `transform` draws the same.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.

    Attributes
    ----------
    model_ : mixtura.GaussianMixture
        The mixture of the features that had values.
    fit_ : mixtura.GMMFit
        How it was found.
    n_iter_ : int
        Iterations of the fit.
    indicator_ : sklearn.impute.MissingIndicator
        Where `add_indicator` is set, else None.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of the columns, where `fit` was given a data frame.

    See Also
    --------
    sklearn.impute.IterativeImputer : Regressions of each feature on the others, in turns.
    mixtura.GaussianMixture.impute : The same for a mixture.

    Notes
    -----
    Values must be missing at random: see :doc:`/manual/missing`. Statistics of filled-in data
    are too certain. For multiple imputation draw several times, after one `fit`:
    ``imputer.set_params(random_state=m).transform(X)`` for each m.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura.sklearn import MixtureImputer
    >>> X = [[1.0, 2.1], [2.0, 3.9], [3.0, 6.0], [4.0, np.nan], [np.nan, 10.0]]
    >>> MixtureImputer(random_state=0).fit_transform(X).round(1)
    array([[ 1. ,  2.1],
           [ 2. ,  3.9],
           [ 3. ,  6. ],
           [ 4. ,  7.9],
           [ 5.1, 10. ]])
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        missing_values: Any = np.nan,
        covariance_type: str = "full",
        n_init: int = 10,
        reg_covar: float | ArrayLike = 1e-6,
        tol: float = 1e-6,
        max_iter: int = 1000,
        avoid_spurious: bool = True,
        sample_posterior: bool = False,
        add_indicator: bool = False,
        keep_empty_features: bool = False,
        random_state: Any = None,
        n_threads: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.missing_values = missing_values
        self.covariance_type = covariance_type
        self.n_init = n_init
        self.reg_covar = reg_covar
        self.tol = tol
        self.max_iter = max_iter
        self.avoid_spurious = avoid_spurious
        self.sample_posterior = sample_posterior
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.random_state = random_state
        self.n_threads = n_threads

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._nan_is_missing()
        return tags

    def fit(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture to the observed values.

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
        MixtureImputer
            The estimator itself.

        Raises
        ------
        ValueError
            For parameters or rows that cannot be used.
        mixtura.FitError
            When `reg_covar` is 0, and a covariance cannot be estimated from so few values.

        Warns
        -----
        mixtura.ConvergenceWarning
            When `max_iter` ends the fit.
        mixtura.CoarseColumnsWarning
            When components sat on ties, in columns of a few values: see `fit_gmm`.

        Examples
        --------
        >>> import numpy as np
        >>> from mixtura.sklearn import MixtureImputer
        >>> X = [[1.0, 2.1], [2.0, 3.9], [3.0, 6.0], [4.0, np.nan], [np.nan, 10.0]]
        >>> MixtureImputer(random_state=0).fit(X).model_.means.round(1)
        array([[3., 6.]])
        """
        self._check_parameters()
        rows = weighted_rows_of(self, X, sample_weight, missing=self._missing())
        holed, weight = self._with_nan(rows.X), rows.sample_weight
        present = slice(None) if weight is None else weight > 0.0
        self._observed = ~np.isnan(holed[present]).all(axis=0)
        if not self._observed.any():
            raise ValueError(
                f"X must have an observed value in some column; got none in {len(holed)} rows. "
                f"Pass rows with values."
            )
        self.fit_: GMMFit = fit_gmm(
            holed if self._observed.all() else holed[:, self._observed],
            self.n_components,
            covariance_type=self.covariance_type,
            sample_weight=weight,
            n_init=self.n_init,
            reg_covar=self._absolute_or_relative(),
            tol=self.tol,
            max_iter=self.max_iter,
            avoid_spurious=self.avoid_spurious and self.n_components != 1,
            missing="em",
            rng=self._rng(),
            n_threads=self.n_threads,
            verbose=False,
        )
        self.model_: Mixture = self.fit_.model
        self.n_iter_: int = self.fit_.n_iter
        if hasattr(self, "feature_names_in_"):
            names = tuple(map(str, self.feature_names_in_[self._observed]))
            self.model_ = replace(self.model_, feature_names=names)
        self.indicator_: Any = None
        if self.add_indicator:
            self.indicator_ = MissingIndicator(error_on_new=False).fit(holed)
        return self

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Fill in the missing values.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            A copy, of the dtype of the rows; a frame where `set_output` says so.

        Raises
        ------
        ValueError
            For rows with other features, or infinite values.

        Warns
        -----
        mixtura.EmptyFeatureWarning
            When features are left out, because they had no value in `fit`.

        Examples
        --------
        >>> import numpy as np
        >>> from mixtura.sklearn import MixtureImputer
        >>> X = [[1.0, 2.1], [2.0, 3.9], [3.0, 6.0], [4.0, np.nan], [np.nan, 10.0]]
        >>> MixtureImputer(random_state=0).fit(X).transform([[2.5, np.nan]]).round(1)
        array([[2.5, 5. ]])
        """
        check_is_fitted(self)
        holed = self._with_nan(rows_of(self, X, missing=self._missing(), reset=False))
        observed = self._observed
        rng = self._rng() if self.sample_posterior else None
        whole: NDArray[Any] = self.model_.impute(holed[:, observed], rng, n_threads=self.n_threads)
        if self.keep_empty_features and not observed.all():
            kept = np.where(np.isnan(holed), holed.dtype.type(0), holed)
            kept[:, observed] = whole
            whole = kept
        elif not observed.all():
            names = getattr(self, "feature_names_in_", np.arange(self.n_features_in_))
            warnings.warn(
                f"features {names[~observed].tolist()} had no value in fit, and are left out. Drop "
                f"them, or use keep_empty_features=True.",
                EmptyFeatureWarning,
                stacklevel=2,
            )
        if self.indicator_ is not None:
            whole = np.hstack([whole, self.indicator_.transform(holed).astype(whole.dtype)])
        return whole

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : array_like of str, optional
            Names of the columns of `X`; None takes those seen in `fit`, or "x0" and so on.

        Returns
        -------
        ndarray of str

        Examples
        --------
        >>> from mixtura.sklearn import MixtureImputer
        >>> imputer = MixtureImputer().fit([[1.0, 2.1], [2.0, 3.9], [3.0, 6.0]])
        >>> imputer.get_feature_names_out()
        array(['x0', 'x1'], dtype=object)
        """
        check_is_fitted(self)
        names: NDArray[Any] = super().get_feature_names_out(input_features)
        kept = names if self.keep_empty_features else names[self._observed]
        if self.indicator_ is None:
            return kept
        return np.concatenate([kept, self.indicator_.get_feature_names_out(names)])

    def _check_parameters(self) -> None:
        check_flag("avoid_spurious", self.avoid_spurious)
        check_flag("sample_posterior", self.sample_posterior)
        check_flag("add_indicator", self.add_indicator)
        check_flag("keep_empty_features", self.keep_empty_features)
        value = self.missing_values
        if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
            raise TypeError(
                f"missing_values must be NaN or a number; got {described(value)}. Pass one."
            )

    def _nan_is_missing(self) -> bool:
        return isinstance(self.missing_values, Real) and math.isnan(self.missing_values)

    def _missing(self) -> Missing | None:
        """What NaN among the rows is: an error where a number stands for missing values."""
        return "em" if self._nan_is_missing() else None

    def _with_nan(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return the rows with NaN for the missing values; a copy if it must be."""
        if self._nan_is_missing():
            return X
        places = np.equal(X, float(self.missing_values))
        return np.where(places, X.dtype.type(np.nan), X) if places.any() else X

    def _absolute_or_relative(self) -> Any:
        """`reg_covar` for the features that have values."""
        each = np.shape(self.reg_covar) == self._observed.shape
        return np.asarray(self.reg_covar)[self._observed] if each else self.reg_covar

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(check_random_state(self.random_state).randint(SEEDS))

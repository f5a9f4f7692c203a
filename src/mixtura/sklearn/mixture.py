"""GaussianMixture: scikit-learn's estimator, by mixtura's EM."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.covariance import FAMILIES
from mixtura.data.checks import check_option
from mixtura.data.missing import Missing
from mixtura.mixture.convert import register
from mixtura.parameters import Parameters
from mixtura.shapes import Floats
from mixtura.sklearn.classes import AnswersClasses
from mixtura.sklearn.estimator import MixtureEstimator
from mixtura.sklearn.labels import check_use_y, known_classes
from mixtura.sklearn.mixture_streams import LearnsMixture
from mixtura.sklearn.rows import WeightedRows, weighted_rows_of
from mixtura.sklearn.runs import Runs, opened
from mixtura.sklearn.starts import check_given, start
from mixtura.sklearn.streams import FITTED, parameters_of
from mixtura.updates import AbsoluteRidge, Collapse, Labelled, OnCollapse, Update, components_left

__all__ = ["GaussianMixture"]


@register
class GaussianMixture(LearnsMixture, AnswersClasses, MixtureEstimator):
    """Gaussian mixture for scikit-learn users: its names, defaults and meaning, and weights.

    :doc:`/manual/sklearn` says how it differs from scikit-learn's.

    Parameters
    ----------
    n_components : int
        Number of Gaussian components.
    covariance_type : {"full", "tied", "diag", "spherical"}
        How covariances are restricted.
    tol : float, nats per row
        Stop when the mean log-likelihood changes by less from one iteration to the next.
    reg_covar : float, squared units of the features
        Added to the diagonal of each covariance.
    max_iter : int
        Largest number of iterations of each run; 0 gives the start itself.
    n_init : int
        Runs from different starts; the one with the largest `lower_bound_` counts.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}
        How runs begin: from clusters, from rows far apart, from random responsibilities, or from
        any rows.
    weights_init, means_init, precisions_init : array_like, optional
        Weights, means and inverse covariances to begin with instead, in the shapes of `weights_`,
        `means_` and `covariances_`.
    random_state : int, RandomState or None
        Source of random numbers for the starts and for `sample`.
    warm_start : bool
        Whether `fit` continues from the last fit, if there was one.
    verbose, verbose_interval : int
        Print runs and iterations if 1, times too if more; and iterations between two lines.
    on_collapse : {"raise", "reseed", "drop"}
        What to do with a component whose covariance becomes singular: raise ValueError, as
        scikit-learn does; split the heaviest component instead; or continue without it.
    missing : {"raise", "em"}
        What NaN among the rows is: an error, as in scikit-learn, or a number that is missing at
        random.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.
    use_y : {"auto", True, False}
        Whether `fit` uses its y, the classes of rows. "auto" uses it if some are -1, for rows whose
        class is not known.
    component_classes : array_like of shape (n_components,), optional
        The class of each component where y is used, -1 for none. None gives each class one
        component.
    half_life : float or None
        For `partial_fit`: the weight of rows in which the past loses half its weight, where rows
        drift; None for rows that do not.

    Attributes
    ----------
    weights_, means_ : ndarray of shape (n_components,), (n_components, n_features)
        Weights and means, of the dtype of the rows, as all arrays here.
    covariances_ : ndarray, squared units of the features
        (n_components, n_features, n_features) for "full", (n_features, n_features) for "tied",
        (n_components, n_features) for "diag", (n_components,) for "spherical".
    precisions_, precisions_cholesky_ : ndarray
        Inverse covariances in the same shape, and their factors U: ``precision = U @ U.T``.
    converged_, n_iter_ : bool, int
        Whether the best run ended by `tol`, and its iterations.
    lower_bound_ : float, nats per row
        Mean log-likelihood at the beginning of the best run's last iteration.
    lower_bounds_ : list of float
        The same for each iteration.
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted; only where y was used.
    component_classes_ : ndarray of shape (n_components,)
        The class of each component, -1 for none; only where y was used.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of the columns, where `fit` was given a data frame.

    See Also
    --------
    mixtura.fit_gmm : The function: better starts, a stopping rule on what is left to gain.

    Notes
    -----
    The same data and `random_state` give the fit that scikit-learn gives, to rounding. Sparse rows
    are refused. Where y is used, `predict` returns classes.

    Examples
    --------
    >>> from mixtura.sklearn import GaussianMixture
    >>> X = [[1.0, 2.0], [1.0, 4.0], [1.0, 0.0], [10.0, 2.0], [10.0, 4.0], [10.0, 0.0]]
    >>> gm = GaussianMixture(n_components=2, random_state=0).fit(X)
    >>> gm.means_
    array([[10.,  2.],
           [ 1.,  2.]])
    >>> gm.predict([[0.0, 0.0], [12.0, 3.0]])
    array([1, 0])
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: ArrayLike | None = None,
        means_init: ArrayLike | None = None,
        precisions_init: ArrayLike | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        on_collapse: OnCollapse = "raise",
        missing: Missing = "raise",
        n_threads: int | None = None,
        use_y: Any = "auto",
        component_classes: ArrayLike | None = None,
        half_life: float | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.on_collapse = on_collapse
        self.missing = missing
        self.n_threads = n_threads
        self.use_y = use_y
        self.component_classes = component_classes
        self.half_life = half_life

    def fit(
        self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Fit the mixture by expectation-maximisation.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.
        y : array_like of shape (n_samples,), optional
            Classes of the rows, -1 where they are not known; see `use_y`.
        sample_weight : array_like of shape (n_samples,), optional
            Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None
            is one for each row.

        Returns
        -------
        GaussianMixture
            The estimator itself.

        Raises
        ------
        ValueError
            For parameters or rows that cannot be used; for a covariance that becomes singular,
            where `on_collapse` does not help.

        Warns
        -----
        ConvergenceWarning
            Scikit-learn's, when the best run used up `max_iter`.
        mixtura.IgnoredClassesWarning
            When y is ignored, and missing or empty values in it look like unknown classes.

        Examples
        --------
        >>> from mixtura.datasets import load_faithful
        >>> from mixtura.sklearn import GaussianMixture
        >>> gm = GaussianMixture(n_components=2, random_state=0).fit(load_faithful().data)
        >>> gm.converged_, gm.weights_.round(2)
        (True, array([0.36, 0.64]))
        """
        self._fit(X, y, sample_weight)
        return self

    def fit_predict(
        self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> NDArray[Any]:
        """Fit the mixture and return the most probable component of each row.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.
        y : array_like of shape (n_samples,), optional
            Classes of the rows, -1 where they are not known; see `use_y`.
        sample_weight : array_like of shape (n_samples,), optional
            Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None
            is one for each row.

        Returns
        -------
        ndarray of shape (n_samples,), int64
            As `predict` returns them; where y was used, classes.

        Examples
        --------
        >>> from mixtura.datasets import load_faithful
        >>> from mixtura.sklearn import GaussianMixture
        >>> GaussianMixture(n_components=2, random_state=0).fit_predict(load_faithful().data)[:6]
        array([1, 0, 1, 0, 1, 0])
        """
        rows = self._fit(X, y, sample_weight)
        return rows.marked(self._labels(rows.X))

    def aic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Akaike's criterion; lower is better.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.
        sample_weight : array_like of shape (n_samples,), optional
            Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None
            is one for each row.

        Returns
        -------
        float

        Warns
        -----
        mixtura.WeightsWarning
            When the weights sum to less than half the number of rows of positive weight.

        Examples
        --------
        >>> from mixtura.datasets import load_faithful
        >>> from mixtura.sklearn import GaussianMixture
        >>> X = load_faithful().data
        >>> gm = GaussianMixture(n_components=2, random_state=0).fit(X)
        >>> round(gm.aic(X), 1)
        2282.5
        """
        model = self.model_
        X, weight, _ = weighted_rows_of(self, X, sample_weight, missing=self.missing, reset=False)
        return model.aic(X, weight, n_threads=self.n_threads)

    def bic(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Schwarz's criterion, with n the sum of weights; lower is better.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.
        sample_weight : array_like of shape (n_samples,), optional
            Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None
            is one for each row.

        Returns
        -------
        float

        Warns
        -----
        mixtura.WeightsWarning
            When the weights sum to less than half the number of rows of positive weight.

        Examples
        --------
        >>> from mixtura.datasets import load_faithful
        >>> from mixtura.sklearn import GaussianMixture
        >>> X = load_faithful().data
        >>> gm = GaussianMixture(n_components=2, random_state=0).fit(X)
        >>> round(gm.bic(X), 1)
        2322.2
        """
        model = self.model_
        X, weight, _ = weighted_rows_of(self, X, sample_weight, missing=self.missing, reset=False)
        return model.bic(X, weight, n_threads=self.n_threads)

    def _fit(
        self, X: ArrayLike, y: ArrayLike | None, sample_weight: ArrayLike | None
    ) -> WeightedRows:
        """Fit, and return the rows as the passes take them."""
        rows = self._rows_to_fit(X, sample_weight)
        known = known_classes(self, X, y, rows.sample_weight)
        X, weight, _ = rows
        given: Parameters | dict[str, Floats] = check_given(self, X.shape[1])
        before, n_runs = -np.inf, self.n_init
        if self.warm_start and hasattr(self, "converged_"):
            given = self._last_model(X.shape[1])._parameters()
            before, n_runs = self.lower_bound_, 1
        known_rows = None if known is None else known.rows
        survey = opened(self, X, weight, known_rows)
        by, family = survey.backend.algebra, FAMILIES[self.covariance_type]
        ridge, mends = np.full(X.shape[1], self.reg_covar), self.on_collapse != "raise"
        update: Update = AbsoluteRidge(family, ridge, by, mends_empty=mends)
        if known_rows is not None:
            update = Labelled(update, known_rows.prior)
        one_pass = survey.rows(family.shape, "soft")
        begin = partial(start, self, X, weight, one_pass, update, given, known_rows)
        collapse = Collapse(self.on_collapse, survey.scale, by)
        outcome = Runs(self, one_pass, update, collapse, begin).best(before, n_runs)
        self._forget_classes()
        for name in ("_stream", "_n_modelled"):
            self.__dict__.pop(name, None)  # of an earlier partial_fit
        if known is not None:
            left = components_left(outcome.events, len(outcome.parameters.weights))
            self.classes_: NDArray[Any] = known.classes
            self.component_classes_: NDArray[Any] = known.names()[left]
        self._keep_parameters(outcome.parameters, X.dtype)
        self._keep_course(outcome)
        weight = np.ones(len(X)) if weight is None else weight
        self._fitted_rows = int(np.count_nonzero(weight)), float(weight.sum())
        self._learned_with = parameters_of(self, FITTED)
        return rows

    def _log_prob(self, X: NDArray[Any]) -> Floats:
        log_prob: Floats = self.model_.log_prob(X, n_threads=self.n_threads)
        return log_prob

    def _mean_log_prob(self, X: NDArray[Any], weight: Floats | None) -> float:
        total = float(len(X) if weight is None else weight.sum())
        return self.model_.log_likelihood(X, weight, n_threads=self.n_threads) / total

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_option("on_collapse", self.on_collapse, ("raise", "reseed", "drop"))
        check_use_y(self.use_y)

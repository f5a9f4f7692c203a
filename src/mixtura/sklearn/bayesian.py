"""BayesianGaussianMixture: scikit-learn's estimator, by variational Bayes on mixtura's passes."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.algebra import Algebra
from mixtura.conjugate import Laws, PriorLaws
from mixtura.data import ArrayRows
from mixtura.data.checks import check_flag, check_option
from mixtura.data.missing import Missing
from mixtura.mixture.convert import register
from mixtura.parameters import Parameters, Seen
from mixtura.passes import Backend, RowsPass
from mixtura.schedules import Bound
from mixtura.shapes import SHAPES, Floats
from mixtura.sklearn.bounds import EvidenceBound, PublishedBound
from mixtura.sklearn.estimator import MixtureEstimator
from mixtura.sklearn.priors import WEIGHT_PRIORS, prior_kind, prior_of, weight_law
from mixtura.sklearn.rows import WeightedRows
from mixtura.sklearn.runs import Runs, opened
from mixtura.sklearn.starts import first_statistics, singular_start
from mixtura.updates import Collapse, PublishedBayes, PublishedPrior, Variational

__all__ = ["BayesianGaussianMixture"]


@register
class BayesianGaussianMixture(MixtureEstimator):
    """Bayesian Gaussian mixture for scikit-learn users: its names, defaults and numbers.

    :doc:`/manual/sklearn_bayesian` says how it differs from scikit-learn's.

    Parameters
    ----------
    n_components : int
        Number of Gaussian components; those that are not needed get little weight.
    covariance_type : {"full", "tied", "diag", "spherical"}
        How covariances are restricted.
    tol : float, nats
        Stop when `lower_bound_`, a total over the rows, changes by less.
    reg_covar : float, squared units of the features
        Added to the variances of the rows of each component; with `exact`, only to the default of
        `covariance_prior`.
    max_iter : int
        Largest number of iterations of each run; 0 gives the start itself.
    n_init : int
        Runs from different starts; the one with the largest `lower_bound_` counts.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}
        How runs begin: from clusters, from rows far apart, from random responsibilities, or from
        any rows.
    weight_concentration_prior_type : {"dirichlet_process", "dirichlet_distribution"}
        The law of the weights: sticks that are broken one after the other, or a Dirichlet law.
    weight_concentration_prior : float or None
        Its parameter: the smaller it is, the fewer components have weight. None is
        ``1 / n_components``.
    mean_precision_prior : float or None
        Weight of rows that `mean_prior` counts for; None is 1.
    mean_prior : array_like of shape (n_features,), optional
        Expected mean; None is that of the rows.
    degrees_of_freedom_prior : float or None
        Weight of rows that `covariance_prior` counts for, above ``n_features - 1``; None is
        `n_features`.
    covariance_prior : array_like or float, optional
        Prior scatter: (n_features, n_features) for "full" and "tied", (n_features,) for "diag", a
        number for "spherical". None is the covariance of the rows.
    random_state : int, RandomState or None
        Source of random numbers for the starts and for `sample`.
    warm_start : bool
        Whether `fit` continues from the last fit, if there was one.
    verbose, verbose_interval : int
        Print runs and iterations if 1, times too if more; and iterations between two lines.
    exact : bool
        Whether iterations raise the evidence lower bound, which `lower_bound_` is then. False gives
        scikit-learn's rules.
    missing : {"raise", "em"}
        What NaN among the rows is: an error, as in scikit-learn, or a number that is missing at
        random.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.

    Attributes
    ----------
    weights_, means_ : ndarray of shape (n_components,), (n_components, n_features)
        Expected weights, divided by their sum, and expected means.
    covariances_ : ndarray, squared units of the features
        Inverses of the expected precisions: (n_components, n_features, n_features) for "full",
        (n_features, n_features) for "tied", (n_components, n_features) for "diag",
        (n_components,) for "spherical".
    precisions_, precisions_cholesky_ : ndarray
        Expected precisions in the same shape, and their factors U: ``precision = U @ U.T``.
    weight_concentration_ : tuple of two ndarray, or ndarray, of shape (n_components,)
        Parameters of the Beta law of each stick, or of the Dirichlet law.
    mean_precision_ : ndarray of shape (n_components,)
        Of each mean, in units of its component's precision.
    degrees_of_freedom_ : ndarray of shape (n_components,), or float for "tied"
        Of the laws of precisions.
    weight_concentration_prior_, mean_precision_prior_, degrees_of_freedom_prior_ : float
        Those of the prior.
    mean_prior_, covariance_prior_ : ndarray or float
        Those of the prior.
    converged_, n_iter_ : bool, int
        Whether the best run ended by `tol`, and its iterations.
    lower_bound_ : float, nats
        Of the best run's last iteration, a total over the rows.
    lower_bounds_ : list of float
        The same for each iteration.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of the columns, where `fit` was given a data frame.

    See Also
    --------
    GaussianMixture : Maximum likelihood.

    Notes
    -----
    The same data and `random_state` give the fit that scikit-learn gives, to rounding. Bounds of
    scikit-learn's rules cannot be compared between models; those with ``exact=True`` can.

    Examples
    --------
    >>> from mixtura.datasets import load_faithful
    >>> from mixtura.sklearn import BayesianGaussianMixture
    >>> X = load_faithful().data
    >>> bgm = BayesianGaussianMixture(n_components=4, random_state=0).fit(X)
    >>> bgm.weights_.round(2)
    array([0.36, 0.64, 0.  , 0.  ])
    >>> bgm.predict([[2.0, 50.0], [4.5, 80.0]])
    array([0, 1])
    """

    _DESCRIBE_FIT = (
        *MixtureEstimator._DESCRIBE_FIT,
        "weight_concentration_prior_type",
        "exact",
    )

    def __init__(
        self,
        *,
        n_components: int = 1,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weight_concentration_prior_type: str = "dirichlet_process",
        weight_concentration_prior: float | None = None,
        mean_precision_prior: float | None = None,
        mean_prior: ArrayLike | None = None,
        degrees_of_freedom_prior: float | None = None,
        covariance_prior: ArrayLike | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        exact: bool = False,
        missing: Missing = "raise",
        n_threads: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weight_concentration_prior_type = weight_concentration_prior_type
        self.weight_concentration_prior = weight_concentration_prior
        self.mean_precision_prior = mean_precision_prior
        self.mean_prior = mean_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior
        self.covariance_prior = covariance_prior
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.exact = exact
        self.missing = missing
        self.n_threads = n_threads

    def fit(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the laws of the mixture's parameters by variational Bayes.

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
        BayesianGaussianMixture
            The estimator itself.

        Raises
        ------
        ValueError
            For parameters or rows that cannot be used; for a prior scatter of the rows that is
            singular.

        Warns
        -----
        ConvergenceWarning
            Scikit-learn's, when the best run used up `max_iter`.

        Examples
        --------
        >>> from mixtura.datasets import load_faithful
        >>> from mixtura.sklearn import BayesianGaussianMixture
        >>> bgm = BayesianGaussianMixture(n_components=2, random_state=0)
        >>> bgm.fit(load_faithful().data).converged_
        True
        """
        self._fit(X, sample_weight)
        return self

    def fit_predict(
        self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None
    ) -> NDArray[Any]:
        """Fit the mixture and return the most probable component of each row.

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
        ndarray of shape (n_samples,), int64
            As `predict` returns them.

        Examples
        --------
        >>> from mixtura.datasets import load_faithful
        >>> from mixtura.sklearn import BayesianGaussianMixture
        >>> bgm = BayesianGaussianMixture(n_components=2, random_state=0)
        >>> bgm.fit_predict(load_faithful().data)[:6]
        array([1, 0, 1, 0, 1, 0])
        """
        rows = self._fit(X, sample_weight)
        return rows.marked(self._labels(rows.X))

    def _fit(self, X: ArrayLike, sample_weight: ArrayLike | None) -> WeightedRows:
        """Fit, and return the rows as the passes take them."""
        rows = self._rows_to_fit(X, sample_weight)
        X, weight, _ = rows
        survey = opened(self, X, weight)
        by, weight_sum = survey.backend.algebra, survey.source.weight_sum
        # Never in single precision: its error in the lower bound, a total, may well exceed `tol`.
        one_pass = RowsPass(survey.source, SHAPES[self.covariance_type], survey.backend)
        prior = prior_of(self, one_pass)
        update, bound = _rule(prior, weight_sum, by, np.full(X.shape[1], self.reg_covar))
        last, before, n_runs = None, -np.inf, self.n_init
        if self.warm_start and hasattr(self, "converged_"):
            last, before, n_runs = self._last_parameters(X.shape[1]), self.lower_bound_, 1
        begin = partial(_started, self, X, weight, one_pass, update, last)
        collapse = Collapse("raise", survey.spread, by)
        outcome = Runs(self, one_pass, update, collapse, begin, bound).best(before, n_runs)
        self._keep_laws(prior, update.laws(outcome.parameters), X.dtype)
        self._resp_sum = weight_sum * outcome.parameters.weights
        self._keep_course(outcome)
        return rows

    def _last_parameters(self, n_features: int) -> tuple[Floats, Parameters]:
        """The weight of the rows of each component in the last fit, and its expected parameters."""
        return self._resp_sum, self._last_model(n_features)._parameters()

    def _keep_laws(self, prior: PriorLaws, laws: Laws, dtype: Any) -> None:
        """Set the fitted attributes that describe the laws."""
        concentration = laws.concentration.astype(dtype)
        self.weight_concentration_: Any = concentration
        if concentration.ndim == 2:
            self.weight_concentration_ = tuple(concentration)
        self.mean_precision_: NDArray[Any] = laws.mean_precision.astype(dtype)
        dof = laws.degrees_of_freedom.astype(dtype)
        self.degrees_of_freedom_: Any = dof[0] if laws.shape.is_shared else dof
        self.weight_concentration_prior_: float = prior.concentration
        self.mean_precision_prior_: float = prior.mean_precision
        self.mean_prior_: NDArray[Any] = prior.mean.astype(dtype)
        self.degrees_of_freedom_prior_: float = prior.degrees_of_freedom
        self.covariance_prior_: Any = prior.covariance.astype(dtype)[()]
        weights = prior.weights.means(laws.concentration)
        arrays = weights, laws.means, laws.covariances, laws.precisions_cholesky
        self._keep_parameters(Parameters(*arrays, laws.shape), dtype)

    def _seen(self) -> Seen:
        """What an E-step under the fitted laws evaluates."""
        shape = SHAPES[self._fitted_as("covariance_type")]
        laws = Laws(
            np.array(self.weight_concentration_, dtype=np.float64),
            np.asarray(self.mean_precision_, dtype=np.float64),
            np.ascontiguousarray(self.means_, dtype=np.float64),
            np.atleast_1d(np.asarray(self.degrees_of_freedom_, dtype=np.float64)),
            np.ascontiguousarray(self.covariances_, dtype=np.float64),
            np.ascontiguousarray(self.precisions_cholesky_, dtype=np.float64),
            shape,
        )
        prior = prior_kind(exact=self._fitted_as("exact"))(
            weight_law(self._fitted_as("weight_concentration_prior_type")),
            float(self.weight_concentration_prior_),
            float(self.mean_precision_prior_),
            np.asarray(self.mean_prior_),
            float(self.degrees_of_freedom_prior_),
            np.asarray(self.covariance_prior_),
            shape,
        )
        constants = prior.log_constants(laws)
        return Seen(constants, laws.means, laws.covariances, laws.precisions_cholesky, shape)

    def _evaluated(self, X: NDArray[Any], output: str, values: NDArray[Any]) -> NDArray[Any]:
        """Return one of the outputs of a pass for each row."""
        rows = ArrayRows(X)
        source = rows.checked("em") if self.missing == "em" else rows
        backend = Backend(n_threads=self.n_threads)
        seen = self._seen()
        RowsPass(source, seen.shape, backend).evaluate(seen, **{output: values})
        return values

    def _labels(self, X: NDArray[Any]) -> NDArray[Any]:
        return self._evaluated(X, "labels", np.empty(len(X), dtype=np.int64))

    def _resp(self, X: NDArray[Any]) -> Floats:
        return self._evaluated(X, "resp", np.empty((len(X), len(self.means_))))

    def _log_prob(self, X: NDArray[Any]) -> Floats:
        return self._evaluated(X, "log_prob", np.empty(len(X)))

    def _mean_log_prob(self, X: NDArray[Any], weight: Floats | None) -> float:
        log_prob = self._log_prob(X)
        if weight is None:
            return float(log_prob.mean())
        present = weight > 0.0
        return float(np.average(log_prob[present], weights=weight[present]))

    def _check_parameters(self) -> None:
        super()._check_parameters()
        name = "weight_concentration_prior_type"
        check_option(name, self.weight_concentration_prior_type, tuple(WEIGHT_PRIORS))
        check_flag("exact", self.exact)


def _rule(
    prior: PriorLaws, weight_sum: float, by: Algebra, ridge: Floats
) -> tuple[Variational, Bound]:
    """Return the update for a prior, and what the lower bound of an iteration is."""
    if isinstance(prior, PublishedPrior):
        update = PublishedBayes(prior, weight_sum, by, ridge)
        return update, PublishedBound(update)
    return Variational(prior, weight_sum, by), EvidenceBound(weight_sum)


def _started(
    estimator: BayesianGaussianMixture,
    X: NDArray[Any],
    weight: Floats | None,
    rows: RowsPass,
    update: Variational,
    last: tuple[Floats, Parameters] | None,
    random_state: np.random.RandomState,
    number: int,
) -> Parameters:
    """Return the parameters with which a run begins, as the loop carries them."""
    if last is not None:
        resp_sum, parameters = last
        return parameters._replace(weights=resp_sum / update.weight_sum)
    statistics = first_statistics(estimator, X, weight, rows, None, random_state, number)
    resp_sum = statistics.resp_sum
    # k rows stand for themselves here.
    parameters, failed = update.of_weight(float(resp_sum.sum())).update(statistics)
    if failed.any():
        raise singular_start(failed)
    return parameters._replace(weights=resp_sum / update.weight_sum)

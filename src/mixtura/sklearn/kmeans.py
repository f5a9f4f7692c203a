"""KMeans: scikit-learn's estimator, by Lloyd's algorithm on mixtura's passes."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
    clone,
)
from sklearn.cluster import kmeans_plusplus
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.data import ArrayRows
from mixtura.data.checks import (
    check_centres,
    check_count,
    check_flag,
    check_level,
    check_n_threads,
    check_number,
    check_option,
    check_sample_weight,
)
from mixtura.fitting.kmeans import KMeansFit, fit_kmeans
from mixtura.parameters import Seen
from mixtura.passes import Backend, RowsPass, moments
from mixtura.shapes import SPHERICAL, Floats
from mixtura.sklearn.kmeans_streams import LearnsClusters
from mixtura.sklearn.rows import rows_of, weighted_rows_of
from mixtura.sklearn.streams import FITTED, parameters_of

__all__ = ["KMeans", "far_apart"]

DEFAULT_N_INIT = 10  # for n_init="auto" where one start is not enough
LESS = 1.0 - 1e-12  # of an inertia: a smaller difference is rounding in the same clusters


def far_apart(
    X: NDArray[Any], n_clusters: int, weight: Floats | None, random_state: np.random.RandomState
) -> NDArray[np.intp]:
    """Choose rows by greedy k-means++, the same as scikit-learn does from this `random_state`."""
    centred = X - X.mean(axis=0)  # scikit-learn expands squares, which cancel far from zero
    chosen: NDArray[np.intp] = kmeans_plusplus(
        centred, n_clusters, sample_weight=weight, random_state=random_state
    )[1]
    return chosen


class KMeans(
    LearnsClusters, ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator
):
    """K-means for scikit-learn users: Lloyd's algorithm on threaded, deterministic passes.

    :doc:`/manual/sklearn` says how it differs from scikit-learn's.

    Parameters
    ----------
    n_clusters : int
        Number of clusters.
    init : {"k-means++", "random"}, callable or array_like of shape (n_clusters, n_features)
        How centers are chosen among the rows; the centers; or a callable
        ``(X, n_clusters, random_state)`` that returns them.
    n_init : int or "auto"
        Runs from different starts; the one with the least inertia counts. "auto" is 1 for
        "k-means++" and given centers, 10 otherwise.
    max_iter : int
        Largest number of iterations of each run.
    tol : float
        Stop when the centers' squared shifts add up to no more than `tol` times the mean variance
        of the features.
    verbose : int
        Print each iteration, unless 0.
    random_state : int, RandomState or None
        Source of random numbers for the starts.
    copy_x : bool
        Accepted; the rows are never modified.
    algorithm : {"lloyd", "elkan"}
        Accepted; both give the same clusters, by Lloyd's algorithm.
    n_threads : int or None
        Threads for each pass; None for as many as are useful. The result is the same to the bit.
    half_life : float or None
        For `partial_fit`: the weight of rows in which the past loses half its weight, where rows
        drift; None for rows that do not.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        Weighted mean of each cluster's rows, of the dtype of the rows.
    labels_ : ndarray of shape (n_samples,), int64
        The nearest center of each row, the first of equals.
    inertia_ : float, squared units of the features
        Weighted sum of squared distances to the nearest center.
    n_iter_ : int
        Iterations done, the one that finds nothing to change included.
    n_steps_ : int
        Batches so far; only after `partial_fit`, as `counts_`.
    counts_ : ndarray of shape (n_clusters,)
        Weight of the rows of each cluster that count in its center.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of the columns, where `fit` was given a data frame.

    See Also
    --------
    mixtura.fit_kmeans : The function, with a stopping rule on what is left to gain.

    Notes
    -----
    The same data and `random_state` give the clusters that scikit-learn gives, to rounding. Sparse
    rows are refused.

    Examples
    --------
    >>> from mixtura.sklearn import KMeans
    >>> X = [[1.0, 2.0], [1.0, 4.0], [1.0, 0.0], [10.0, 2.0], [10.0, 4.0], [10.0, 0.0]]
    >>> model = KMeans(n_clusters=2, random_state=0).fit(X)
    >>> model.predict([[0.0, 0.0], [12.0, 3.0]])
    array([1, 0])
    >>> model.cluster_centers_
    array([[10.,  2.],
           [ 1.,  2.]])
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Any = "k-means++",
        n_init: Any = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        verbose: int = 0,
        random_state: Any = None,
        copy_x: bool = True,
        algorithm: str = "lloyd",
        n_threads: int | None = None,
        half_life: float | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.copy_x = copy_x
        self.algorithm = algorithm
        self.n_threads = n_threads
        self.half_life = half_life

    def fit(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Cluster the rows.

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
        KMeans
            The estimator itself.

        Examples
        --------
        >>> from mixtura.sklearn import KMeans
        >>> KMeans(2, random_state=0).fit([[0.0], [1.0], [9.0], [10.0]]).inertia_
        1.0
        """
        self._check_parameters()
        rows = weighted_rows_of(self, X, sample_weight)
        X = rows.X
        if len(X) < self.n_clusters:
            raise ValueError(
                f"n_samples={len(X)} should be >= n_clusters={self.n_clusters}. "
                f"Ask for fewer clusters."
            )
        weight = check_sample_weight(rows.sample_weight, len(X), minimum_rows=self.n_clusters)
        self._n_init = self._count_starts()
        random_state = check_random_state(self.random_state)
        variance = moments(ArrayRows(X), Backend(n_threads=self.n_threads))[1]
        enough = self.tol * float(variance.mean())
        best: KMeansFit | None = None
        for _ in range(self._n_init):
            centers = self._start(X, weight, random_state)
            if self.verbose:
                print("Initialization complete")
            run = _Run(centers, enough, self.verbose)
            fit = fit_kmeans(
                X, self.n_clusters, sample_weight=weight, init=centers, tol=0.0,
                max_iter=self.max_iter, n_threads=self.n_threads, callback=run.ends,
                verbose=False,
            )  # fmt: skip
            if fit.converged and self.verbose:
                print(f"Converged at iteration {fit.n_iter}: strict convergence.")
            if best is None or fit.inertia < LESS * best.inertia:
                best = fit
        assert best is not None
        assert best.labels is not None  # of an array
        self.cluster_centers_: NDArray[Any] = best.centers.astype(X.dtype)
        # Centers that were rounded may be nearest to other rows.
        as_they_are = X.dtype == np.float64
        self.labels_: NDArray[np.int64] = best.labels if as_they_are else self._assign(X)[0]
        self._warn_of_lost_clusters()
        rows.marked(self.labels_)
        self.inertia_: float = best.inertia
        # scikit-learn counts the iteration that finds no label changed; mixtura looks before.
        self.n_iter_: int = min(best.n_iter + best.converged, self.max_iter)
        self._n_features_out = self.n_clusters
        for name in ("_stream", "n_steps_", "counts_"):
            self.__dict__.pop(name, None)  # of an earlier partial_fit
        sizes = best.sizes
        assert sizes is not None
        self._fitted_rows = int(np.count_nonzero(weight)), sizes
        self._learned_with = parameters_of(self, FITTED)
        return self

    def _clustered(self, X: NDArray[Any], weight: Floats | None) -> Floats:
        """Centers of the rows of the start."""
        own = clone(self).set_params(verbose=0)
        if own.n_init == "auto" and (isinstance(own.init, str) or callable(own.init)):
            own.set_params(n_init=DEFAULT_N_INIT)
        centers: Floats = own.fit(X, sample_weight=weight).cluster_centers_.astype(np.float64)
        return centers

    def fit_predict(
        self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None
    ) -> NDArray[np.int64]:
        """Cluster the rows and return `labels_`.

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

        Examples
        --------
        >>> from mixtura.sklearn import KMeans
        >>> KMeans(2, init=[[0.0], [9.0]]).fit_predict([[0.0], [1.0], [9.0], [10.0]])
        array([0, 0, 1, 1])
        """
        return self.fit(X, sample_weight=sample_weight).labels_

    def fit_transform(
        self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None
    ) -> NDArray[Any]:
        """Cluster the rows and return their distances to the centers.

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
        ndarray of shape (n_samples, n_clusters), units of the features

        Examples
        --------
        >>> from mixtura.sklearn import KMeans
        >>> KMeans(2, init=[[0.0], [9.0]]).fit_transform([[0.0], [1.0], [9.0], [10.0]])
        array([[0.5, 9.5],
               [0.5, 8.5],
               [8.5, 0.5],
               [9.5, 0.5]])
        """
        return self.fit(X, sample_weight=sample_weight).transform(X)

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Nearest center of each row, the first of equals.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,), int64

        Examples
        --------
        >>> from mixtura.sklearn import KMeans
        >>> model = KMeans(2, init=[[0.0], [9.0]]).fit([[0.0], [1.0], [9.0], [10.0]])
        >>> model.predict([[2.0], [8.0]])
        array([0, 1])
        """
        check_is_fitted(self)
        return self._assign(rows_of(self, X, reset=False))[0]

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Distances of each row to each center.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_clusters), units of the features
            Of the dtype of the rows.

        Examples
        --------
        >>> from mixtura.sklearn import KMeans
        >>> model = KMeans(2, init=[[0.0], [9.0]]).fit([[0.0], [1.0], [9.0], [10.0]])
        >>> model.transform([[2.0], [8.0]])
        array([[1.5, 7.5],
               [7.5, 1.5]])
        """
        check_is_fitted(self)
        X = rows_of(self, X, reset=False)
        distances: NDArray[Any] = cdist(X, self.cluster_centers_).astype(X.dtype, copy=False)
        return distances

    def score(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> float:
        """Minus the weighted sum of squared distances to the nearest center.

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
        float, squared units of the features
            Larger is better.

        Examples
        --------
        >>> from mixtura.sklearn import KMeans
        >>> model = KMeans(2, init=[[0.0], [9.0]]).fit([[0.0], [1.0], [9.0], [10.0]])
        >>> model.score([[2.0], [8.0]])
        -4.5
        """
        check_is_fitted(self)
        X, weight, _ = weighted_rows_of(self, X, sample_weight, reset=False)
        return -self._assign(X, weight)[1]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _check_parameters(self) -> None:
        check_count("n_clusters", self.n_clusters)
        check_count("max_iter", self.max_iter)
        check_number("tol", self.tol)
        check_option("algorithm", self.algorithm, ("lloyd", "elkan"))
        check_flag("copy_x", self.copy_x)
        check_level("verbose", self.verbose)
        check_n_threads(self.n_threads)
        if isinstance(self.init, str):
            check_option("init", self.init, ("k-means++", "random"))
        if self.n_init != "auto":
            check_count("n_init", self.n_init)
        if self.algorithm == "elkan" and self.n_clusters == 1:
            warnings.warn(
                "algorithm='elkan' doesn't make sense for a single cluster. Using 'lloyd' instead.",
                RuntimeWarning,
                stacklevel=3,
            )

    def _count_starts(self) -> int:
        if isinstance(self.init, str) or callable(self.init):
            automatic = (
                1 if isinstance(self.init, str) and self.init != "random" else DEFAULT_N_INIT
            )
            return automatic if self.n_init == "auto" else int(self.n_init)
        if self.n_init not in ("auto", 1):
            warnings.warn(
                f"Explicit initial center position passed: performing only one init in "
                f"{type(self).__name__} instead of n_init={self.n_init}.",
                RuntimeWarning,
                stacklevel=3,
            )
        return 1

    def _start(
        self, X: NDArray[Any], weight: Floats, random_state: np.random.RandomState
    ) -> Floats:
        """Centers where the next run begins, drawn as scikit-learn draws them."""
        k = self.n_clusters
        if isinstance(self.init, str):
            if self.init == "random":
                share = weight / weight.sum()
                chosen = random_state.choice(len(X), size=k, replace=False, p=share)
            else:
                chosen = far_apart(X, k, weight, random_state)
            return X[chosen].astype(np.float64)
        centers = self.init(X, k, random_state=random_state) if callable(self.init) else self.init
        shape = np.shape(centers)
        if len(shape) != 2 or shape[0] != k:
            raise ValueError(
                f"The shape of the initial centers {shape} does not match the number of clusters "
                f"{k}. Give one row for each cluster."
            )
        if shape[1] != X.shape[1]:
            raise ValueError(
                f"The shape of the initial centers {shape} does not match the number of features "
                f"of the data {X.shape[1]}. Give one column for each feature."
            )
        return check_centres(centers, X.shape[1], name="init", part="cluster")

    def _assign(
        self, X: NDArray[Any], weight: Floats | None = None
    ) -> tuple[NDArray[np.int64], float]:
        """Nearest centers (where the weight is not zero), and the inertia."""
        centers = check_centres(self.cluster_centers_, X.shape[1], name="cluster_centers_")
        labels = np.empty(len(X), dtype=np.int64)
        backend = Backend(n_threads=self.n_threads)
        rows = RowsPass(ArrayRows(X, weight), SPHERICAL, backend, em="nearest")
        statistics = rows.accumulate(Seen.of_centers(centers, SPHERICAL), labels)
        return labels, 2.0 * abs(statistics.log_likelihood)

    def _warn_of_lost_clusters(self) -> None:
        n_distinct = len(np.unique(self.labels_))
        if n_distinct < self.n_clusters:
            warnings.warn(
                f"Number of distinct clusters ({n_distinct}) found smaller than n_clusters "
                f"({self.n_clusters}). Possibly due to duplicate points in X.",
                ConvergenceWarning,
                stacklevel=3,
            )


class _Run:
    """One run, and scikit-learn's rule for its end."""

    def __init__(self, centers: Floats, enough: float, verbose: int) -> None:
        self._centers, self._enough, self._verbose = centers, enough, verbose

    def ends(self, fit: KMeansFit) -> bool:
        """Whether the centers have hardly moved."""
        shift = float(np.square(fit.centers - self._centers).sum())
        self._centers = fit.centers
        ends = shift <= self._enough
        if self._verbose:
            print(f"Iteration {fit.n_iter - 1}, inertia {fit.inertia}.")
        if self._verbose and ends:
            print(
                f"Converged at iteration {fit.n_iter - 1}: center shift {shift} within tolerance "
                f"{self._enough}."
            )
        return ends

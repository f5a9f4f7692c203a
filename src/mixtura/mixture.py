"""GaussianMixture: a frozen, validated distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg.lapack import dpotrf

from mixtura.covariance import FAMILIES, CovarianceFamily, family_named
from mixtura.criteria import Criteria
from mixtura.kernels import Rows
from mixtura.saving import Contents, Saveable, fact, feature_names_of, numbers
from mixtura.statistics import Floats
from mixtura.table import Readable, check_feature_names
from mixtura.tabular import Names
from mixtura.validation import (
    check_centres,
    check_components,
    check_count,
    check_n_threads,
    check_rng,
    check_weights,
    contiguous,
)

__all__ = ["GaussianMixture"]

SUM_TOLERANCE = 1e-8  # of the weights: what rng.choice takes too


@dataclass(frozen=True, init=False, repr=False, eq=False)
class GaussianMixture(Criteria, Readable, Saveable, kind="GaussianMixture"):
    """Mixture of Gaussian distributions, ``sum_j weights[j] N(x | means[j], covariance_j)``.

    Parameters
    ----------
    weights : array_like of shape (n_components,)
        Non-negative, summing to one. A component of weight zero is allowed.
    means : array_like of shape (n_components, n_features)
        Component means.
    covariances : array_like, squared units of the features
        Positive definite; (n_components, n_features, n_features) for "full", one
        (n_features, n_features) matrix that all share for "tied", variances
        (n_components, n_features) for "diag" and (n_components,) for "spherical". In the shape of
        "spherical" for "EII", of "diag" for names that end in I, and of "full" for the others.
    covariance_type : str
        How covariances are restricted. With ``covariance_j = volume_j D_j diag(shape_j) D_j^T``,
        three letters say of volume, shape and orientation D whether it is equal (E), varies (V) or
        is the identity (I): "EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE",
        "EEV", "VEV", "EVV" or "VVV" [1]_. "full" is "VVV", "tied" is "EEE", "diag" is "VVI" and
        "spherical" is "VII"; with one feature, so are "V" and "E" "VVV" and "EEE".
    feature_names : sequence of n_features str, optional
        Names of the columns that the mixture describes: those of the frame it was fitted to. A
        frame with other columns is refused. None where they have no names.

    Attributes
    ----------
    weights, means, covariances, covariance_type, feature_names
        As given, but for a matrix that was symmetric to rounding only: its symmetric part.
    precisions_cholesky : ndarray
        Precision factors U in the shape of `covariances`: upper triangular with
        ``inv(covariance) = U @ U.T``, or reciprocal standard deviations.

    Raises
    ------
    ValueError
        For shapes that do not fit together, values that are not finite, weights that are
        negative or do not sum to one, covariances that are not symmetric and positive definite.
    TypeError
        For values that are not real numbers.

    Notes
    -----
    Nothing can be set, and the arrays are read-only copies, so one mixture may serve many threads.
    Two mixtures are equal when their types, by either name, their weights, means and covariances
    are, number by number. ``dataclasses.replace(mixture, weights=...)`` makes another one.

    A row so far away that every component puts it at zero density has a log-probability of -inf.
    It says nothing about the components: its responsibilities are the weights, and it is assigned
    to the heaviest component. With it the log-likelihood is -inf and the criteria are +inf.

    Methods take rows as `fit_gmm` does, and raise ValueError or TypeError for rows that are not
    finite real numbers or have another number of features, or other names of them. Of
    `sample_weight`, zero is an absent row and two a repeated one; they raise ValueError for weights
    that are negative, all zero or of the wrong length. Each makes one threaded pass, of
    n k d (d + 1) / 2 multiply-adds for "full" and "tied", n k d otherwise, and gives the same bits
    for any `n_threads`.

    References
    ----------
    .. [1] G. Celeux, G. Govaert, "Gaussian parsimonious clustering models", Pattern Recognition 28,
       781-793, 1995.

    Examples
    --------
    >>> from mixtura import GaussianMixture
    >>> mixture = GaussianMixture([0.25, 0.75], [[0.0], [4.0]], [1.0, 4.0], "spherical")
    >>> mixture.predict([[0.5], [3.0]])
    array([0, 1])
    >>> mixture.log_prob([[0.5], [3.0]])
    array([-2.11718224, -2.01641071])
    """

    weights: Floats
    means: Floats
    covariances: Floats
    covariance_type: str
    feature_names: Names | None
    precisions_cholesky: Floats = field(init=False)

    def __init__(
        self,
        weights: ArrayLike,
        means: ArrayLike,
        covariances: ArrayLike,
        covariance_type: str = "full",
        *,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        means = _check_means(means)
        family = family_named(covariance_type, means.shape[1])
        weights = _check_sum(check_weights(weights, len(means)))
        covariances, factors = family.check(covariances, *means.shape)
        names = None
        if feature_names is not None:
            names = tuple(check_feature_names(feature_names, means.shape[1]))
        self._set(covariance_type, names, weights, means, covariances, factors)

    @classmethod
    def _from_fit(
        cls,
        covariance_type: str,
        weights: Floats,
        means: Floats,
        covariances: Floats,
        precisions_cholesky: Floats,
        feature_names: Names | None = None,
    ) -> Self:
        """Make a mixture of parameters that are known to be sound and already factored."""
        mixture = cls.__new__(cls)
        arrays = (weights, means, covariances, precisions_cholesky)
        mixture._set(covariance_type, feature_names, *arrays)
        return mixture

    @classmethod
    def from_sklearn(cls, estimator: Any) -> Self:
        """Take over the mixture of a fitted scikit-learn estimator.

        Parameters
        ----------
        estimator : sklearn.mixture.GaussianMixture or mixtura.sklearn.GaussianMixture
            Its attributes count, whether `fit` or someone else set them.

        Returns
        -------
        GaussianMixture

        Raises
        ------
        TypeError
            For anything else.
        ValueError
            For an estimator that is not fitted, or attributes that do not fit together.
        """
        from mixtura.sklearn import convert

        return cls._from_fit(*convert.parameters_of(estimator))

    def to_sklearn(self) -> Any:
        """Make a fitted scikit-learn estimator of the mixture.

        Returns
        -------
        sklearn.mixture.GaussianMixture
            Scikit-learn's own, as after ``max_iter=0``; with ``warm_start=True`` its `fit` goes on
            from here.
        """
        from mixtura.sklearn import convert

        return convert.estimator_of(self)

    def _set(self, covariance_type: str, feature_names: Names | None, *arrays: Floats) -> None:
        names = ("weights", "means", "covariances", "precisions_cholesky")
        for name, array in zip(names, arrays, strict=True):
            kept = np.array(array, dtype=np.float64, order="C")
            kept.flags.writeable = False
            object.__setattr__(self, name, kept)
        object.__setattr__(self, "covariance_type", covariance_type)
        object.__setattr__(self, "feature_names", feature_names)

    @property
    def n_components(self) -> int:
        """Number of components, those of weight zero among them."""
        return len(self.means)

    @property
    def n_features(self) -> int:
        """Number of features: columns of the rows that the mixture describes."""
        return len(self.means[0])

    @property
    def n_parameters(self) -> int:
        """Free numbers: n_components - 1 weights, the means, the covariances of the type."""
        k, d = self.n_components, self.n_features
        return k - 1 + k * d + self._family.n_parameters(k, d)

    @property
    def _family(self) -> CovarianceFamily:
        return FAMILIES[self.covariance_type]

    def covariance_matrices(self) -> Floats:
        """Covariances as full matrices, whatever the type.

        Returns
        -------
        ndarray of shape (n_components, n_features, n_features), squared units of the features
            A new array.
        """
        return self._family.matrices(self.covariances, self.n_components, self.n_features)

    @property
    def volume(self) -> Floats:
        """Volume of each component: its covariance's determinant to the power 1 / n_features.

        Returns
        -------
        ndarray of shape (n_components,), squared units of the features
        """
        volume: Floats = np.exp(self._log_variances().mean(axis=1))
        return volume

    @property
    def shape(self) -> Floats:
        """Variances along the axes of `orientation`, divided by the volume.

        Returns
        -------
        ndarray of shape (n_components, n_features)
            The product of each row is one.
        """
        log_variances = self._log_variances()
        shape: Floats = np.exp(log_variances - log_variances.mean(axis=1, keepdims=True))
        return shape

    @property
    def orientation(self) -> Floats:
        """Principal axes of each component, one a column.

        Returns
        -------
        ndarray of shape (n_components, n_features, n_features)
            ``covariance_j = volume[j] * orientation[j] @ diag(shape[j]) @ orientation[j].T``. The
            features' own axes where orientation is the identity; the same for all components where
            they share it; else in the order of falling variance.
        """
        return self._family.orientation(self.covariance_matrices())

    def _log_variances(self) -> Floats:
        """Along the axes, shape (n_components, n_features)."""
        axes = self.orientation
        rotated = axes.transpose(0, 2, 1) @ self.covariance_matrices() @ axes
        log_variances: Floats = np.log(np.einsum("jaa->ja", rotated))
        return log_variances

    def log_prob(self, X: ArrayLike, *, n_threads: int | None = None) -> Floats:
        """Log-density of each row: ``log sum_j weights[j] N(x | means[j], covariance_j)``.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.
        n_threads : int or None
            Number of threads, None for as many as are useful.

        Returns
        -------
        ndarray of shape (n_samples,), nats
            -inf for a row that every component puts at zero density.
        """
        X = self._check_rows(X)
        log_prob = np.empty(len(X))
        self._posterior(X, n_threads, log_prob=log_prob)
        return log_prob

    def component_log_prob(self, X: ArrayLike, *, n_threads: int | None = None) -> Floats:
        """Log of weight times density: ``log weights[j] + log N(x | means[j], covariance_j)``.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.
        n_threads : int or None
            Number of threads, None for as many as are useful.

        Returns
        -------
        ndarray of shape (n_samples, n_components), nats
            -inf for a component of weight zero.
        """
        X = self._check_rows(X)
        out = np.empty((len(X), self.n_components))
        Rows(X).log_density(
            self.means,
            self.precisions_cholesky,
            self._family.factor_shape,
            check_n_threads(n_threads),
            out,
        )
        with np.errstate(divide="ignore"):
            out += np.log(self.weights)
        return out

    def responsibilities(self, X: ArrayLike, *, n_threads: int | None = None) -> Floats:
        """Posterior probability of each component, given the row.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.
        n_threads : int or None
            Number of threads, None for as many as are useful.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Rows sum to one; the weights for a row that every component puts at zero density.
        """
        X = self._check_rows(X)
        resp = np.empty((len(X), self.n_components))
        self._posterior(X, n_threads, resp=resp)
        return resp

    def predict(self, X: ArrayLike, *, n_threads: int | None = None) -> NDArray[np.int64]:
        """Component of largest responsibility; the first of several.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.
        n_threads : int or None
            Number of threads, None for as many as are useful.

        Returns
        -------
        ndarray of shape (n_samples,), int64
            The heaviest component for a row that every component puts at zero density.
        """
        X = self._check_rows(X)
        labels = np.empty(len(X), dtype=np.int64)
        self._posterior(X, n_threads, labels=labels)
        return labels

    def sample(
        self, n: int, rng: int | np.random.Generator | None = None
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Draw independent rows, with the components they come from.

        Parameters
        ----------
        n : int
            Number of rows.
        rng : int, Generator or None
            Source of random numbers: the same seed gives the same rows; None for fresh entropy.

        Returns
        -------
        X : ndarray of shape (n, n_features)
            ``means[label] + L_label z``, with z standard normal and L the lower Cholesky factor of
            the component's covariance.
        labels : ndarray of shape (n,), int64
            Drawn for each row by the weights (``rng.choice``), so rows are in random order.

        Raises
        ------
        ValueError
            For a negative number.
        TypeError
            For a number that is not an integer, or another kind of `rng`.

        Examples
        --------
        >>> from mixtura import GaussianMixture
        >>> mixture = GaussianMixture([0.5, 0.5], [[-100.0], [100.0]], [1.0, 1.0], "spherical")
        >>> X, labels = mixture.sample(1000, rng=0)
        >>> bool(((X[:, 0] > 0) == (labels == 1)).all())
        True
        """
        n = check_count("n", n, minimum=0)
        generator = check_rng(rng)
        k, d = self.means.shape
        labels = generator.choice(k, size=n, p=self.weights / self.weights.sum())
        X = generator.standard_normal((n, d))
        ends = np.cumsum(np.bincount(labels, minlength=k))
        for j, rows in enumerate(np.split(np.argsort(labels, kind="stable"), ends[:-1])):
            if len(rows):
                matrix = self._covariance_matrix(j)
                lower, _ = dpotrf(matrix, lower=1, clean=1)  # as `factorise`, which it passed
                X[rows] = self.means[j] + X[rows] @ lower.T
        return X, labels

    def _covariance_matrix(self, component: int) -> Floats:
        return self._family.matrix(self.covariances, component, self.n_features)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GaussianMixture):
            return NotImplemented
        return (
            self._family is other._family
            and np.array_equal(self.weights, other.weights)
            and np.array_equal(self.means, other.means)
            and np.array_equal(self.covariances, other.covariances)
        )

    def __hash__(self) -> int:
        return hash((self._family.name, *self.weights.tolist(), *self.means.ravel().tolist()))

    def __repr__(self) -> str:
        arrays = (_short(getattr(self, name)) for name in ("weights", "means", "covariances"))
        names = "" if self.feature_names is None else f", feature_names={list(self.feature_names)}"
        return "{}(weights={}, means={}, covariances={}, covariance_type={!r}{})".format(
            type(self).__name__, *arrays, self.covariance_type, names
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Through the class method, because NumPy's own pickles and copies are writeable.
        return type(self)._from_fit, (
            self.covariance_type,
            self.weights,
            self.means,
            self.covariances,
            self.precisions_cholesky,
            self.feature_names,
        )

    def _contents(self) -> Contents:
        facts = {"covariance_type": self.covariance_type, "feature_names": self.feature_names}
        names = ("weights", "means", "covariances", "precisions_cholesky")
        return Contents(facts, {name: getattr(self, name) for name in names})

    @classmethod
    def _from_contents(cls, contents: Contents) -> Self:
        facts, arrays = contents
        means = numbers(arrays, "means", (-1, -1))
        k, d = means.shape
        covariance_type = fact(facts, "covariance_type", str)
        family = family_named(covariance_type, d)
        # The factors are taken as they are, to the bit: other machines would round them otherwise.
        means, factors = check_components(
            means, arrays["precisions_cholesky"], family.factor_shape, d
        )
        return cls._from_fit(
            covariance_type,
            _check_sum(check_weights(numbers(arrays, "weights", (k,)), k)),
            means,
            numbers(arrays, "covariances", family.shape(k, d)),
            factors,
            feature_names_of(facts, d),
        )

    def _posterior(self, X: NDArray[Any], n_threads: int | None, **outputs: Any) -> None:
        """Write what is wanted of every row into the arrays given: see `mixtura.kernels.Rows`."""
        Rows(X).posterior(
            self.weights,
            self.means,
            self.precisions_cholesky,
            self._family.factor_shape,
            check_n_threads(n_threads),
            **outputs,
        )


def _check_means(means: ArrayLike) -> Floats:
    array = contiguous(means, "means")
    if array.ndim != 2 or array.size == 0:
        raise ValueError(
            f"means must have shape (n_components, n_features), both at least 1; got "
            f"{array.shape}. Give each component one row."
        )
    return check_centres(array, array.shape[1], name="means")


def _check_sum(weights: Floats) -> Floats:
    total = weights.sum()
    if abs(total - 1.0) > SUM_TOLERANCE:
        raise ValueError(f"weights must sum to one; they sum to {total}. Divide them by their sum.")
    return weights


def _short(array: Floats) -> str:
    """The numbers in one line, the middle of a large array left out."""
    text = np.array2string(
        array, separator=", ", threshold=8, edgeitems=1, formatter={"float_kind": "{:.4g}".format}
    )
    return " ".join(text.split())

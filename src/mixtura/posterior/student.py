"""StudentMixture: a mixture of Student-t distributions, what a posterior says of a new row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura import files, kernels
from mixtura.conjugate import precision_law
from mixtura.covariance import FAMILIES, family_named
from mixtura.data.any_rows import AnyRows, FarRows, InBlocks, Into, Output, Whole, Written
from mixtura.data.checks import check_count, check_option, check_rng, contiguous, without_rounding
from mixtura.data.frames import Names
from mixtura.data.missing import MISSING, Missing
from mixtura.data.outputs import answered, check_output
from mixtura.data.question import Question
from mixtura.files import Contents, fact, feature_names_of, numbers
from mixtura.mixture.checks import (
    check_factored,
    check_feature_names,
    check_means,
    check_mixture_weights,
)
from mixtura.mixture.densities import opened
from mixtura.mixture.sampling import correlated
from mixtura.mixture.table import as_html, as_text, counted, section
from mixtura.parameters import Parameters, Seen
from mixtura.posterior.student_density import LogProb
from mixtura.shapes import SHAPE_NAMES, Floats, Shape
from mixtura.text import short

__all__ = ["StudentMixture"]

ARRAYS = ("weights", "means", "scales", "precisions_cholesky", "degrees_of_freedom")


@files.saved_as("StudentMixture")
@dataclass(frozen=True, init=False, repr=False, eq=False)
class StudentMixture(files.Saved):
    """Mixture of Student-t distributions, ``sum_j weights[j] t(x | means[j], scale_j, nu_j)``.

    `GMMPosterior.predictive`, the distribution of a new row, is one.

    Parameters
    ----------
    weights : array_like of shape (n_components,)
        Non-negative, summing to one.
    means : array_like of shape (n_components, n_features)
        Centre of each component: its mean where that exists, for ``nu_j > 1``.
    scales : array_like, squared units of the features
        Positive definite, in the shape of `scale_type`. The covariance of a component is
        ``nu_j / (nu_j - 2)`` times it, where that exists, for ``nu_j > 2``.
    degrees_of_freedom : array_like of shape (n_components,)
        Positive. The smaller, the heavier the tails.
    scale_type : {"full", "tied", "diag", "spherical"}
        What `scales` are. With "diag", features are independent, each with a t-distribution of one
        dimension.
    feature_names : sequence of n_features str, optional
        Names of the columns; None where there are none.
    missing : {"raise", "em"}
        What methods take NaN for, unless they are told otherwise.

    Attributes
    ----------
    weights, means, scales, degrees_of_freedom, scale_type, feature_names, missing
        As given.
    precisions_cholesky : ndarray
        Factors U in the shape of `scales`, with ``inv(scale) = U @ U.T``.

    Raises
    ------
    ValueError
        For shapes that do not fit together, or values that are not as above.
    TypeError
        For values that are not real numbers.

    Examples
    --------
    >>> from mixtura import StudentMixture
    >>> cauchy = StudentMixture([1], [[0]], [1], [1], "spherical")
    >>> cauchy.log_prob([[0.0], [1e100]])
    array([  -1.14472989, -461.66174848])
    """

    weights: Floats
    means: Floats
    scales: Floats
    degrees_of_freedom: Floats
    scale_type: str
    feature_names: Names | None
    missing: Missing
    precisions_cholesky: Floats = field(init=False)

    def __init__(
        self,
        weights: ArrayLike,
        means: ArrayLike,
        scales: ArrayLike,
        degrees_of_freedom: ArrayLike,
        scale_type: str = "full",
        *,
        feature_names: Sequence[str] | None = None,
        missing: Missing = "raise",
    ) -> None:
        means = check_means(means)
        k, d = means.shape
        family = FAMILIES[check_option("scale_type", scale_type, SHAPE_NAMES)]
        weights = check_mixture_weights(without_rounding(weights, k), k)
        scales, factors = family.check(scales, k, d, kernels)
        dof = _check_freedom(degrees_of_freedom, k)
        names = None if feature_names is None else tuple(check_feature_names(feature_names, d))
        missing = check_option("missing", missing, MISSING)
        self._set(scale_type, names, missing, weights, means, scales, factors, dof)

    @classmethod
    def _of(
        cls, scale_type: str, feature_names: Names | None, missing: Missing, *arrays: Floats
    ) -> Self:
        """Make one of arrays, in the order of `ARRAYS`, that are already checked and factored."""
        made = cls.__new__(cls)
        made._set(scale_type, feature_names, missing, *arrays)
        return made

    def _set(
        self, scale_type: str, feature_names: Names | None, missing: Missing, *arrays: Floats
    ) -> None:
        for name, array in zip(ARRAYS, arrays, strict=True):
            kept = np.array(array, dtype=np.float64, order="C")
            kept.flags.writeable = False
            object.__setattr__(self, name, kept)
        object.__setattr__(self, "scale_type", scale_type)
        object.__setattr__(self, "feature_names", feature_names)
        object.__setattr__(self, "missing", missing)

    def __reduce__(self) -> tuple[Any, ...]:
        # Through the class method, because arrays that NumPy unpickles or copies are writeable.
        arrays = (getattr(self, name) for name in ARRAYS)
        return type(self)._of, (self.scale_type, self.feature_names, self.missing, *arrays)

    @property
    def n_components(self) -> int:
        """Number of components, including those of weight zero."""
        return len(self.means)

    @property
    def n_features(self) -> int:
        """Number of features: columns of the rows that the mixture describes."""
        return len(self.means[0])

    @property
    def _shape(self) -> Shape:
        return FAMILIES[self.scale_type].shape

    @property
    def _seen(self) -> Seen:
        """Weights, means and factors, for checks of rows."""
        return self._parameters().seen()

    def _parameters(self) -> Parameters:
        arrays = (self.weights, self.means, self.scales, self.precisions_cholesky)
        return Parameters(*arrays, self._shape)

    @overload
    def log_prob(
        self, X: FarRows, *, missing: Missing | None = None, **options: Unpack[Whole]
    ) -> Any: ...
    @overload
    def log_prob(
        self, X: AnyRows, *, missing: Missing | None = None, **options: Unpack[Whole]
    ) -> Floats: ...
    @overload
    def log_prob(
        self, X: AnyRows, *, missing: Missing | None = None, **options: Unpack[Into[Written]]
    ) -> Written: ...
    @overload
    def log_prob(
        self, X: AnyRows, *, missing: Missing | None = None, **options: Unpack[InBlocks]
    ) -> Iterator[Floats]: ...
    def log_prob(
        self,
        X: AnyRows,
        *,
        missing: Missing | None = None,
        out: Output = None,
        blocks: bool = False,
    ) -> Any:
        """Log-density of each row.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows, of any kind that `fit_gmm` accepts.
        missing : {"raise", "em"}, optional
            What NaN in a row is: an error, or a number that was not observed. None is the mixture's
            `missing`.
        out : ndarray, str, path-like or None
            Array or file (.npy or .parquet) for the result, which is returned. See
            :doc:`/manual/outputs`.
        blocks : bool
            True returns an iterator of results, one for each block of rows.

        Returns
        -------
        ndarray of shape (n_samples,), nats

        Raises
        ------
        ValueError
            For rows of another number of features, or that are not finite.
        TypeError
            For rows that are not real numbers.

        Notes
        -----
        Computed by NumPy on one thread, in O(n k d^2) ("full", "tied") or O(n k d).

        Examples
        --------
        >>> from mixtura import StudentMixture
        >>> mixture = StudentMixture([1], [[0]], [1], [3], "spherical")
        >>> mixture.log_prob([[0.0], [2.0]]).round(3)
        array([-1.001, -2.695])
        """
        check_output(out, blocks)
        rows = opened(self, X, missing=missing)
        question = Question(LogProb(self), ("log_prob",), (), np.float64, "log_prob")
        return answered(rows, question, out, blocks)

    def sample(
        self, n: int, rng: int | np.random.Generator | None = None
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Draw independent rows, with the components they come from.

        Parameters
        ----------
        n : int
            Number of rows.
        rng : int, Generator or None
            Seed or generator: the same seed gives the same rows; None draws a new seed.

        Returns
        -------
        X : ndarray of shape (n, n_features)
            The rows, in random order. Far below one degree of freedom, numbers may be infinite.
        labels : ndarray of shape (n,), int64
            The component of each row, drawn by the weights.

        Raises
        ------
        ValueError
            For a negative number.
        TypeError
            For a number that is not an integer, or another kind of `rng`.

        Examples
        --------
        >>> from mixtura import StudentMixture
        >>> mixture = StudentMixture(
        ...     [0.5, 0.5], [[0.0], [9.0]], [1.0, 1.0], [3.0, 3.0], "spherical"
        ... )
        >>> rows, labels = mixture.sample(5, rng=0)
        >>> rows.shape, labels.shape
        ((5, 1), (5,))
        """
        n = check_count("n", n, minimum=0)
        generator = check_rng(rng)
        k, d = self.means.shape
        labels = generator.choice(k, size=n, p=self.weights / self.weights.sum())
        X = generator.standard_normal((n, d))
        dof = self.degrees_of_freedom[labels, None]
        columns = d if precision_law(self._shape).has_own_scales else 1
        squares = generator.chisquare(dof, size=(n, columns)) / dof
        parameters = self._parameters()
        for j in range(k):
            rows = np.flatnonzero(labels == j)
            if len(rows):
                X[rows] = correlated(parameters, j, X[rows])
        with np.errstate(divide="ignore", over="ignore"):
            return self.means[labels] + X / np.sqrt(squares), labels

    def mean(self) -> Floats:
        """Mean of a row.

        Returns
        -------
        ndarray of shape (n_features,), units of the features

        Raises
        ------
        ValueError
            Where a component of positive weight has no more than one degree of freedom: it has
            no mean.

        Examples
        --------
        >>> from mixtura import StudentMixture
        >>> StudentMixture([1], [[2]], [1], [3], "spherical").mean()
        array([2.])
        """
        weights = self._weights_above(1.0, "mean")
        mean: Floats = np.einsum("j,ja->a", weights, self.means)
        return mean

    def covariance(self) -> Floats:
        """Covariance of a row: within components plus between their means.

        Returns
        -------
        ndarray of shape (n_features, n_features), squared units of the features

        Raises
        ------
        ValueError
            Where a component of positive weight has no more than two degrees of freedom: it has
            no covariance.

        Examples
        --------
        >>> from mixtura import StudentMixture
        >>> StudentMixture([1], [[2]], [1], [3], "spherical").covariance()
        array([[3.]])
        """
        weights = self._weights_above(2.0, "covariance")
        dof = np.where(weights > 0.0, self.degrees_of_freedom, 3.0)
        z = self.means - np.einsum("j,ja->a", weights, self.means)
        matrices = self._shape.matrices(self.scales, *self.means.shape)
        within = np.einsum("j,jab->ab", weights * dof / (dof - 2.0), matrices)
        between = np.einsum("j,ja,jb->ab", weights, z, z)
        total: Floats = 0.5 * (within + within.T) + 0.5 * (between + between.T)
        return total

    def _weights_above(self, least: float, what: str) -> Floats:
        """Weights, if all that are positive belong to components that have a moment."""
        few = (self.weights > 0.0) & ~(self.degrees_of_freedom > least)
        if few.any():
            j = int(np.argmax(few))
            raise ValueError(
                f"degrees_of_freedom must be above {least:g} for a row to have a {what}; those of "
                f"component {j} are {self.degrees_of_freedom[j]:.6g}. Use quantiles of rows of "
                f"`sample`, or a prior with more degrees of freedom."
            )
        weights: Floats = self.weights / self.weights.sum()
        return weights

    def summary(self, feature_names: Sequence[str] | None = None) -> str:
        """A table of weights, degrees of freedom, means and scales.

        Parameters
        ----------
        feature_names : sequence of str, optional
            A name for each feature; None takes the mixture's, or numbers them from 0.

        Returns
        -------
        str

        Examples
        --------
        >>> from mixtura import StudentMixture
        >>> print(StudentMixture([1], [[2]], [1], [3], "spherical").summary(["length"]))
                             component 0
        weight                         1
        degrees of freedom             3
        mean
          length                       2
        scale (root)
          length                       1
        """
        return as_text(self._table_lines(feature_names))

    def _table_lines(self, feature_names: Sequence[str] | None = None) -> list[Any]:
        own = self.feature_names if feature_names is None else feature_names
        names = check_feature_names(own, self.n_features)
        deviations = np.sqrt(self._parameters().variances())
        return [
            ("weight", self.weights),
            ("degrees of freedom", self.degrees_of_freedom),
            *section("mean", names, self.means),
            *section("scale (root)", names, deviations),
        ]

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        k, d = counted(self.n_components, "component"), counted(self.n_features, "feature")
        return f"<p>Mixture of Student-t: {k}, {d}</p>{as_html(self._table_lines())}"

    def __repr__(self) -> str:
        names = ("weights", "means", "scales", "degrees_of_freedom")
        arrays = ", ".join(f"{name}={short(getattr(self, name))}" for name in names)
        return f"{type(self).__name__}({arrays}, scale_type={self.scale_type!r})"

    def _contents(self) -> Contents:
        facts = {name: getattr(self, name) for name in ("scale_type", "feature_names", "missing")}
        return Contents(facts, {name: getattr(self, name) for name in ARRAYS})

    @classmethod
    def _from_contents(cls, contents: Contents) -> Self:
        facts, arrays = contents
        scale_type = check_option("scale_type", fact(facts, "scale_type", str), SHAPE_NAMES)
        means = check_means(numbers(arrays, "means", (-1, -1)))
        k, d = means.shape
        family = family_named(scale_type, d)
        kept = family.shape.array_shape(k, d)
        weights = numbers(arrays, "weights", (k,))
        scales, factors = (numbers(arrays, name, kept) for name in ARRAYS[2:4])
        check_factored(family, weights, means, scales, factors)
        dof = _check_freedom(numbers(arrays, "degrees_of_freedom", (k,)), k)
        missing = check_option("missing", fact(facts, "missing", str), MISSING)
        names = feature_names_of(facts, d)
        return cls._of(scale_type, names, missing, weights, means, scales, factors, dof)


def _check_freedom(values: ArrayLike, n_components: int) -> Floats:
    dof = contiguous(values, "degrees_of_freedom")
    if dof.shape != (n_components,) or not (np.isfinite(dof) & (dof > 0.0)).all():
        raise ValueError(
            f"degrees_of_freedom must be {n_components} positive numbers, one for each component; "
            f"got {short(dof)}. Give each component one."
        )
    return dof

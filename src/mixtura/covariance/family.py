"""What a covariance family is: how statistics become covariances."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.algebra import Algebra
from mixtura.covariance.principal import principal_axes
from mixtura.data.checks import contiguous, refuse_non_finite, rounding_unit
from mixtura.shapes import EPS, SHAPES, Floats, Shape
from mixtura.statistics import Statistics

__all__ = ["CovarianceFamily", "Rule", "symmetric"]

FREEDOM = "IEV"  # each letter allows what those before it allow
FAMILY_TOLERANCE = 1e-6  # in units of a component's largest variance
MOST_APART = 0.01  # in the same units, where covariances are almost singular
FACTOR_TOLERANCE = 1e-6  # of U^T covariance U, beyond rounding
FACTOR_ROUNDING = 16.0  # times rounding and inflation; ten times the most of 1000 matrices
MOST_MISMATCH = 0.5  # below one, so that the covariance is positive definite as its factor is


class Rule(Protocol):
    """Covariances of largest expected likelihood, from scatters about the means and weights.

    The scatters have the family's shape and the weights are positive. A rule that iterates may
    begin with the covariances before, and then be content with a larger likelihood than theirs.
    A component whose scatter is singular gets a covariance that
    is not positive definite; the others get theirs.
    """

    def __call__(
        self, scatter: Floats, counts: Floats, previous: Floats | None, by: Algebra, /
    ) -> Floats: ...


@dataclass(frozen=True, eq=False)
class CovarianceFamily:
    """What the covariances of a mixture have in common, and how they are estimated.

    Attributes
    ----------
    letters : str
        What is equal (E), varies (V) or is the identity (I) among components: volume, shape and
        orientation of ``covariance_j = volume_j D_j diag(shape_j) D_j^T`` [1]_.
    shape : Shape
        Of its covariances, of their precision factors and of the statistics it needs.
    rule : callable
        The estimate: see `Rule`.
    given_name : str
        What users call it, where that is not its letters.
    alternative : CovarianceFamily or None
        Another update rule for the same covariances, not exactly that of largest likelihood. From
        where it ends, EM may reach a higher maximum.
    rule_name : str
        What engines call the rule, where that is not the family's letters.

    References
    ----------
    .. [1] G. Celeux, G. Govaert, "Gaussian parsimonious clustering models", Pattern Recognition 28,
       781-793, 1995.
    """

    letters: str
    shape: Shape
    rule: Rule
    given_name: str = ""
    alternative: CovarianceFamily | None = None
    rule_name: str = ""

    @property
    def name(self) -> str:
        """What users call the family."""
        return self.given_name or self.letters

    @property
    def is_shared(self) -> bool:
        """Whether components have some part of their covariances in common."""
        return "E" in self.letters

    @property
    def is_one(self) -> bool:
        """Whether all components have one covariance."""
        return "V" not in self.letters

    def name_of_parts(self, name: str) -> str:
        """Return the family of the same components in some of the features.

        Of matrices that are equal but for their volumes, parts are so too. Of others, nothing stays
        in common but that they are diagonal. The same is true given numbers of the other features:
        then the inverses are such parts.

        Parameters
        ----------
        name : str
            What the user calls this family; returned where it stays.
        """
        letters = self.letters
        if "V" in letters[1:]:
            letters = "VVI" if letters[2] == "I" else "VVV"
        return name if letters == self.letters else letters

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Return how many numbers in the covariances are free."""
        k, d = n_components, n_features
        times = {"I": 0, "E": 1, "V": k}
        volume, shape, orientation = tuple(self.letters)
        return times[volume] + times[shape] * (d - 1) + times[orientation] * (d * (d - 1) // 2)

    def contains(self, other: CovarianceFamily) -> bool:
        """Return whether every model of the other family is one of this family too."""
        pairs = zip(other.letters, self.letters, strict=True)
        return all(FREEDOM.index(a) <= FREEDOM.index(b) for a, b in pairs)

    @property
    def is_closed(self) -> bool:
        """Whether the covariances of largest likelihood follow in one step, not by iterations.

        These need iterations if a common shape has volumes of its own, or common axes have shapes
        of their own [1]_.

        References
        ----------
        .. [1] G. Celeux, G. Govaert, "Gaussian parsimonious clustering models", Pattern Recognition
           28, 781-793, 1995, table 1.
        """
        return self.letters[:2] != "VE" and self.letters[1:] != "VE"

    def least_rows(self, n_components: int, n_features: int) -> int:
        """Return the number of rows below which some covariance is singular in any partition."""
        k, d = n_components, n_features
        volume, shape, orientation = tuple(self.letters)
        of_each_volume = 2 * k if volume == "V" else k + 1
        if d == 1 or shape == "I":
            return of_each_volume
        if shape == "V":
            return k * (2 if orientation == "I" else d + 1)
        if orientation == "I":
            return of_each_volume
        return 2 * k + d - 1 if self.letters == "VEV" else max(of_each_volume, k + d)

    def least_rows_of_one(self, n_features: int) -> int:
        """Return the number of rows below which what one component has of its own is singular.

        Families without anything of its own but the mean need one row.
        """
        volume, shape, orientation = tuple(self.letters)
        if n_features > 1 and shape == "V":
            return 2 if orientation == "I" else n_features + 1
        return 2 if volume == "V" else 1

    def update(self, statistics: Statistics, by: Algebra, previous: Floats | None = None) -> Floats:
        """Return the covariances of largest expected likelihood.

        Parameters
        ----------
        statistics : Statistics
            About the new component means: ``statistics.recentred(means)`` for means other than
            those of the statistics.
        by : Algebra
        previous : ndarray, optional
            Covariances under which the statistics were taken. Where the expected likelihood has
            several maxima, the result is not below these, and it need not be a maximum; where it
            has one, it is found sooner.

        Returns
        -------
        ndarray of the family's shape, squared units of the features
            NaN for a component without weight. The result need not be positive definite:
            `factorise` tells.
        """
        counts = statistics.resp_sum
        scatter = self.shape.per_feature(statistics.resp_xx, statistics.centres.shape[1])
        return self.maximised(scatter, counts, previous, by)

    def maximised(
        self, scatter: Floats, counts: Floats, previous: Floats | None, by: Algebra
    ) -> Floats:
        """Return the covariances of largest expected likelihood, of scatters as `Rule` takes them.

        Parameters
        ----------
        scatter : ndarray of the family's shape, squared units of the features
        counts : ndarray of shape (n_components,)
            Weights. A component without any gets NaN.
        previous : ndarray of the family's shape or None
            As for `update`.
        by : Algebra
            Its own compiled rule is used if it has one.
        """
        if self.shape.is_shared or (not self.is_shared and counts.min() > 0.0):
            return self.rule(scatter, counts, previous, by)  # a quotient, in any unit of weight
        compiled = by.covariance_rules.get(self.rule_name or self.letters)
        if compiled is not None:
            return compiled(scatter, counts, previous)
        # As shares to within a power of two: in another such unit of weight, rules that take
        # logarithms would round otherwise.
        exponent = -math.frexp(counts.sum())[1]
        counts, scatter = np.ldexp(counts, exponent), np.ldexp(scatter, exponent)
        if counts.min() > 0.0 and math.isfinite(scatter.sum()):
            return self.rule(scatter, counts, previous, by)
        present = (counts > 0.0) & np.isfinite(scatter).all(axis=tuple(range(1, scatter.ndim)))
        covariances = np.full(scatter.shape, np.nan)
        if present.any():
            before = None if previous is None else previous[present]
            covariances[present] = self.rule(scatter[present], counts[present], before, by)
        return covariances

    def factorise(self, covariances: Floats, by: Algebra) -> tuple[Floats, NDArray[np.bool_]]:
        """Return precision factors, and which covariances have none: see `Shape.factorise`."""
        return self.shape.factorise(covariances, by)

    def orientation(self, factors: Floats) -> Floats:
        """Return the principal axes of covariances of this family.

        Parameters
        ----------
        factors : ndarray of shape (n_components, n_features, n_features)
            Their precision factors.

        Returns
        -------
        ndarray of shape (n_components, n_features, n_features)
            Columns are axes: the features themselves (I), in the order of falling variance where
            components have axes of their own (V), and in one order for all where they share them
            (E). The largest entry of each is positive.
        """
        if self.letters[2] == "I":
            axes = np.eye(factors.shape[1])
        elif self.letters[2] == "V":
            axes = np.array([principal_axes(factor[None]) for factor in factors])
        else:
            axes = principal_axes(factors[:1] if self.shape.is_shared else factors)
        axes = np.broadcast_to(axes, factors.shape)
        largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
        oriented: Floats = axes * np.sign(largest)
        return oriented

    def check(
        self,
        covariances: ArrayLike,
        n_components: int,
        n_features: int,
        by: Algebra,
    ) -> tuple[Floats, Floats]:
        """Return a user's covariances, exactly symmetric, and their precision factors.

        Parameters
        ----------
        covariances : array_like of the family's shape
        n_components, n_features : int
        by : Algebra

        Raises
        ------
        ValueError
            For another shape, values that are not finite, or a covariance that is not symmetric,
            not positive definite or not of the family.
        TypeError
            For values that are not real numbers.
        """
        rounding = rounding_unit(covariances, "covariances")
        array = self._check_array(covariances, n_components, n_features, rounding)
        factors, failed = self.factorise(array, by)
        if failed.any():
            j = int(np.argmax(failed))
            owner = "the covariance that all components share"
            owner = f"component {j}" if len(failed) == n_components else owner
            smallest = by.eigh(self.shape.matrix(array, j, n_features)[None])[0][0, 0]
            raise ValueError(
                f"covariances must be positive definite to working precision; the smallest "
                f"eigenvalue of {owner} is {smallest:g}. Add to its diagonal, or drop features "
                f"that others determine."
            )
        if not self.shape.is_shared:
            _, inflation = self.shape.mismatch(array, factors)
            self._refuse_other_families(array, rounding * inflation, by)
        return array, factors

    def check_factored(
        self,
        covariances: ArrayLike,
        factors: Floats,
        means: Floats,
        by: Algebra,
        *,
        rounding: float = EPS,
    ) -> Floats:
        """Return a user's covariances, exactly symmetric, that belong to given precision factors.

        Parameters
        ----------
        covariances : array_like of the family's shape
        factors : ndarray of the family's shape
            Upper triangular, with positive diagonals.
        means : ndarray of shape (n_components, n_features)
        by : Algebra
        rounding : float
            Relative error of a number, such as the unit roundoff of the type that was given.

        Raises
        ------
        ValueError
            As for `check`, and for covariances that are not the inverse of ``U @ U.T``.
        TypeError
            For values that are not real numbers.

        Notes
        -----
        Nothing is factored again. As ``U^T covariance U`` is near the identity, the covariance is
        positive definite. O(k d^3).
        """
        k, d = means.shape
        array = self._check_array(covariances, k, d, rounding)
        off, inflation = self.shape.mismatch(array, factors)
        most = FACTOR_TOLERANCE + FACTOR_ROUNDING * rounding * inflation
        wrong = ~(off <= np.minimum(most, MOST_MISMATCH))  # true for NaN
        if wrong.any():
            j = int(np.argmax(wrong))
            owner = "the covariance that all share" if self.shape.is_shared else f"component {j}"
            raise ValueError(
                f"covariances must be positive definite and fit precisions_cholesky: U.T @ "
                f"covariance @ U must be the identity; for {owner} it is off by {off[j]:.2g}. "
                f"Set both, or make a mixture of the covariances alone."
            )
        if not self.shape.is_shared:
            self._refuse_other_families(array, rounding * inflation, by)
        return array

    def _check_array(
        self, covariances: ArrayLike, n_components: int, n_features: int, rounding: float
    ) -> Floats:
        """Return finite numbers of the family's shape, exactly symmetric."""
        array = contiguous(covariances, "covariances")
        expected = self.shape.array_shape(n_components, n_features)
        if array.shape != expected:
            others = [
                repr(shape.name)
                for shape in SHAPES.values()
                if shape.array_shape(n_components, n_features) == array.shape
            ]
            given = f", or covariance_type={' or '.join(others)}, whose shape this is"
            raise ValueError(
                f"covariances must have shape {expected} for covariance_type {self.name!r}, "
                f"{n_components} components and {n_features} features; got {array.shape}. Pass "
                f"covariances of this covariance_type{given if others else ''}."
            )
        refuse_non_finite(array, "covariances", self.shape.axes, "Give a finite number.")
        if not self.shape.is_diagonal:
            # in units of standard deviations: a computed inverse is no better
            array = symmetric(array, np.sqrt(rounding), "covariances")
        return array

    def _refuse_other_families(self, covariances: Floats, error: Floats, by: Algebra) -> None:
        """A covariance belongs to the family if the rule gives it back.

        `error` is the relative error of each inverse. That of the worst one spreads to what
        components have in common, such as their axes.
        """
        best = self.maximised(covariances, np.ones(len(covariances)), covariances, by)
        inner = tuple(range(1, covariances.ndim))
        off = np.abs(best - covariances).max(axis=inner)
        most = min(FAMILY_TOLERANCE + FACTOR_ROUNDING * float(error.max()), MOST_APART)
        wrong = off > most * np.abs(covariances).max(axis=inner)
        if wrong.any():
            raise ValueError(
                f"covariances must be of covariance_type {self.name!r}; that of component "
                f"{int(np.argmax(wrong))} does not have its volume, shape or orientation in common "
                f"with the others as this type demands. Use a type with fewer restrictions."
            )


def symmetric(matrices: Floats, tolerance: float, name: str) -> Floats:
    """Return the symmetric part of matrices that are symmetric to rounding.

    Parameters
    ----------
    matrices : ndarray of shape (n_features, n_features) or (n_matrices, n_features, n_features)
    tolerance : float
        Of the difference of two entries, in units of the standard deviations of their features.
    name : str
        What messages call them.

    Raises
    ------
    ValueError
        For matrices that are not symmetric.
    """
    transposed = matrices.swapaxes(-1, -2)
    unequal = matrices != transposed
    if not unequal.any():
        return matrices
    deviations = np.sqrt(np.abs(np.einsum("...aa->...a", matrices)))
    unit = deviations[..., :, None] * deviations[..., None, :]
    wrong = np.argwhere(np.abs(matrices - transposed) > tolerance * unit)
    if len(wrong):
        *component, a, b = map(int, wrong[0])
        of = f"of component {component[0]} " if component else ""
        one = name.removesuffix("s")
        raise ValueError(
            f"{name} must be symmetric; row {a}, column {b} {of}is "
            f"{matrices[tuple(wrong[0])]} and row {b}, column {a} is "
            f"{transposed[tuple(wrong[0])]}. Use ({one} + {one}.T) / 2."
        )
    return np.where(unequal, 0.5 * matrices + 0.5 * transposed, matrices)

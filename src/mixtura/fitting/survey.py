"""What all fits to the same rows share: their moments, the units they set, the pass over them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mixtura.cached import cached_property
from mixtura.covariance import FAMILIES
from mixtura.data import RowSource
from mixtura.parameters import Parameters
from mixtura.passes import Backend, RowsPass, moments, suits_single
from mixtura.schedules import EM, Squarem
from mixtura.shapes import DIAG, FULL, Floats, Shape
from mixtura.statistics import Statistics
from mixtura.updates import Collapse, Ridge

__all__ = ["NO_PRIORS", "Survey"]

LEAST_DEVIATION = 1e-10  # of a feature's scale; of its sixteen digits, ten are equal
GAUSSIAN_TOL = 1e-12  # nats per row, of the one Gaussian of rows that lack numbers
GAUSSIAN_ITERATIONS = 1000
MOST_DEVIATIONS = 1e6  # of a prior mean: beyond, bounds miss 1e-8 nats and more by rounding
NO_PRIORS: Mapping[int, Floats] = {}  # nothing is known of any row


class Survey:
    """Facts about the rows of a fit, found once.

    Parameters
    ----------
    source : RowSource
    backend : Backend
    priors : mapping from int to ndarray of shape (n_codes, n_components), optional
        For each number of components, the log-priors of rows of which something is known, which
        have codes: see `mixtura.data.labels`.

    Attributes
    ----------
    centre : ndarray of shape (n_features,)
        A point among the rows: the mean of the numbers near the middle of each feature.
    variance : ndarray of shape (n_features,)
        Variance of these numbers, which outliers do not change (see `mixtura.data.middle`).
    unit : ndarray of shape (n_features,)
        The same; one for a feature without spread.
    single : bool
        Whether passes work in single precision.

    Raises
    ------
    ValueError
        For variances that are too large or too small for a float.
    """

    def __init__(
        self, source: RowSource, backend: Backend, priors: Mapping[int, Floats] = NO_PRIORS
    ) -> None:
        self.source: RowSource = source
        self.backend: Backend = backend
        self.priors: Mapping[int, Floats] = priors
        _, self._of_all = moments(source, backend)
        self._gaussians: dict[Shape, tuple[Floats, Floats]] = {}
        self._said: set[type[Warning]] = set()

    @property
    def centre(self) -> Floats:
        """A point among the rows."""
        return self.source.middle.centre

    @cached_property
    def variance(self) -> Floats:
        """Variance near the middle of each feature."""
        deviation = self.source.middle.deviation
        # A sample of many rows may miss the few that differ.
        return np.where(deviation > 0.0, np.square(deviation), self._of_all)

    @cached_property
    def unit(self) -> Floats:
        """The same; one for a feature without spread."""
        return np.where(self.variance > 0.0, self.variance, 1.0)

    @cached_property
    def single(self) -> bool:
        """Whether passes work in single precision."""
        # The middle takes longer than a pass over few rows, and is not needed for all of them.
        is_single = self.source.dtype == np.float32
        return is_single and suits_single(self.source, self._of_all, self.variance)

    @property
    def spread(self) -> Floats:
        """Standard deviation of each feature in all rows; one for a feature without spread."""
        return np.sqrt(np.where(self._of_all > 0.0, self._of_all, 1.0))

    @cached_property
    def scale(self) -> Floats:
        """Unit of each feature: the root of `unit`."""
        return np.sqrt(self.unit)

    @property
    def n_missing(self) -> int:
        """Missing numbers in rows of positive weight."""
        return self.source.n_missing

    @cached_property
    def rounding(self) -> Floats:
        """Variance that rounding to the data's grid leaves in each feature."""
        return self.source.rounding(self.scale)

    @cached_property
    def least_variance(self) -> Floats | None:
        """Below what a component counts as singular; None where rows are whole.

        Of whole rows, a component on equal ones has a variance of zero at once.
        """
        if self.source.form not in ("incomplete", "noisy"):
            return None
        return np.square(LEAST_DEVIATION * self.scale)

    def is_new(self, kind: type[Warning]) -> bool:
        """Return whether a warning about the rows is asked for the first time."""
        is_new = kind not in self._said
        self._said.add(kind)
        return is_new

    def gaussian(self, diagonal: bool) -> tuple[Floats, Floats]:
        """Return mean and covariance of all rows; found once.

        Parameters
        ----------
        diagonal : bool
            Whether only variances are needed.

        Returns
        -------
        mean : ndarray of shape (n_features,)
        covariance : ndarray of shape (n_features, n_features) or (n_features,)
            Of largest likelihood, also where numbers are missing or have noise, times w / (w - 1)
            with w the total weight, and at most 2.
        """
        shape: Shape = DIAG if diagonal else FULL
        if shape not in self._gaussians:
            centred = self._under_one_gaussian(shape).centred()
            weight = self.source.weight_sum
            covariance = centred.resp_xx[0] / max(weight - 1.0, 0.5 * weight)
            self._gaussians[shape] = centred.centres[0], covariance
        return self._gaussians[shape]

    def _under_one_gaussian(self, shape: Shape) -> Statistics:
        """The statistics of all rows under the one Gaussian of largest likelihood.

        Of whole rows, they are those under any.
        """
        by, one = self.backend.algebra, np.ones(1)
        covariances = shape.from_matrices(np.diag(self.unit)[None])
        factors, _ = shape.factorise(covariances, by)
        start = Parameters(one, self.centre[None], covariances, factors, shape)
        rows = self.rows(shape, "soft")
        if self.source.form == "whole":
            return rows.accumulate(start.seen())
        update = Ridge(FAMILIES[shape.name], LEAST_DEVIATION * self.unit, by)
        schedule = Squarem(GAUSSIAN_TOL, rows.rounding, self.scale)
        em = EM(rows, update, schedule, Collapse("raise", self.scale, by))
        statistics = em.run(start, GAUSSIAN_ITERATIONS).statistics
        assert statistics is not None
        return statistics

    def rows(self, shape: Shape, em: str, source: RowSource | None = None) -> RowsPass:
        """Return the pass over the rows, or over others that look like them."""
        return RowsPass(
            self.source if source is None else source,
            shape,
            self.backend,
            em=em,
            centre=self.centre if self.single else None,
            single=self.single,
        )

    def refuse_far_mean(self, mean: Floats) -> None:
        """Refuse the mean of a prior whose distance from the rows leaves no digits for them.

        Parameters
        ----------
        mean : ndarray of shape (n_features,) or (n_components, n_features)

        Raises
        ------
        ValueError
            For a mean that is more than a million standard deviations away in a feature.
        """
        unit = np.maximum(self.scale, self.spread)
        with np.errstate(over="ignore"):
            away = np.abs((mean / unit) - self.centre / unit).reshape(-1, len(unit)).max(axis=0)
        a = int(np.argmax(away))
        if not away[a] <= MOST_DEVIATIONS:
            raise ValueError(
                f"mean must be within {MOST_DEVIATIONS:g} standard deviations of the rows, as "
                f"squares of longer distances lose the digits of the rows; that of feature {a} is "
                f"{away[a]:.3g} away. Give a mean nearer to the rows, or None for theirs."
            )

    def absolute_ridge(self, reg_covar: float | Floats) -> Floats:
        """Return the ridge in squared units of the features.

        Parameters
        ----------
        reg_covar : float or ndarray of shape (n_features,)
            A number is relative to `unit`; an array is absolute.

        Raises
        ------
        ValueError
            For a ridge that leaves no room for scatter.
        """
        with np.errstate(over="ignore"):
            ridge = reg_covar * self.unit if isinstance(reg_covar, float) else reg_covar
            room = np.isfinite(4.0 * ridge * max(1.0, self.source.weight_sum))
        if not room.all():
            a = int(np.argmin(room))
            raise ValueError(
                f"reg_covar must leave covariances that are far below "
                f"{np.finfo(np.float64).max:.1g}; that of feature {a} would be {ridge[a]:g}. "
                f"Pass a smaller number."
            )
        return ridge

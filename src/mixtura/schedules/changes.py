"""Statistics as they would be if components were merged, emptied or in another order.

Nothing is known of single rows here, so extras and the log-likelihood stay as they are: they are
those of the rows before the change.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.shapes import Floats, Shape
from mixtura.statistics import Statistics

__all__ = [
    "Halves",
    "emptied",
    "halves",
    "merged",
    "placed",
    "reordered",
    "replaced",
    "split",
]


def merged(statistics: Statistics, into: int, other: int) -> Statistics:
    """Return the statistics of the same rows where two components are one.

    Parameters
    ----------
    statistics : Statistics
    into : int
        The component that gets the rows of both.
    other : int
        The component that is left without any. Its centre becomes the mean of both.
    """
    both = [into, other]
    centres, resp_sum = statistics.centres.copy(), statistics.resp_sum.copy()
    centres[both] = np.average(statistics.means()[both], axis=0, weights=resp_sum[both])
    about = statistics.recentred(centres)
    resp_x = about.resp_x.copy()
    for sums in (resp_sum, resp_x):
        sums[into] += sums[other]
        sums[other] = 0.0
    scatter = about.shape.merged(about.resp_xx, into, other)
    return replace(about, resp_sum=resp_sum, resp_x=resp_x, resp_xx=scatter)


def emptied(statistics: Statistics, component: int) -> Statistics:
    """Return the statistics without the rows of one component.

    Parameters
    ----------
    statistics : Statistics
    component : int

    Notes
    -----
    A shared scatter does not tell which part is the component's: it loses the same share as the
    weights.
    """
    resp_sum, resp_x = statistics.resp_sum.copy(), statistics.resp_x.copy()
    share = float(resp_sum[component] / resp_sum.sum())
    resp_sum[component], resp_x[component] = 0.0, 0.0
    scatter = statistics.shape.emptied(statistics.resp_xx, component, share)
    return replace(statistics, resp_sum=resp_sum, resp_x=resp_x, resp_xx=scatter)


def reordered(statistics: Statistics, order: NDArray[np.intp]) -> Statistics:
    """Return the statistics of the same components in other places.

    Parameters
    ----------
    statistics : Statistics
    order : ndarray of shape (n_components,), int
        Which component comes to each place.
    """
    return replace(
        statistics,
        centres=statistics.centres[order],
        resp_sum=statistics.resp_sum[order],
        resp_x=statistics.resp_x[order],
        resp_xx=statistics.shape.select(statistics.resp_xx, order),
    )


def split(
    statistics: Statistics, component: int, other: int, step: Floats, width: float = 1.0
) -> Statistics:
    """Return the statistics as if a component were two of half its weight.

    Parameters
    ----------
    statistics : Statistics
    component, other : int
        What is split, and the component without rows that gets one half.
    step : ndarray of shape (n_features,)
        From the mean of the component to that of one half; the other half is as far away on the
        other side. Scatter about the common mean stays the same.
    width : float
        Share of the scatter that the half called `other` has more or less than the first: it gets
        ``width`` times the average of both.
    """
    about = statistics.centred()
    centres, resp_sum = about.centres.copy(), about.resp_sum.copy()
    resp_sum[[component, other]] = 0.5 * resp_sum[component]
    centres[other] = centres[component] + step
    centres[component] = centres[component] - step
    steps = np.zeros_like(centres)
    steps[component] = step
    lost = about.shape.product(about.resp_sum[:, None] * steps, steps)
    scatter = about.shape.halved(about.resp_xx - lost, component, other, width)
    return replace(
        about, centres=centres, resp_sum=resp_sum, resp_x=np.zeros_like(centres), resp_xx=scatter
    )


def placed(
    statistics: Statistics, component: int, row: Floats, weight: float, spread: float
) -> Statistics:
    """Return the statistics as if a component without rows had some about a point.

    Parameters
    ----------
    statistics : Statistics
    component : int
    row : ndarray of shape (n_features,)
        Where a number is missing (NaN), the component stays at its centre.
    weight : float
    spread : float
        Of the pooled scatter of all other components, by weight.
    """
    about = statistics.centred()
    centres, resp_sum = about.centres.copy(), about.resp_sum.copy()
    share = weight / float(resp_sum.sum())
    centres[component] = np.where(np.isnan(row), centres[component], row)
    resp_sum[component] = weight
    scatter = about.shape.lent(about.resp_xx, component, spread * share)
    return replace(
        about, centres=centres, resp_sum=resp_sum, resp_x=np.zeros_like(centres), resp_xx=scatter
    )


class Halves(NamedTuple):
    """The two halves of one component, for each of several ways to cut it.

    Attributes
    ----------
    shape : Shape
    centres : ndarray of shape (n_ways, 2, n_features)
        Means of the halves.
    resp_sum : ndarray of shape (n_ways, 2)
    resp_xx : ndarray of shape (n_ways, ...)
        Scatters about these means.
    weight_sum : float
        Of all rows.
    """

    shape: Shape
    centres: Floats
    resp_sum: Floats
    resp_xx: Floats
    weight_sum: float

    def statistics(self, way: int) -> Statistics:
        """The statistics of both halves in one way."""
        centres = self.centres[way]
        sums = self.resp_sum[way], np.zeros(centres.shape), self.resp_xx[way]
        return Statistics(self.shape.name, centres, *sums, 0.0, self.weight_sum)


def halves(statistics: Statistics, component: int, steps: Floats, widths: Floats) -> Halves:
    """Return the statistics of the halves of a component alone, for each of several ways.

    Parameters
    ----------
    statistics : Statistics
        Of a shared scatter the component has its share by weight.
    component : int
    steps : ndarray of shape (n_ways, n_features)
        As for `split`, from the mean of the component to that of the second half.
    widths : ndarray of shape (n_ways,)
        As for `split`, of the second half.
    """
    about = statistics.centred()
    weight = float(about.resp_sum[component])
    mean = about.centres[component]
    share = weight / float(about.resp_sum.sum())
    scatter = about.shape.halves(about.resp_xx, component, share, weight, steps, widths)
    return Halves(
        about.shape,
        np.stack([mean - steps, mean + steps], axis=1),
        np.full((len(steps), 2), 0.5 * weight),
        scatter,
        about.weight_sum,
    )


def replaced(statistics: Statistics, components: tuple[int, int], parts: Statistics) -> Statistics:
    """Return the statistics with two parts in place of a component.

    Parameters
    ----------
    statistics : Statistics
    components : tuple of int
        That is replaced, and one without rows.
    parts : Statistics
        Of both parts; they get the weight of the component. A shared scatter stays as it is.
    """
    about, parts, both = statistics.centred(), parts.centred(), list(components)
    share = float(about.resp_sum[both].sum() / parts.resp_sum.sum())
    centres, resp_sum = about.centres.copy(), about.resp_sum.copy()
    centres[both], resp_sum[both] = parts.centres, share * parts.resp_sum
    scatter = about.shape.replaced(about.resp_xx, both, share * parts.resp_xx)
    return replace(
        about, centres=centres, resp_sum=resp_sum, resp_x=np.zeros_like(centres), resp_xx=scatter
    )

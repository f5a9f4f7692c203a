"""What the lower bound of an iteration of variational Bayes is: a total over the rows, nats."""

from __future__ import annotations

from mixtura.schedules import Point
from mixtura.updates import PublishedBayes

__all__ = ["EvidenceBound", "PublishedBound"]


class PublishedBound:
    """scikit-learn's: of the responsibilities before an M-step and the laws after it.

    Parameters
    ----------
    update : PublishedBayes
    """

    def __init__(self, update: PublishedBayes) -> None:
        self._update = update

    def opened(self, point: Point) -> float:
        return self._update.entropy(point.parameters, point.statistics)

    def closed(self, opened: float, point: Point) -> float:
        return self._update.lower_bound(opened, point.parameters)


class EvidenceBound:
    """The evidence lower bound of the laws with which an iteration ends.

    Parameters
    ----------
    weight_sum : float
        Of all rows.
    """

    def __init__(self, weight_sum: float) -> None:
        self._weight_sum = weight_sum

    def opened(self, point: Point) -> float:
        return 0.0

    def closed(self, opened: float, point: Point) -> float:
        return self._weight_sum * point.objective

# What every compiled module _kernels_v2, _kernels_v3, ... offers.

from collections.abc import Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from typing_extensions import disjoint_base

from mixtura.parameters import Parameters, Seen
from mixtura.shapes import Floats, Shape
from mixtura.statistics import Statistics

_Labels: TypeAlias = NDArray[np.int64]

lanes: int
families: dict[str, tuple[int, bool]]

def factorise(
    covariances: Floats, factors: Floats, regular: NDArray[np.bool_], most_inflation: float
) -> None: ...
def eigh(matrices: Floats, values: Floats, axes: Floats, found: NDArray[np.bool_]) -> None: ...
def multiply(left: Floats, right: Floats, products: Floats) -> None: ...
def maximise_covariances(
    name: str,
    n_features: int,
    scatter: Floats,
    counts: Floats,
    previous: Floats | None,
    covariances: Floats,
) -> int: ...

@disjoint_base
class MStep:
    shape: Shape

    def __new__(
        cls, letters: str, shape: Shape, ridge: Floats | None, most_inflation: float
    ) -> Self: ...
    def maximise(self, statistics: Statistics, previous: Floats | None) -> Parameters | None: ...
    def log_weights(self, weights: Floats, factors: Floats) -> Floats: ...

@disjoint_base
class Rows:
    extras: tuple[str, ...]
    n_samples: int
    n_features: int
    rounding: float
    computed: float
    iterates: bool
    followed: int
    shared: float

    def __new__(
        cls,
        X: NDArray[Any],
        sample_weight: Floats | None = None,
        centre: Floats | None = None,
        *,
        single: bool = False,
        code: _Labels | None = None,
    ) -> Self: ...
    def n_tiles(self, n_components: int, shape: Shape) -> int: ...
    def accumulate(
        self,
        em: str,
        seen: Seen,
        n_threads: int | None,
        *,
        carry: Any = None,
        labels: _Labels | None = None,
    ) -> Statistics: ...
    def follow(
        self,
        em: str,
        step: MStep,
        rule: Any,
        state: Any,
        statistics: Statistics,
        previous: Floats,
        n: int,
        n_threads: int | None,
    ) -> tuple[Any, Parameters, Statistics, list[float], bool] | None: ...
    def evaluate(
        self,
        em: str,
        seen: Seen,
        n_threads: int | None,
        *,
        log_density: Floats | None = None,
        resp: Floats | None = None,
        log_prob: Floats | None = None,
        labels: _Labels | None = None,
    ) -> None: ...
    def given(
        self, shares: NDArray[Any], centres: Floats, shape: Shape, n_threads: int | None
    ) -> Statistics: ...
    def guess(
        self,
        step: MStep,
        labels: _Labels,
        centre: Floats,
        k: int,
        share: float,
        n_threads: int | None,
    ) -> Parameters | None: ...
    def lloyd(
        self,
        centers: Floats,
        n_iter: int,
        least_gain: float,
        n_threads: int | None,
        labels: _Labels,
    ) -> tuple[Floats, int]: ...
    def potentials(
        self,
        seeds: Floats,
        nearest: Floats,
        n_threads: int | None,
        *,
        after: Floats | None = None,
    ) -> Floats: ...
    def seeds(self, first: float, quantiles: Floats, n_threads: int | None) -> _Labels: ...

def best_splits(
    X: Floats,
    resp: Floats,
    weight: Floats,
    components: Sequence[int],
    statistics: Statistics,
    scale: Floats,
    step: MStep,
    rule: Any,
    n_threads: int | None,
) -> list[tuple[float, Statistics] | None]: ...
def densest(
    Z: Floats,
    weight: Floats,
    log_prob: Floats,
    unit: float,
    least_variance: float,
    size: int,
    n_groups: int,
) -> tuple[NDArray[np.int64], Floats]: ...
def losses_of_rows(resp: Floats, weight: Floats) -> Floats: ...
def entropies(
    resp: Floats, weight: Floats, others: NDArray[np.intp], least_share: float
) -> Floats: ...
def runnalls(statistics: Statistics, one: NDArray[np.intp], other: NDArray[np.intp]) -> Floats: ...

@disjoint_base
class IncompleteRows(Rows):
    # These are for whole rows.
    given: None  # type: ignore[assignment]
    guess: None  # type: ignore[assignment]
    lloyd: None  # type: ignore[assignment]
    potentials: None  # type: ignore[assignment]
    seeds: None  # type: ignore[assignment]

    def complete(self, seen: Seen, n_threads: int | None, *, out: Floats) -> None: ...

@disjoint_base
class NoisyRows(Rows):
    def __new__(
        cls,
        X: NDArray[Any],
        sample_weight: Floats | None = None,
        centre: Floats | None = None,
        *,
        single: bool = False,
        noise: Floats,
        observed: Floats | None = None,
        projection: Floats | None = None,
    ) -> Self: ...
    def complete(self, seen: Seen, n_threads: int | None, *, out: Floats) -> None: ...

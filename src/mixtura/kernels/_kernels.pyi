# What every compiled module _kernels_v2, _kernels_v3, ... offers.

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mixtura.parameters import Seen
from mixtura.shapes import Floats, Shape
from mixtura.statistics import Statistics

_Labels: TypeAlias = NDArray[np.int64]

lanes: int

def factorise(
    covariances: Floats, factors: Floats, regular: NDArray[np.bool_], most_inflation: float
) -> None: ...
def eigh(matrices: Floats, values: Floats, axes: Floats, found: NDArray[np.bool_]) -> None: ...
def multiply(left: Floats, right: Floats, products: Floats) -> None: ...

class Rows:
    n_samples: int
    n_features: int
    rounding: float
    computed: float

    def __init__(
        self,
        X: NDArray[Any],
        sample_weight: Floats | None = None,
        centre: Floats | None = None,
        *,
        single: bool = False,
        code: _Labels | None = None,
    ) -> None: ...
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
    def potentials(
        self,
        seeds: Floats,
        nearest: Floats,
        n_threads: int | None,
        *,
        after: Floats | None = None,
    ) -> Floats: ...

class IncompleteRows(Rows):
    extras: tuple[str, ...]

    def complete(self, seen: Seen, n_threads: int | None, *, out: Floats) -> None: ...

class NoisyRows(Rows):
    extras: tuple[str, ...]

    def __init__(
        self,
        X: NDArray[Any],
        sample_weight: Floats | None = None,
        centre: Floats | None = None,
        *,
        single: bool = False,
        noise: Floats,
        observed: Floats | None = None,
        projection: Floats | None = None,
    ) -> None: ...
    def complete(self, seen: Seen, n_threads: int | None, *, out: Floats) -> None: ...

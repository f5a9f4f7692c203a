# What every compiled kernel module offers: _kernels_v2, _kernels_v3, ... are all alike.

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_Floats: TypeAlias = NDArray[np.float64]
_Labels: TypeAlias = NDArray[np.int64]
_Sums: TypeAlias = tuple[_Floats, _Floats, _Floats, _Floats, float, float]

lanes: int

def factorise(
    covariances: _Floats, factors: _Floats, regular: NDArray[np.bool_], most_inflation: float
) -> None: ...

class Rows:
    computed: float

    def __init__(
        self,
        X: NDArray[np.floating],
        sample_weight: _Floats | None = None,
        centre: _Floats | None = None,
        single: bool = False,
    ) -> None: ...
    def n_tiles(self, n_components: int, covariance_type: str) -> int: ...
    def evaluate(
        self,
        weights: _Floats,
        means: _Floats,
        factors: _Floats,
        covariance_type: str,
        n_threads: int,
        *,
        log_density: _Floats | None = None,
        resp: _Floats | None = None,
        log_prob: _Floats | None = None,
        labels: _Labels | None = None,
    ) -> None: ...
    def accumulate(
        self,
        weights: _Floats,
        means: _Floats,
        factors: _Floats,
        covariance_type: str,
        n_threads: int,
        *,
        labels: _Labels | None = None,
        order: _Labels | None = None,
        reach: NDArray[np.float32] | None = None,
        shrink: _Floats | None = None,
        shift: _Floats | None = None,
    ) -> _Sums: ...
    def assign(
        self,
        centres: _Floats,
        n_threads: int,
        *,
        labels: _Labels | None = None,
        log_prob: _Floats | None = None,
        order: _Labels | None = None,
        reach: NDArray[np.float32] | None = None,
        shrink: _Floats | None = None,
        shift: _Floats | None = None,
    ) -> _Sums: ...
    def potentials(self, seeds: _Floats, nearest: _Floats, n_threads: int) -> _Floats: ...
    def accumulate_resp(
        self, resp: _Floats, centres: _Floats, covariance_type: str, n_threads: int
    ) -> _Sums: ...
    def accumulate_labels(
        self, labels: _Labels, centres: _Floats, covariance_type: str, n_threads: int
    ) -> _Sums: ...

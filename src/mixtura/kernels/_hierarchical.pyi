# What every compiled module _hierarchical_v2, _hierarchical_v3, ... offers.

import numpy as np
from numpy.typing import NDArray

def agglomerate(
    X: NDArray[np.float64],
    weight: NDArray[np.float64],
    model: str,
    blur: float,
    merges: NDArray[np.int64],
    losses: NDArray[np.float64],
) -> None: ...

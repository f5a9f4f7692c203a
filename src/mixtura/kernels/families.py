"""The rules of the covariance families, compiled, on the calling thread alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from mixtura.algebra import CovarianceRule
from mixtura.kernels.instruction_set import compiled_kernels
from mixtura.shapes import Floats

__all__ = ["covariance_rules", "maximise_covariances"]


def maximise_covariances(
    name: str, scatter: Floats, counts: Floats, previous: Floats | None = None
) -> Floats:
    """Covariances of largest expected likelihood: a rule of `mixtura.covariance`, compiled.

    Parameters
    ----------
    name : str
        A key of `covariance_rules`: the letters of a family, for its rule.
    scatter : ndarray of the family's shape, squared units of the features
        About the means, as `Shape.per_feature` gives it.
    counts : ndarray of shape (n_components,)
        Weights.
    previous : ndarray of the family's shape, optional
        Covariances from which a rule that iterates may begin.

    Returns
    -------
    ndarray of the family's shape
        NaN for a component without weight, or with a scatter that is not finite.

    Raises
    ------
    ValueError
        For arrays of other shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import kernels
    >>> kernels.maximise_covariances("VVV", np.array([[[8.0, 2.0], [2.0, 4.0]]]), np.array([2.0]))
    array([[[4., 1.],
            [1., 2.]]])
    """
    order, is_tied = compiled_kernels.families[name]
    scatter, counts = (np.ascontiguousarray(a, dtype=np.float64) for a in (scatter, counts))
    if previous is not None:
        previous = np.ascontiguousarray(previous, dtype=np.float64)
    d = scatter.shape[-1] if order else 1
    single = (d,) * order
    shape = single if is_tied else (*counts.shape, *single)
    if counts.ndim != 1 or scatter.shape != shape or scatter.size * counts.size == 0:
        raise ValueError(
            f"scatter must have the shape of {name!r}, here {shape}, and counts one number for "
            f"each component; got {scatter.shape} and {counts.shape}. Pass both of one mixture."
        )
    if previous is not None and previous.shape != shape:
        raise ValueError(
            f"previous must have the shape of scatter, {shape}; got {previous.shape}. Pass the "
            f"covariances of the same components."
        )
    covariances = np.empty(shape)
    before = None if previous is None else previous.reshape(-1)
    compiled_kernels.maximise_covariances(
        name, d, scatter.reshape(-1), counts, before, covariances.reshape(-1)
    )
    return covariances


# By their names, as `Algebra.covariance_rules` has them.
covariance_rules: Mapping[str, CovarianceRule] = {
    name: partial(maximise_covariances, name) for name in compiled_kernels.families
}

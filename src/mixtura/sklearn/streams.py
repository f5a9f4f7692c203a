"""What partial_fit continues, and the parameters that it has."""

from __future__ import annotations

from typing import Any

from mixtura.fitting.streams.options import check_half_life

__all__ = ["FITTED", "LEARNING", "continues", "parameters_of"]

# Parameters that cannot change between fit and partial_fit, and between two calls of partial_fit.
FITTED = ("n_components", "covariance_type", "n_clusters")
LEARNING = (*FITTED, "reg_covar", "half_life", "on_collapse", "missing")


def parameters_of(estimator: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Return those of these parameters that an estimator has."""
    return {name: getattr(estimator, name) for name in names if hasattr(estimator, name)}


def continues(estimator: Any) -> bool:
    """Whether there are rows that a batch is added to; refuses other parameters than theirs."""
    estimator._check_parameters()
    check_half_life(estimator.half_life)
    if not (hasattr(estimator, "_stream") or hasattr(estimator, "_fitted_rows")):
        return False
    for name, value in estimator._learned_with.items():
        now = getattr(estimator, name)
        if now != value:
            raise ValueError(
                f"{name} must stay {value!r}, as what partial_fit continues has it; got {now!r}. "
                f"Set it back, or call fit, or partial_fit of a clone: both begin anew."
            )
    return True

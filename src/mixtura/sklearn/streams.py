"""How `partial_fit` begins: a stream with the parameters of an estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from mixtura.fitting import StepwiseGMM
from mixtura.mixture import GaussianMixture
from mixtura.sklearn.starts import check_given

__all__ = ["begun_stream"]

STARTS = {
    "kmeans": "kmeans",
    "k-means++": "kmeans++",
    "random": "random",
    "random_from_data": "random",
}
LEAST_STARTS = 10  # on the first rows, which are few


def begun_stream(estimator: Any) -> StepwiseGMM:
    """Return a stream that has seen nothing, or the rows of the last fit.

    Raises
    ------
    ValueError
        For parameters that cannot be used.
    """
    d = estimator.n_features_in_
    ridge = np.full(d, float(estimator.reg_covar))
    has_fit = hasattr(estimator, "_fitted_rows")
    model = estimator.model_ if has_fit else None
    stream = StepwiseGMM(
        estimator.n_components if model is None else model.n_components,
        covariance_type=estimator.covariance_type,
        reg_covar=ridge,
        half_life=estimator.half_life,
        init=_start(estimator, d) if model is None else model,
        n_init=max(estimator.n_init, LEAST_STARTS),
        on_collapse=estimator.on_collapse,
        missing=estimator.missing,
        rng=int(check_random_state(estimator.random_state).randint(2**31 - 1)),
        n_threads=estimator.n_threads,
    )
    return stream if model is None else stream._after_fit(model, *estimator._fitted_rows)


def _start(estimator: Any, n_features: int) -> Any:
    """What EM starts from on the first rows."""
    given = check_given(estimator, n_features)
    if not given:
        return STARTS[estimator.init_params]
    if "means" not in given or ("weights" in given and "covariances" not in given):
        raise ValueError(
            f"partial_fit must begin with means_init, alone or with precisions_init, or with all "
            f"parameters; got {_names(given)}. Give the others, too."
        )
    if "covariances" not in given:
        return given["means"]
    k = estimator.n_components
    weights = given.get("weights", np.full(k, 1.0 / k))
    return GaussianMixture(weights, given["means"], given["covariances"], estimator.covariance_type)


def _names(given: dict[str, Any]) -> str:
    """The parameters that users gave, without factors, which follow from precisions."""
    words = {"weights": "weights_init", "means": "means_init", "covariances": "precisions_init"}
    return " and ".join(word for name, word in words.items() if name in given)

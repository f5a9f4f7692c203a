"""GaussianMixture.partial_fit: a `StepwiseGMM` with the parameters of an estimator."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from mixtura.exceptions import FitError
from mixtura.fitting import StepwiseGMM
from mixtura.mixture import GaussianMixture
from mixtura.sklearn.labels import known_classes
from mixtura.sklearn.rows import weighted_rows_of
from mixtura.sklearn.runs import ILL_DEFINED
from mixtura.sklearn.starts import check_given
from mixtura.sklearn.streams import LEARNING, continues, parameters_of

__all__ = ["LearnsMixture"]

STARTS = {
    "kmeans": "kmeans",
    "k-means++": "kmeans++",
    "random": "random",
    "random_from_data": "random",
}
LEAST_STARTS = 10  # on the first rows, which are few


class LearnsMixture:
    """What an estimator of mixtures does with batches of rows."""

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Learn from one more batch of rows, by stepwise EM: see `mixtura.StepwiseGMM`.

        The first call starts a stream, or continues the last `fit`, whose rows then count as those
        of the start. `fit` starts anew. See :doc:`/manual/streams`.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.
        y : array_like of shape (n_samples,), optional
            Ignored; classes that `fit` would use are refused.
        sample_weight : array_like of shape (n_samples,), optional
            Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None
            is one for each row.

        Returns
        -------
        GaussianMixture
            The estimator itself. `n_iter_` counts batches, and `lower_bounds_` has the mean
            log-likelihood of each one before it was learned from.

        Raises
        ------
        ValueError
            For parameters or rows that cannot be used; for parameters other than those of the
            stream; for a covariance that becomes singular, where `on_collapse` does not help.

        Examples
        --------
        >>> from mixtura.datasets import load_faithful
        >>> from mixtura.sklearn import GaussianMixture
        >>> X = load_faithful().data
        >>> gm = GaussianMixture(n_components=2, random_state=0)
        >>> gm = gm.partial_fit(X[:200]).partial_fit(X[200:])
        >>> gm.n_iter_, gm.weights_.round(1)
        (2, array([0.6, 0.4]))
        """
        estimator: Any = self
        continuing = continues(estimator)
        rows = weighted_rows_of(
            estimator, X, sample_weight, missing=estimator.missing, reset=not continuing
        )
        if known_classes(estimator, X, y, rows.sample_weight) is not None:
            raise ValueError(
                "y must not have classes that are used in partial_fit, which learns from rows "
                "alone; got some. Pass y=None, or use_y=False."
            )
        own: StepwiseGMM | None = getattr(estimator, "_stream", None)
        stream = _started(estimator) if own is None else copy.copy(own)
        try:
            stream.update(rows.X, rows.sample_weight)
            # Until the start, rows are fitted whenever there are twice as many.
            n, before = stream.n_samples, getattr(estimator, "_n_modelled", 0)
            due = stream.is_started or n >= max(estimator.n_components, 2 * before)
            model = stream.model if due else None
        except FitError as error:
            raise ValueError(f"{ILL_DEFINED} {error}") from error
        estimator._stream = stream
        estimator._learned_with = parameters_of(estimator, LEARNING)
        estimator.__dict__.pop("_fitted_rows", None)
        if model is not None:
            estimator._n_modelled = n
            estimator._forget_classes()
            estimator._keep_parameters(model._parameters(), rows.X.dtype)
            estimator.converged_ = False
            estimator.lower_bounds_ = stream.history.tolist()
            estimator.lower_bound_ = (
                estimator.lower_bounds_[-1] if estimator.lower_bounds_ else -np.inf
            )
        estimator.n_iter_ = stream.n_updates
        return self

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is a mixture: `partial_fit` may still wait for rows."""
        return hasattr(self, "weights_")


def _started(estimator: Any) -> StepwiseGMM:
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

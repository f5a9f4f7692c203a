"""KMeans.partial_fit: a `ClusterStream` with the parameters of an estimator."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from mixtura.fitting.streams.options import check_half_life
from mixtura.fitting.streams.stepwise_kmeans import ClusterStream
from mixtura.sklearn.rows import weighted_rows_of
from mixtura.sklearn.streams import LEARNING, continues, parameters_of

__all__ = ["LearnsClusters"]


class LearnsClusters:
    """What an estimator of clusters does with batches of rows."""

    def partial_fit(
        self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Learn from one more batch of rows, in the place of scikit-learn's `MiniBatchKMeans`.

        The first call starts a stream, or continues the last `fit`, whose rows then count as those
        of the start. `fit` starts anew. See :doc:`/manual/streams`.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            The rows.
        y : None
            Ignored.
        sample_weight : array_like of shape (n_samples,), optional
            Non-negative; a row of weight two is two equal rows, one of weight zero is absent. None
            is one for each row.

        Returns
        -------
        KMeans
            The estimator itself. `labels_` and `inertia_` are those of the batch.

        Raises
        ------
        ValueError
            For parameters or rows that cannot be used; for parameters other than those of the
            stream.

        Notes
        -----
        The first rows are kept until there are 100 for each cluster, and then clustered by `fit`.
        Later the sums of each cluster follow the batches, by the rule of `mixtura.StepwiseGMM`. A
        cluster that loses nearly all its weight moves to the farthest row of the batch.

        Examples
        --------
        >>> from mixtura.datasets import load_faithful
        >>> from mixtura.sklearn import KMeans
        >>> X = load_faithful().data
        >>> model = KMeans(2, random_state=0).partial_fit(X[:200]).partial_fit(X[200:])
        >>> model.n_steps_, model.cluster_centers_.round()
        (2, array([[ 4., 80.],
               [ 2., 55.]]))
        """
        estimator: Any = self
        continuing = continues(estimator)
        rows = weighted_rows_of(estimator, X, sample_weight, reset=not continuing)
        stream: ClusterStream = getattr(estimator, "_stream", None) or _started(estimator)
        stream = stream.after(rows.X, rows.sample_weight, estimator._clustered)
        estimator._stream = stream
        estimator._learned_with = parameters_of(estimator, LEARNING)
        estimator.__dict__.pop("_fitted_rows", None)
        estimator.n_steps_ = estimator.n_iter_ = stream.n_updates
        if stream.centers is not None:
            estimator.cluster_centers_ = stream.centers.astype(rows.X.dtype)
            estimator.labels_, estimator.inertia_ = estimator._assign(rows.X, rows.sample_weight)
            rows.marked(estimator.labels_)
            estimator._n_features_out = estimator.n_clusters
        if stream.counts is not None:
            estimator.counts_ = stream.counts
        return self

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there are centers: `partial_fit` may still wait for rows."""
        return hasattr(self, "cluster_centers_")


def _started(estimator: Any) -> ClusterStream:
    """Return a stream that has seen nothing, or the rows of the last fit."""
    half_life = check_half_life(estimator.half_life)
    if not hasattr(estimator, "_fitted_rows"):
        return ClusterStream(estimator.n_clusters, half_life, estimator.n_threads)
    n_samples, sizes = estimator._fitted_rows
    centers = estimator.cluster_centers_.astype(np.float64)
    return ClusterStream.after_fit(centers, sizes, n_samples, half_life, estimator.n_threads)

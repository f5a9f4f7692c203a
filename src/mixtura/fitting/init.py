"""What users may pass as `init`, as starts know it."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data import RowSource
from mixtura.data.frames import Names
from mixtura.data.row_checks import check_column_names
from mixtura.fitting.kmeans_fit import KMeansFit
from mixtura.fitting.stages import Begin
from mixtura.mixture import GaussianMixture
from mixtura.mixture.table import counted
from mixtura.starts import check_init
from mixtura.starts.given import Means

__all__ = ["check_begin", "names_of", "returned_begin", "stands_for_mixture"]


def check_begin(
    init: Any, source: RowSource, n_components: int, *, labelled: bool = False
) -> Begin:
    """What a fit begins with: a fit of a mixture is its model, a fit of k-means its labels.

    A stream or a posterior is its model, too. A fit of k-means without labels is its centers; not
    if the labels of some rows are known, which clusters are matched with.

    Raises
    ------
    ValueError
        For what does not fit the rows or the number of components.
    TypeError
        For anything else.
    """
    init = _mixture_of(init)
    if isinstance(init, KMeansFit) and init.labels is None:
        if labelled or init.centers.shape != (n_components, source.n_features):
            k, d = init.centers.shape
            got_labels = ", and labels of some rows" * labelled
            raise ValueError(
                f"init must be a fit of k-means with {counted(n_components, 'cluster')} and "
                f"{counted(source.n_features, 'feature')}, and with its labels where those of some "
                f"rows are given; got {counted(k, 'cluster')} and {counted(d, 'feature')} without "
                f'labels{got_labels}. Start with init="kmeans".'
            )
        check_column_names(init.feature_names, source.feature_names, "init")
        return Means(init.centers)
    if isinstance(init, KMeansFit):
        assert init.labels is not None
        source.refuse_array("init", "Pass init=fit.centers, which are means.")
        got = (len(init.centers), len(init.labels))
        if got != (n_components, source.n_samples):
            remedy = "Pass init.predict(X)" if got[0] == n_components else "Fit k-means again"
            raise ValueError(
                f"init must be a fit of k-means with {counted(n_components, 'cluster')} of the "
                f"{counted(source.n_samples, 'row')} of X, as it stands for its labels; got "
                f"{counted(got[0], 'cluster')} of {counted(got[1], 'row')}. {remedy}."
            )
        init = init.labels
    return check_init(init, source, n_components)


def _mixture_of(init: Any) -> Any:
    """The mixture of a fit, a stream or a posterior; anything else as it is."""
    model = getattr(init, "model", None)
    return model if isinstance(model, GaussianMixture) else init


def stands_for_mixture(init: Any) -> bool:
    """Whether a start is a mixture or the fit of one, so that it needs no rows."""
    return isinstance(_mixture_of(init), GaussianMixture)


def names_of(init: Any) -> Names | None:
    """Names of the columns that a start is of, where it is a mixture or the fit of one."""
    model = _mixture_of(init)
    return model.feature_names if isinstance(model, GaussianMixture) else None


def returned_begin(
    init: Any, source: RowSource, n_components: int, rng: np.random.Generator
) -> Begin:
    """What a callable `init` returns, checked."""
    returned = init(source.shown(), n_components, rng)
    if callable(returned):
        raise TypeError(
            f"init must return labels, responsibilities, means, a mixture, a fit, a tree or the "
            f"name of a method; it returned {returned!r}, which is callable again. Return what "
            f"that returns."
        )
    return check_begin(returned, source, n_components)

"""Starts that the user gives: labels, responsibilities or a mixture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.covariance import FAMILIES, CovarianceFamily
from mixtura.data import RowSource
from mixtura.data.checks import (
    check_labels,
    check_option,
    check_resp,
    check_rows_sum_to_one,
)
from mixtura.data.index import check_index
from mixtura.mixture import GaussianMixture
from mixtura.parameters import Parameters
from mixtura.passes import RowsPass
from mixtura.schedules import Outcome
from mixtura.shapes import Floats
from mixtura.starts.automatic import INIT_METHODS, Start
from mixtura.updates import Collapse, Event, Update

__all__ = ["check_init", "given_start"]


def check_init(
    init: object, source: RowSource, n_components: int, family: CovarianceFamily
) -> Start | GaussianMixture | NDArray[Any]:
    """What a fit of these rows starts with: a method, a mixture, labels or responsibilities.

    Raises
    ------
    ValueError
        For what does not fit the rows or the number of components.
    TypeError
        For anything else.
    """
    n, d = source.n_samples, source.n_features
    if isinstance(init, str):
        return check_option("init", init, INIT_METHODS)
    if isinstance(init, GaussianMixture):
        got = (init.n_components, init.n_features, init.covariance_type)
        if got[:2] != (n_components, d) or FAMILIES[init.covariance_type] is not family:
            raise ValueError(
                f"init must be a mixture of {n_components} components, {d} features and "
                f"covariance_type {family.name!r}; got {got[0]}, {got[1]} and {got[2]!r}. "
                f"Fit with its settings, or start from its responsibilities."
            )
        return init
    check_index(init, source.index, "init")
    try:
        array: NDArray[Any] = np.asarray(init)
    except ValueError:  # a ragged list
        array = np.asarray(init, dtype=object)
    if array.ndim == 1 and array.dtype.kind in "iu":
        return _check_labels(array, source, n_components)
    if array.ndim == 2 and array.dtype.kind in "fiub":
        resp = check_resp(array, (n, n_components), name="init")
        check_rows_sum_to_one(resp, name="init")
        return resp
    raise TypeError(
        f"init must be one of {', '.join(map(repr, INIT_METHODS))}, integer labels of shape "
        f"(n_samples,), responsibilities of shape (n_samples, n_components), a GaussianMixture or "
        f"a callable; got {type(init).__name__} of dtype {array.dtype} and shape {array.shape}. "
        f"Pass one of these."
    )


def _check_labels(labels: NDArray[Any], source: RowSource, n_components: int) -> NDArray[np.int64]:
    weights = source.weights()
    if weights is not None and weights.shape == labels.shape:  # absent rows may have any label
        labels = np.where(weights > 0.0, labels, 0)
    checked = check_labels(labels, source.n_samples, n_components, name="labels in init")
    totals = np.bincount(checked, weights, n_components)
    if not totals.all():
        raise ValueError(
            f"labels in init must give every component some weight; component "
            f"{int(np.argmin(totals))} has none. Use fewer components or other labels."
        )
    return checked


def given_start(
    init: GaussianMixture | Parameters | NDArray[Any],
    n_components: int,
    rows: RowsPass,
    update: Update,
    collapse: Collapse,
    centre: Floats,
) -> Outcome:
    """Return the parameters that `init` stands for, with what was done to get them.

    Parameters
    ----------
    init : GaussianMixture, Parameters, or ndarray of shape (n_samples,) or (n_samples, k)
        A mixture, which is taken as it is; labels; or responsibilities, checked.
    n_components : int
    rows : RowsPass
    update : Update
    collapse : Collapse
        What to do with a component that has no weight or no regular covariance.
    centre : ndarray of shape (n_features,)
        A point near the rows.

    Returns
    -------
    Outcome
        Of no iterations.

    Raises
    ------
    FitError
        When a component collapses and `collapse` does not help.
    """
    if isinstance(init, GaussianMixture):
        init = init._parameters()
    if isinstance(init, Parameters):
        return Outcome(init)
    events: list[Event] = []
    rough = np.tile(centre, (n_components, 1))
    statistics = rows.given(init, rows.given(init, rough).means())  # about their own means
    parameters, failed = update.update(statistics)
    if failed.any():
        parameters, _ = collapse.recover(update, statistics, parameters, failed, 0, events)
    return Outcome(parameters, events=events)

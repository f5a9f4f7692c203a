"""Starts that the user gives: labels, responsibilities, means, a tree or a mixture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.covariance import FAMILIES, CovarianceFamily
from mixtura.data import RowSource
from mixtura.data.checks import (
    check_centres,
    check_labels,
    check_option,
    check_resp,
    check_rows_sum_to_one,
    to_integers,
)
from mixtura.data.frames import real_array
from mixtura.data.index import check_index
from mixtura.data.labels import integer_labels
from mixtura.data.row_checks import check_column_names
from mixtura.mixture import GaussianMixture
from mixtura.mixture.table import counted
from mixtura.parameters import Parameters, Seen
from mixtura.passes import RowsPass
from mixtura.schedules import Outcome
from mixtura.shapes import DIAG, EPS, FULL, Floats, Shape
from mixtura.starts.beginnings import INIT_METHODS, Start
from mixtura.starts.hierarchical import HierarchicalTree
from mixtura.starts.labels import FromLabels, statistics_of_labels
from mixtura.starts.whole import whole_pass
from mixtura.statistics import Statistics
from mixtura.updates import Collapse, Event, Update

__all__ = ["Means", "check_init", "given_start", "tree_labels"]

NO_ARRAY = "Pass means, or the model of a fit to some of the rows."


@dataclass(frozen=True, eq=False)
class Means:
    """Means alone: each row begins with the nearest of them, in units of feature deviations.

    Attributes
    ----------
    means : ndarray of shape (n_components, n_features)
    """

    means: Floats


def check_init(
    init: object, source: RowSource, n_components: int
) -> Start | GaussianMixture | Means | NDArray[Any]:
    """What a fit of these rows starts with: a method, a mixture, means, labels, responsibilities.

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
        got = (init.n_components, init.n_features)
        if got != (n_components, d):
            raise ValueError(
                f"init must be a mixture of {counted(n_components, 'component')} and "
                f"{counted(d, 'feature')}; got {got[0]} and {got[1]}. Fit with its "
                f"settings, or start from its means or labels."
            )
        return init
    if isinstance(init, HierarchicalTree):
        return _check_labels(tree_labels(init, source, n_components), source, n_components)
    check_index(init, source.index, "init")
    array = integer_labels(init)
    if array.shape != (n_components, d):  # of means
        source.refuse_array("init", NO_ARRAY)
    n = source.n_samples
    if array.ndim == 1 and array.dtype.kind in "iub":
        if array.dtype.kind == "b" and n_components != 2:
            raise ValueError(
                f"init must be integer labels for {counted(n_components, 'component')}; got true "
                f"and false, which are two. Number the components from 0, or ask for two."
            )
        labels = array.astype(np.int64) if array.dtype.kind == "b" else array
        return _check_labels(labels, source, n_components)
    if array.ndim == 2 and array.dtype.kind in "fiub":
        if array.shape == (n_components, d):
            check_column_names(real_array(init, "init")[1], source.feature_names, "means in init")
        return _check_table(array, n, n_components, d)
    raise TypeError(
        f"init must be one of {', '.join(map(repr, INIT_METHODS))}, integer labels of shape "
        f"(n_samples,) with -1 for none, boolean labels of two components, responsibilities of "
        f"shape (n_samples, n_components), means of shape (n_components, n_features), a "
        f"GaussianMixture, a GMMFit, a KMeansFit, a HierarchicalTree or a callable; got "
        f"{type(init).__name__} of dtype {array.dtype} and shape {array.shape}. "
        f"{_remedy(init, array, n)}"
    )


def _remedy(init: object, array: NDArray[Any], n: int) -> str:
    """What to pass instead of labels of another type, or of an estimator of scikit-learn."""
    if array.shape == (n,) and array.dtype.kind == "f" and np.isnan(array).any():
        return "Set labels that are missing to -1, then pass init.astype(int)."
    if array.shape == (n,):
        return to_integers(array, "init")
    if hasattr(init, "get_params"):
        is_mixture = hasattr(init, "covariance_type")
        return f"Pass {'GaussianMixture.from_sklearn(init)' if is_mixture else 'init.labels_'}."
    return "Pass one of these."


def tree_labels(tree: HierarchicalTree, source: RowSource, n_clusters: int) -> NDArray[np.int64]:
    """The clusters of a tree that was grown from the same rows."""
    source.refuse_array("init", NO_ARRAY)
    if len(tree.leaf) != source.n_samples:
        raise ValueError(
            f"init must be a tree of the {counted(source.n_samples, 'row')} of X; got one of "
            f"{len(tree.leaf)}. Grow it from X."
        )
    return tree.labels(n_clusters)


def _check_table(array: NDArray[Any], n: int, k: int, d: int) -> Means | NDArray[Any]:
    """Responsibilities or means, by their shape."""
    if n == k == d and array.shape == (n, n):
        raise ValueError(
            f"init of shape {array.shape} could be responsibilities or means, as there are as many "
            f"rows as components and features. Pass labels, or a GaussianMixture."
        )
    if array.shape == (k, d) and array.shape != (n, k):
        return Means(check_centres(array, d, name="means in init"))
    if array.shape != (n, k):
        raise ValueError(
            f"init must have shape {(n, k)}, (n_samples, n_components), for responsibilities, or "
            f"{(k, d)}, (n_components, n_features), for means; got {array.shape}. Give each row "
            f"one value for each component, or each component one mean."
        )
    resp = check_resp(array, (n, k), name="init")
    check_rows_sum_to_one(resp, name="init")
    return resp


def _check_labels(labels: NDArray[Any], source: RowSource, n_components: int) -> NDArray[np.int64]:
    weights = source.weights()
    if weights is not None and weights.shape == labels.shape:  # absent rows may have any label
        labels = np.where(weights > 0.0, labels, 0)
    checked = check_labels(
        labels, source.n_samples, n_components, name="labels in init", some_without=True
    )
    present = slice(None) if checked.min() >= 0 else checked >= 0
    totals = np.bincount(
        checked[present], None if weights is None else weights[present], n_components
    )
    if not totals.all():
        raise ValueError(
            f"labels in init must give every component some weight; component "
            f"{int(np.argmin(totals))} has none. Use fewer components or other labels."
        )
    return checked


def given_start(
    init: GaussianMixture | Parameters | Means | FromLabels | NDArray[Any],
    n_components: int,
    rows: RowsPass,
    family: CovarianceFamily,
    update: Update,
    collapse: Collapse,
    centre: Floats,
) -> Outcome:
    """Return the parameters that `init` stands for, with what was done to get them.

    Parameters
    ----------
    init : GaussianMixture, Parameters, Means, FromLabels, or ndarray of shape (n_samples,) or
        (n_samples, k)
        A mixture, which is taken as it is or as one of the family; means; what is known of the
        rows; labels; or responsibilities, checked. Rows of label -1 take no part.
    n_components : int
    rows : RowsPass
    family : CovarianceFamily
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
    if isinstance(init, GaussianMixture) and FAMILIES[init.covariance_type] is family:
        init = init._parameters()
    if isinstance(init, Parameters):
        return Outcome(init)
    if isinstance(init, GaussianMixture):
        statistics, parameters, failed = _as_one_of(family, init, rows)
    elif isinstance(init, FromLabels):
        statistics = statistics_of_labels(init, rows, centre, collapse.scale)
        parameters, failed = update.update(statistics)
    elif isinstance(init, Means):
        rows = whole_pass(rows)
        near = _about(init.means, collapse.scale)
        rough = np.tile(centre, (n_components, 1))
        statistics = rows.assigned(near, rows.assigned(near, rough).means())
        parameters, failed = update.update(statistics)
    else:
        rows, init = _labelled(rows, init)
        rows = whole_pass(rows)
        rough = np.tile(centre, (n_components, 1))
        statistics = rows.given(init, rows.given(init, rough).means())  # about their own means
        parameters, failed = update.update(statistics)
    events: list[Event] = []
    if failed.any():
        parameters, _ = collapse.recover(update, statistics, parameters, failed, 0, events)
    return Outcome(parameters, events=events)


def _as_one_of(
    family: CovarianceFamily, mixture: GaussianMixture, rows: RowsPass
) -> tuple[Statistics, Parameters, NDArray[np.bool_]]:
    """The mixture with the covariances of a family that are likeliest for its own.

    They follow by the family's rule from the scatters of as much weight as the components have.
    """
    whole: Shape
    own, means = mixture._parameters(), mixture.means
    counts = np.maximum(mixture.weights, EPS)
    if family.shape.is_diagonal:
        whole, scatter = DIAG, counts[:, None] * own.variances()
    else:
        matrices = own.shape.matrices(own.covariances, *means.shape)
        whole, scatter = FULL, counts[:, None, None] * matrices
    statistics = Statistics(
        whole.name, means, counts, np.zeros(means.shape), scatter, 0.0, 1.0
    ).coarsened(family.shape.name)
    covariances = family.update(statistics, rows.backend.algebra)
    factors, singular = family.factorise(covariances, rows.backend.algebra)
    failed = np.broadcast_to(singular, len(means))
    return (
        statistics,
        Parameters(mixture.weights, means, covariances, factors, family.shape),
        failed,
    )


def _about(means: Floats, scale: Floats) -> Seen:
    """Equal components about some means: the most probable one of a row has the nearest mean.

    Distances are in units of `scale`; of equal ones, the first is nearest.
    """
    variances = np.tile(np.square(scale), (len(means), 1))
    factors = np.tile(1.0 / scale, (len(means), 1))
    return Seen(np.zeros(len(means)), means, variances, factors, DIAG)


def _labelled(rows: RowsPass, given: NDArray[Any]) -> tuple[RowsPass, NDArray[Any]]:
    """The pass over the rows that have a label, or responsibilities."""
    if given.ndim == 2 or given.min() >= 0:
        return rows, given
    weights = rows.source.weights()
    weight = np.ones(len(given)) if weights is None else weights.copy()
    weight[given < 0] = 0.0
    source = rows.source.reweighted(weight)
    return RowsPass(source, rows.shape, rows.backend), np.maximum(given, 0)

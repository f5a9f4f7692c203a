"""Classes that some rows have, in y: -1 stands for those whose class is not known."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_consistent_length, column_or_1d

from mixtura.data.checks import UNKNOWN, is_unknown
from mixtura.data.frames import described, is_missing
from mixtura.data.index import check_index, row_index
from mixtura.data.labels import RowLabels
from mixtura.exceptions import IgnoredClassesWarning
from mixtura.shapes import Floats

__all__ = ["KnownClasses", "check_use_y", "known_classes"]


class KnownClasses(NamedTuple):
    """The classes of rows and of components.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted, of the type that users gave them.
    of_component : ndarray of shape (n_components,), int64
        The position of each component's class; -1 for one of no class.
    rows : RowLabels
    """

    classes: NDArray[Any]
    of_component: NDArray[np.int64]
    rows: RowLabels

    def names(self) -> NDArray[Any]:
        """The class of each component, -1 for one of no class."""
        kind = np.int64 if self.classes.dtype.kind in "iu" else object
        names = np.full(len(self.of_component), -1, dtype=kind)
        named = self.of_component >= 0
        names[named] = self.classes[self.of_component[named]]
        return names


def known_classes(
    estimator: Any, X: Any, y: Any, sample_weight: Floats | None
) -> KnownClasses | None:
    """What y says of the components of rows; None if it is not used, or says nothing.

    Parameters
    ----------
    estimator : GaussianMixture
        For its parameters.
    X : array_like
        As the user passed it: for its index.
    y : array_like of shape (n_samples,) or None
    sample_weight : ndarray of shape (n_samples,), optional
        What rows of weight zero have in y is not looked at.

    Raises
    ------
    ValueError
        For classes without a component, and for missing values.

    Warns
    -----
    mixtura.IgnoredClassesWarning
        Where y is ignored and plainly has unknown classes, which are not marked as needed.
    """
    automatic = isinstance(estimator.use_y, str)
    if y is None:
        if not automatic and estimator.use_y:
            raise ValueError(
                "y must be given with use_y=True: classes, -1 where they are not known; got None. "
                "Pass y, or leave use_y at its default."
            )
        return None
    if not automatic and not estimator.use_y:
        return None
    array: NDArray[Any] = np.asarray(y)
    unknown = _unknown(array)
    if automatic and (array.dtype.kind not in "iO" or not unknown.any()):
        _warn_of_other_marks(array, sample_weight)
        return None
    array = column_or_1d(array)
    check_consistent_length(X, array)
    index = row_index(X)
    check_index(y, None if index is None else (index,), "y")
    known = ~unknown.ravel()
    if sample_weight is not None:
        known &= sample_weight > 0.0
    if not known.any():
        return None
    classes = _sorted_classes(array, known)
    of_component = np.full(estimator.n_components, -1, dtype=np.int64)
    if estimator.component_classes is None:
        if len(classes) > estimator.n_components:
            raise ValueError(
                f"n_components must be at least the number of classes in y; got "
                f"{estimator.n_components} and {len(classes)} classes. Ask for more components."
            )
        of_component[: len(classes)] = range(len(classes))
    else:
        classes = _check_component_classes(estimator, classes, of_component)
    code = np.zeros(len(array), dtype=np.int64)
    code[known] = 1 + np.searchsorted(classes, array[known])
    prior = np.zeros((1 + len(classes), estimator.n_components))
    seen = np.unique(code[known])  # no row tells the components of other classes apart
    prior[seen] = np.where(of_component == seen[:, None] - 1, 0.0, -np.inf)
    return KnownClasses(classes, of_component, RowLabels(code, prior))


def check_use_y(use_y: Any) -> None:
    """Refuse what is neither "auto" nor True or False."""
    if not (isinstance(use_y, bool | np.bool_) or (isinstance(use_y, str) and use_y == "auto")):
        raise ValueError(f"use_y must be 'auto', True or False; got {use_y!r}. Pass one of these.")


def _unknown(array: NDArray[Any]) -> NDArray[np.bool_]:
    """Where y is -1; in an array of objects, the number and not the text."""
    if array.dtype.kind == "O":
        marks = [
            not isinstance(value, str) and not is_missing(value) and bool(value == -1)
            for value in array.flat
        ]
        return np.array(marks, dtype=bool).reshape(array.shape)
    if array.dtype.kind in "if":
        return np.asarray(array == -1)
    return np.zeros(array.shape, dtype=bool)


def _warn_of_other_marks(array: NDArray[Any], sample_weight: Floats | None) -> None:
    """Warn of classes that are not known in some rows, and marked by something else than -1."""
    kind = array.dtype.kind
    if array.size != len(array) or kind not in "fUO":
        return
    array = array.ravel()
    if kind == "O":
        marked = np.array([is_unknown(value) for value in array], dtype=bool)
    else:
        marked = np.isnan(array) if kind == "f" else np.isin(array, UNKNOWN)
    present = np.ones(len(array), dtype=bool)
    if sample_weight is not None and len(sample_weight) == len(array):
        present = sample_weight > 0.0
    marked &= present
    if marked.any() and not marked[present].all():
        row = int(np.argmax(marked))
        warnings.warn(
            f"y must be -1 where the class of a row is not known; it is ignored, as row {row} is "
            f"{described(array[row : row + 1].tolist()[0])}. Set unknown classes to the number -1, "
            f"in an array of integers or of dtype object, or pass use_y=False.",
            IgnoredClassesWarning,
            stacklevel=5,
        )


def _sorted_classes(array: NDArray[Any], known: NDArray[np.bool_]) -> NDArray[Any]:
    missing = known & np.array([is_missing(value) for value in array])
    if missing.any():
        row = int(np.argmax(missing))
        raise ValueError(
            f"y must be -1 where the class of a row is not known; row {row} is {array[row]}. "
            f"Replace missing values by -1."
        )
    try:
        return np.unique(array[known])
    except TypeError as error:
        raise TypeError(
            f"y must have classes of one type, and -1 where they are not known; got "
            f"{described(array)}, which cannot be sorted. Convert them to strings or integers."
        ) from error


def _check_component_classes(
    estimator: Any, classes: NDArray[Any], of_component: NDArray[np.int64]
) -> NDArray[Any]:
    """All classes, those of components too; writes the position of each component's class."""
    given = list(estimator.component_classes)
    if len(given) != estimator.n_components:
        raise ValueError(
            f"component_classes must have one class for each of the {estimator.n_components} "
            f"components, -1 for none; got {len(given)}. Give each component one."
        )
    without = [name for name in classes.tolist() if name not in given]
    if without:
        raise ValueError(
            f"component_classes must have every class of y; {without[0]!r} is not there. Give it "
            f"a component."
        )
    named = [not isinstance(name, str) and bool(name == -1) for name in given]
    found = np.unique(np.array([n for n, skip in zip(given, named, strict=True) if not skip]))
    if classes.dtype.kind == "O":
        found = found.astype(object)
    for j, (name, skip) in enumerate(zip(given, named, strict=True)):
        if not skip:
            of_component[j] = np.searchsorted(found, name)
    return found

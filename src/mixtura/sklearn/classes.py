"""Answers by class, for a mixture that was fitted to rows with classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.shapes import Floats

__all__ = ["AnswersClasses"]


class AnswersClasses:
    """What an estimator answers where some of its components have a class."""

    def _labels(self, X: NDArray[Any]) -> NDArray[Any]:
        """The most probable components of rows, or where there are classes, these."""
        estimator: Any = self
        if not hasattr(self, "classes_"):
            components: NDArray[np.int64] = estimator.model_.predict(
                X, n_threads=estimator.n_threads
            )
            return components
        of_class = self._resp(X)
        own = estimator.component_classes_
        names = np.append(estimator.classes_.astype(own.dtype), -1)
        rest = 1.0 - of_class.sum(axis=1) if -1 in own else np.zeros(len(X))
        labels: NDArray[Any] = names[np.column_stack([of_class, rest]).argmax(axis=1)]
        return labels

    def _resp(self, X: NDArray[Any]) -> Floats:
        """Posterior probabilities of components, or where there are classes, of these."""
        estimator: Any = self
        resp: Floats = estimator.model_.responsibilities(X, n_threads=estimator.n_threads)
        if not hasattr(self, "classes_"):
            return resp
        belongs = estimator.component_classes_ == estimator.classes_[:, None]
        return np.stack([resp[:, own].sum(axis=1) for own in belongs], axis=1)

    def _forget_classes(self) -> None:
        """Delete the classes of an earlier fit."""
        for name in ("classes_", "component_classes_"):
            self.__dict__.pop(name, None)

"""Some of the features of a mixture, by name, position or mask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.data.frames import check_ordered, described, listed, repetitions

if TYPE_CHECKING:
    from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["Features", "feature_positions"]

Features = str | int | Iterable[str] | Iterable[int] | ArrayLike


def feature_positions(mixture: GaussianMixture, features: Features) -> NDArray[np.intp]:
    """Positions of features that a user names, in his order.

    Parameters
    ----------
    mixture : GaussianMixture
    features : str, int, sequence of them, or mask of shape (n_features,)

    Returns
    -------
    ndarray of shape (n,), int

    Raises
    ------
    ValueError
        For a feature that the mixture does not have, or has been named before.
    TypeError
        For anything but names, integers and masks.
    """
    d, names = mixture.n_features, mixture.feature_names
    expected = f"features must be names, positions from 0 to {d - 1}, or a mask of {d}"
    check_ordered(features, expected)
    chosen: list[Any] = [features]
    if isinstance(features, np.ndarray):
        chosen = np.atleast_1d(features).tolist()
    elif isinstance(features, Iterable) and not isinstance(features, str):
        chosen = list(features)
    if chosen and all(isinstance(each, bool | np.bool_) for each in chosen):
        if len(chosen) != d:
            raise ValueError(
                f"{expected}; got a mask of {len(chosen)}. Give True or False for each feature."
            )
        chosen = np.flatnonzero(chosen).tolist()
    positions = []
    for each in chosen:
        if isinstance(each, str):
            if names is None:
                raise ValueError(
                    f"{expected}; got the name {each!r}, and the mixture has no feature_names. "
                    f"Use positions."
                )
            if each not in names:
                raise ValueError(
                    f"{expected}; got the name {each!r}. Choose among {listed(names)}."
                )
            positions.append(names.index(each))
        elif not isinstance(each, int | np.integer) or isinstance(each, bool):
            raise TypeError(f"{expected}; got {described(each)}. Pass a list of one kind.")
        elif not 0 <= each < d:
            raise ValueError(f"{expected}; got {each}. Count the features from 0.")
        else:
            positions.append(int(each))
    if repeated := repetitions(positions):
        raise ValueError(f"{expected}, each once; got position {repeated}. Drop the repetitions.")
    return np.array(positions, dtype=np.intp)

"""Which models of a selection come first."""

from __future__ import annotations

import numpy as np

import mixtura


def test_of_equal_models_the_first_family_is_best() -> None:
    """With one component, families without restrictions on it are one model."""
    names = ["VVV", "EVE", "EEE", "VEV"]
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(100, 3)) @ rng.normal(size=(3, 3))
        selection = mixtura.select_gmm(X, 1, names, rng=0)
        order = selection.covariance_types
        assert [name for _, name, _ in selection.top(4)] == list(order)
        assert selection.best.covariance_type == order[0]

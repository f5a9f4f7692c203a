"""Checkpoints recognise every kind of start, and continue to the same bits."""

from pathlib import Path

import numpy as np
import pytest
from clusters import assert_same_fit_bits, clustered
from kills import fit_with_kills, kill

from mixtura import fit_gmm, fit_kmeans, hierarchical

X, LABELS = clustered()
MEANS = np.array([X[j == LABELS].mean(axis=0) for j in range(3)])
SOME = np.where(np.arange(len(X)) % 3 == 0, -1, LABELS)
STARTS = {
    "means": MEANS,
    "list of means": MEANS.tolist(),
    "some labels": SOME,
    "fit": fit_gmm(X, 3, init=LABELS, max_iter=2, tol=0.0),
    "mixture of another type": fit_gmm(X, 3, covariance_type="tied", init=LABELS).model,
    "fit of k-means": fit_kmeans(X, 3, init=MEANS),
    "tree": hierarchical(X),
}
each_start = pytest.mark.parametrize("init", STARTS.values(), ids=STARTS)


@each_start
def test_killed_fit_from_any_start_that_was_given_ends_with_the_same_bits(
    tmp_path: Path, init: object
) -> None:
    options = {"init": init, "max_iter": 9, "tol": 0.0}
    killed = fit_with_kills(tmp_path / "c", [2, 6], X, 3, **options)
    assert_same_fit_bits(killed, fit_gmm(X, 3, **options))


@pytest.mark.parametrize(
    "other", [MEANS + 1e-9, LABELS, MEANS[:, ::-1], "kmeans"], ids=["near", "labels", "b", "name"]
)
def test_checkpoint_of_a_fit_from_other_means_is_refused(tmp_path: Path, other: object) -> None:
    kill(tmp_path / "c", 2, X, 3, init=MEANS)
    with pytest.raises(ValueError, match=r"it is of another one: init was Means and is"):
        fit_gmm(X, 3, init=other, checkpoint=tmp_path / "c")
    kill(tmp_path / "c", 3, X, 3, init=MEANS.tolist())

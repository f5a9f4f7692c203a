"""What belongs to the rows of a pandas frame must have the frame's index."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from tables import A, pandas

from mixtura.data import open_rows, scan

TO_NUMPY = (
    "Give it the index of X, or pass sample_weight.to_numpy() to take its values by position."
)
OTHER = {
    "the same labels in another order": (
        lambda: pandas("Series", [1.0, 2.0, 3.0, 4.0], index=[0, 1, 3, 2]),
        (
            "sample_weight must have the index of X; row 2 has the label 3, and 2 in X. "
            "Pass sample_weight.loc[X.index]."
        ),
    ),
    "other labels": (
        lambda: pandas("Series", [1.0, 2.0, 3.0, 4.0], index=list("abcd")),
        f"sample_weight must have the index of X; row 0 has the label 'a', and 0 in X. {TO_NUMPY}",
    ),
    "a label twice": (
        lambda: pandas("Series", [1.0, 2.0, 3.0, 4.0], index=[0, 1, 2, 2]),
        f"sample_weight must have the index of X; row 3 has the label 2, and 3 in X. {TO_NUMPY}",
    ),
}


@pytest.mark.parametrize(("make", "message"), OTHER.values(), ids=OTHER)
def test_weights_with_another_index_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        open_rows(pandas("DataFrame", A), make())


def test_weights_of_rows_that_were_filtered_are_refused_by_their_labels() -> None:
    """Three weights for three rows, but of other rows."""
    frame = pandas("DataFrame", A)
    weights = pandas("Series", [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="row 1 has the label 1, and 2 in X"):
        open_rows(frame.loc[[0, 2, 3]], weights)


@pytest.mark.parametrize("index", [range(4), [0.0, 1.0, 2.0, 3.0]])
def test_weights_with_the_same_index_are_taken(index: object) -> None:
    weights = pandas("Series", [1.0, 2.0, 3.0, 4.0], index=index)
    assert open_rows(pandas("DataFrame", A), weights).weights().tolist() == [1.0, 2.0, 3.0, 4.0]


def test_missing_labels_are_equal_to_each_other() -> None:
    index = [0.0, np.nan, 2.0, 3.0]
    frame = pandas("DataFrame", A, index=index)
    open_rows(frame, pandas("Series", np.ones(4), index=index))
    with pytest.raises(ValueError, match="row 2 has the label 9"):
        open_rows(frame, pandas("Series", np.ones(4), index=[0.0, np.nan, 9.0, 3.0]))


def test_where_either_has_no_index_weights_are_taken_by_position() -> None:
    weights = pandas("Series", [1.0, 2.0, 3.0, 4.0], index=list("dcba"))
    assert open_rows(A, weights).weights().tolist() == [1.0, 2.0, 3.0, 4.0]
    open_rows(pandas("DataFrame", A, index=list("abcd")), [1.0, 2.0, 3.0, 4.0])


def test_weights_of_another_length_are_refused_by_their_shape() -> None:
    with pytest.raises(ValueError, match=r"must have shape \(4,\)"):
        open_rows(pandas("DataFrame", A), pandas("Series", np.ones(5)))


def test_index_of_blocks_is_that_of_one_after_the_other() -> None:
    frame = pandas("DataFrame", A, index=list("abcd"))
    rows = scan([frame[:1], frame[1:]])
    right = pandas("Series", np.ones(4), index=list("abcd"))
    assert open_rows(rows, right).weights().tolist() == [1.0] * 4
    with pytest.raises(ValueError, match="row 1 has the label 'c', and 'b' in X"):
        open_rows(rows, right.loc[list("acbd")])
    with pytest.raises(ValueError, match=re.escape(
        "weight[1] must have the index of source[1]; row 0 has the label 'd', and 'b' in "
        "source[1]. Pass weight[1].loc[source[1].index]."
    )):  # fmt: skip
        scan([frame[:1], frame[1:]], weight=[right[:1], right.loc[list("dcb")]])
    open_rows(scan([frame[:1], A]), pandas("Series", np.ones(5)))  # a block without an index

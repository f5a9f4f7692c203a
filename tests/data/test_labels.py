"""What users may say of the components of rows: how it is read, and what is refused."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from tables import pandas

from mixtura.data import ArrayRows
from mixtura.data.labels import RowLabels, check_row_labels, matched
from mixtura.starts.given import check_init

FREE = [0.0, 0.0, 0.0]
N = -np.inf


def checked(labels: Any, groups: Any = None, weight: Any = None, k: int = 3) -> RowLabels | None:
    n = len(labels)
    weight = None if weight is None else np.asarray(weight, dtype=float)
    return check_row_labels(labels, groups, ArrayRows(np.zeros((n, 2)), weight), k)


def priors(*arguments: Any, **options: Any) -> list[list[float]]:
    """The log-priors of each row."""
    known = checked(*arguments, **options)
    assert known is not None
    assert known.code.dtype == np.int64
    return known.prior[known.code].tolist()


@pytest.mark.parametrize(
    "labels",
    [
        [1, -1, 2],
        np.array([1, -1, 2], dtype=np.int8),
        np.ma.masked_array([1, 7, 2], mask=[False, True, False]),
        np.ma.masked_array([1.0, 0.0, 2.0], mask=[False, True, False]),
        np.ma.masked_array([1.0, np.nan, 2.0], mask=[False, True, False]),
        np.array([[0, 1, 0], [1, 1, 1], [0, 0, 1]]),
        np.array([[False, True, False], [True, True, True], [False, False, True]]),
    ],
    ids=["list", "int8", "masked", "masked floats", "masked nan", "table", "boolean table"],
)
def test_labels_in_any_form_are_one_component_or_all(labels: Any) -> None:
    assert priors(labels) == [[N, 0.0, N], FREE, [N, N, 0.0]]


def test_nulls_of_pandas_integers_are_unknown() -> None:
    series = pandas("Series", [1, None, 2], dtype="Int64")
    assert priors(series) == [[N, 0.0, N], FREE, [N, N, 0.0]]


@pytest.mark.parametrize("unknown", [-1, None, np.nan, "NA"])
def test_objects_that_are_integers_are_labels(unknown: Any) -> None:
    values = np.array([1, unknown, 2], dtype=object)
    if unknown == "NA":
        values[1] = pandas("Series", [None], dtype="Int64")[0]
    for labels in (values, pandas("Series", values)):
        assert priors(labels) == [[N, 0.0, N], FREE, [N, N, 0.0]]
    labels = check_init(np.array([*values, 0], dtype=object), ArrayRows(np.zeros((4, 1))), 3)
    assert isinstance(labels, np.ndarray)
    assert labels.tolist() == [1, -1, 2, 0]


def test_categories_that_are_integers_are_labels() -> None:
    for series in (pandas("Series", [1, None, 2], dtype="Int64"), pandas("Series", [1, -1, 2])):
        assert priors(series.astype("category")) == [[N, 0.0, N], FREE, [N, N, 0.0]]


@pytest.mark.parametrize("unknown", [-1, None, np.nan, "NA", "", "-1", "nan", "None", "<NA>"])
@pytest.mark.parametrize("kind", [list, "object", "category", "string", str])
def test_advice_for_names_leaves_unknown_rows_unknown(unknown: Any, kind: Any) -> None:
    """What the message says is done, and is right."""
    if unknown == "NA":
        unknown = pandas("Series", [None], dtype="Int64")[0]
    values = ["oak", unknown, "ash"]
    labels: Any = values
    if kind is str:
        labels = np.array(list(map(str, values)))
    elif kind is not list:
        labels = pandas("Series", values, dtype=object).astype(kind)
    advice = "[{'ash': 0, 'oak': 1}.get(each, -1) for each in labels]"
    message = f"{re.escape(advice)}; -1 is for those not known.$"
    with pytest.raises(TypeError, match=rf"^labels must be integers.*Pass {message}"):
        checked(labels)
    assert eval(advice, {"labels": labels}) == [1, -1, 0]
    with pytest.raises(TypeError, match=message.replace("labels", "init")):
        check_init(labels, ArrayRows(np.zeros((3, 2))), 2)


@pytest.mark.parametrize("dtype", ["Int64", "UInt8"])
def test_nulls_of_polars_integers_are_unknown(dtype: str) -> None:
    library = pytest.importorskip("polars")
    series = library.Series([1, None, 2], dtype=getattr(library, dtype))
    assert priors(series) == [[N, 0.0, N], FREE, [N, N, 0.0]]


@pytest.mark.parametrize("dtype", ["int64", "uint8"])
def test_nulls_of_pyarrow_integers_are_unknown(dtype: str) -> None:
    library = pytest.importorskip("pyarrow")
    array = library.array([1, None, 2], type=getattr(library, dtype)())
    for each in (array, library.chunked_array([array[:1], array[1:]])):
        assert priors(each) == [[N, 0.0, N], FREE, [N, N, 0.0]]


@pytest.mark.parametrize("first", [1.5, np.inf, np.nan, 1e300])
def test_masked_floats_that_are_no_integers_are_refused(first: float) -> None:
    with pytest.raises(TypeError, match="labels must be integers"):
        checked(np.ma.masked_array([first, 0.0, 2.0], mask=[False, True, False]))


def test_unsigned_labels_are_all_known() -> None:
    assert priors(np.array([0, 1], dtype=np.uint64), k=2) == [[0.0, N], [N, 0.0]]


def test_groups_allow_all_components_of_a_class() -> None:
    assert priors([0, 1, -1], groups=[0, 1, 1]) == [[0.0, N, N], [N, 0.0, 0.0], FREE]
    table = [[1.0, 0.0], [0.5, 1.0], [1.0, 1.0]]
    half = np.log(0.5)
    assert priors(table, groups=[0, 1, 1]) == [[0.0, N, N], [half, 0.0, 0.0], FREE]


def test_plausibilities_are_logarithms() -> None:
    assert priors([[1.0, 0.25, 0.0], [1, 1, 1]]) == [[0.0, np.log(0.25), N], FREE]
    # What single precision makes of one is one.
    assert priors([[1.0 + 1e-7, 0.0, 0.0], [1, 1, 1]]) == [[0.0, N, N], FREE]


def test_rows_of_weight_zero_may_have_any_label() -> None:
    assert priors([99, 1, -5, -1], weight=[0, 1, 0, 1]) == [FREE, [N, 0.0, N], FREE, FREE]
    table = [[np.nan, 0, 0], [1, 0, 0], [0, 0, 0], [1, 1, 1]]
    assert priors(table, weight=[0, 2, 0, 1]) == [FREE, [0.0, N, N], FREE, FREE]


@pytest.mark.parametrize("labels", [None, [-1, -1], [[1, 1, 1], [1.0, 1, 1]]])
def test_labels_that_say_nothing_are_none(labels: Any) -> None:
    source = ArrayRows(np.zeros((2, 2)))
    assert check_row_labels(labels, None, source, 3) is None


def test_known_rows_are_those_with_weight() -> None:
    weight = np.array([1.0, 0.0, 2.0, 1.0])
    known = checked([0, 1, 1, -1], weight=weight)
    assert known is not None
    assert known.known_rows(ArrayRows(np.zeros((4, 2)), weight)) == 2
    assert known.known_rows(ArrayRows(np.zeros((4, 2)))) == 2  # the other says nothing


@pytest.mark.parametrize(
    ("labels", "groups", "copies"),
    [([0, 1, -1], None, False), ([0, -1, 0], None, True), ([0, 1], [0, 1, 1], True)],
)
def test_components_that_nothing_tells_apart_are_copies(
    labels: Any, groups: Any, copies: bool
) -> None:
    known = checked(labels, groups)
    assert known is not None
    assert known.has_copies == copies


BAD: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "too large": (
        [0, -1, 3],
        None,
        ValueError,
        (
            "labels must lie between 0 and 2, or be -1 for rows whose label is not known; "
            "row 2 has 3, "
            "and there is no such component. Ask for more components, or number the labels from 0."
        ),
    ),
    "too small": ([0, -2, 1], None, ValueError, "row 1 has -2, and there is no such component"),
    "no such class": (
        [0, 1, 2],
        [0, 1, 1],
        ValueError,
        (
            "labels must lie between 0 and 1, or be -1 for rows whose label is not known; "
            "row 2 has 2, "
            "and there is no such class. Give it a component in groups, or number the labels "
            "from 0."
        ),
    ),
    "class without component": (
        [0, -1, 1],
        [0, 2, 2],
        ValueError,
        (
            "labels must be classes that have a component; row 2 has 1, which is not in "
            "groups. Give "
            "the class a component there."
        ),
    ),
    "nan": (
        [0.0, np.nan, 1.0],
        None,
        TypeError,
        (
            "labels must be integers, -1 for rows whose label is not known, or a table of shape "
            "(n_samples, n_components); got an array of dtype float64. Pass "
            "np.nan_to_num(np.asarray(labels), nan=-1).astype(int)."
        ),
    ),
    "huge": ([0, 2**70, None], None, TypeError, "got an array of dtype object"),
    "many names": (
        [*"abcdefg", ""],
        None,
        TypeError,
        (
            "Pass [numbers.get(each, -1) for each in labels], where numbers is a dict with the "
            "number of each name, from 0."
        ),
    ),
    "halves": ([0.5, np.nan, 1.0], None, TypeError, "Pass [{0.5: 0, 1.0: 1}.get(each, -1) for"),
    "ragged with none": ([[0, 1], None, [2]], None, TypeError, "got an array of dtype object"),
    "names": (["a", "b", "b"], None, TypeError, "np.unique(labels, return_inverse=True)[1]"),
    "whole floats": ([0.0, -1.0, 1.0], None, TypeError, "Pass np.asarray(labels).astype(int)."),
    "ragged": ([[0, 1], [1], [2]], None, TypeError, "got an array of dtype object"),
    "too few": (
        np.zeros((3, 1, 1), dtype=int),
        None,
        ValueError,
        (
            "labels must have shape (3,), one for each row of X, or (3, 3), one number for "
            "each row "
            "and component; got (3, 1, 1). Give each row one label, -1 where it is not known."
        ),
    ),
    "other table": (
        np.ones((3, 2)),
        None,
        ValueError,
        (
            "labels must have shape (3,), one for each row of X, or (3, 3), one number for "
            "each row "
            "and component (or class of groups); got (3, 2). Give each row one label, or one "
            "number "
            "for each."
        ),
    ),
    "table beyond one": (
        [[1, 0, 0], [0, 2, 0], [1, 1, 1]],
        None,
        ValueError,
        (
            "labels, as a table, must lie between 0 and 1; row 1, component 1 is 2.0. Set it "
            "to 1 for "
            "allowed, 0 for forbidden, or to a plausibility."
        ),
    ),
    "table with nan": ([[1, np.nan, 0]] * 3, None, ValueError, "row 0, component 1 is nan"),
    "row without component": (
        [[1, 0, 0], [0, 0, 0], [1, 1, 1]],
        None,
        ValueError,
        (
            "labels, as a table, must allow each row some component; row 1 allows none. Set "
            "the row to "
            "1 if nothing is known of it."
        ),
    ),
    "component without rows": (
        [0, 0, 2],
        None,
        ValueError,
        (
            "labels must leave some row to every component; no row of positive weight may "
            "belong to "
            "component 1. Ask for fewer components, or set labels that are not known to -1."
        ),
    ),
    "groups of floats": (
        [0, 1, 1],
        [0.0, 1.0, 1.0],
        TypeError,
        "groups must be integers, the class of each component; got",
    ),
    "too few groups": (
        [0, 1, 1],
        [0, 1],
        ValueError,
        (
            "groups must have shape (3,), one class for each component; got (2,). Give each "
            "component "
            "one class."
        ),
    ),
    "negative group": (
        [0, 1, 1],
        [0, 1, -1],
        ValueError,
        "groups must be 0 or more; component 2 has -1. Number the classes from 0.",
    ),
    "groups alone": (
        None,
        [0, 1, 1],
        ValueError,
        (
            "groups must be None without labels: it says which class a component belongs to; got "
            "groups alone. Pass labels, or leave it out."
        ),
    ),
}


@pytest.mark.parametrize(("labels", "groups", "kind", "message"), BAD.values(), ids=BAD)
def test_contradictions_are_errors_that_name_the_row(
    labels: Any, groups: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        check_row_labels(labels, groups, ArrayRows(np.zeros((3, 2))), 3)


def test_matched_clusters_have_the_numbers_of_their_labels() -> None:
    clusters = np.array([2, 2, 0, 0, 1, 1, 1])
    known = checked([0, 0, 1, -1, -1, -1, 0])
    assert known is not None
    # Row 6 is labelled 0, in a cluster of rows that nothing is known of.
    assert matched(clusters, known.code, known.prior).tolist() == [0, 0, 1, 1, 2, 2, 0]


def test_matched_clusters_count_rows_by_their_weights() -> None:
    known = checked([0, 0, 1], k=2)
    assert known is not None
    clusters = np.array([0, 0, 0])
    for weight, expected in [([1.0, 1.0, 5.0], 1), ([1.0, 1.0, 1.0], 0)]:
        # The free row has the cluster that most of the weight is in.
        some = checked([0, 0, 1, -1], k=2)
        assert some is not None
        found = matched(np.append(clusters, 0), some.code, some.prior, np.array([*weight, 1.0]))
        assert found.tolist() == [0, 0, 1, expected]

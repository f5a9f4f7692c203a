"""Text files: the line of names, the separator, and the decimal mark."""

import csv
import io
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from command_line import refusal
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtura import load
from mixtura.cli import main
from mixtura.cli.input import read_table
from mixtura.cli.messages import InputError
from mixtura.cli.text import Header, names_above

NAMES_ABOVE = {
    "text above numbers": ("a,b;1,2", True),
    "numbers above numbers": ("2001,2002;1,2", False),
    "numbers alone": ("1,2", False),
    "text alone": ("a,b", True),
    "a number with an underscore is text": ("a,0_1;1,2", True),
    "text above numbers, and above text": ("a,b,s;1,2,x", True),
    "text above text only": ("s,t;x,y", True),
    "a blank cell and text": (",a,b;1,2,3", True),
    "a blank cell and numbers": (",2001,2002;1,2,3", None),
    "numbers, and text above text": ("1,2,setosa;3,4,virginica", None),
    "years, and text above text": ("country,2001,2002;x,3,4", None),
    "a text and a number above numbers": ("id,2001;1,2", None),
    "missing values above numbers": ("NA,3;1,2", False),
    "a missing value, and text above text": ("NA,setosa;1,virginica", None),
    "text above a column with missing values": ("a,b;NA,1;2,3", True),
    "text above a column of missing values": ("a,b;NA,1;,3", True),
    "text above a column with one bad value": ("a,b;x,1;2,3;4,5", True),
}


@pytest.mark.parametrize(("lines", "expected"), NAMES_ABOVE.values(), ids=NAMES_ABOVE)
def test_names_above_columns_are_told_from_data(lines: str, expected: bool | None) -> None:
    rows = [line.split(",") for line in lines.split(";")]
    assert names_above(rows, len(rows[-1])) is expected


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t.csv"


def test_header_is_taken_as_said(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text("2001,2002\n1,2\n3,4\n")
    table = read_table(path, header="yes")
    assert (table.names, table.has_names) == (("2001", "2002"), True)
    np.testing.assert_array_equal(table.rows, [[1, 2], [3, 4]])
    table = read_table(path, header="no")
    assert (table.names, table.has_names) == (("x1", "x2"), False)
    np.testing.assert_array_equal(table.rows, [[2001, 2002], [1, 2], [3, 4]])
    assert capsys.readouterr().err == ""


def test_header_that_was_found_is_told_on_the_error_stream(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text("a b,c\n1,2\n")
    read_table(path)
    note = f"mixtura: {path}: the first line is taken for names of columns (a b, c)\n"
    assert capsys.readouterr().err == note
    path.write_text(",".join(["2001"] * 40) + "\n" + ",".join(["1"] * 40))
    read_table(path)
    assert capsys.readouterr().err == (
        f"mixtura: {path}: no names of columns; the first line ({'2001, ' * 10}...) is taken for "
        f"data. If it has names, pass --header yes\n"
    )


def test_text_without_a_header_does_not_lose_its_first_row(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text("1,2,setosa\n3,4,setosa\n5,6,virginica\n")
    complaint = refusal(capsys, ["fit", str(path), "-k", "1", "--columns", "1,2"])
    assert complaint.endswith(
        "t.csv: the first line (1, 2, setosa) may be names of columns or data; pass --header yes "
        "or --header no\n"
    )
    table = read_table(path, ["1,2"], header="no")
    np.testing.assert_array_equal(table.rows, [[1, 2], [3, 4], [5, 6]])
    out = str(path.parent / "out")
    assert main(["fit", str(path), "-k1", "--columns=1,2", "--header=no", "--out", out]) == 0
    assert "3 rows, 2 columns (x1, x2)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('"a, b";"c"\n1;2\n3;4\n', ("a, b", "c")),
        ('"a; b","c"\n1,2\n3,4\n', ("a; b", "c")),
        ('a\t"b c"\n1\t2\n3\t4\n', ("a", "b c")),
        ('"a b" c\n1 2\n3 4\n', ("a b", "c")),
        ("a b,c d\n1,2\n3,4\n", ("a b", "c d")),
        ("a, b\n1, 2\n3, 4\n", ("a", "b")),
        ('"a" "c"\n"first" 1 2\n"second" 3 4\n', ("a", "c")),
        ('"a\nb",c\n1,2\n3,4\n', ("a\nb", "c")),
        ("# a c\n1.0 2.0\n3.0 4.0\n", ("a", "c")),
        ("#a,c\n1,2\n3,4\n", ("#a", "c")),
    ],
)
def test_names_with_separators_in_them_are_split_as_the_numbers_are(
    path: Path, text: str, names: tuple[str, ...]
) -> None:
    path.write_text(text)
    table = read_table(path)
    assert table.names == names
    np.testing.assert_array_equal(table.rows, [[1, 2], [3, 4]])


def test_text_columns_with_separators_in_them_do_not_choose_the_separator(path: Path) -> None:
    path.write_text("id;note\n1;a, b\n2;c, d\n3;e, f, g\n")
    assert read_table(path, ["id"]).rows.tolist() == [[1], [2], [3]]
    path.write_text("time,x\n2020-01-01 10:00,5\n2020-01-01 11:00,6\n")
    assert read_table(path, ["x"]).rows.tolist() == [[5], [6]]


def test_ragged_line_far_down_is_named(path: Path) -> None:
    path.write_text("a,b\n" + "1,2\n" * 3000 + "1\n")
    with pytest.raises(InputError, match="line 3002: expected 2 values, as in most lines; got 1"):
        read_table(path)


def test_decimal_comma_far_down_is_refused_with_a_hint(path: Path) -> None:
    path.write_text("a;b\n" + "1;2\n" * 3000 + "1,5;2\n")
    with pytest.raises(InputError, match="line 3002, column 'a': '1,5' is not a number; if commas"):
        read_table(path)


def test_header_with_another_number_of_names_is_refused(path: Path) -> None:
    path.write_text("a,b,c\n1,2\n3,4\n")
    message = "t.csv: expected 2 names in the first line, as most lines have so many values; got 3"
    with pytest.raises(InputError, match=message):
        read_table(path)


def test_rows_of_weight_zero_may_have_missing_values(path: Path) -> None:
    path.write_text("a,b,n\n1,2,1\nNA,3,0\n,,0.0\n4,5,2\n")
    table = read_table(path, None, "n")
    np.testing.assert_array_equal(table.rows, [[1, 2], [np.nan, 3], [np.nan, np.nan], [4, 5]])
    np.testing.assert_array_equal(table.sample_weight, [1, 0, 0, 2])
    for bad in ("NA,3,0.1", "x,3,0", "1,3,NA"):
        path.write_text(f"a,b,n\n1,2,1\n{bad}\n")
        with pytest.raises(InputError, match="line 3, column"):
            read_table(path, None, "n")


def test_rows_of_weight_zero_with_missing_values_have_the_label_minus_one(path: Path) -> None:
    path.write_text("a,n\n" + "".join(f"{i % 7},{1 + i % 2}\n" for i in range(30)) + "NA,0\n")
    out = path.parent / "out"
    assert main(["fit", str(path), "-k", "2", "--weights", "n", "--out", str(out)]) == 0
    labels = (out / "labels.csv").read_text().splitlines()
    assert len(labels) == 32
    assert labels[-1] == "-1"
    assert "-1" not in labels[:-1]
    assert (out / "responsibilities.csv").read_text().splitlines()[-1] == "nan,nan"
    assert (out / "log_prob.csv").read_text().splitlines()[-1] == "nan"


def test_names_outside_ascii_reach_summary_and_model(path: Path) -> None:
    path.write_text("größe\n" + "".join(f"{i % 7}\n" for i in range(30)), encoding="utf-8")
    out = path.parent / "out"
    assert main(["fit", str(path), "-k", "1", "--out", str(out)]) == 0
    assert "(größe)" in (out / "summary.txt").read_text(encoding="utf-8")
    assert load(out / "model.npz").feature_names == ("größe",)


def test_columns_with_spaces_are_chosen_in_quotes(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text("Sepal Length,Sepal Width,s\n1,2,x\n3,4,y\n")
    assert read_table(path, ["Sepal Width,Sepal Length"]).rows.tolist() == [[2, 1], [4, 3]]
    assert read_table(path, ["Sepal Width", "1"]).rows.tolist() == [[2, 1], [4, 3]]
    complaint = refusal(capsys, ["fit", str(path), "-k1", "--columns", "Sepal", "Length"])
    assert re.search(
        r"no columns 'Sepal', 'Length'; the columns are 'Sepal Length', 'Sepal Width', 's'; put "
        r"names with spaces into quotes, such as --columns 'Sepal Length'\n$",
        complaint,
    )


def test_parquet_with_a_name_twice_is_read_by_position(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]
    table = pa.table(columns, names=["a", "b", "a", "a.b"])
    parquet.write_table(table, tmp_path / "t.parquet")
    for position, column in enumerate(columns, start=1):
        rows = read_table(tmp_path / "t.parquet", [str(position)]).rows
        assert rows.ravel().tolist() == column
    for columns in (None, ["1,3"]):
        with pytest.raises(InputError, match="each column must have a name of its own; got 'a' tw"):
            read_table(tmp_path / "t.parquet", columns)


def test_parquet_with_several_columns_of_text_names_them_all(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pa.table({"a": [1.0], "s": ["x"], "t": [True]})
    parquet.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(InputError, match="columns 's' holds string, 't' holds bool, not numbers"):
        read_table(tmp_path / "t.parquet")


def test_npy_file_with_several_bad_columns_names_them_all(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", [[1.0, np.inf, 2.0], [np.nan, 1.0, 2.0]])
    message = (
        "row 1 of the data, column 'x2': the value is inf (columns 'x1', 'x2' have such values); "
        "drop the row or fill it in"
    )
    with pytest.raises(InputError, match=re.escape(message)):
        read_table(tmp_path / "t.npy")


@settings(max_examples=200)
@given(
    values=st.lists(
        st.lists(st.decimals(-2000, 2000, places=3) | st.integers(-2000, 2000), min_size=2,
                 max_size=3),
        min_size=1, max_size=6,
    ).filter(lambda rows: len({len(row) for row in rows}) == 1),
    names=st.permutations(["a", "b c", "d,e", "f;g", "größe", "1,5"]),
    separator=st.sampled_from(",;\t "),
    decimal=st.sampled_from(".,"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    header=st.sampled_from(["auto", "yes", "no"]),
)  # fmt: skip
def test_table_in_any_dialect_is_read_as_it_was_written_or_refused(
    values: list[list[object]],
    names: list[str],
    separator: str,
    decimal: str,
    quoting: int,
    header: Header,
) -> None:
    lines = io.StringIO()
    writer = csv.writer(lines, delimiter=separator, quoting=quoting)
    names = names[: len(values[0])]
    if header != "no":
        writer.writerow(names)
    writer.writerows([[str(v).replace(".", decimal) for v in row] for row in values])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_text(lines.getvalue(), encoding="utf-8")
        try:
            table = read_table(path, header=header)
        except InputError:
            return
    np.testing.assert_array_equal(table.rows, np.array(values, dtype=float))
    assert table.names == (tuple(names) if header != "no" else ("x1", "x2", "x3")[: len(names)])


@pytest.mark.parametrize(
    ("comment", "header", "error"),
    [
        ("# a program", "auto", "expected 2 names in the first line"),
        ("# a program, 2024", "auto", "may be names of columns or data; pass --header yes or"),
        ("# a program, 2024", "yes", "line 2, column 'a program': 'height' is not a number"),
        ("#a program", "no", "line 1: expected 2 values"),
    ],
)
def test_comment_above_names_is_an_error_that_says_to_remove_it(
    path: Path, comment: str, header: Header, error: str
) -> None:
    path.write_text(f"{comment}\nheight,weight\n1,2\n3,4\n5,6\n")
    with pytest.raises(InputError) as caught:
        read_table(path, header=header)
    assert error in str(caught.value)
    hint = "; the first line begins with #: if it is a comment and not names, remove it"
    assert str(caught.value).endswith(hint)

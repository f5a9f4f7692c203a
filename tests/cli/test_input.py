"""Files as users have them: read as numbers, or an error of one line that says where and why."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import refusal

from mixtura.cli import main
from mixtura.cli.input import read_table


@pytest.fixture(autouse=True)
def _working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command make its folder of results in an empty place."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2.5\n-3e2,4\n",
        "a;b\r\n1;2.5\r\n-3e2;4\r\n",
        "a\tb\n1\t2.5\n-3e2\t4\n",
        '"a", "b"\n"1", "2.5"\n"-3e2", "4"',
        "\n\na,b\n\n1,2.5\n\n-3e2,4\n\n",
        "\ufeffa,b\n1,2.5\n-3e2,4\n",
        "  a    b  \n  1   2.5  \n-3e2  4\n",
        "a b\n1\t2.5\n-3e2 \t4\n",
        "a;b\n1,0;2,5\n-3e2;4,0\n",
        "a b\n1 2,5\n-3e2 4\n",
        'a,b\n"1,0","2,5"\n"-3e2","4"\n',
        "a;b\n1,000;2,5\n-300,000;4\n",
    ],
    ids=[
        "commas",
        "semicolons and CRLF",
        "tabs",
        "quotes",
        "blank lines",
        "byte order mark",
        "spaces",
        "spaces and tabs",
        "decimal commas",
        "decimal commas and spaces",
        "decimal commas in quotes",
        "decimal commas and numbers of three digits",
    ],
)
def test_csv_in_each_dialect_reads_as_the_same_numbers(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text, encoding="utf-8", newline="")
    table = read_table(tmp_path / "t.csv")
    assert table.names == ("a", "b")
    np.testing.assert_array_equal(table.rows, [[1, 2.5], [-300, 4]])


def test_csv_without_names_numbers_its_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("1,2\n3,4\n")
    table = read_table(tmp_path / "t.csv")
    assert table.names == ("x1", "x2")
    np.testing.assert_array_equal(table.rows, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    "text",
    [
        ",a,b\n0,1,2\n1,3,4\n",
        ",a,b\n1,1,2\n2,3,4\n",
        ",a,b\nfirst,1,2\nsecond,3,4\n",
        '"a" "b"\n"1" 1 2\n"2" 3 4\n',
    ],
)
def test_unnamed_first_column_that_numbers_or_names_the_rows_is_left_out_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "t.csv").write_text(text)
    table = read_table(tmp_path / "t.csv")
    assert table.names == ("a", "b")
    np.testing.assert_array_equal(table.rows, [[1, 2], [3, 4]])
    note = (
        "t.csv: column 1 without a name is taken for numbers or names of the rows, and left out; "
        "to use it, pass --columns 1,2,3\n"
    )
    assert capsys.readouterr().err.endswith(note)


@pytest.mark.parametrize("text", [",a,b\n7,1,2\n8,3,4\n", "a b\n7 1 2\n8 3 4\n"])
def test_unnamed_first_column_of_other_numbers_is_used_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "t.csv").write_text(text)
    table = read_table(tmp_path / "t.csv")
    assert table.names == ("x1", "a", "b")
    np.testing.assert_array_equal(table.rows, [[7, 1, 2], [8, 3, 4]])
    note = "column 1 without a name is used as x1; to leave it out, pass --columns 2,3\n"
    assert capsys.readouterr().err.endswith(note)
    np.testing.assert_array_equal(read_table(tmp_path / "t.csv", ["1", "b"]).rows, [[7, 2], [8, 4]])


def test_parquet_with_an_index_leaves_it_out_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pd = pytest.importorskip("pandas")
    pd.DataFrame({"a": [1.0, 2.0]}, index=[5, 9]).to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").names == ("a",)
    note = "column 2 (__index_level_0__) is taken for numbers or names of the rows, and left out"
    assert note in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text", "message"),
    [
        (
            [],
            "a,b,\n1,2,\n3,4,\n",
            (
                "t.csv, line 2, column 'x3': the value is missing; drop the row, fill it in, or "
                "pass --missing em; column 3 of 3 has no values: do lines end with a separator? "
                "Choose the others with --columns 1,2\n"
            ),
        ),
        (
            ["--weights", "b"],
            "a,b,\n1,2,\n3,4,\n",
            (
                "column 3 of 3 has no values: do lines end with a separator? Choose the others "
                "with --columns 1\n"
            ),
        ),
        (
            [],
            "a,b\n1,2,\n3,4,\n",
            (
                "t.csv: the first line has 2 names, and the lines below have as many values and "
                "end with one of the commas between them; remove it, or add one to the first line "
                "and pass --columns 1,2\n"
            ),
        ),
        ([], "1,2,\n3,4,\n", "column 3 of 3 has no values: do lines end with a separator?"),
        (
            ["--header", "no"],
            "height,weight\n1,2\n3,4\n",
            "t.csv, line 1: this line looks like names of columns; pass --header yes\n",
        ),
        (
            [],
            "made by,a lab\nheight,weight\n1,2\n3,4\n",
            "t.csv, line 2: this line looks like names of columns; remove the lines above it\n",
        ),
        (
            [],
            "Made by a lab\nheight,weight\n1,2\n3,4\n",
            "; if lines above the names or the data are a title or a note, remove them\n",
        ),
    ],
)
def test_fit_of_a_file_with_too_much_in_it_says_what_to_do(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    text: str,
    message: str,
) -> None:
    (tmp_path / "t.csv").write_text(text)
    assert message in refusal(capsys, ["fit", str(tmp_path / "t.csv"), "-k", "1", *arguments])


def test_fit_of_a_column_without_a_name_is_predicted_by_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(",a\n7,1\n8,3\n4,4\n9,1\n")
    assert main(["fit", "t.csv", "-k", "1", "--out", "fit"]) == 0
    assert main(["predict", "fit/model.npz", "t.csv"]) == 0


@pytest.mark.parametrize("columns", [["c,a"], ["c", "a"], ["3", "a"], ["3, 1"]])
def test_columns_by_name_or_number_come_in_the_order_asked_for(
    tmp_path: Path, columns: list[str]
) -> None:
    (tmp_path / "t.csv").write_text("a,text,c\n1,x,2\n3,y,4\n")
    table = read_table(tmp_path / "t.csv", columns)
    assert table.names == ("c", "a")
    np.testing.assert_array_equal(table.rows, [[2, 1], [4, 3]])


def test_npy_file_is_mapped_and_not_copied(tmp_path: Path) -> None:
    X = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.save(tmp_path / "t.npy", X)
    table = read_table(tmp_path / "t.npy")
    assert isinstance(table.rows, np.memmap)
    assert table.rows.dtype == np.float32
    np.testing.assert_array_equal(table.rows, X)
    np.testing.assert_array_equal(read_table(tmp_path / "t.npy", ["3"]).rows, X[:, 2:])


def test_npy_file_of_one_dimension_is_one_column(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.arange(5))
    assert read_table(tmp_path / "t.npy").rows.shape == (5, 1)


def test_parquet_file_reads_columns_by_name(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"Sepal.Length": [1.0, 2.0], "count": [3, 4], "text": ["x", "y"]}
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet", ["Sepal.Length"], "count")
    assert table.names == ("Sepal.Length",)
    np.testing.assert_array_equal(table.rows, [[1], [2]])
    np.testing.assert_array_equal(table.sample_weight, [3, 4])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [1.0], "s": ["x"]}, "column 's' holds string, not numbers; .* --columns a$"),
        ({"a": [1.0, None]}, "row 2 of the data, column 'a': the value is missing"),
        ({"a": [1, None]}, "row 2 of the data, column 'a': the value is missing"),
    ],
)
def test_fit_of_a_bad_parquet_file_is_refused_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    columns: dict[str, list[object]],
    message: str,
) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    assert re.search(message, refusal(capsys, ["fit", str(tmp_path / "t.parquet"), "-k", "1"]))


def test_fit_of_a_file_that_is_no_parquet_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and nothing else")
    assert "t.parquet: not a Parquet file" in refusal(
        capsys, ["fit", str(tmp_path / "t.parquet"), "-k", "1"]
    )


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.parquet").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    complaint = refusal(capsys, ["fit", str(tmp_path / "t.parquet"), "-k", "1"])
    assert (
        "needs pyarrow, which is not installed; install it with: pip install pyarrow" in complaint
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t.csv: the file is empty"),
        ("a,b\n", "t.csv: the file has no rows of data"),
        ("a,b\n1,2\n,3\n", "t.csv, line 3, column 'a': the value is missing; drop the row"),
        ("a,b\n1,2\n1,NA\n", "t.csv, line 3, column 'b': the value is missing"),
        ("a,b\n1,2\n\nnan,3\n", "t.csv, line 4, column 'a': the value is missing"),
        ("a,b\n1,2\n1,-inf\n", "t.csv, line 3, column 'b': '-inf' is not finite; drop the row"),
        ("a,b\n1,2\n1,1e999\n", "t.csv: row 2 of the data, column 'b': the value is inf"),
        ("a,b,c\n1,2,3\n,1,?\n", "t.csv, line 3, columns 'a', 'c': values are missing; drop"),
        ("a,b\n1,2\n0_1,3\n", "t.csv, line 3, column 'a': '0_1' is not a number"),
        ("a,b\n1,2\n٣,3\n", "t.csv, line 3, column 'a': '٣' is not a number"),
        ("a,b\n1,2\n0x1,3\n", "t.csv, line 3, column 'a': '0x1' is not a number"),
        ("a,b\n1,2\n1 2,3\n", "t.csv, line 3, column 'a': '1 2' is not a number"),
        (
            "a,s,t\n1,x,y\n",
            (
                "'x' is not a number; columns 's', 't' hold none; choose columns of "
                "numbers, such as --columns a"
            ),
        ),
        ("a b,s\n1,x\n", "such as --columns 'a b'"),
        (
            "a,b,a,c,b,a\n1,2,3,4,5,6\n",
            (
                "each column must have a name of its own; got 'a' 3 times, "
                "'b' twice; rename these columns, or choose others with --columns"
            ),
        ),
        (
            "x\n1,5\n2,5\n",
            (
                "expected 2 names in the first line, as most lines have so many values; "
                "got 1 between commas; if commas stand for decimal points or thousands, write"
            ),
        ),
        (
            "a;b\n1,234;2,345\n",
            (
                "'1,234' is not a number; columns 'a', 'b' hold none; if commas "
                "stand for decimal points or thousands, write 1234.5"
            ),
        ),
        ("1,05\n2,5\n", "1 column of decimal commas or 2 columns of integers; write 1.5 for"),
        ("-0,5\n2,5\n", "1 column of decimal commas or 2 columns of integers"),
        ("3,5\n2,5e-3\n", "1 column of decimal commas or 2 columns of integers"),
        ("1,5,2,25\n-0,5,2,05\n", "2 columns of decimal commas or 4 columns of integers"),
        ("a;b\n1,5;2.5\n", "'1,5' is not a number; if commas stand for decimal points"),
        (
            "a,b\n1,2\n1,2,5\n3,4\n",
            (
                "line 3: expected 2 values, as in most lines; got 3 between "
                "commas; if commas stand for decimal points"
            ),
        ),
        (
            "a,b,s\n1,2,setosa\n",
            "'setosa' is not a number; choose columns of numbers, such as --columns a,b",
        ),
        ("s\nsetosa\n", "t.csv, line 2, column 's': 'setosa' is not a number\n"),
        (
            "a,b\n1,2\n3\n",
            "t.csv, line 3: expected 2 values, as in most lines; got 1 between commas\n",
        ),
        ("a,b\n1,2\n3,4\n", "at least 3 rows"),
        (
            ",\n",
            (
                "t.csv, line 1, columns 'x1', 'x2': values are missing; drop or fill in the row, "
                "or pass --missing em"
            ),
        ),
    ],
)
def test_fit_of_a_bad_csv_file_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    assert message in refusal(capsys, ["fit", str(tmp_path / "t.csv"), "-k", "3"])


@pytest.mark.parametrize(
    ("name", "encoding", "source"),
    [
        ("größe", "latin-1", "ISO-8859-1"),
        ("größe", "utf-16", "UTF-16"),
        ("größe", "utf-16-le", "UTF-16"),
        ("size", "utf-16", "UTF-16"),
        ("size", "utf-16-le", "UTF-16"),
    ],
)
def test_fit_of_a_csv_file_that_is_not_utf8_is_refused_with_how_to_convert_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, encoding: str, source: str
) -> None:
    (tmp_path / "t.csv").write_bytes(f"{name}\n1\n2\n".encode(encoding))
    complaint = refusal(capsys, ["fit", str(tmp_path / "t.csv"), "-k", "1"])
    assert "t.csv: not a text file in UTF-8 (" in complaint
    assert complaint.endswith(
        f"); save it as UTF-8, or convert it, for example with: iconv -f {source} -t UTF-8 t.csv > "
        f"utf8.csv\n"
    )


def test_fit_of_a_csv_file_with_an_endless_quote_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text('a,b\n"1,2\n' + "3,4\n" * 100_000)
    assert "field larger than field limit (131072); is a quotation mark missing?" in refusal(
        capsys, ["fit", str(tmp_path / "t.csv"), "-k", "1"]
    )


def test_fit_of_a_csv_file_with_a_very_long_name_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text(f"{'a' * 140_000},b\n1,2\n")
    complaint = refusal(capsys, ["fit", str(tmp_path / "t.csv"), "-k", "1"])
    assert "t.csv, line 1: field larger than field limit (131072)" in complaint


def test_csv_with_lines_longer_than_a_field_may_be_is_read(tmp_path: Path) -> None:
    """Split by anything but commas, each line would be one field, too long for Python's csv."""
    names = [f"v{i}" for i in range(20_000)]
    lines = [",".join(names), ",".join(["1.000001"] * 20_000), ",".join(["2.000001"] * 20_000)]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    table = read_table(tmp_path / "t.csv")
    assert table.names == tuple(names)
    assert table.rows.shape == (2, 20_000)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((3, 2), dtype=complex), "expected an array of real numbers; got complex128"),
        (np.array([["a"], ["b"]]), "expected an array of real numbers; got <U1"),
        (np.array([1, None]), "not an array of numbers written by numpy.save"),
        (np.ones((3, 2, 2)), "a column for each feature; got shape (3, 2, 2)"),
        (np.ones((0, 2)), "the file has no rows of data"),
        (np.ones((3, 0)), "the file has no columns"),
        (np.array([[1.0], [np.nan]]), "row 2 of the data, column 'x1': the value is missing"),
        (np.ones((2, 2)), "at least 3 rows"),
    ],
    ids=lambda value: getattr(value, "dtype", None),
)
def test_fit_of_a_bad_npy_file_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], values: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "t.npy", values)
    assert message in refusal(capsys, ["fit", str(tmp_path / "t.npy"), "-k", "3"])


def test_fit_of_a_damaged_npy_file_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "t.npy", np.ones((1000, 2)))
    (tmp_path / "t.npy").write_bytes((tmp_path / "t.npy").read_bytes()[:500])
    assert "or a damaged one" in refusal(capsys, ["fit", str(tmp_path / "t.npy"), "-k", "1"])


def test_column_name_that_occurs_twice_has_to_be_chosen_by_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text("a,a\n1,2\n3,5\n")
    complaint = refusal(capsys, ["fit", str(tmp_path / "t.csv"), "-k", "1", "--columns", "a"])
    assert "'a' names several columns; choose one by its number. The names of several" in complaint
    np.testing.assert_array_equal(read_table(tmp_path / "t.csv", ["2"]).rows, [[2], [5]])

"""Missing values on the command line: refused, with what to do, or used with --missing em."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import refusal

import mixtura
from mixtura.cli import main

FIT = ["-k", "2", "--n-init", "2", "--missing", "em"]


@pytest.fixture
def holed(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A file of Old Faithful with holes, and what is in it."""
    X = mixtura.datasets.load_faithful().data[:100].copy()
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    X[3] = np.nan
    lines = [",".join("NA" if np.isnan(x) else f"{x:g}" for x in row) for row in X]
    path = tmp_path / "holed.csv"
    path.write_text("\n".join(["eruptions,waiting", *lines]) + "\n")
    return path, X


def test_missing_values_are_refused_with_the_option_that_takes_them(
    holed: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, X = holed
    assert "line 5, columns 'eruptions', 'waiting': values are missing; drop or fill" in refusal(
        capsys, ["fit", str(path), "-k", "2", "--columns", "2,1"]
    ) or "or pass --missing em" in refusal(capsys, ["fit", str(path), "-k", "2"])
    np.save(tmp_path / "holed.npy", X)
    line = refusal(capsys, ["fit", str(tmp_path / "holed.npy"), "-k", "2"])
    assert (
        "the value is missing (columns 'x1', 'x2' have such values); drop the row, fill it " in line
    )
    assert line.endswith("in, or pass --missing em\n")
    np.save(tmp_path / "holed.npy", np.where(np.arange(200).reshape(100, 2) == 7, np.inf, X))
    line = refusal(capsys, ["fit", str(tmp_path / "holed.npy"), *FIT])
    assert line.endswith(
        "row 4 of the data, column 'x2': the value is inf; drop the row or fill it in\n"
    )
    path.write_text("a,b\n1,NA\n2,NA\n3,NA\n")
    line = refusal(capsys, ["fit", str(path), *FIT])
    assert "column 'b' has only missing ones. Drop this column." in line


def test_fit_and_predict_use_what_is_observed(
    holed: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, X = holed
    out = tmp_path / "out"
    assert main(["fit", str(path), *FIT, "--out", str(out)]) == 0
    complete = int((~np.isnan(X)).all(axis=1).sum())
    assert (
        f"components.png has the {complete} rows without missing values" in capsys.readouterr()[0]
    )
    fit = mixtura.fit_gmm(X, 2, n_init=2, rng=0, missing="em")
    model = mixtura.load(out / "model.npz")
    np.testing.assert_array_equal(model.means, fit.model.means)
    resp = np.loadtxt(out / "responsibilities.csv", delimiter=",", skiprows=1)
    labels = np.loadtxt(out / "labels.csv", skiprows=1)
    np.testing.assert_array_equal(labels, resp.argmax(axis=1))
    np.testing.assert_allclose(resp[3], model.weights, rtol=1e-10)
    whole = (~np.isnan(X)).all(axis=1)
    np.testing.assert_allclose(resp[whole], model.responsibilities(X[whole]), rtol=1e-6, atol=1e-10)
    again = tmp_path / "again"
    predict = ["predict", str(out / "model.npz"), str(path), "--out", str(again)]
    assert main(predict) == 0  # as the model was fitted
    log_prob = np.loadtxt(out / "log_prob.csv", skiprows=1)
    np.testing.assert_allclose(log_prob, model.log_prob(X, missing="em"), rtol=1e-11, atol=1e-300)
    for name in ("labels.csv", "responsibilities.csv", "log_prob.csv"):
        assert (again / name).read_text() == (out / name).read_text()
    capsys.readouterr()
    assert "or pass --missing em" in refusal(capsys, [*predict, "--missing", "raise"])
    replace(model, missing="raise").save(out / "model.npz")
    assert "or pass --missing em" in refusal(capsys, predict)
    assert main([*predict, "--missing", "em"]) == 0


def test_clusters_of_incomplete_rows_are_predicted(
    holed: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, X = holed
    fit = mixtura.fit_kmeans(X, 2, rng=0, missing="em")
    fit.save(tmp_path / "kmeans.npz")
    arguments = ["predict", str(tmp_path / "kmeans.npz"), str(path), "--missing", "em"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "labels.csv", skiprows=1), fit.labels)


def test_empty_cells_of_a_file_with_one_column_are_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "one.csv", tmp_path / "out"
    path.write_text('x\n1.5\n""\n2.5\n3.5\n""\n7.5\n\n')  # as pandas writes NaN
    assert main(["fit", str(path), "-k", "1", "--missing", "em", "--out", str(out)]) == 0
    printed, notes = capsys.readouterr()
    assert "6 rows, 1 column (x)" in printed
    assert "are no rows" not in notes
    assert len((out / "labels.csv").read_text().splitlines()) == 1 + 6
    assert "line 3, column 'x': the value is missing; drop the row, fill it in" in refusal(
        capsys, ["fit", str(path), "-k", "1"]
    )


def test_blank_lines_between_rows_of_one_column_are_no_rows_and_a_note_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "one.csv", tmp_path / "out"
    path.write_text("x\n1.5\n\n   \n2.5\n3.5\n\n7.5\n\n")
    assert main(["fit", str(path), "-k", "1", "--missing", "em", "--out", str(out)]) == 0
    printed, notes = capsys.readouterr()
    assert "4 rows, 1 column (x)" in printed
    assert "one.csv: blank lines, as line 3, are no rows; in a file of one column, write" in notes
    assert main(["fit", str(path), "-k", "1", "--out", str(out)]) == 0
    assert "are no rows" not in capsys.readouterr()[1]


def test_quotes_around_nothing_are_no_row_of_several_columns(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text('x,y\n1,2\n""\n3,5\n4,4\n6,1\n')
    assert main(["fit", str(path), "-k", "1", "--missing", "em", "--out", str(tmp_path)]) == 0
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 1 + 4


def test_columns_to_choose_are_judged_by_all_of_their_cells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "people.csv"
    path.write_text("name,age,bmi,bp,x\nAnn,,21,80,1\nBob,44,23,NA,2\nEve,31,22,84,a\n")
    line = refusal(capsys, ["fit", str(path), "-k", "1"])
    assert line.endswith(
        "'Ann' is not a number; choose columns of numbers, such as --columns age,bmi,bp; values "
        "of columns 'age', 'bp' are missing: fill them in, or pass --missing em\n"
    )
    line = refusal(capsys, ["fit", str(path), "-k", "1", "--missing", "em"])
    assert line.endswith("such as --columns age,bmi,bp\n")
    line = refusal(capsys, ["fit", str(path), "-k", "1", "--weights", "bmi"])
    assert "such as --columns age,bp; values of columns 'age', 'bp' are missing" in line

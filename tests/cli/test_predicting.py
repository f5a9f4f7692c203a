"""The command ``predict``: a saved model on another file."""

from pathlib import Path

import numpy as np
import pytest
from command_line import refusal

import mixtura
from mixtura import datasets
from mixtura.cli import main

DATA = datasets.load_faithful().data
NAMES = ("eruptions", "waiting")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working directory with a named and a nameless model, and two files."""
    monkeypatch.chdir(tmp_path)
    fit = mixtura.fit_gmm(DATA, 2, rng=0)
    fit.save("nameless.npz")
    model = fit.model
    mixtura.GaussianMixture(
        model.weights, model.means, model.covariances, feature_names=NAMES
    ).save("named.npz")
    np.save("rows.npy", DATA)
    table = np.column_stack([np.arange(272), DATA[:, ::-1]])
    header = "id,waiting,eruptions"
    np.savetxt("other.csv", table, fmt="%.12g", delimiter=",", header=header, comments="")
    return tmp_path


def written(folder: Path, name: str) -> np.ndarray:
    return np.loadtxt(folder / "mixtura-predict" / name, delimiter=",", skiprows=1)


def test_predict_by_name_finds_the_columns_of_the_model(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "named.npz", "other.csv", "--header", "yes"]) == 0
    printed, notes = capsys.readouterr()
    assert notes == ""
    assert printed == (
        "other.csv: 272 rows (eruptions, waiting)\n"
        "wrote mixtura-predict/labels.csv\nwrote mixtura-predict/responsibilities.csv\n"
        "wrote mixtura-predict/log_prob.csv\n"
    )
    model = mixtura.load("named.npz")
    np.testing.assert_array_equal(written(folder, "labels.csv"), model.predict(DATA))
    resp = written(folder, "responsibilities.csv")
    np.testing.assert_allclose(resp, model.responsibilities(DATA), rtol=1e-11, atol=1e-300)
    np.testing.assert_allclose(written(folder, "log_prob.csv"), model.log_prob(DATA), rtol=1e-11)


def test_predict_with_the_model_of_fit_gives_its_labels(folder: Path) -> None:
    columns = ["--columns", "waiting,eruptions"]
    assert main(["fit", "other.csv", "-k", "2", *columns, "--out", "o"]) == 0
    assert main(["predict", "o/model.npz", "other.csv", "--out", "p"]) == 0
    for name in ("labels.csv", "responsibilities.csv", "log_prob.csv"):
        assert (folder / "o" / name).read_text() == (folder / "p" / name).read_text()


BY_POSITION = {
    "a file without names": (
        ["named.npz", "rows.npy"],
        "rows.npy: columns are taken by position: x1 for eruptions, x2 for waiting",
    ),
    "a model without names": (
        ["nameless.npz", "other.csv", "--header", "yes", "--columns", "eruptions,2"],
        "other.csv: columns are taken by position: eruptions for feature 0, waiting for feature 1",
    ),
    "columns that the user chose": (
        ["named.npz", "other.csv", "--header", "yes", "--columns", "3", "id"],
        "other.csv: columns are taken by position: eruptions for eruptions, id for waiting",
    ),
}


@pytest.mark.parametrize(("arguments", "note"), BY_POSITION.values(), ids=BY_POSITION)
@pytest.mark.usefixtures("folder")
def test_predict_by_position_says_so(
    capsys: pytest.CaptureFixture[str], arguments: list[str], note: str
) -> None:
    assert main(["predict", *arguments]) == 0
    assert capsys.readouterr().err == f"mixtura: {note}\n"


def test_predict_with_kmeans_writes_the_nearest_centers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = mixtura.fit_kmeans(DATA, 3, rng=0)
    fit.save("k.npz")
    assert main(["predict", "k.npz", "rows.npy"]) == 0
    assert capsys.readouterr().out.endswith("(x1, x2)\nwrote mixtura-predict/labels.csv\n")
    np.testing.assert_array_equal(written(folder, "labels.csv"), fit.labels)
    assert [path.name for path in (folder / "mixtura-predict").iterdir()] == ["labels.csv"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["named.npz"], "the following arguments are required: FILE"),
        (["none.npz", "rows.npy"], "none.npz: No such file or directory"),
        (["other.csv", "rows.npy"], "other.csv must be a complete file written by mixtura"),
        (["s.npz", "rows.npy"], "s.npz: expected a mixture, a fit or clusters of k-means; got"),
        (["named.npz", "none.csv"], "none.csv: No such file or directory"),
        (
            ["named.npz", "wrong.csv"],
            (
                "wrong.csv: the model needs the columns 'eruptions', 'waiting'; the columns are "
                "'a', 'b', 'c'; compute the missing ones as for the fit: a model does not keep "
                "logarithms or other changes; if only the names differ, pass --columns"
            ),
        ),
        (
            ["nameless.npz", "wrong.csv"],
            "the model needs 2 columns; got 3: 'a', 'b', 'c'; choose them with --columns",
        ),
        (
            ["named.npz", "wrong.csv", "--columns", "1"],
            "wrong.csv: the model needs 2 columns (eruptions, waiting); got 1: 'a'; choose them",
        ),
        (["named.npz", "hole.csv"], "hole.csv, line 3, column 'waiting': the value is missing"),
        (["named.npz", "twice.csv"], "twice.csv: 'waiting' names several columns; choose one by"),
    ],
)
def test_predict_of_what_does_not_fit_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    Path("wrong.csv").write_text("a,b,c\n1,2,3\n4,5,6\n")
    Path("hole.csv").write_text("eruptions,waiting\n1,2\n4,\n")
    Path("twice.csv").write_text("eruptions,waiting,waiting\n1,2,3\n4,5,6\n")
    if arguments[0] == "s.npz":
        monkeypatch.setattr(mixtura, "load", lambda _: object())
    assert message in refusal(capsys, ["predict", *arguments])

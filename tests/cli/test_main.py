"""The command line: what it prints, what it writes, and its errors."""

import csv
import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import refusal, run

import mixtura
from mixtura import GaussianMixture, datasets
from mixtura.cli import main
from mixtura.cli.fitting import draw_components
from mixtura.cli.input import Table
from mixtura.cli.messages import with_options
from mixtura.cli.output import write_assignments

PNG = b"\x89PNG\r\n\x1a\n"
DEMO_PICTURES = [
    "birth_weights.png",
    "log_likelihood.png",
    "naples_crabs.png",
    "old_faithful.png",
    "old_faithful_bic.png",
    "old_faithful_models.png",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def geyser(folder: Path) -> Path:
    """Return Old Faithful as a user's file."""
    path = folder / "geyser.csv"
    np.savetxt(
        path,
        datasets.load_faithful().data,
        fmt="%.12g",
        delimiter=",",
        header="eruptions,waiting",
        comments="",
    )
    return path


def printed_log_likelihoods(text: str) -> list[float]:
    """Return the figures in the summaries, in order."""
    return [float(number) for number in re.findall(r"^log-likelihood (\S+) nats", text, re.M)]


def read_columns(path: Path) -> tuple[list[str], np.ndarray]:
    with path.open(newline="") as lines:
        header, *rows = csv.reader(lines)
    return header, np.array(rows, dtype=float)


# demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    pytest.importorskip("matplotlib")
    out = tmp_path_factory.mktemp("demo") / "new" / "pictures"
    done = run("demo", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout, out


def demo_table(text: str, title: str) -> dict[str, list[str]]:
    """Rows of a table of the demo, by their first word."""
    block = text.split(title)[1].split("\n\n")[0].strip().splitlines()
    return {line.split()[0]: line.split()[1:] for line in block}


def test_demo_tables_show_the_published_figures(demo: tuple[str, Path]) -> None:
    log_likelihood = demo_table(demo[0], "log-likelihood (nats)")
    bic = demo_table(demo[0], "BIC (lower is better)")
    assert list(log_likelihood) == list(bic) == ["components", "2", "3", "4"]
    assert bic["components"] == ["full", "tied", "diag", "spherical"]
    assert log_likelihood["2"][0] == "-1130.26"
    assert log_likelihood["3"][1] == "-1126.32"
    assert bic["2"][0] == "2322.19"
    assert bic["3"][1] == "2314.30*", "the lowest must be marked"
    assert "The best BIC is that of 3 components with tied covariance" in demo[0]


def test_demo_summaries_cover_the_three_data_sets(demo: tuple[str, Path]) -> None:
    assert re.search(r"^Old Faithful.*\(Azzalini and Bowman 1990\)$", demo[0], re.MULTILINE)
    assert re.search(r"^Naples crabs.*\(Weldon 1893; Pearson 1894\)$", demo[0], re.MULTILINE)
    assert re.search(r"^Birth weights.*\(Hosmer and Lemeshow 1989\)$", demo[0], re.MULTILINE)
    best, crabs, births = printed_log_likelihoods(demo[0])
    assert best == pytest.approx(-1126.315928, abs=1e-3)
    assert crabs == pytest.approx(2567.57890, abs=1e-2), "crabs must be weighted by their counts"
    assert births == pytest.approx(-1511.343878, abs=1e-3), "one variance, as in the tutorial"


def test_demo_pictures_are_written_to_the_folder(demo: tuple[str, Path]) -> None:
    assert sorted(path.name for path in demo[1].iterdir()) == DEMO_PICTURES
    for path in demo[1].iterdir():
        assert path.read_bytes().startswith(PNG)
        assert f"wrote {path}" in demo[0]


def test_demo_without_matplotlib_prints_the_summaries_and_says_why_no_pictures(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["demo"]) == 0
    printed, complaint = capsys.readouterr()
    assert complaint == ""
    assert "2314.30*" in printed
    assert printed.endswith(
        "no pictures: mixtura.plot needs matplotlib, which is not installed. "
        "Install it with: pip install 'mixtura[plot]'.\n"
    )
    assert not list((folder / "mixtura-demo").iterdir())


# fit


def test_fit_of_a_csv_file_prints_the_summary_and_writes_labels_and_densities(
    geyser: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", str(geyser), "-k", "2", "--seed", "3", "--reg-covar", "0"]) == 0
    printed, notes = capsys.readouterr()
    assert notes == (
        f"mixtura: {geyser}: the first line is taken for names of columns (eruptions, waiting)\n"
    )
    assert "272 rows, 2 columns (eruptions, waiting)" in printed
    assert printed_log_likelihoods(printed) == pytest.approx([-1130.263960], abs=1e-3)

    data = datasets.load_faithful().data
    fit = mixtura.fit_gmm(data, 2, rng=3, reg_covar=0)
    assert fit.summary(["eruptions", "waiting"]) in printed
    model = fit.model
    out = geyser.parent / "mixtura-fit"
    saved = mixtura.load(out / "model.npz")
    assert saved == dataclasses.replace(model, feature_names=["eruptions", "waiting"])
    assert printed.startswith((out / "summary.txt").read_text())
    header, labels = read_columns(out / "labels.csv")
    assert header == ["label"]
    np.testing.assert_array_equal(labels[:, 0], model.predict(data))
    header, resp = read_columns(out / "responsibilities.csv")
    assert header == ["component_0", "component_1"]
    np.testing.assert_allclose(resp, model.responsibilities(data), rtol=1e-11, atol=1e-300)
    header, log_prob = read_columns(out / "log_prob.csv")
    assert header == ["log_prob"]
    np.testing.assert_allclose(log_prob[:, 0], model.log_prob(data), rtol=1e-11)


def test_fit_with_matplotlib_draws_scatter_or_histogram_and_history(geyser: Path) -> None:
    pytest.importorskip("matplotlib")
    for columns in ("1,2", "waiting"):
        out = geyser.parent / columns
        assert main(["fit", str(geyser), "-k2", "--columns", columns, "--out", str(out)]) == 0
        for name in ("components.png", "log_likelihood.png"):
            assert (out / name).read_bytes().startswith(PNG)


@pytest.mark.usefixtures("close_figures")
@pytest.mark.parametrize(("names", "shown"), [("cab", "cab"), ("abcdefghij", "abcdefgh")])
def test_fit_of_more_columns_draws_pairs_of_the_first_eight(names: str, shown: str) -> None:
    pytest.importorskip("matplotlib")
    X = np.random.default_rng(0).normal(size=(60, len(names)))
    fit = mixtura.fit_gmm(X, 2, rng=0)
    drawn = draw_components(fit, Table(tuple(names), X, None))
    assert [panel.feature_name for panel in drawn.histograms] == list(shown)


def test_fit_without_matplotlib_writes_the_rest_and_says_why_no_pictures(
    geyser: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["fit", str(geyser), "-k", "2", "--out", "o"]) == 0
    assert "no pictures: mixtura.plot needs matplotlib" in capsys.readouterr().out
    written = sorted(path.name for path in (geyser.parent / "o").iterdir())
    assert written == [
        "labels.csv", "log_prob.csv", "model.npz", "responsibilities.csv", "summary.txt"
    ]  # fmt: skip


def test_fit_with_a_weight_column_is_the_weighted_fit(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crabs = datasets.load_naples_crabs()
    np.savetxt(
        folder / "crabs.csv",
        np.column_stack([crabs.data, crabs.sample_weight]),
        fmt="%.12g",
        delimiter=";",
        header="ratio;count",
        comments="",
    )
    arguments = ["fit", "crabs.csv", "-k", "2", "--weights", "count", "--reg-covar", "0"]
    assert main([*arguments, "--tol", "1e-10", "--max-iter", "20000"]) == 0
    printed = capsys.readouterr().out
    assert "1 column (ratio)" in printed
    assert printed_log_likelihoods(printed) == pytest.approx([2567.57890], abs=1e-5)


def test_fit_options_when_given_reach_the_library(
    geyser: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--covariance=diag", "--n-init=2", "--max-iter=500", "--tol=1e-5", "--threads=1"]
    assert main(["fit", str(geyser), "--components", "3", *options]) == 0
    fit = mixtura.fit_gmm(
        datasets.load_faithful().data, 3, covariance_type="diag", n_init=2, tol=1e-5, rng=0
    )
    assert fit.summary(["eruptions", "waiting"]) in capsys.readouterr().out


def test_responsibilities_of_many_rows_are_written_in_pieces(tmp_path: Path) -> None:
    sizes = []

    class Counted(GaussianMixture):
        def responsibilities(self, X: np.ndarray, **options: object) -> np.ndarray:
            sizes.append(len(X))
            return super().responsibilities(X, **options)

    model = Counted([0.5, 0.5], [[0.0], [3.0]], [1.0, 1.0], "spherical")
    X, _ = model.sample(101, rng=0)
    whole = [path.read_text() for path in write_assignments(model, X, tmp_path)]
    pieces = [path.read_text() for path in write_assignments(model, X, tmp_path, 40)]
    assert sizes == [101, 20, 20, 20, 20, 20, 1]
    assert pieces == whole
    assert all(text.count("\n") == 102 for text in whole)


# Errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: command (see python -m mixtura --help)"),
        (["bogus"], "invalid choice: 'bogus'"),
        (["fit", "geyser.csv"], "required: -k/--components (see python -m mixtura fit --help)"),
        (["fit", "geyser.csv", "-k", "two"], "invalid int value: 'two'"),
        (["fit", "geyser.csv", "-k", "0"], "-k must be an integer, 1 or more; got 0"),
        (["fit", "geyser.csv", "-k", "300"], "300 rows"),
        (["fit", "geyser.csv", "-k", "2", "--covariance", "round"], "'full', 'tied', 'diag'"),
        (["fit", "geyser.csv", "-k", "2", "--tol", "-1"], "--tol must be"),
        (["fit", "geyser.csv", "-k", "2", "--threads", "0"], "--threads must be an integer"),
        (
            ["fit", "geyser.csv", "-k", "2", "--seed", "-1"],
            "argument --seed: expected an integer, 0 or",
        ),
        (["fit", "none.csv", "-k", "2"], "none.csv: No such file or directory"),
        (["fit", ".", "-k", "2"], "expected a file ending in .csv, .tsv, .txt, .npy, .parquet"),
        (["fit", "geyser.xls", "-k", "2"], "got '.xls'"),
        (["fit", "folder.csv", "-k", "2"], "folder.csv: Is a directory"),
        (["fit", "geyser.csv", "-k", "2", "--out", "geyser.csv"], "geyser.csv: File exists"),
        (
            ["fit", "geyser.csv", "-k", "2", "--columns", "height"],
            "geyser.csv: no column 'height'; the columns are 'eruptions', 'waiting'",
        ),
        (["fit", "geyser.csv", "-k", "2", "--columns", "3"], "no column '3'"),
        (["fit", "geyser.csv", "-k", "2", "--columns", "0"], "no column '0'"),
        (["fit", "geyser.csv", "-k", "2", "--columns", "1,waiting,1"], "is chosen twice"),
        (["fit", "geyser.csv", "-k", "2", "--columns", ","], "no column is left to fit"),
        (["fit", "geyser.csv", "-k", "2", "--weights", "count"], "no column 'count'"),
        (["demo", "--out", "geyser.csv"], "geyser.csv: File exists"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(
    geyser: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (geyser.parent / "folder.csv").mkdir()
    assert message in refusal(capsys, arguments)


@pytest.mark.parametrize(
    ("raised", "status", "message"),
    [
        (mixtura.FitError("component 1 collapsed\nat iteration 3"), 1, "collapsed at iteration 3"),
        (MemoryError("12 GiB"), 1, "not enough memory: 12 GiB"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_fit_that_fails_ends_in_one_line_and_its_status(
    geyser: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: BaseException,
    status: int,
    message: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(mixtura, "fit_gmm", fail)
    assert main(["fit", str(geyser), "-k", "2"]) == status
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert message in complaint


def test_options_stand_for_arguments_and_not_for_columns() -> None:
    message = "'tol' is no number; got tol=1 and my_tol. Use reg_covar > 0, or n_components=2."
    assert with_options(message) == (
        "'tol' is no number; got --tol=1 and my_tol. Use --reg-covar > 0, or -k=2."
    )


# The module as a program


def test_refusal_of_the_program_has_exit_status_2_and_no_traceback() -> None:
    done = run("fit", "no such file.csv", "-k", "2")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "mixtura: error: no such file.csv: No such file or directory\n"


def test_warning_of_a_fit_is_one_line_on_the_error_stream(geyser: Path) -> None:
    done = run("fit", str(geyser), "-k", "3", "--max-iter", "2", "--header", "yes")
    assert done.returncode == 0
    assert re.fullmatch(
        r"mixtura: warning: .* fell to --tol=1e-06\. Raise --max-iter, or --tol\.\n", done.stderr
    )


def test_help_of_each_command_shows_its_arguments() -> None:
    assert re.search(r"demo .*\n.*fit .*\n.*predict .*\n.*config ", run("--help").stdout)
    shown = run("fit", "--help").stdout
    assert shown.startswith("usage: python -m mixtura fit FILE -k K [options]")
    for word in ("--covariance", "--columns", "--weights", "--seed", "--out", "examples:"):
        assert word in shown
    assert "except in rows of weight 0" in shown
    of_predict = run("predict", "--help").stdout
    assert "weight" not in of_predict.partition("text files:")[2]
    for text in (shown, of_predict):
        assert "log_prob.csv          log-density of each row, in nats" in text


def test_config_command_prints_what_build_config_holds() -> None:
    lines = run("config").stdout.splitlines()
    assert lines == [f"{name}: {value}" for name, value in mixtura.build_config().items()]


def test_version_option_prints_the_version() -> None:
    assert run("--version").stdout == f"mixtura {mixtura.__version__}\n"


def test_output_that_nobody_reads_ends_the_program_quietly() -> None:
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    done = subprocess.run(
        [sys.executable, "-m", "mixtura", "config"],
        stdout=writing_end,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing_end)
    assert done.returncode == 1
    assert done.stderr == b""

"""Types as users meet them: programs under mypy and pyright, and the stubs under stubtest.

The programs lie in a folder without settings of this project, and import the package as it is
installed, or as PYTHONPATH has it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mixtura

TESTS = Path(__file__).parent
PROGRAMS = ("typed_program.py", "typed_mistakes.py")
PYRIGHT = {
    "typeCheckingMode": "strict",
    "enableTypeIgnoreComments": False,  # those are for mypy
    "reportUnnecessaryTypeIgnoreComment": "error",
    "include": PROGRAMS,
}


def run(module: str, *arguments: str | Path, folder: Path, status: int = 0) -> str:
    """Run a module of this Python, expect an exit status, and return what it printed."""
    # No look for a newer pyright, no other Node.js than the one that was installed with it, and the
    # packages of this Python: pyright asks the first one on the path.
    settings = {
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
        "PYRIGHT_PYTHON_GLOBAL_NODE": "0",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the programs in it."""
    for name in PROGRAMS:
        shutil.copy(TESTS / name, tmp_path)
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(PYRIGHT), encoding="utf-8")
    return tmp_path


def test_programs_under_mypy_strict_have_the_expected_errors(folder: Path) -> None:
    run("mypy", "--strict", "--cache-dir", folder / "cache", *PROGRAMS, folder=folder)


def test_programs_under_pyright_strict_have_the_expected_errors(folder: Path) -> None:
    run("pyright", folder=folder)


def test_program_runs_and_results_are_what_checkers_say(folder: Path) -> None:
    run("typed_program", folder, folder=folder)


def test_program_uses_every_public_name() -> None:
    words = set(re.findall(r"\w+", (TESTS / PROGRAMS[0]).read_text(encoding="utf-8")))
    assert set(mixtura.__all__) <= words, sorted(set(mixtura.__all__) - words)


def test_stubs_and_annotations_under_stubtest_are_what_is_there(tmp_path: Path) -> None:
    settings = TESTS.parent / "pyproject.toml"
    shutil.copy(TESTS / "check_stubs.py", tmp_path)
    run("check_stubs", "--mypy-config-file", settings, folder=tmp_path)


def test_types_of_public_names_under_pyright_are_known(tmp_path: Path) -> None:
    # The command complains of some names inside, and of scikit-learn, which has no types.
    command = ("pyright", "--outputjson", "--ignoreexternal", "--verifytypes", "mixtura")
    report = json.loads(run(*command, folder=tmp_path, status=1))["typeCompleteness"]
    known = {each["name"]: each["isTypeKnown"] for each in report["symbols"] if each["isExported"]}
    for module in ("", ".datasets", ".kernels", ".plot", ".reference"):
        names = [name for name in known if name.rpartition(".")[0] == f"mixtura{module}"]
        assert len(names) > 5
        assert all(known[name] for name in names), [name for name in names if not known[name]]

"""What the files of a release say about each other, and what checks them."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import mixtura

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
of_a_clone = pytest.mark.skipif(
    not (ROOT / ".github").exists(), reason="the sdist has neither .github nor .ci"
)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def loaded(name: str) -> Any:
    return yaml.safe_load(read(name))


def output(module: str, *arguments: str) -> str:
    """What `python -m module arguments` prints in the root; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def runs(workflow: str) -> list[str]:
    jobs = loaded(f".github/workflows/{workflow}.yml")["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


def test_version_of_meson_is_the_one_of_all_files() -> None:
    match = re.search(r"^  version: '(.+?)'", read("meson.build"), re.MULTILINE)
    assert match is not None
    version = match[1]
    assert mixtura.__version__ == version
    assert str(loaded("CITATION.cff")["version"]) == version
    newest = re.search(r"^## (\S+)", read("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version


def test_citation_is_valid_and_agrees_with_pyproject() -> None:
    output("check_jsonschema", "--builtin-schema", "vendor.citation-file-format", "CITATION.cff")
    citation, project = loaded("CITATION.cff"), PROJECT["project"]
    assert citation["title"] == project["name"]
    assert citation["license"] == project["license"]
    assert citation["authors"] == project["authors"]
    assert citation["keywords"] == project["keywords"]


@of_a_clone
def test_conda_recipe_agrees_with_pyproject() -> None:
    recipe, project = loaded(".ci/conda/recipe.yaml"), PROJECT["project"]

    def of_conda(requirements: list[str]) -> set[str]:
        return {re.sub(r"(?=[<>=~])", " ", each, count=1) for each in requirements}

    assert recipe["context"]["version"] == mixtura.__version__
    assert set(recipe["requirements"]["run"]) - {"python"} == of_conda(project["dependencies"])
    build = of_conda(PROJECT["build-system"]["requires"])
    assert build <= {each for each in recipe["requirements"]["host"] if isinstance(each, str)}
    assert build <= set(recipe["requirements"]["build"][-1]["then"])
    assert recipe["about"]["summary"] == project["description"]
    assert recipe["about"]["license"] == project["license"]


@of_a_clone
def test_each_python_with_wheels_is_tested_by_a_workflow() -> None:
    built = {f"3.{name[3:5]}" for name in PROJECT["tool"]["cibuildwheel"]["build"]}
    jobs = loaded(".github/workflows/tests.yml")["jobs"]
    tested = {each["python"] for each in jobs["quick-start"]["strategy"]["matrix"]["include"]}
    assert tested == built
    classifiers = [line.rpartition(" ")[2] for line in PROJECT["project"]["classifiers"]]
    assert {name for name in classifiers if re.fullmatch(r"3\.\d+", name)} <= built
    assert PROJECT["project"]["requires-python"] == f">={min(built)}"


@of_a_clone
def test_workflow_of_tests_runs_the_commands_of_the_readme() -> None:
    quick_start = read("README.md").partition("## Quick start\n")[2].partition("\n## ")[0]
    commands = re.findall(r"^```sh\n(.+?)\n```$", quick_start, re.MULTILINE)
    assert len(commands) == 2
    assert set(commands) <= set(runs("tests"))


@of_a_clone
def test_scripts_that_workflows_run_exist() -> None:
    scripts = {
        script
        for path in WORKFLOWS
        for run in runs(path.stem)
        for script in re.findall(r"\.ci/\w+", run)
    }
    assert scripts == {".ci/run", ".ci/package", ".ci/docs"}
    for script in scripts:
        assert (ROOT / script).is_file()


@of_a_clone
def test_workflows_under_their_schemas_have_no_findings() -> None:
    names = map(str, WORKFLOWS)
    output("check_jsonschema", "--builtin-schema", "vendor.github-workflows", *names)
    dependabot = ".github/dependabot.yml"
    output("check_jsonschema", "--builtin-schema", "vendor.dependabot", dependabot)


@of_a_clone
def test_workflows_under_zizmor_have_no_findings() -> None:
    zizmor = Path(sys.executable).parent / "zizmor"  # it has no module
    done = subprocess.run(
        [zizmor, "--offline", "--quiet", "--persona", "auditor", ".github"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_build_for_windows_is_refused(tmp_path: Path) -> None:
    machine = tmp_path / "windows.ini"
    machine.write_text(
        "[host_machine]\nsystem = 'windows'\ncpu_family = 'x86_64'\ncpu = 'x86_64'\n"
        "endian = 'little'\n"
    )
    meson = [sys.executable, "-m", "mesonbuild.mesonmain", "setup", "--cross-file", str(machine)]
    done = subprocess.run(
        [*meson, str(tmp_path / "build"), str(ROOT)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert (
        "mixtura must be built for Linux or macOS, with GCC or Clang; got Windows. The kernels use "
        "vector extensions of C that MSVC does not have. Install mixtura in the Windows Subsystem "
        "for Linux (WSL)."
    ) in done.stdout

"""The linters and the type checker, as tests; what they ask for is written in pyproject.toml."""

import inspect
import os
import re
import subprocess
import sys
import tomllib
from collections import ChainMap
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from types import ModuleType

from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import ERROR_MSGS, validate

import mixtura
import mixtura.sklearn

ROOT = Path(__file__).parent.parent


def assert_silent(*module_and_arguments: str) -> None:
    """Run `python -m module arguments` in the root of the clone and expect no complaint."""
    # cython-lint starts pycodestyle by its bare name, so the scripts of this Python come first.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", *module_and_arguments],
        cwd=ROOT,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def public_names(thing: object, name: str) -> Iterator[str]:
    """Dotted names of the public functions, classes, methods and properties below `thing`."""
    if isinstance(thing, ModuleType):
        for child in thing.__all__:
            yield from public_names(getattr(thing, child), f"{name}.{child}")
    elif inspect.isclass(thing):
        yield name
        own = (each for each in thing.__mro__ if each.__module__.startswith("mixtura"))
        for child, value in ChainMap(*map(vars, own)).items():
            if not child.startswith("_") and (callable(value) or isinstance(value, property)):
                yield f"{name}.{child}"
    elif callable(thing):
        yield name


def is_said_elsewhere(name: str, code: str) -> bool:
    """Whether what numpydoc misses in the docstring of `name` has its place somewhere else."""
    thing = attrgetter(name.removeprefix("mixtura."))(mixtura)
    docstring = inspect.getdoc(thing) or ""
    if name.startswith("mixtura.kernels."):
        # A kernel points to the function of the reference, which carries the contract of both.
        return code in {"PR01", "RT01"} and name.replace("kernels", "reference") in docstring
    if inspect.isclass(thing) and code == "PR01":
        # A class that users read and never make has its fields under Attributes.
        attributes = {entry.name for entry in NumpyDocString(docstring)["Attributes"]}
        return attributes >= inspect.signature(thing).parameters.keys()
    return False


def test_python_code_under_ruff_has_no_findings() -> None:
    assert_silent("ruff", "check", "--no-cache", ".")


def test_python_code_under_ruff_format_stays_unchanged() -> None:
    assert_silent("ruff", "format", "--no-cache", "--check", "--diff", ".")


def test_package_under_mypy_strict_has_no_findings() -> None:
    assert_silent("mypy")


def test_kernels_under_cython_lint_have_no_findings() -> None:
    assert_silent("cython_lint.cython_lint", "_ext")


def test_words_under_codespell_have_no_findings() -> None:
    assert_silent("codespell_lib", ".")


def test_public_docstrings_under_numpydoc_have_no_findings() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    left_out = settings["tool"]["numpydoc_validation"]["checks"]
    checks = ERROR_MSGS.keys() - left_out
    findings = [
        f"{name}: {code} {message}"
        for module in (mixtura, mixtura.sklearn)
        for name in public_names(module, module.__name__)
        for code, message in validate(name)["errors"]
        if code in checks and not is_said_elsewhere(name, code)
    ]
    assert not findings, "\n".join(findings)


def test_tests_that_the_manual_names_exist() -> None:
    files = list((ROOT / "tests").rglob("test_*.py"))
    names = {path.stem for path in files}
    for path in files:
        names |= set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        named = set(re.findall(r"\btest_\w+", page.read_text(encoding="utf-8")))
        assert named <= names, f"{page.name}: {sorted(named - names)}"

"""The examples in the docstrings of the installed package, and in docs, print what they say."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import mixtura

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
DOCS = Path(__file__).parent.parent / "docs"
PAGES = [p for p in sorted(DOCS.glob("*.md")) if ">>> " in p.read_text(encoding="utf-8")]
MODULES = [
    "mixtura",
    *(
        module.name
        for module in pkgutil.walk_packages(mixtura.__path__, "mixtura.")
        if not module.name.rpartition(".")[2].startswith("_")
    ),
]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_when_run_print_what_they_show(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=FLAGS).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_in_docs_when_run_print_what_they_show(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    done = doctest.testfile(str(page), module_relative=False, optionflags=FLAGS)
    assert done.attempted > 0
    assert done.failed == 0

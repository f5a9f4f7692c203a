"""The examples in docstrings, in docs and in the README run, and print what they say."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import mixtura

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
PACKAGE = Path(mixtura.__file__).parent
ROOT = Path(__file__).parent.parent
PAGES = [p for p in sorted(ROOT.glob("docs/**/*.md")) if ">>> " in p.read_text(encoding="utf-8")]
MODULES = [
    "mixtura",
    *(
        module.name
        for module in pkgutil.walk_packages(mixtura.__path__, "mixtura.")
        if not module.name.rpartition(".")[2].startswith("_")
    ),
]


def test_modules_of_all_rooms_are_searched_for_examples() -> None:
    paths = [path.relative_to(PACKAGE).with_suffix("").parts for path in PACKAGE.rglob("*.py")]
    names = [".".join(("mixtura", *parts)).removesuffix(".__init__") for parts in paths]
    assert sorted(MODULES) == sorted(
        name for name in names if not name.rpartition(".")[2].startswith("_")
    )


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_when_run_print_what_they_show(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=FLAGS).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_in_docs_when_run_print_what_they_show(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.name == "posterior.md" and not hasattr(mixtura, "fit_bayesian_gmm"):
        pytest.skip("it begins with fit_bayesian_gmm")
    monkeypatch.chdir(tmp_path)  # some write files
    done = doctest.testfile(str(page), module_relative=False, optionflags=FLAGS)
    assert done.attempted > 0
    assert done.failed == 0


def test_examples_in_the_readme_run(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(examples) == text.count("```python") > 0
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("Gaussian mixture: 2 components, full covariances")

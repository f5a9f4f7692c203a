"""The examples in docstrings, in docs and in the README run, and print what they say."""

import doctest
import importlib
import inspect
import pkgutil
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import mixtura
import mixtura.sklearn
from mixtura.cli import main

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
PACKAGE = Path(mixtura.__file__).parent
ROOT = Path(__file__).parent.parent
SITE = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("docs/*/*.md"))]
PAGES = [page for page in SITE if ">>> " in page.read_text(encoding="utf-8")]
CODE = re.compile(r"^```python\n(.*?)^```$(\n\n!\[)?", re.DOTALL | re.MULTILINE)
# Their scripts are run by tests/fitting/test_executors.py and test_spark.py.
PAGES_OF_SCRIPTS = {"executors.md", "spark.md"}
MODULES = [
    "mixtura",
    *(
        module.name
        for module in pkgutil.walk_packages(mixtura.__path__, "mixtura.")
        if not module.name.rpartition(".")[2].startswith("_")
    ),
]
PUBLIC = [
    mixtura, mixtura.plot, mixtura.datasets, mixtura.kernels, mixtura.reference, mixtura.sklearn,
]  # fmt: skip


def names_and_docstrings() -> Iterator[tuple[str, str]]:
    """Public functions, classes and methods; without those that classes have of other packages."""
    for module in PUBLIC:
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isfunction(thing) or inspect.isclass(thing):
                yield f"{module.__name__}.{name}", thing.__doc__ or ""
            for base in getattr(thing, "__mro__", ()):
                for method in vars(base) if base.__module__.startswith("mixtura") else ():
                    value = inspect.getattr_static(thing, method)
                    function = getattr(value, "__func__", value)
                    if inspect.isfunction(function) and not method.startswith("_"):
                        yield f"{module.__name__}.{name}.{method}", function.__doc__ or ""


def test_modules_of_all_rooms_are_searched_for_examples() -> None:
    paths = [path.relative_to(PACKAGE).with_suffix("").parts for path in PACKAGE.rglob("*.py")]
    names = [".".join(("mixtura", *parts)).removesuffix(".__init__") for parts in paths]
    assert sorted(MODULES) == sorted(
        name for name in names if not name.rpartition(".")[2].startswith("_")
    )


def test_public_names_each_have_an_example() -> None:
    names = dict(names_and_docstrings())
    assert len(names) > 300
    assert [name for name, docstring in names.items() if ">>> " not in docstring] == []


def test_public_names_each_stand_in_the_reference() -> None:
    pages = ROOT.glob("docs/reference/*.md")
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    listed = set(re.findall(r"`(mixtura\.[.\w]+)`", text))
    for block in text.split(".. currentmodule:: ")[1:]:
        module, *names = block.split("```")[0].split()
        listed |= {f"{module}.{name}" for name in names}
    assert {f"{module.__name__}.{name}" for module in PUBLIC for name in module.__all__} <= listed


@pytest.mark.usefixtures("close_figures")
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


def test_no_code_of_the_site_is_left_out() -> None:
    """A block has prompts, or a picture below that tests/test_gallery.py draws, or is a script."""
    for page in SITE:
        text = page.read_text(encoding="utf-8")
        blocks = CODE.findall(text)
        assert len(blocks) == text.count("```python"), page.name
        for code, picture in blocks:
            run = ">>> " in code or picture or page.name in PAGES_OF_SCRIPTS
            assert run or page.name in {"README.md", "index.md"}, f"{page.name}: {code}"


def test_commands_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs" / "manual" / "command_line.md"
    blocks = re.findall(r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.M)
    monkeypatch.chdir(tmp_path)
    doctest.testfile(str(page), module_relative=False, optionflags=FLAGS)
    for command in "".join(blocks).splitlines():
        python, dash_m, package, *arguments = shlex.split(command)
        assert (python, dash_m, package) == ("python", "-m", "mixtura")
        assert main(arguments) == 0, command
    written = ["model.npz", "summary.txt", "labels.csv", "responsibilities.csv", "log_prob.csv"]
    assert {path.name for path in Path("results").iterdir()} >= set(written)
    assert Path("assigned", "labels.csv").exists()


def test_links_of_the_readme_lead_to_files() -> None:
    for page in (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")):
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (ROOT / link).exists(), f"{page.name}: {link}"


def test_docstrings_link_to_pages_that_exist() -> None:
    for path in PACKAGE.rglob("*.py"):
        for page in re.findall(r":doc:`/([^`]+)`", path.read_text(encoding="utf-8")):
            assert (ROOT / "docs" / f"{page}.md").exists(), f"{path.name}: {page}"

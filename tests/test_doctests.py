"""The examples in docstrings, in docs and in the README run, and print what they say."""

import doctest
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mixtura
import mixtura.sklearn

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


def test_examples_in_the_readme_run(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(examples) == text.count("```python") > 0
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("Gaussian mixture: 2 components, full covariances")

"""The examples in the docstrings of the installed package run and print what they say."""

import doctest
import importlib
import pkgutil

import pytest

import mixtura

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
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    assert doctest.testmod(module, optionflags=flags).failed == 0

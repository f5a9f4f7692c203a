"""What the tests of the kernels share."""

from types import ModuleType

import pytest
from helpers import usable_instruction_sets


@pytest.fixture(params=usable_instruction_sets().values(), ids=usable_instruction_sets())
def module(request: pytest.FixtureRequest) -> ModuleType:
    """A compiled module for each instruction set."""
    return request.param

"""Settings every test shares; helpers live in modules of their own beside this file."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Pictures go to files: no window, whatever the machine the tests run on.
os.environ["MPLBACKEND"] = "Agg"

# A job in the background of a shell ignores Ctrl-C, which some tests raise.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples on every run, and no deadline: a busy machine is not a defect.
settings.register_profile("mixtura", deadline=None, derandomize=True, database=None)
settings.load_profile("mixtura")


@pytest.fixture
def close_figures() -> Iterator[None]:
    """Let go of what a test has drawn."""
    yield
    from matplotlib import pyplot as plt

    plt.close("all")

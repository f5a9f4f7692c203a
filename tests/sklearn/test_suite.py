"""scikit-learn's own tests of its estimators pass on ours; `tests/sklearn_suite.py` runs them."""

import re
import subprocess
import sys
from pathlib import Path

SUITE = Path(__file__).parents[1] / "sklearn_suite.py"


def test_own_tests_of_scikit_learn_pass_on_our_estimators() -> None:
    done = subprocess.run([sys.executable, str(SUITE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 100  # and not a list of exceptions

"""mypy's stubtest for the package: what its annotations and stubs say is what is there.

To be run as a program. The compiled modules have one stub for all instruction sets, under a name
that no module has; here the one that was chosen at import gets this name.
"""

import pkgutil
import re
import sys
import tempfile
from importlib import import_module
from typing import Literal, get_args, get_origin

from mypy import stubtest

import mixtura
from mixtura.kernels import instruction_set

ALLOWED = [
    # A field without a default hides a method of the base class.
    r"mixtura\.fitting\.bayesian\.result\.BayesianGMMFit\.elbo",
    # Attributes made by a call: stubtest expects decorators.
    r"mixtura\.mixture\.gaussian\.(_Questions|GaussianMixture)\.(volume|shape|orientation|from_sklearn)",
    # Overloads by `Unpack`: stubtest does not look into the dictionaries.
    r"mixtura\.(mixture\.densities|posterior\.rows)\.(\w*log_prob|responsibilities|predict)",
    r"mixtura\.mixture\.imputing\.impute",
    r"mixtura\.fitting\.kmeans_fit\.KMeansFit\.predict",
    r"mixtura\.posterior\.student\.StudentMixture\.log_prob",
    # functools.cache hides the arguments from mypy.
    r"mixtura\.(kernels\.threads\._cgroup_quota|search\.losses\._all_pairs)",
    # None in the class, and names in each object.
    r"mixtura\.data\.stores\.\w+\.\w+\.names",
    # A name that Python deletes at the end of its `except`.
    r"mixtura\.sklearn\.error",
]


def literals() -> str:
    """Names of types of several literals, which stubtest takes for unions."""
    names = {
        name
        for module in pkgutil.walk_packages(mixtura.__path__, "mixtura.")
        if not module.name.endswith("__main__")
        for name, value in vars(import_module(module.name)).items()
        if get_origin(value) is Literal and len(get_args(value)) > 1
    }
    return rf"mixtura\..*\.({'|'.join(map(re.escape, sorted(names)))})"


if __name__ == "__main__":
    for stub in ("kernels", "hierarchical"):
        chosen = getattr(instruction_set, f"compiled_{stub}")
        sys.modules[f"mixtura.kernels._{stub}"] = chosen
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join([*ALLOWED, literals()]))
        file.flush()
        # Names without a stub are those that Cython and scikit-learn add.
        options = ["mixtura", "--concise", "--ignore-missing-stub", "--allowlist", file.name]
        sys.exit(stubtest.test_stubs(stubtest.parse_options([*options, *sys.argv[1:]])))

"""Run scikit-learn's own tests of its mixtures and KMeans on mixtura's classes.

``python tests/sklearn_suite.py [pytest's arguments]`` takes the test modules that are installed
with scikit-learn, imports our classes where they import scikit-learn's, and runs them. What does
not apply is listed here with the reason. A test that has to fail does so, or the run is red.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

MODULES = {
    "sklearn.mixture.tests.test_gaussian_mixture": ("sklearn.mixture", "GaussianMixture"),
    "sklearn.mixture.tests.test_bayesian_mixture": ("sklearn.mixture", "BayesianGaussianMixture"),
    "sklearn.cluster.tests.test_k_means": ("sklearn.cluster", "KMeans"),
}

# Part of a test's name with its parameters -> why it is left out.
OTHER_SUBJECTS = {
    "minibatch": "of MiniBatchKMeans",
    "MiniBatch": "of MiniBatchKMeans",
    "test_k_means_function": "of the function k_means",
    "test_kmeans_plusplus": "of the function kmeans_plusplus",
    "test_suffstat_sk": "of private functions",
    "test_gaussian_suffstat_sk": "of private functions",
    "test_compute_log_det_cholesky": "of private functions",
    "test_gaussian_mixture_log_probabilities": "of private functions",
    "test_log_dirichlet_norm": "of private functions",
    "test_log_wishart_norm": "of private functions",
    "test_relocate_empty_clusters": "of private functions",
    "test_euclidean_distance": "of private functions",
    "test_inertia": "of private functions",
    "test_is_same_clustering": "of private functions",
    "array_api": "of arrays that are not NumPy's",
}

# Part of a test's name with its parameters -> why it has to fail.
FAILURES = {
    "sparse_matrix": "sparse rows are refused",
    "sparse_array": "sparse rows are refused",
    "csr_matrix": "sparse rows are refused",
    "csr_array": "sparse rows are refused",
    "dense_sparse": "sparse rows are refused",
    "test_gaussian_mixture_precisions_init[": "calls the private _set_parameters and _initialize",
    "test_gaussian_mixture_all_init_does_not": "counts the calls of a private function",
    "test_compare_covar_type": "calls the private _check_parameters and _initialize_parameters",
    "test_sample_weight_init": "calls the private _init_centroids",
    "test_sample_weight_zero": "calls the private _init_centroids",
    "test_score[float32]": "expects a mean rounded to float32",
}

# What a test says -> what it says here, where it means the same.
WORDS = {
    # The message names the largest weight the smallest, and the smallest the largest.
    'max value {np.min(weights_bad_range):.5f}, "': 'max value {np.max(weights_bad_range):.5f}, "',
    'min value {np.max(weights_bad_range):.5f}"': 'min value {np.min(weights_bad_range):.5f}"',
    # A private method; the number is public.
    "._n_parameters()": ".model_.n_parameters",
}


class Substitution(ast.NodeTransformer):
    """Import one name from mixtura.sklearn instead."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name, self.done = module, name, False

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.stmt]:
        ours = [alias for alias in node.names if alias.name == self.name]
        if node.module != self.module or not ours:
            return [node]
        self.done = True
        node.names = [alias for alias in node.names if alias not in ours]
        instead = ast.ImportFrom("mixtura.sklearn", ours, 0)
        return [instead, node] if node.names else [instead]


def substituted(module: str) -> str:
    """Return the source of one of scikit-learn's test modules, about our class."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    for said, meant in WORDS.items():
        source = source.replace(said, meant)
    substitution = Substitution(*MODULES[module])
    tree = substitution.visit(ast.parse(source))
    assert substitution.done, f"{module} does not import {MODULES[module]}"
    return ast.unparse(ast.fix_missing_locations(tree))


def reason(name: str, table: dict[str, str]) -> str | None:
    return next((why for part, why in table.items() if part in name), None)


class Selection:
    """What applies, and the fixtures of scikit-learn's conftest."""

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        others = [item for item in items if reason(item.name, OTHER_SUBJECTS)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]
        for item in items:
            if why := reason(item.name, FAILURES):
                item.add_marker(pytest.mark.xfail(strict=True, reason=why))

    @pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
    def global_dtype(self, request: pytest.FixtureRequest) -> type:
        return request.param

    @pytest.fixture(params=[42])
    def global_random_seed(self, request: pytest.FixtureRequest) -> int:
        return request.param


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        for module in MODULES:
            path = Path(folder, f"{module.rpartition('.')[2]}.py")
            path.write_text(substituted(module), encoding="utf-8")
        # Long tracebacks of the tests that have to fail would take most of the time.
        options = ["-q", "--tb=native", "-p", "no:cacheprovider"]
        options += ["--rootdir", folder, "-c", os.devnull, folder]
        return pytest.main([*options, *arguments], plugins=[Selection()])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

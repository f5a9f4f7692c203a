"""What a mixture says of rows, beside scikit-learn's."""

from __future__ import annotations

from benchmarks.agreement import CHECKED_ROWS, assert_agreement
from benchmarks.libraries import LIBRARIES, PEER, prepare, sklearn_twin
from benchmarks.problems import Shape, make_problem, sizes
from mixtura import reference

METHODS = {"log_prob": "score_samples", "responsibilities": "predict_proba", "predict": "predict"}
SHAPES = sizes([(50_000, 2, 3), (10_000, 8, 16)], [(1_000_000, 8, 16), (100_000, 32, 64)])


class Methods:
    """A method of `GaussianMixture`, and scikit-learn's for the same parameters."""

    params = (LIBRARIES, list(METHODS), SHAPES)
    param_names = ("library", "method", "(n, d, k)")

    def setup(self, library: str, method: str, shape: Shape) -> None:
        prepare(library)
        problem = make_problem(shape)
        self.X = problem.X
        if library == PEER:
            self.call = getattr(sklearn_twin(problem.start), METHODS[method])
        else:
            self.call = getattr(problem.start, method)
        head = problem.head(CHECKED_ROWS)
        resp, log_prob = reference.responsibilities(head.X, head.start.weights, **head.components)
        expected = {
            "log_prob": log_prob,
            "responsibilities": resp,
            "predict": resp.argmax(axis=1),
        }
        assert_agreement(self.call(head.X), expected[method], "float64")

    def time_method(self, *_: object) -> None:
        self.call(self.X)

"""What a mixture says of rows, beside scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

from benchmarks.agreement import CHECKED_ROWS, assert_agreement
from benchmarks.libraries import LIBRARIES, PEER, prepare, sklearn_twin
from benchmarks.problems import Shape, make_problem, sizes
from benchmarks.turns import compute_time, in_turns, timed
from mixtura import reference

METHODS = {"log_prob": "score_samples", "responsibilities": "predict_proba", "predict": "predict"}
MODEST: list[Shape] = [(200_000, 8, 16), (50_000, 32, 64)]
SHAPES = sizes([(50_000, 2, 3), (10_000, 8, 16)], [(1_000_000, 8, 16), (100_000, 32, 64)])


class Methods:
    """A method of `GaussianMixture`, and scikit-learn's for the same parameters."""

    params = (LIBRARIES, list(METHODS), SHAPES)
    param_names = ("library", "method", "(n, d, k)")

    def setup(self, library: str, method: str, shape: Shape) -> None:
        prepare(library)
        self.call = checked(library, method, shape)

    def time_method(self, *_: object) -> None:
        self.call()


def checked(library: str, method: str, shape: Shape) -> Callable[[], Any]:
    """What calls a method on all rows, after a look at its result for the first rows."""
    problem = make_problem(shape)
    if library == PEER:
        call = getattr(sklearn_twin(problem.start), METHODS[method])
    else:
        call = getattr(problem.start, method)
    head = problem.head(CHECKED_ROWS)
    resp, log_prob = reference.responsibilities(head.X, head.start.weights, **head.components)
    expected = {"log_prob": log_prob, "responsibilities": resp, "predict": resp.argmax(axis=1)}
    assert_agreement(call(head.X), expected[method], "float64")
    return partial(call, problem.X)


def figures(shapes: Sequence[Shape] = MODEST) -> list[dict[str, Any]]:
    """CPU time of each method, by the libraries that are there: set one thread for all."""
    found = []
    for method, (n, d, k) in product(METHODS, shapes):
        works = {}
        for library in LIBRARIES:
            try:
                prepare(library)
            except NotImplementedError:
                continue
            call = checked(library, method, (n, d, k))
            works[library] = partial(timed, call, clock=compute_time)
        seconds = in_turns(works, 0.5, 2)
        found.append({"method": method, "n": n, "d": d, "k": k, "seconds": seconds})
    return found

"""Precision factors by the compiled loops and by LAPACK, against their definition."""

import numpy as np
import pytest
from numpy.typing import NDArray
from test_kernels import usable_instruction_sets

from mixtura.covariance import FAMILIES, forms

MODULES = usable_instruction_sets()


@pytest.fixture(params=[*MODULES, "lapack"])
def _by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """One way to factorise after the other."""
    if request.param == "lapack":
        monkeypatch.setattr(forms, "LEAST_LAPACK", 0)
    else:
        monkeypatch.setattr(forms, "LEAST_LAPACK", 10_000)
        monkeypatch.setattr(forms, "compiled_kernels", MODULES[request.param])


def covariances(d: int, k: int = 3) -> NDArray[np.float64]:
    """Ordinary ones, in units far apart."""
    rng = np.random.default_rng(d)
    roots = rng.normal(size=(k, d, 2 * d)) * 10.0 ** rng.uniform(-60, 60, size=d)[:, None]
    return roots @ roots.transpose(0, 2, 1)


@pytest.mark.usefixtures("_by")
@pytest.mark.parametrize("d", [1, 2, 3, 7, 8, 9, 16, 33, 130])
def test_factors_whiten_their_covariances(d: int) -> None:
    given = covariances(d)
    factors, failed = FAMILIES["full"].factorise(given)
    assert not failed.any()
    np.testing.assert_array_equal(factors, np.triu(factors))
    assert (np.einsum("jaa->ja", factors) > 0.0).all()
    whitened = factors.transpose(0, 2, 1) @ given @ factors
    np.testing.assert_allclose(whitened, np.broadcast_to(np.eye(d), given.shape), atol=1e-11 * d)


@pytest.mark.usefixtures("_by")
@pytest.mark.parametrize("d", [1, 2, 9, 40])
def test_matrices_that_are_not_regular_fail_and_leave_the_others_alone(d: int) -> None:
    sound = covariances(d, 1)
    zero, infinite, unknown = np.zeros((d, d)), np.full((d, d), np.inf), sound[0].copy()
    unknown[-1, -1] = np.nan
    determined = sound[0].copy()  # the last feature is the first, but for rounding
    determined[-1], determined[:, -1] = determined[0], determined[:, 0]
    determined[-1, -1] = determined[0, 0] * (1.0 + 2.0**-52)
    wrong = [-sound[0], zero, infinite, unknown, *([determined] if d > 1 else [])]
    factors, failed = FAMILIES["full"].factorise(np.array([*wrong, sound[0]]))
    np.testing.assert_array_equal(failed, [*[True] * len(wrong), False])
    np.testing.assert_array_equal(factors[-1], FAMILIES["full"].factorise(sound)[0][0])

"""Posteriors made of rows and shares, without a fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from mixtura import GMMPosterior, kernels, reference
from mixtura.conjugate import WEIGHT_LAWS, PriorLaws
from mixtura.shapes import SHAPES, Floats

SCATTER = np.array([[2.0, 0.6, -0.3], [0.6, 1.5, 0.2], [-0.3, 0.2, 0.8]])
WEIGHT_PRIORS = tuple(WEIGHT_LAWS)


def prior_of(
    shape: str,
    weights: str = "dirichlet",
    *,
    d: int = 2,
    concentration: float = 0.7,
    freedom: float = 3.5,
) -> PriorLaws:
    """A prior that is not at a special place."""
    part = SCATTER[:d, :d]
    scale = {"diag": np.diag(part), "spherical": np.array(1.7)}.get(shape, part)
    mean = np.array([0.3, -1.0, 0.5])[:d]
    return PriorLaws(WEIGHT_LAWS[weights], concentration, 0.4, mean, freedom, scale, SHAPES[shape])


def rows_and_shares(n: int = 40, k: int = 3, d: int = 2) -> tuple[Floats, Floats]:
    """Rows, and shares of components in them."""
    rng = np.random.default_rng(0)
    resp = rng.dirichlet(np.full(k, 0.3), size=n)
    return rng.normal(size=(n, d)) * [1.0, 3.0, 0.5][:d] + 2.0 * resp[:, :1], resp


def posterior_of(
    prior: PriorLaws, X: Floats, resp: Floats, weight: Floats | None = None, **options: Any
) -> GMMPosterior:
    """The posterior of rows with these shares."""
    name, k = prior.shape.name, resp.shape[1]
    rough = reference.accumulate_resp(
        X, resp, np.tile(X.mean(axis=0), (k, 1)), covariance_type=name, sample_weight=weight
    )
    statistics = rough.recentred(rough.means())
    laws, failed = prior.posterior(statistics, kernels)
    assert not failed.any()
    facts = {"covariance_type": name, "feature_names": None, "missing": "raise"} | options
    return GMMPosterior._of(prior, laws, resp_sum=statistics.resp_sum, **facts)


def simple(shape: str, weights: str = "dirichlet", *, k: int = 3, d: int = 2) -> GMMPosterior:
    """A posterior of forty rows."""
    return posterior_of(prior_of(shape, weights, d=d), *rows_and_shares(k=k, d=d))


def scipy_log_density(posterior: GMMPosterior, X: Floats) -> Floats:
    """SciPy's log-density of the components at the expected parameters, shape (n, k)."""
    shape = posterior.prior.shape
    matrices = shape.matrices(posterior.covariances, *posterior.means.shape)
    densities = [
        stats.multivariate_normal(mean, matrix).logpdf(X)
        for mean, matrix in zip(posterior.means, matrices, strict=True)
    ]
    return np.column_stack(densities)

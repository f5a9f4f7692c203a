"""Rows that stay where they are: estimators say which functions take them."""

from typing import Any

import numpy as np
import pytest
from clusters import clustered

from mixtura import scan

pytest.importorskip("sklearn")

from mixtura.sklearn import BayesianGaussianMixture, GaussianMixture, KMeans, MixtureImputer

X = clustered()[0]
KINDS = [GaussianMixture, BayesianGaussianMixture, KMeans, MixtureImputer]
MESSAGE = r"X must be one array or frame for {}; got rows of mixtura.scan. Use mixtura.fit_gmm or "


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [lambda: scan([X]), lambda: scan(lambda: iter([X]))])
def test_rows_of_scan_are_refused_with_the_function_to_use(kind: Any, rows: Any) -> None:
    match = MESSAGE.format(kind.__name__)
    with pytest.raises(TypeError, match=match):
        kind().fit(rows())
    with pytest.raises(TypeError, match=match):
        kind().fit(rows(), sample_weight=np.ones(len(X)))
    fitted = kind().fit(X)
    with pytest.raises(TypeError, match=match):
        (fitted.transform if kind is MixtureImputer else fitted.predict)(rows())


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_dask_are_refused_with_the_function_to_use(kind: Any) -> None:
    rows = pytest.importorskip("dask.array").from_array(X, chunks=(50, -1))
    with pytest.raises(
        TypeError, match=rf"for {kind.__name__}; got dask\.array.* Use mixtura\.fit"
    ):
        kind().fit(rows)

"""How many labellings of its components a mixture has.

A posterior of k components has as many modes as there are ways to number them, and a variational
fit finds one. What it says of the evidence is short by the logarithm of their number [1]_.

.. [1] C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, section 10.2.4.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from mixtura.fitting.bayesian.result import BayesianGMMFit
from mixtura.shapes import Floats

__all__ = ["log_labellings"]


def log_labellings(fit: BayesianGMMFit, known: Floats | None = None) -> float:
    """Return the logarithm of the number of labellings that differ.

    Parameters
    ----------
    fit : BayesianGMMFit
    known : ndarray of shape (n_codes, n_components), nats, optional
        Log-priors of the rows of which something is known: components change places only where
        these are the same. None knows nothing.

    Returns
    -------
    float, nats
        log(k! / m!), with m the components that have less than the weight of one average row: they
        are all alike. 0 for sticks, whose order is not arbitrary.
    """
    if fit.posterior.prior.weights.is_ordered:
        return 0.0
    empty = ~fit.posterior._with_rows
    if known is None:
        known = np.zeros((1, fit.n_components))
    _, group = np.unique(known, axis=1, return_inverse=True)
    alike, without = np.bincount(group.ravel()), np.bincount(group.ravel(), empty)
    return float((gammaln(alike + 1.0) - gammaln(without + 1.0)).sum())

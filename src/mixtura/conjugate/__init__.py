"""Conjugate laws of the parameters of a mixture: priors, and the posteriors that rows make of them.

``weights.py`` has the laws of weights, ``precisions.py`` those of inverse covariances in each
shape, and ``laws.py`` joins them: what a prior is, and what it becomes with the statistics of rows.
``evidence.py`` tells what changes of the statistics are worth. ``gammas.py`` has the differences of
large numbers that strong priors lead to.
"""

from mixtura.conjugate.evidence import gain_of_order, gains_of_merging
from mixtura.conjugate.gammas import log_gamma_ratio
from mixtura.conjugate.laws import LARGEST, LEAST, Laws, PriorLaws
from mixtura.conjugate.precisions import PrecisionLaw, log_normalisers, log_peaks, precision_law
from mixtura.conjugate.weights import WEIGHT_LAWS, Dirichlet, StickBreaking, WeightLaw, WeightPrior

__all__ = [
    "LARGEST",
    "LEAST",
    "WEIGHT_LAWS",
    "Dirichlet",
    "Laws",
    "PrecisionLaw",
    "PriorLaws",
    "StickBreaking",
    "WeightLaw",
    "WeightPrior",
    "gain_of_order",
    "gains_of_merging",
    "log_gamma_ratio",
    "log_normalisers",
    "log_peaks",
    "precision_law",
]

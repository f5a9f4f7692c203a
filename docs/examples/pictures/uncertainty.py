"""
Uncertainty
===========

The uncertainty of a row is one minus its largest responsibility. Rows between two components are
large and dark.
"""

import mixtura
from mixtura import plot

faithful = mixtura.datasets.load_faithful()
fit = mixtura.fit_gmm(faithful.data, 3, covariance_type="tied", rng=0)
plot.ScatterDisplay.from_fit(
    fit, faithful.data, feature_names=faithful.feature_names, show="uncertainty"
)

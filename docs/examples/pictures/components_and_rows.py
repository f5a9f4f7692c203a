"""
Components and rows
===================

Each row has the colour of its most probable component. An ellipse holds the stated share of its
component.
"""

import mixtura
from mixtura import plot

faithful = mixtura.datasets.load_faithful()
fit = mixtura.fit_gmm(faithful.data, 3, covariance_type="tied", rng=0)
plot.ScatterDisplay.from_fit(fit, faithful.data, feature_names=faithful.feature_names)

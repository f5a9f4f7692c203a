"""
Responsibilities
================

The colours of the components are mixed in each row, by its responsibilities. Most rows have the
colour of one component. Rows between two components have a colour between theirs.
"""

import mixtura
from mixtura import plot

faithful = mixtura.datasets.load_faithful()
fit = mixtura.fit_gmm(faithful.data, 3, covariance_type="tied", rng=0)
plot.ScatterDisplay.from_fit(
    fit, faithful.data, feature_names=faithful.feature_names, show="responsibilities"
)

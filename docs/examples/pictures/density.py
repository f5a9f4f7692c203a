"""
Density
=======

Each region is the smallest region that holds the stated share of the mixture.
"""

import mixtura
from mixtura import plot

faithful = mixtura.datasets.load_faithful()
fit = mixtura.fit_gmm(faithful.data, 3, covariance_type="tied", rng=0)
plot.DensityDisplay.from_fit(fit, faithful.data, feature_names=faithful.feature_names)

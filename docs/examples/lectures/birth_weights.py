"""
Birth weights: three Gaussians
==============================

The density of a mixture is a sum: each Gaussian times its weight. All three have the same
variance. The rows are the birth weights of 189 children.
"""

from mixtura import datasets, fit_gmm, plot

births = datasets.load_birthwt()
fit = fit_gmm(births.data, 3, covariance_type="tied", rng=0)
plot.HistogramDisplay.from_fit(fit, births.data, feature_names=births.feature_names)

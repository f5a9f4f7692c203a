"""
Outliers: rows of low density
=============================

``log_prob`` is a score for outliers. The threshold is the score that one row in a hundred of the
mixture is below. Rows below it are marked.
"""

import numpy as np

from mixtura import datasets, fit_gmm, plot

faithful = datasets.load_faithful()
X = faithful.data
fit = fit_gmm(X, 2, rng=0)
rows, _ = fit.sample(100_000, rng=0)
threshold = np.quantile(fit.log_prob(rows), 0.01)
outliers = X[fit.log_prob(X) < threshold]
display = plot.DensityDisplay.from_fit(fit, X, shares=(0.99,), feature_names=faithful.feature_names)
display.ax_.scatter(*outliers.T, s=120, facecolors="none", edgecolors="#C2410C", linewidths=1.5)
display.ax_.set_title(f"{len(outliers)} of {len(X)} rows are below the threshold")

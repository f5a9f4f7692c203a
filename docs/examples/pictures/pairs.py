"""
Pairs of columns
================

Below the diagonal are scatter plots of every two columns. On the diagonal are histograms of each
column.
"""

import mixtura
from mixtura import plot

iris = mixtura.datasets.load_iris()
fit = mixtura.fit_gmm(iris.data, 3, rng=0)
plot.PairDisplay.from_fit(fit, iris.data, feature_names=iris.feature_names)

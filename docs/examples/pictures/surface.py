"""
Density as a surface
====================

The surface is darker where it is higher. The number of a component stands above its mean.
"""

import mixtura
from mixtura import plot

iris = mixtura.datasets.load_iris()
fit = mixtura.fit_gmm(iris.data, 3, rng=0)
plot.SurfaceDisplay.from_fit(fit, features=(0, 1), feature_names=iris.feature_names)

"""
One column
==========

A histogram of the rows, the density of the mixture, and the share of each component in it. The
rows are speeds of galaxies. They lie in groups, with empty space between them.
"""

import mixtura
from mixtura import plot

galaxies = mixtura.datasets.load_galaxies()
fit = mixtura.fit_gmm(galaxies.data, 3, rng=0)
plot.HistogramDisplay.from_fit(fit, galaxies.data, feature_names=galaxies.feature_names)

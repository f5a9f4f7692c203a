"""
Counts in bins
==============

A fit of `mixtura.fit_binned` has its own bins. The height of a bar is the share of the rows in the
bin, divided by its width. An open bin has no width. It is drawn to where 1% of what the mixture has
in it lies beyond, and hatched.
"""

import numpy as np

import mixtura
from mixtura import plot

crabs = mixtura.datasets.load_naples_crabs()
edges = crabs.edges.copy()
edges[[0, -1]] = -np.inf, np.inf  # nothing was cut off
fit = mixtura.fit_binned(edges, crabs.sample_weight, 2, rng=0, feature_names=crabs.feature_names)
plot.HistogramDisplay.from_bins(fit)

# %%
# With two features, the shade of a rectangle is the share of the rows in it, divided by its area.

faithful = mixtura.datasets.load_faithful()
counts, *both_edges = np.histogram2d(*faithful.data.T, bins=(10, 12))
fit = mixtura.fit_binned(both_edges, counts, 2, rng=0, feature_names=faithful.feature_names)
plot.DensityDisplay.from_bins(fit)

"""
The crabs of Naples
===================

Weldon measured 1000 crabs. Their foreheads were not normally distributed. Pearson (1894) explained
them by two groups: the first mixture that was ever fitted. He solved an equation of degree nine. EM
maximises the likelihood of the counts. A small p of the chi-squared test means a bad fit.
"""

import numpy as np

from mixtura import datasets, fit_binned, plot

crabs = datasets.load_naples_crabs()
edges = crabs.edges.copy()
edges[[0, -1]] = -np.inf, np.inf  # crabs beyond the outermost edges are in the outermost bins
axes = plot.new_axes(1, 2, panel_size=(4.6, 3.8))
for k, ax in zip((1, 2), axes.flat):
    fit = fit_binned(edges, crabs.sample_weight, k, rng=0, feature_names=crabs.feature_names)
    plot.HistogramDisplay.from_bins(fit, ax=ax, legend=False)
    ax.set_title(f"{k} component{'s' * (k > 1)}: p = {fit.chi_squared().p_value:.2g}")

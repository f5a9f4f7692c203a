"""
How sure is a density?
======================

A Bayesian fit knows many mixtures that agree with the rows. Thirty of them are drawn. Where the
lines lie close together, the density is well known.
"""

import numpy as np

from mixtura import datasets, fit_bayesian_gmm, plot

galaxies = datasets.load_galaxies()
posterior = fit_bayesian_gmm(galaxies.data, 6, rng=0).posterior
grid = np.linspace(7_000, 37_000, 400)
ax = plot.new_axes()[0, 0]
ax.hist(galaxies.data.ravel(), bins=30, density=True, color="#D9DBE1")
for model in posterior.sample_models(30, rng=0):
    ax.plot(grid, np.exp(model.log_prob(grid[:, None])), color="#0B559F", alpha=0.25, linewidth=1)
ax.plot(grid, np.exp(posterior.model.log_prob(grid[:, None])), color="black", linewidth=2)
ax.set(xlabel=galaxies.feature_names[0], ylabel="density")

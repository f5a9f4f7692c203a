"""
Missing numbers
===============

Half of the insulin values are deleted at random. ``missing="em"`` fits the mixture to what is left.
``impute`` fills in what is expected. The picture compares it with the deleted values.
"""

import numpy as np

from mixtura import datasets, fit_gmm, plot

patients = datasets.load_diabetes_reaven_miller()
X, insulin = patients.data.copy(), 1
missing = np.random.default_rng(0).random(len(X)) < 0.5
X[missing, insulin] = np.nan
fit = fit_gmm(X, 3, missing="em", rng=0)
truth, imputed = patients.data[missing, insulin], fit.impute(X)[missing, insulin]
ax = plot.new_axes(panel_size=(5, 5))[0, 0]
ax.scatter(truth, imputed, alpha=0.7)
ax.scatter(truth, np.full(len(truth), np.nanmean(X[:, insulin])), marker="x", alpha=0.7)
ax.axline((0, 0), slope=1, color="black", linewidth=1)
ax.set(xlabel="insulin area that was deleted", ylabel="insulin area that is filled in")
ax.legend(["by the mixture", "by the mean of the column"])

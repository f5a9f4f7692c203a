"""
Missing numbers
===============

Half of the glucose areas are deleted at random. ``missing="em"`` fits the mixture to what is left.
``impute`` fills in what is expected. The picture compares it with the deleted values.
"""

import numpy as np

from mixtura import datasets, fit_gmm, plot

patients = datasets.load_diabetes_reaven_miller()
X, glucose = patients.data.copy(), 1
missing = np.random.default_rng(0).random(len(X)) < 0.5
X[missing, glucose] = np.nan
fit = fit_gmm(X, 3, missing="em", rng=0)
truth, imputed = patients.data[missing, glucose], fit.impute(X)[missing, glucose]
ax = plot.new_axes(panel_size=(5, 5))[0, 0]
ax.scatter(truth, imputed, alpha=0.7)
ax.scatter(truth, np.full(len(truth), np.nanmean(X[:, glucose])), marker="x", alpha=0.7)
ax.axline((0, 0), slope=1, color="black", linewidth=1)
ax.set(xlabel="glucose area that was deleted", ylabel="glucose area that is filled in")
ax.legend(["by the mixture", "by the mean of the column"])

"""
The log-likelihood, iteration by iteration
==========================================

EM never lowers the log-likelihood. It may stay on a plateau for a long time before it rises again.
Different starts may end in different maxima. Each start here gives each row random
responsibilities.
"""

import numpy as np

from mixtura import datasets, fit_gmm, plot

X = datasets.load_iris().data
rng = np.random.default_rng(0)
ax = plot.new_axes()[0, 0]
for line_style in ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2))):
    resp = rng.dirichlet(np.ones(3), size=len(X))
    fit = fit_gmm(X, 3, init=resp, max_iter=70, tol=0, reg_covar=0)
    label = f"{fit.log_likelihood:.1f}"
    ax.plot(range(1, 71), len(X) * fit.history, linestyle=line_style, label=label)
ax.set(xlabel="iteration", ylabel="log-likelihood (nats)")
ax.legend(title="at the end")

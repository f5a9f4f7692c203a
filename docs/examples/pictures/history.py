"""
History of a fit
================

The objective of EM after each iteration: the log-likelihood per row, and the penalty of
``reg_covar``. The dashed line is the limit, as Aitken's extrapolation predicts it.
"""

import mixtura
from mixtura import plot

acidity = mixtura.datasets.load_acidity()
fit = mixtura.fit_gmm(acidity.data, 2, init=[[5.0], [6.0]], max_iter=40, tol=0)
plot.HistoryDisplay.from_fit(fit)

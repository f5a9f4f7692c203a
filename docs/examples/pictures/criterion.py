"""
A criterion for many models
===========================

BIC of four families with one to five components. The scale is a square root, so that the
differences between the best models are visible. The legend lists the best model of each family.
"""

import mixtura
from mixtura import plot

patients = mixtura.datasets.load_diabetes_reaven_miller().data
families = ["spherical", "diag", "tied", "full"]
selection = mixtura.select_gmm(patients, range(1, 6), families, rng=0)
plot.CriterionDisplay.from_selection(selection)

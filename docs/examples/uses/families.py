"""
Which model? BIC of fourteen families
=====================================

`mixtura.select_gmm` fits each of the fourteen families with one to six components. The model with
the lowest BIC is marked. The best five families have colours.
"""

from mixtura import datasets, plot, select_gmm

selection = select_gmm(datasets.load_diabetes_reaven_miller().data, range(1, 7), rng=0)
plot.CriterionDisplay.from_selection(selection)

"""
Regions
=======

The plane has the colour of the component that is most probable there, and lines are the boundaries.
The rows are banknotes, genuine ones and two kinds of forged ones.
"""

import mixtura
from mixtura import plot

notes = mixtura.datasets.load_banknote()
fit = mixtura.fit_gmm(notes.data[:, [3, 5]], 3, rng=0)
plot.ScatterDisplay.from_fit(
    fit,
    notes.data[:, [3, 5]],
    feature_names=["bottom margin (mm)", "diagonal (mm)"],
    regions=True,
    coverage=(0.9,),
)

"""
Profiles of clusters
====================

Each mean of a component is in the units of its column. Below it, and as a colour, is its distance
from the mean of all rows, in standard deviations. ``fit.profile`` returns more numbers as a table.
"""

import numpy as np

from mixtura import datasets, fit_gmm, plot

thyroid = datasets.load_thyroid()
fit = fit_gmm(thyroid.data, 3, rng=0)
distances = (fit.means - thyroid.data.mean(axis=0)) / thyroid.data.std(axis=0)
ax = plot.new_axes(panel_size=(7.6, 3.4))[0, 0]
image = ax.imshow(distances, cmap="PuOr_r", vmin=-2.5, vmax=2.5, aspect="auto")
for (j, a), mean in np.ndenumerate(fit.means):
    text = f"{mean:.3g}\n({distances[j, a]:+.1f})"
    ax.text(a, j, text, ha="center", va="center", backgroundcolor="white")
ax.set_xticks(range(5), [name.replace(" ", "\n", 1) for name in thyroid.feature_names])
ax.set_yticks(range(3), [f"{j} ({weight:.0%} of rows)" for j, weight in enumerate(fit.weights)])
ax.tick_params(length=0)
ax.grid(visible=False)
ax.figure.colorbar(image, label="standard deviations")

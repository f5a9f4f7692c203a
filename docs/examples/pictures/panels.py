"""
Several pictures in one figure
==============================

`mixtura.plot.new_axes` makes a figure of panels, and ``ax=`` draws on one of them.
`mixtura.plot.common_limits` gives all of them the same limits.
"""

import mixtura
from mixtura import plot

faithful = mixtura.datasets.load_faithful()
axes = plot.new_axes(1, 2, panel_size=(4.6, 3.6))
displays = []
for ax, k in zip(axes.flat, (2, 4)):
    fit = mixtura.fit_gmm(faithful.data, k, rng=0)
    display = plot.ScatterDisplay.from_fit(
        fit, faithful.data, feature_names=faithful.feature_names, coverage=(0.9,), ax=ax
    )
    ax.set_title(f"BIC {fit.bic(faithful.data):.1f}")
    displays.append(display)
plot.common_limits(*displays)

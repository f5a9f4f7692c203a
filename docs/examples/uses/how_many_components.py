"""
One to six components
=====================

Minutes of an eruption, and minutes until the next one, with one to six components. More components
fit better, but BIC is lowest for two.
"""

from mixtura import datasets, fit_gmm, plot

X = datasets.load_faithful().data
displays = []
for k, ax in enumerate(plot.new_axes(2, 3, panel_size=(3, 2.7)).flat, start=1):
    fit = fit_gmm(X, k, rng=0)
    display = plot.ScatterDisplay.from_fit(fit, X, coverage=(0.9,), legend=False, ax=ax)
    for points in display.points_:
        points.set(sizes=[10], linewidths=0)
    ax.set(title=f"{k}: BIC {fit.bic(X):.0f}", xlabel="", ylabel="")
    displays.append(display)
plot.common_limits(*displays)

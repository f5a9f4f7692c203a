"""
Straight boundaries and curved ones
===================================

Where all components have the same covariance, the boundaries between them are straight, and each
region is convex. Where each has its own covariance, the boundaries are curved.
"""

from mixtura import datasets, fit_gmm, plot

iris = datasets.load_iris()
X, names = iris.data[:, :2], iris.feature_names[:2]
axes = plot.new_axes(1, 2, panel_size=(4.6, 3.8))
displays = []
for ax, covariance_type in zip(axes.flat, ("tied", "full")):
    fit = fit_gmm(X, 3, covariance_type=covariance_type, labels=iris.labels, rng=0)
    display = plot.ScatterDisplay.from_fit(
        fit, X, feature_names=names, regions=True, coverage=(0.5,), legend=False, ax=ax
    )
    ax.set_title(f'covariance_type="{covariance_type}"')
    displays.append(display)
plot.common_limits(*displays)

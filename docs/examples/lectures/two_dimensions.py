"""
A mixture in two dimensions
===========================

Left: ellipses hold 25, 50, 75 and 95% of each component. Right: regions hold as much of the whole
mixture. Its density is the sum of the weighted densities of the components.
"""

from mixtura import datasets, fit_gmm, plot

faithful = datasets.load_faithful()
fit = fit_gmm(faithful.data, 3, covariance_type="tied", rng=0)
options = {"feature_names": faithful.feature_names}
left, right = plot.new_axes(1, 2, panel_size=(4.6, 3.8)).flat
shares = (0.25, 0.5, 0.75, 0.95)
components = plot.ScatterDisplay.from_fit(fit, coverage=shares, legend=False, ax=left, **options)
mixture = plot.DensityDisplay.from_fit(fit, shares=shares, legend=False, ax=right, **options)
plot.common_limits(components, mixture)

# %%
# The same density as a surface.

plot.SurfaceDisplay.from_fit(fit, **options)
# sphinx_gallery_thumbnail_number = 2

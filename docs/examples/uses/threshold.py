"""
A threshold between two groups
==============================

Which waits are long? At the threshold, a wait is as probably long as short. Components with a
common variance have one threshold only.
"""

from mixtura import datasets, fit_gmm, plot

faithful = datasets.load_faithful()
waits, name = faithful.data[:, 1:], faithful.feature_names[1]
fit = fit_gmm(waits, 2, covariance_type="tied", rng=0)
(threshold,), _ = fit.boundaries()
display = plot.HistogramDisplay.from_fit(fit, waits, feature_names=[name], names=["long", "short"])
display.ax_.axvline(threshold, color="#C2410C", linestyle=":")
display.ax_.set_title(f"threshold: {threshold:.1f} minutes")

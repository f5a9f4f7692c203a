"""
A model for each group
======================

One mixture is fitted to genuine banknotes, another one to forged notes, which are of two kinds. If
both groups are equally frequent, a new note more probably belongs to the one with the higher
``log_prob``.
"""

from mixtura import datasets, fit_gmm, plot

notes = datasets.load_banknote()
axes = plot.new_axes(1, 2, panel_size=(4.6, 3.8))
displays = []
for group, (name, k) in enumerate(zip(notes.label_names, (1, 2))):
    rows = notes.data[notes.labels == group][:, [3, 5]]
    fit = fit_gmm(rows, k, rng=0)
    display = plot.ScatterDisplay.from_fit(
        fit, rows, feature_names=["bottom margin (mm)", "diagonal (mm)"], ax=axes.flat[group]
    )
    display.ax_.set_title(name)
    displays.append(display)
plot.common_limits(*displays)

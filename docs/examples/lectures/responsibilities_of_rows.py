"""
Rows and responsibilities
=========================

Left: the species of each iris. Middle: what EM is given. Right: what EM finds. Where two species
overlap, a row belongs to both in part, and its colour is mixed.
"""

from mixtura import datasets, fit_gmm, plot

iris = datasets.load_iris()
X, names = iris.data[:, [0, 2]], ["sepal length (cm)", "petal length (cm)"]
fit = fit_gmm(X, 3, init=iris.labels)
left, middle, right = plot.new_axes(1, 3, panel_size=(4, 3.6)).flat
for j, (marker, colour) in enumerate(zip("os^", ("#0B559F", "#E39B0B", "#00846B"))):
    left.scatter(*X[iris.labels == j].T, marker=marker, c=colour, edgecolors="white")
middle.scatter(*X.T, c="#707070", edgecolors="white")
plot.ScatterDisplay.from_fit(
    fit, X, feature_names=names, show="responsibilities", coverage=(), legend=False, ax=right
)
for ax, title in ((left, "species"), (middle, "rows alone"), (right, "responsibilities")):
    ax.set(title=title, xlabel=names[0], ylabel=names[1])

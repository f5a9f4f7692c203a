"""
EM, frame by frame
==================

EM starts with two circles in the wrong places. They become ellipses, one for each kind of eruption.
The colour of a row is mixed from both components by its responsibilities.
"""

from matplotlib.animation import FuncAnimation

from mixtura import GaussianMixture, datasets, fit_gmm, plot

X = datasets.load_faithful().data
X = (X - X.mean(axis=0)) / X.std(axis=0)
models = [GaussianMixture([0.5, 0.5], [[-1.5, 1.0], [1.5, -1.0]], [0.5, 0.5], "spherical")]
for _ in range(14):  # one iteration more, from where the last one ended
    models.append(fit_gmm(X, 2, init=models[-1], max_iter=1, tol=0, reg_covar=0).model)


def draw(n, ax):
    ax.clear()
    display = plot.ScatterDisplay.from_model(
        models[n], X, show="responsibilities", coverage=(0.75,), legend=False, ax=ax
    )
    for points in display.points_:
        points.set(sizes=[12], linewidths=0)
    ax.set(xlim=(-2.8, 2.8), ylim=(-2.8, 2.8), xlabel="", ylabel="", aspect="equal")
    ax.set_title(f"after {n} iterations")


for n, ax in zip((0, 1, 3, 6, 8, 14), plot.new_axes(2, 3, panel_size=(3, 3)).flat):
    draw(n, ax)
ax = plot.new_axes(panel_size=(4, 4))[0, 0]
animation = FuncAnimation(ax.figure, draw, len(models), fargs=[ax], interval=500)

"""
k-means, frame by frame
=======================

k-means repeats two steps. Each row goes to the nearest center. Then each center goes to the mean
of its rows. On the line both centers are equally near. The centers start in the wrong places.
"""

import numpy as np
from matplotlib.animation import FuncAnimation

from mixtura import datasets, plot

X = datasets.load_faithful().data
X = (X - X.mean(axis=0)) / X.std(axis=0)
centers = np.array([[-1.5, 1.0], [1.5, -1.0]])
frames = [("start", centers, np.full(len(X), 2))]
for n in range(1, 5):
    labels = np.square(X[:, None] - centers).sum(axis=2).argmin(axis=1)
    frames.append((f"{n}: rows to centers", centers, labels))
    centers = np.array([X[labels == j].mean(axis=0) for j in range(2)])
    frames.append((f"{n}: centers to means", centers, labels))


def draw(frame, ax):
    title, centers, labels = frame
    ax.clear()
    ax.scatter(*X.T, s=10, c=np.array(["#0B559F", "#E39B0B", "#A0A0A0"])[labels])
    ax.scatter(*centers.T, s=160, c=["#0B559F", "#E39B0B"], marker="X", edgecolors="black")
    right, up = centers[1] - centers[0]
    ax.axline(centers.mean(axis=0), slope=-right / up, color="black", linewidth=1)
    ax.set(xlim=(-2.3, 2.3), ylim=(-2.3, 2.3), aspect="equal", title=title)


for frame, ax in zip(frames, plot.new_axes(2, 3, panel_size=(3, 3)).flat):
    draw(frame, ax)
ax = plot.new_axes(panel_size=(4, 4))[0, 0]
animation = FuncAnimation(ax.figure, draw, frames, fargs=[ax], interval=1000)

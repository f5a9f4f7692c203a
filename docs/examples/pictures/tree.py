"""
A tree of clusters
==================

The last mergers of a hierarchical clustering. Three clusters have colours.
"""

import mixtura
from mixtura import plot

iris = mixtura.datasets.load_iris()
tree = mixtura.hierarchical(iris.data)
plot.DendrogramDisplay.from_tree(tree, n_clusters=3, max_leaves=30)

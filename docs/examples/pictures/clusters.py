"""
Clusters of k-means
===================

Each row has the colour of its cluster, and each center has its number. A cluster has no density, so
there are no ellipses. Components and clusters can have names.
"""

import mixtura
from mixtura import plot

iris = mixtura.datasets.load_iris()
clusters = mixtura.fit_kmeans(iris.data, 3, init=iris.data[[0, 60, 120]])
plot.ScatterDisplay.from_fit(
    clusters,
    iris.data,
    features=("petal length (cm)", "petal width (cm)"),
    feature_names=iris.feature_names,
    names=["setosa", "versicolor", "virginica"],
)

"""Mistakes that type checkers find; nothing here is run.

Each line is wrong, and says which error mypy and which one pyright has for it. A line that would
pass unseen is an error, too: that of a comment without need. See `test_types`.
"""

# pyright: reportUnknownMemberType=false

from typing import assert_type

import numpy as np
from numpy.typing import NDArray

import mixtura
from mixtura import GMMFit, fit_gmm, fit_kmeans, select_gmm

X = np.zeros((9, 2))

# Names and values of options
fit_gmm(X)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
fit_gmm(X, "2")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
fit_gmm(X, 2, em="sof")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
fit_gmm(X, 2, random_state=0)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
fit_gmm(X, 2, missing=True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
fit_gmm(X, 2, on_collapse="stop")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
fit_gmm(object(), 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
fit_gmm("rows.csv", 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
fit_kmeans(X, 2, init="k-mean++")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
select_gmm(X, criterion="BIC")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
mixtura.StepwiseGMM(2, bayesian={"alpha": 1})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# Names of the package, of fits and of selections
mixtura.fit_gm(X, 2)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
fit = fit_gmm(X, 2)
fit.predictions(X)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
fit.n_components = 3  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
fit.model.means = X  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
select_gmm(X).predict(X)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]

# What methods take, and what they return
fit.predict(X, ou="a.npy")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
fit.predict(X, out="a.npy", blocks=True)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
fit.kl_divergence(fit)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
fit.log_likelihood(X)  # type: ignore[operator]  # pyright: ignore[reportCallIssue]
labels: NDArray[np.float64] = fit.predict(X)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
best: GMMFit = select_gmm(X, criterion="elbo").best  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
assert_type(fit.responsibilities(X, blocks=True), NDArray[np.float64])  # type: ignore[assert-type]  # pyright: ignore[reportAssertTypeFailure]

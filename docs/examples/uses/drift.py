"""
Rows that drift
===============

A minute is added to the waiting times with each batch of rows. `mixtura.StepwiseGMM` looks at each
batch once. With ``half_life``, it forgets old rows and follows the new ones. Without, it stays
behind.
"""

import numpy as np

from mixtura import StepwiseGMM, datasets, plot

faithful = datasets.load_faithful()
rng = np.random.default_rng(0)
follows, stays = StepwiseGMM(2, half_life=500, rng=0), StepwiseGMM(2, rng=0)
ax = plot.new_axes()[0, 0]
means = np.empty((60, 2, 2))  # batch, stream, component
for batch in range(60):
    rows = faithful.data[rng.choice(len(faithful.data), 200)] + [0, batch]
    follows, stays = follows.update(rows), stays.update(rows)
    means[batch] = np.sort([follows.means[:, 1], stays.means[:, 1]])
    ax.scatter(np.full(20, batch), rows[:20, 1], s=4, color="#B0B0B0")
ax.plot(means[:, 0], color="#0B559F", label=["half_life=500", None])
ax.plot(means[:, 1], color="#C2410C", linestyle="--", label=["no half_life", None])
ax.set(xlabel="batch of 200 rows", ylabel=faithful.feature_names[1])
ax.legend(title="means of both components")

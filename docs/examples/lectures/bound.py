"""
The bound that EM raises
========================

Only the mean of the short waits is free. Each E-step makes a bound that touches the log-likelihood
(dot). Each M-step goes to the maximum of the bound (triangle).
"""

import numpy as np

from mixtura import GaussianMixture, datasets, plot

waits = datasets.load_faithful().data[:, 1:]


def with_mean(mean):
    return GaussianMixture([0.4, 0.6], [[mean], [80.0]], [144.0, 144.0], "spherical")


ax = plot.new_axes()[0, 0]
grid = np.linspace(45, 80, 200)
curve = [with_mean(m).log_likelihood(waits) for m in grid]
ax.plot(grid, curve, color="black", label="log-likelihood")
mean = 74.0
for n, line_style in enumerate(("--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))), start=1):
    resp = with_mean(mean).responsibilities(waits)
    bound = [with_mean(m).elbo(waits, resp) for m in grid]
    (line,) = ax.plot(grid, bound, linestyle=line_style, label=f"bound {n}")
    highest = resp[:, 0] @ waits[:, 0] / resp[:, 0].sum()
    for place, marker in ((mean, "o"), (highest, "^")):
        ax.plot(place, with_mean(place).elbo(waits, resp), marker, color=line.get_color())
    mean = highest
ax.set(ylim=(-1200, -1090), xlabel="mean of the short waits (min)", ylabel="nats")
ax.legend()

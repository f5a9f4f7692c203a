"""A posterior as a table, in plain text and for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from mixtura.mixture.checks import check_feature_names
from mixtura.mixture.table import Line, as_html, as_text, counted, section, table_lines

if TYPE_CHECKING:
    from mixtura.posterior.posterior import GMMPosterior

__all__ = ["headline", "html", "posterior_lines", "summary"]


def summary(self: GMMPosterior, feature_names: Sequence[str] | None = None) -> str:
    """The posterior in a line, and a table: the mixture `model`, and 95% intervals.

    Parameters
    ----------
    feature_names : sequence of str, optional
        A name for each feature; None takes the posterior's, or numbers them from 0.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        For another number of names.
    TypeError
        For a single string.

    Examples
    --------
    >>> import mixtura
    >>> X = mixtura.datasets.load_faithful().data
    >>> posterior = mixtura.fit_bayesian_gmm(X, 2, rng=0).posterior
    >>> print(posterior.summary(["duration", "waiting"]))
    Posterior of a Gaussian mixture: 2 components (2 with rows), ...
    <BLANKLINE>
                          component 0   component 1
    weight of rows              175.2        96.802
    weight                    0.64358       0.35642
    ...
    """
    return "\n".join([headline(self), "", as_text(posterior_lines(self, feature_names))])


def html(self: GMMPosterior) -> str:
    """Return what a notebook shows: the headline, and the table of `summary`."""
    return f"<p>{escape(headline(self))}</p>{as_html(posterior_lines(self))}"


def headline(posterior: GMMPosterior) -> str:
    """Return numbers of components and features and the kinds of laws, in words."""
    components = counted(posterior.n_components, "component")
    return (
        f"Posterior of a Gaussian mixture: {components} ({posterior.n_effective} with rows), "
        f"{posterior.covariance_type} covariances, {counted(posterior.n_features, 'feature')}, "
        f"{posterior.weight_prior} weights"
    )


def posterior_lines(
    posterior: GMMPosterior, feature_names: Sequence[str] | None = None
) -> list[Line]:
    """Return the lines of a posterior's table.

    Parameters
    ----------
    posterior : GMMPosterior
    feature_names : sequence of str, optional
        A name for each feature; None takes the posterior's, or numbers them from 0.

    Returns
    -------
    list of (str, ndarray of shape (n_components,) or None)
    """
    own = posterior.feature_names if feature_names is None else feature_names
    names = check_feature_names(own, posterior.n_features)
    intervals = posterior.credible_intervals(0.95)
    lines: list[Line] = [("weight of rows", posterior.resp_sum)]
    lines += table_lines(posterior.model, names)
    for end, what in enumerate(("from", "to")):
        lines.append((f"95% {what}: weight", intervals.weights[:, end]))
        lines += section(f"95% {what}: mean", names, intervals.means[:, :, end])
    return lines

"""GaussianMixture, and what can be asked of it: one question a file.

Each file has plain functions whose first parameter is the mixture. The class in `gaussian` takes
them over as methods, by name, so that its body is the list of all questions.
"""

from mixtura.mixture.gaussian import GaussianMixture

__all__ = ["GaussianMixture"]

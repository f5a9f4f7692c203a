"""scikit-learn's estimators on mixtura's passes: its names, defaults and meaning, faster.

Change one import: the same data and `random_state` give the fit that scikit-learn gives, to
rounding, and rows may have a `sample_weight`. :doc:`/manual/sklearn` says what is different.
`MixtureImputer`, which scikit-learn does not have, fills in missing values.

scikit-learn is imported with this module; ``pip install 'mixtura[sklearn]'`` brings it.
"""

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError as error:
    raise ImportError(
        "mixtura.sklearn needs scikit-learn, which is not installed. "
        "Install it with: pip install 'mixtura[sklearn]'."
    ) from error

from mixtura.sklearn.bayesian import BayesianGaussianMixture
from mixtura.sklearn.imputer import MixtureImputer
from mixtura.sklearn.kmeans import KMeans
from mixtura.sklearn.mixture import GaussianMixture

__all__ = ["BayesianGaussianMixture", "GaussianMixture", "KMeans", "MixtureImputer"]

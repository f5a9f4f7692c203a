"""The posterior of a mixture, and what can be asked of it: one question a file.

``posterior.py`` has the class, whose methods are the functions of the other files; ``student.py``
the distribution of new rows.
"""

from mixtura.posterior.intervals import CredibleIntervals
from mixtura.posterior.posterior import GMMPosterior
from mixtura.posterior.student import StudentMixture

__all__ = ["CredibleIntervals", "GMMPosterior", "StudentMixture"]

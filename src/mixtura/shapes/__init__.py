"""The four shapes in which covariances, precision factors and scatters are kept.

A shape is an object that knows its own arrays. Everything else asks it, so no other module needs to
know which of the four it works with.

====================  ==========================  ============================================
shape                 array                       what it keeps
====================  ==========================  ============================================
``FULL``              (k, d, d)                   a matrix for each component
``TIED``              (d, d)                      one matrix for all components
``DIAG``              (k, d)                      a diagonal for each component
``SPHERICAL``         (k,)                        one number for each component
====================  ==========================  ============================================

A precision factor U is upper triangular with ``inv(covariance) = U @ U.T``. For diagonals it is the
reciprocal standard deviations.
"""

from mixtura.shapes.matrices import FULL, TIED
from mixtura.shapes.shape import EPS, MOST_INFLATION, TINY, Floats, Shape, ShapeName
from mixtura.shapes.variances import DIAG, SPHERICAL

__all__ = [
    "DIAG",
    "EPS",
    "FULL",
    "MOST_INFLATION",
    "SHAPES",
    "SHAPE_NAMES",
    "SPHERICAL",
    "TIED",
    "TINY",
    "Floats",
    "Shape",
    "ShapeName",
]

SHAPES: dict[str, Shape] = {shape.name: shape for shape in (FULL, TIED, DIAG, SPHERICAL)}
SHAPE_NAMES: tuple[ShapeName, ...] = (FULL.name, TIED.name, DIAG.name, SPHERICAL.name)

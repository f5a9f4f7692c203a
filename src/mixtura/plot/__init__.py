"""Pictures of mixtures and of k-means, as display objects like those of scikit-learn.

A display holds the numbers of its picture. `from_model`, `from_fit`, `from_selection` or
`from_tree` compute them and draw. `plot` draws them again, on new axes or on given ones. Afterwards
`ax_`, `figure_` and the artists are matplotlib's objects and can be changed.

A component has the same number, colour, marker and line style in every picture, so that pictures
can be compared. They can be read in grey, too.

matplotlib is imported when something is drawn. Install it with ``pip install 'mixtura[plot]'``.
"""

from mixtura.plot.criterion import CriterionDisplay
from mixtura.plot.dendrogram import DendrogramDisplay
from mixtura.plot.density import DensityDisplay
from mixtura.plot.display import common_limits
from mixtura.plot.histogram import HistogramDisplay
from mixtura.plot.history import HistoryDisplay
from mixtura.plot.pairs import MAX_FEATURES, PairDisplay
from mixtura.plot.scatter import ScatterDisplay
from mixtura.plot.style import new_axes
from mixtura.plot.surface import SurfaceDisplay

__all__ = [
    "MAX_FEATURES",
    "CriterionDisplay",
    "DendrogramDisplay",
    "DensityDisplay",
    "HistogramDisplay",
    "HistoryDisplay",
    "PairDisplay",
    "ScatterDisplay",
    "SurfaceDisplay",
    "common_limits",
    "new_axes",
]

"""Pictures of mixtures, as display objects in scikit-learn's manner.

A display holds the numbers of its picture: `from_model`, `from_fit`, `from_selection` or
`from_tree` compute them and draw, and `plot` draws them again, on new axes or on yours. Afterwards
`ax_` and `figure_` are matplotlib's objects, and so are the artists, for whatever should look
different.

Components keep their number, colour, marker and line style in every picture, so that pictures
can be read together, and in grey.

matplotlib is imported when something is drawn; ``pip install 'mixtura[plot]'`` brings it.
"""

from mixtura.plot.criterion import CriterionDisplay
from mixtura.plot.dendrogram import DendrogramDisplay
from mixtura.plot.density import DensityDisplay
from mixtura.plot.histogram import HistogramDisplay
from mixtura.plot.history import HistoryDisplay
from mixtura.plot.pairs import MAX_FEATURES, PairDisplay
from mixtura.plot.scatter import ScatterDisplay
from mixtura.plot.style import new_axes

__all__ = [
    "MAX_FEATURES",
    "CriterionDisplay",
    "DendrogramDisplay",
    "DensityDisplay",
    "HistogramDisplay",
    "HistoryDisplay",
    "PairDisplay",
    "ScatterDisplay",
    "new_axes",
]

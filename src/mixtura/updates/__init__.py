"""Updates: how statistics turn into parameters. They never see rows.

`Update` (protocol.py) is all that the loop, the starts and the stages of a fit know of an update.
An update is named where a fit is put together: `mixtura.fitting` for `Ridge` and `Variational`,
`mixtura.sklearn` for `AbsoluteRidge` and `PublishedBayes`. `Fixed` and `Labelled` contain another
one.
"""

from mixtura.updates.absolute import AbsoluteRidge
from mixtura.updates.collapse import Cause, Collapse, Event, OnCollapse, components_left
from mixtura.updates.fixed import CollapseBesideFixed, Fixed
from mixtura.updates.identical import identical
from mixtura.updates.labelled import Labelled
from mixtura.updates.protocol import Update
from mixtura.updates.pseudo import PseudoRows
from mixtura.updates.published_bayes import PublishedBayes, PublishedPrior
from mixtura.updates.ridge import Ridge
from mixtura.updates.spurious import Guard
from mixtura.updates.variational import Variational

__all__ = [
    "AbsoluteRidge",
    "Cause",
    "Collapse",
    "CollapseBesideFixed",
    "Event",
    "Fixed",
    "Guard",
    "Labelled",
    "OnCollapse",
    "PseudoRows",
    "PublishedBayes",
    "PublishedPrior",
    "Ridge",
    "Update",
    "Variational",
    "components_left",
    "identical",
]

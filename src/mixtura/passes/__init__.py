"""Passes: the only code that touches rows. They turn parameters into statistics.

An E-step is a name that both engines know: "soft" (expectation-maximisation), "hard"
(classification EM) or "nearest" (k-means). A pass makes it over the blocks of any row source.
"""

from mixtura.passes.backend import Backend
from mixtura.passes.moments import moments, suits_single
from mixtura.passes.rows import Pass, RowsPass
from mixtura.passes.unlikely import ByWeight

__all__ = ["Backend", "ByWeight", "Pass", "RowsPass", "moments", "suits_single"]

"""The search for the highest maximum: starts of several kinds, and moves on the best of them."""

from mixtura.search.climb import climb
from mixtura.search.report import Maximum, SearchReport
from mixtura.search.search import MaximumSearch, SearchInterrupted

__all__ = ["Maximum", "MaximumSearch", "SearchInterrupted", "SearchReport", "climb"]

"""The search for the highest maximum: starts of several kinds, and moves on the best of them."""

from mixtura.search.climb import climb
from mixtura.search.report import Maximum, SearchReport
from mixtura.search.search import MaximumSearch, SearchInterrupted
from mixtura.search.sizes import with_one_fewer, with_one_more

__all__ = [
    "Maximum",
    "MaximumSearch",
    "SearchInterrupted",
    "SearchReport",
    "climb",
    "with_one_fewer",
    "with_one_more",
]

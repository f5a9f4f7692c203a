"""Starts: the parameters from which EM iterates, given by the user or found by brief runs."""

from mixtura.starts.automatic import INIT_METHODS, AutomaticStart, Start, StartInterrupted
from mixtura.starts.given import check_init, given_start
from mixtura.starts.hierarchical import HierarchicalTree, hierarchical

__all__ = [
    "INIT_METHODS",
    "AutomaticStart",
    "HierarchicalTree",
    "Start",
    "StartInterrupted",
    "check_init",
    "given_start",
    "hierarchical",
]

"""Starts: the parameters from which EM iterates, given by the user or found by brief runs."""

from mixtura.starts.automatic import INIT_METHODS, AutomaticStart, Start, StartInterrupted
from mixtura.starts.given import Means, check_init, given_start, tree_labels
from mixtura.starts.hierarchical import HierarchicalTree, hierarchical
from mixtura.starts.labels import FromLabels, begin_from_labels

__all__ = [
    "INIT_METHODS",
    "AutomaticStart",
    "FromLabels",
    "HierarchicalTree",
    "Means",
    "Start",
    "StartInterrupted",
    "begin_from_labels",
    "check_init",
    "given_start",
    "hierarchical",
    "tree_labels",
]

"""Starts: the parameters from which EM iterates, given by the user or found among the rows."""

from mixtura.starts.beginnings import INIT_METHODS, Beginnings, Start
from mixtura.starts.given import Means, check_init, given_start, tree_labels
from mixtura.starts.hierarchical import HierarchicalTree, hierarchical
from mixtura.starts.labels import FromLabels, begin_from_labels

__all__ = [
    "INIT_METHODS",
    "Beginnings",
    "FromLabels",
    "HierarchicalTree",
    "Means",
    "Start",
    "begin_from_labels",
    "check_init",
    "given_start",
    "hierarchical",
    "tree_labels",
]

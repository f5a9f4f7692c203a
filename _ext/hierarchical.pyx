# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The door to hierarchical.h: gives it memory, and checks for signals between its steps.

Arguments are checked by the caller in Python (mixtura.kernels); here they are used as they are.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t
from libc.string cimport memset

import numpy as np

cdef extern from "hierarchical.h" nogil:
    enum: VVV
    enum: VII
    enum: EII
    enum: EEE
    ctypedef struct Tree:
        Py_ssize_t n, d
        int model
        double blur
        int64_t *merges
        double *losses
    Py_ssize_t lay_out(Tree *t, double *block)
    void plant(Tree *t, const double *X, const double *weight)
    int advance(Tree *t, double budget)

cdef dict MODELS = {"VVV": VVV, "VII": VII, "EII": EII, "EEE": EEE}

cdef double BETWEEN_SIGNALS = 1e8  # multiply-adds, some hundredths of a second


def agglomerate(
    const double[:, ::1] X,     # IN, (n, d), n > 0
    const double[::1] weight,   # IN, (n,), positive
    str model,                  # IN
    double blur,                # IN, positive
    int64_t[:, ::1] merges,     # OUT, (n - 1, 2)
    double[::1] losses,         # OUT, (n - 1,)
):
    """Merge rows and clusters of rows until one is left; Ctrl-C ends it with KeyboardInterrupt."""
    cdef Tree tree
    cdef double[::1] block
    cdef int more
    memset(&tree, 0, sizeof(Tree))
    tree.n, tree.d = X.shape[0], X.shape[1]
    tree.model, tree.blur = MODELS[model], blur
    block = np.zeros(lay_out(&tree, NULL))
    lay_out(&tree, &block[0])
    more = tree.n > 1
    if more:
        tree.merges, tree.losses = &merges[0, 0], &losses[0]
        with nogil:
            plant(&tree, &X[0, 0], &weight[0])
    while more:
        with nogil:
            more = advance(&tree, BETWEEN_SIGNALS)
        PyErr_CheckSignals()

# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The doors to the passes of gaussian.h: hold rows, lay out parameters, deal slots to threads.

`Rows` keeps a buffer of rows, and the scratch between passes over them. Arguments are checked by
the callers in Python (mixtura.kernels); here they are taken as they come.
"""

from cpython.buffer cimport (
    PyBUF_FORMAT, PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer,
)
from cython.parallel cimport prange, threadid
from libc.math cimport fabs, log
from libc.stdint cimport int64_t
from libc.stdlib cimport free
from libc.string cimport memset

import math

import numpy as np

cdef extern from "gaussian.h" nogil:
    enum: FULL
    enum: TIED
    enum: DIAG
    enum: LANES
    const double FAR
    ctypedef struct Pass:
        const char *X
        Py_ssize_t row_stride, column_stride
        int is_float32
        const double *sample_weight
        Py_ssize_t n, d, k, dp
        Py_ssize_t tile, n_slots, tiles_per_slot, slot_size, scratch_size
        int shape, hard
        const double *means
        const double *panels
        const double *scales
        const double *whitened_means
        const double *constants
        const double *shares
        const char *given_resp
        Py_ssize_t resp_row_stride, resp_column_stride
        const int64_t *given_labels
        const int64_t *order
        float *reach
        const double *shrink
        const double *shift
        double *log_density
        double *resp
        double *log_prob
        int64_t *labels
        double *slots
    Py_ssize_t panel_size(Py_ssize_t d)
    void pack_panel(const double *U, Py_ssize_t d, double *panel)
    void cut(Pass *p)
    void run_slot(const Pass *p, Py_ssize_t index, double *scratch)
    void reduce_slots(const Pass *p, double *totals, double *resp_sum, double *resp_x,
                      double *resp_xx)

cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **pointer, size_t alignment, size_t size)

lanes = LANES

cdef dict SHAPES = {"full": FULL, "tied": TIED, "diag": DIAG, "spherical": DIAG}


cdef class Memory:
    """A block of doubles on a cache line's boundary, grown on demand and never shrunk."""

    cdef double *data
    cdef Py_ssize_t size

    def __dealloc__(self):
        free(self.data)

    cdef double *ask(self, Py_ssize_t size) except NULL:
        cdef void *block = NULL
        if size > self.size:
            free(self.data)
            self.data = NULL
            self.size = 0
            if posix_memalign(&block, 64, size * sizeof(double)):
                raise MemoryError(
                    f"a pass needs {size * 8 / 2**20:.1f} MiB of working memory, which could not "
                    "be had. Use fewer threads, components or features."
                )
            self.data = <double *>block
            self.size = size
        return self.data


cdef class Rows:
    """Rows of data, perhaps weighted, and what passes over them keep.

    Parameters
    ----------
    X : buffer of shape (n_samples, n_features), float32 or float64, any strides, aligned
    sample_weight : ndarray of shape (n_samples,), float64, contiguous, or None
    """

    cdef Py_buffer buffer
    cdef const double[::1] weight
    cdef Pass rows
    cdef Memory parameters, scratch, slots
    cdef readonly double computed  # share of (tile, component) pairs in the last pass

    def __cinit__(self, X, const double[::1] sample_weight=None):
        PyObject_GetBuffer(X, &self.buffer, PyBUF_STRIDES | PyBUF_FORMAT)
        memset(&self.rows, 0, sizeof(Pass))
        self.rows.X = <const char *>self.buffer.buf
        self.rows.n = self.buffer.shape[0]
        self.rows.d = self.buffer.shape[1]
        self.rows.row_stride = self.buffer.strides[0]
        self.rows.column_stride = self.buffer.strides[1]
        self.rows.is_float32 = self.buffer.itemsize == 4
        self.weight = sample_weight
        if sample_weight is not None and self.rows.n > 0:
            self.rows.sample_weight = &sample_weight[0]
        self.parameters = Memory()
        self.scratch = Memory()
        self.slots = Memory()

    def __dealloc__(self):
        PyBuffer_Release(&self.buffer)

    cdef void lay_out_means(self, Pass *p, const double[:, ::1] means) except *:
        """Copy the means, each filled up to dp with zeros, to the front of the parameters."""
        cdef Py_ssize_t j, a, d = p.d, k = means.shape[0]
        cdef double *at
        p.k = k
        cut(p)
        at = self.parameters.ask(k * (p.dp + d + 2) + k * max(panel_size(d), d) + d)
        memset(at, 0, k * p.dp * sizeof(double))
        for j in range(k):
            for a in range(d):
                at[j * p.dp + a] = means[j, a]
        p.means = at

    cdef void lay_out_mixture(self, Pass *p, const double[::1] weights, const double[:, ::1] means,
                              const double[::1] factors, str covariance_type) except *:
        """Constants, factors and whitened means, behind the means."""
        cdef Py_ssize_t j, a, b, d = p.d, k = means.shape[0], panel = panel_size(d)
        cdef double log_det = 0.0, total = 0.0, half_log = 0.5 * d * math.log(2.0 * math.pi), s
        cdef bint far = False
        cdef bint spherical = covariance_type == "spherical"
        cdef double *constants
        cdef double *shares
        cdef double *scales
        cdef double *whitened
        cdef double *panels
        p.shape = SHAPES[covariance_type]
        self.lay_out_means(p, means)
        constants = <double *>p.means + k * p.dp
        shares = constants + k
        whitened = shares + k
        panels = whitened + k * d
        scales = panels + panel if p.shape == TIED else panels
        p.constants, p.shares, p.whitened_means = constants, shares, whitened
        p.panels, p.scales = panels, scales
        for j in range(k):
            total += weights[j]
        for j in range(k):
            if p.shape == DIAG:
                log_det = 0.0
                for a in range(d):
                    scales[j * d + a] = factors[j if spherical else j * d + a]
                    log_det += log(scales[j * d + a])
            elif p.shape == FULL:
                log_det = 0.0
                for a in range(d):
                    log_det += log(factors[(j * d + a) * d + a])
                pack_panel(&factors[j * d * d], d, panels + j * panel)
            elif j == 0:
                for a in range(d):
                    log_det += log(factors[a * d + a])
                    scales[a] = 1.0
                pack_panel(&factors[0], d, panels)
            if p.shape == TIED:
                for b in range(d):
                    s = 0.0
                    for a in range(b + 1):
                        s += (means[j, a] - means[0, a]) * factors[a * d + b]
                    whitened[j * d + b] = s
                    far = far or not fabs(s) <= FAR
            constants[j] = (log(weights[j]) if weights[j] > 0.0 else -math.inf) + log_det - half_log
            shares[j] = weights[j] / total
        if far:
            p.whitened_means = NULL

    cdef int run(self, Pass *p, int n_threads) except -1:
        cdef Py_ssize_t s
        cdef double *scratch
        n_threads = max(1, min(n_threads, p.n_slots))
        scratch = self.scratch.ask(n_threads * p.scratch_size)
        if n_threads == 1:
            with nogil:
                for s in range(p.n_slots):
                    run_slot(p, s, scratch)
        else:
            for s in prange(p.n_slots, nogil=True, schedule="dynamic", chunksize=1,
                            num_threads=n_threads):
                run_slot(p, s, scratch + threadid() * p.scratch_size)
        return 0

    cdef tuple collect(self, Pass *p, str covariance_type, int n_threads):
        cdef Py_ssize_t k = p.k, d = p.d
        cdef double[3] totals
        cdef double[::1] resp_sum
        cdef double[:, ::1] resp_x
        cdef double[::1] resp_xx
        shape = {"full": (k, d, d), "tied": (d, d)}.get(covariance_type, (k, d))
        sums = np.zeros(k), np.zeros((k, d)), np.zeros(shape)
        if p.n == 0:
            totals[0] = totals[1] = totals[2] = 0.0
        else:
            p.slots = self.slots.ask(p.n_slots * p.slot_size)
            self.run(p, n_threads)
            resp_sum, resp_x, resp_xx = sums[0], sums[1], sums[2].reshape(-1)
            reduce_slots(p, totals, &resp_sum[0], &resp_x[0, 0], &resp_xx[0])
        scatter = sums[2].sum(axis=1) if covariance_type == "spherical" else sums[2]
        self.computed = totals[2] / max(1, self.n_tiles(k, covariance_type) * k)
        return sums[0], sums[1], scatter, totals[0], totals[1]

    def evaluate(self, const double[::1] weights, const double[:, ::1] means,
                 const double[::1] factors, str covariance_type, int n_threads, *,
                 double[:, ::1] log_density=None, double[:, ::1] resp=None,
                 double[::1] log_prob=None, int64_t[::1] labels=None):
        """Write what is wanted of every row into the arrays given."""
        cdef Pass p = self.rows
        if p.n == 0:
            return
        self.lay_out_mixture(&p, weights, means, factors, covariance_type)
        if log_density is not None:
            p.log_density = &log_density[0, 0]
        if resp is not None:
            p.resp = &resp[0, 0]
        if log_prob is not None:
            p.log_prob = &log_prob[0]
        if labels is not None:
            p.labels = &labels[0]
        self.run(&p, n_threads)

    def n_tiles(self, Py_ssize_t n_components, str covariance_type):
        """Number of tiles that a pass cuts the rows into."""
        cdef Pass p = self.rows
        p.shape, p.k = SHAPES[covariance_type], n_components
        cut(&p)
        return (p.n + p.tile - 1) // p.tile

    def accumulate(self, const double[::1] weights, const double[:, ::1] means,
                   const double[::1] factors, str covariance_type, int n_threads, *,
                   int64_t[::1] labels=None, const int64_t[::1] order=None,
                   float[:, ::1] reach=None, const double[::1] shrink=None,
                   const double[::1] shift=None):
        """Return resp_sum, resp_x, resp_xx, log_likelihood, weight_sum under a mixture.

        On demand `labels` gets each row's most probable component. The others carry bounds from
        pass to pass, see prune.h: without `shrink` and `shift`, `reach` is only written.
        """
        cdef Pass p = self.rows
        self.lay_out_mixture(&p, weights, means, factors, covariance_type)
        if p.n > 0:
            self.carry(&p, labels, order, reach, shrink, shift)
        return self.collect(&p, covariance_type, n_threads)

    cdef void carry(self, Pass *p, int64_t[::1] labels, const int64_t[::1] order,
                    float[:, ::1] reach, const double[::1] shrink, const double[::1] shift):
        if labels is not None:
            p.labels = &labels[0]
        if order is not None:
            p.order = &order[0]
        if reach is not None:
            p.reach = &reach[0, 0]
        if shrink is not None:
            p.shrink, p.shift = &shrink[0], &shift[0]

    def assign(self, const double[:, ::1] centres, int n_threads, *,
               int64_t[::1] labels=None, double[::1] log_prob=None, const int64_t[::1] order=None,
               float[:, ::1] reach=None, const double[::1] shrink=None,
               const double[::1] shift=None):
        """Return the same with each row given to its nearest centre.

        The log-likelihood is minus half the weighted sum of squared distances, and log_prob minus
        half the squared distance of each row.
        """
        cdef Pass p = self.rows
        cdef Py_ssize_t j
        k = centres.shape[0]
        self.lay_out_mixture(&p, np.ones(k), centres, np.ones(k), "spherical")
        for j in range(k):
            (<double *>p.constants)[j] = 0.0
        p.hard = True
        if p.n > 0:
            self.carry(&p, labels, order, reach, shrink, shift)
            if log_prob is not None:
                p.log_prob = &log_prob[0]
        return self.collect(&p, "diag", n_threads)

    def accumulate_resp(self, const double[:, :] resp, const double[:, ::1] centres,
                        str covariance_type, int n_threads):
        """Return the same under given responsibilities, with a log-likelihood of zero."""
        cdef Pass p = self.rows
        p.shape = SHAPES[covariance_type]
        self.lay_out_means(&p, centres)
        if p.n > 0:
            p.given_resp = <const char *>&resp[0, 0]
            p.resp_row_stride = resp.strides[0]
            p.resp_column_stride = resp.strides[1]
        return self.collect(&p, covariance_type, n_threads)

    def accumulate_labels(self, const int64_t[::1] labels, const double[:, ::1] centres,
                          str covariance_type, int n_threads):
        """Return the same where row i belongs to component labels[i] altogether."""
        cdef Pass p = self.rows
        p.shape = SHAPES[covariance_type]
        self.lay_out_means(&p, centres)
        if p.n > 0:
            p.given_labels = &labels[0]
        return self.collect(&p, covariance_type, n_threads)

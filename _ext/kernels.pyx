# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The doors to the passes of gaussian.h: hold rows, lay out parameters, deal slots to threads.

`Rows` keeps a buffer of rows, and the scratch between passes over them. Arguments are checked by
the callers in Python (mixtura.kernels); here they are taken as they come.
"""

from cpython.buffer cimport (
    PyBUF_FORMAT, PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer,
)
from libc.stdint cimport int64_t
from libc.stdlib cimport free
from libc.string cimport memset

import numpy as np

cdef extern from "parallel.h" nogil:
    enum: FULL
    enum: TIED
    enum: DIAG
    enum: SPHERICAL
    ctypedef struct Pass:
        const char *X
        Py_ssize_t row_stride, column_stride
        int is_float32
        const double *sample_weight
        const double *centre
        Py_ssize_t n, d, k
        int shape, hard
        const double *weights
        const double *means
        const double *factors
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
        double *nearest
        Py_ssize_t tile, n_slots, slot_size, mixture_size, scratch_size
    ctypedef struct Lanes:
        int lanes
        void cut(Pass *p) noexcept nogil
        void lay_out_mixture(Pass *p, void *memory) noexcept nogil
        void reduce_slots(const Pass *p, double *totals, double *centres, double *resp_sum,
                          double *resp_x, double *resp_xx) noexcept nogil
    const Lanes double_lanes, single_lanes
    bint run_slots(const Lanes *by, const Pass *p, int n_threads, char *scratch,
                   int (*signalled)() noexcept nogil)

cdef extern from "factor.h" nogil:
    bint factorise_one "factorise"(const double *A, Py_ssize_t d, double most_inflation,
                                   double *work, double *factor)

cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **pointer, size_t alignment, size_t size)

cdef extern from "Python.h":
    int PyErr_CheckSignals()

lanes = double_lanes.lanes

cdef dict SHAPES = {"full": FULL, "tied": TIED, "diag": DIAG, "spherical": SPHERICAL}


cdef int signalled() noexcept with gil:
    """Run Python's signal handlers; true where one raised, and its exception stays set."""
    return PyErr_CheckSignals()


cdef class Memory:
    """A block of memory on a cache line's boundary, grown on demand and never shrunk."""

    cdef void *data
    cdef Py_ssize_t size

    def __dealloc__(self):
        free(self.data)

    cdef void *ask(self, Py_ssize_t size) except NULL:
        cdef void *block = NULL
        if size > self.size:
            free(self.data)
            self.data = NULL
            self.size = 0
            if posix_memalign(&block, 64, size):
                raise MemoryError(
                    f"a pass needs {size / 2**20:.1f} MiB of working memory, which could not "
                    "be had. Use fewer threads, components or features."
                )
            self.data = block
            self.size = size
        return self.data


def factorise(const double[:, :, ::1] covariances, double[:, :, ::1] factors,
              unsigned char[::1] regular, double most_inflation):
    """Write the precision factor of each covariance, and whether it is regular: see factor.h."""
    cdef Py_ssize_t j, d = covariances.shape[1]
    cdef Memory memory = Memory()
    cdef double *work = <double *>memory.ask(d * (d + 1) * sizeof(double))
    with nogil:
        for j in range(covariances.shape[0]):
            regular[j] = factorise_one(
                &covariances[j, 0, 0], d, most_inflation, work, &factors[j, 0, 0]
            )


cdef class Rows:
    """Rows of data, perhaps weighted, and what passes over them keep.

    Parameters
    ----------
    X : buffer of shape (n_samples, n_features), float32 or float64, any strides, aligned
    sample_weight : ndarray of shape (n_samples,), float64, contiguous, or None
    centre : ndarray of shape (n_features,), float64, contiguous, or None
        A point amid the rows, from which they are taken.
    single : bool
        Work on tiles in single precision; for this `centre` has to be there.
    """

    cdef Py_buffer buffer
    cdef const double[::1] weight, centre
    cdef Pass rows
    cdef const Lanes *by
    cdef Memory mixture, scratch, slots
    cdef readonly double computed  # share of (tile, component) pairs in the last pass

    def __cinit__(self, X, const double[::1] sample_weight=None, const double[::1] centre=None,
                  bint single=False):
        PyObject_GetBuffer(X, &self.buffer, PyBUF_STRIDES | PyBUF_FORMAT)
        memset(&self.rows, 0, sizeof(Pass))
        self.rows.X = <const char *>self.buffer.buf
        self.rows.n = self.buffer.shape[0]
        self.rows.d = self.buffer.shape[1]
        self.rows.row_stride = self.buffer.strides[0]
        self.rows.column_stride = self.buffer.strides[1]
        self.rows.is_float32 = self.buffer.itemsize == 4
        self.weight, self.centre = sample_weight, centre
        if sample_weight is not None and self.rows.n > 0:
            self.rows.sample_weight = &sample_weight[0]
        self.by = &single_lanes if single else &double_lanes
        if centre is not None:
            self.rows.centre = &centre[0]
        self.mixture = Memory()
        self.scratch = Memory()
        self.slots = Memory()

    def __dealloc__(self):
        PyBuffer_Release(&self.buffer)

    cdef void lay_out(self, Pass *p, const double[::1] weights, const double[:, ::1] means,
                      const double[::1] factors, str covariance_type) except *:
        """Cut the rows for a mixture, or for means alone, and give tiles what they read of it."""
        p.shape = SHAPES[covariance_type]
        p.k = means.shape[0]
        p.means = &means[0, 0]
        if factors is not None:
            p.weights, p.factors = &weights[0], &factors[0]
        self.by.cut(p)
        self.by.lay_out_mixture(p, self.mixture.ask(p.mixture_size))

    cdef int run(self, Pass *p, int n_threads) except -1:
        cdef char *scratch
        cdef bint stopped
        n_threads = max(1, min(n_threads, p.n_slots))
        scratch = <char *>self.scratch.ask(n_threads * p.scratch_size)
        with nogil:
            stopped = run_slots(self.by, p, n_threads, scratch, signalled)
        return -1 if stopped else 0

    cdef tuple collect(self, Pass *p, int n_threads):
        cdef Py_ssize_t j, a, k = p.k, d = p.d
        cdef double[3] totals
        cdef double[:, ::1] centres, resp_x
        cdef double[::1] resp_sum, resp_xx
        shape = (k,) if p.hard else {FULL: (k, d, d), TIED: (d, d)}.get(p.shape, (k, d))
        sums = np.zeros((k, d)), np.zeros(k), np.zeros((k, d)), np.zeros(shape)
        centres, resp_sum, resp_x, resp_xx = sums[0], sums[1], sums[2], sums[3].reshape(-1)
        if p.n == 0:
            totals[0] = totals[1] = totals[2] = 0.0
            for j in range(k):
                for a in range(d):
                    centres[j, a] = p.means[j * d + a]
        else:
            p.slots = <double *>self.slots.ask(p.n_slots * p.slot_size)
            self.run(p, n_threads)
            self.by.reduce_slots(
                p, totals, &centres[0, 0], &resp_sum[0], &resp_x[0, 0], &resp_xx[0]
            )
        scatter = sums[3].sum(axis=1) if p.shape == SPHERICAL and not p.hard else sums[3]
        self.computed = totals[2] / max(1, (p.n + p.tile - 1) // p.tile * k)
        return sums[0], sums[1], sums[2], scatter, totals[0], totals[1]

    def evaluate(self, const double[::1] weights, const double[:, ::1] means,
                 const double[::1] factors, str covariance_type, int n_threads, *,
                 double[:, ::1] log_density=None, double[:, ::1] resp=None,
                 double[::1] log_prob=None, int64_t[::1] labels=None):
        """Write what is wanted of every row into the arrays given."""
        cdef Pass p = self.rows
        if p.n == 0:
            return
        self.lay_out(&p, weights, means, factors, covariance_type)
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
        self.by.cut(&p)
        return (p.n + p.tile - 1) // p.tile

    def accumulate(self, const double[::1] weights, const double[:, ::1] means,
                   const double[::1] factors, str covariance_type, int n_threads, *,
                   int64_t[::1] labels=None, const int64_t[::1] order=None,
                   float[:, ::1] reach=None, const double[::1] shrink=None,
                   const double[::1] shift=None):
        """Return the six fields of `Statistics` that are numbers, under a mixture.

        On demand `labels` gets each row's most probable component. The others carry bounds from
        pass to pass, see prune.h: without `shrink` and `shift`, `reach` is only written.
        """
        cdef Pass p = self.rows
        self.lay_out(&p, weights, means, factors, covariance_type)
        if p.n > 0:
            self.carry(&p, labels, order, reach, shrink, shift)
        return self.collect(&p, n_threads)

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

        The scatter is the weighted sum of squared distances of each centre's rows, the
        log-likelihood minus half its total, and log_prob minus half the squared distance of a row.
        """
        cdef Pass p = self.rows
        cdef const double[::1] centre = self.centre
        if centre is None:
            centre = np.mean(centres, axis=0)
            p.centre = &centre[0]
        p.hard = True
        self.lay_out(&p, None, centres, None, "spherical")
        if p.n > 0:
            self.carry(&p, labels, order, reach, shrink, shift)
            if log_prob is not None:
                p.log_prob = &log_prob[0]
        return self.collect(&p, n_threads)

    def potentials(self, const double[:, ::1] seeds, double[::1] nearest, int n_threads):
        """Take the first of some seeds; return what choosing each of them next would leave.

        `nearest` holds each row's squared distance to the seeds taken so far and is brought up to
        date; a potential is the weighted sum of `nearest` with one more seed.
        """
        cdef Pass p = self.rows
        p.nearest = &nearest[0]
        self.lay_out(&p, None, seeds, None, "spherical")
        return self.collect(&p, n_threads)[1]

    def accumulate_resp(self, const double[:, :] resp, const double[:, ::1] centres,
                        str covariance_type, int n_threads):
        """Return the same under given responsibilities, with a log-likelihood of zero."""
        cdef Pass p = self.rows
        self.lay_out(&p, None, centres, None, covariance_type)
        if p.n > 0:
            p.given_resp = <const char *>&resp[0, 0]
            p.resp_row_stride = resp.strides[0]
            p.resp_column_stride = resp.strides[1]
        return self.collect(&p, n_threads)

    def accumulate_labels(self, const int64_t[::1] labels, const double[:, ::1] centres,
                          str covariance_type, int n_threads):
        """Return the same where row i belongs to component labels[i] altogether."""
        cdef Pass p = self.rows
        self.lay_out(&p, None, centres, None, covariance_type)
        if p.n > 0:
            p.given_labels = &labels[0]
        return self.collect(&p, n_threads)

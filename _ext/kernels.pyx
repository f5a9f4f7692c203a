# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The door to the passes of pass.h: holds rows, lays out parameters, deals slots to threads.

Arguments are checked by the callers in Python (mixtura.kernels); here they are used as they are.
"""

from cpython.buffer cimport (
    PyBUF_FORMAT, PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer,
)
from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from dataclasses import replace

import numpy as np

from mixtura.kernels.patterns import sort_by_pattern
from mixtura.kernels.threads import threads_for_a_pass
from mixtura.parameters import Parameters, Seen
from mixtura.shapes import SPHERICAL as SPHERICAL_SHAPE
from mixtura.statistics import Statistics

cdef extern from "parallel.h" nogil:
    enum: FULL, TIED, DIAG, SPHERICAL
    enum: SUMS, LOG_DENSITY, RESP, LOG_PROB, LABELS, ENTROPIES, OBSERVED, COMPLETED
    enum: NO_BOUNDS, NEW_BOUNDS, KNOWN_BOUNDS, NEW_MASKS, KNOWN_MASKS
    ctypedef struct Sums:
        double log_likelihood, weight, computed, shared, entropy
        double *resp_sum
        double *resp_x
        double *resp_xx
    ctypedef struct Step:
        const char *name
        bint keeps_scores
    ctypedef struct Noise:
        int kind
        bint is_projected
        const char *noise
        Py_ssize_t row_stride, n_observed
        const double *observed
        const double *projection
        const double *covariances
        double power
    ctypedef struct Pass:
        const Step *step
        int wanted
        const char *X
        Py_ssize_t row_stride, column_stride
        bint is_float32, is_weighted, is_centred
        const double *sample_weight
        const double *centre
        Py_ssize_t n, d, k
        bint is_ordered
        const int64_t *order
        int shape
        const double *log_weights
        const double *means
        const double *factors
        const int64_t *given_labels
        const char *given_resp
        Py_ssize_t resp_row_stride, resp_column_stride
        double *nearest
        double *after
        Py_ssize_t after_stride
        bint has_prior
        const int64_t *code
        const double *prior
        const Noise *noise
        int bounds
        float *reach
        const double *shrink
        const double *shift
        uint64_t *masks
        float *gaps
        double *best
        const double *constants
        int32_t *held
        float *apart
        const int32_t *moved
        Py_ssize_t n_moved
        double drift
        double *log_density
        double *resp
        double *log_prob
        int64_t *labels
        Py_ssize_t n_runs, most_missing
        const int64_t *runs
        const double *covariances
        double *observed
        char *completed
        Py_ssize_t completed_row_stride, completed_column_stride
        int by_row
        Py_ssize_t tile, n_slots, slot_size, mixture_size, scratch_size
        char *mixture
        double *slots
    ctypedef struct Precision:
        int lanes, n_steps
        const Step *const *steps
        void (*cut)(Pass *p) noexcept nogil
        void (*lay_out)(const Pass *p) noexcept nogil
        void (*reduce_slots)(const Pass *p, Sums *sums) noexcept nogil
        void (*write_centres)(const Pass *p, double *centres) noexcept nogil
    const Precision double_precision, single_precision, incomplete_rows
    int run_slots(const Precision *by, const Pass *p, int n_threads, char *scratch,
                  int (*signalled)() noexcept nogil) except 1

cdef extern from "eigen.h" nogil:
    Py_ssize_t PANEL_SIZE
    Py_ssize_t FACTOR_SCRATCH(Py_ssize_t d)
    Py_ssize_t EIGEN_SCRATCH(Py_ssize_t d)
    ctypedef struct View:
        pass
    View rows_of(const double *at, Py_ssize_t stride)
    void add_product(Py_ssize_t m, Py_ssize_t n, Py_ssize_t p, double scale, const double *A,
                     Py_ssize_t stride_A, View B, bint lower, double *C, Py_ssize_t stride_C,
                     double *panel)
    bint factorise_one "factorise"(const double *A, Py_ssize_t d, double most_inflation,
                                   double *work, double *factor)
    bint eigen(const double *matrix, Py_ssize_t d, double *work, double *values, double *axes)

cdef extern from "lloyd.h" nogil:
    void mean_of_centers(Py_ssize_t k, Py_ssize_t d, const double *centers, double *mean)
    void move_centers(Py_ssize_t k, Py_ssize_t d, const Sums *sums, double *centers)
    bint gains_little(double before, double height, double least_gain)

cdef extern from "watch.h" nogil:
    const double BETWEEN_CHECKS
    double now()
    ctypedef struct Patience:
        int (*signalled)() noexcept nogil
        Py_ssize_t work
        double checked
        int stop

cdef extern from "families.h" nogil:
    ctypedef struct Family:
        const char *name
        int order
        bint is_tied
    enum: N_FAMILIES
    const Family FAMILIES[1]
    const Family *family_named(const char *name)
    Py_ssize_t maximise_scratch(const Family *family, Py_ssize_t k, Py_ssize_t d)
    int maximise(const Family *family, Py_ssize_t k, Py_ssize_t d, const double *scatter,
                 const double *counts, const double *previous, double *covariances, double *work,
                 Patience *patience) except -1

cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **pointer, size_t alignment, size_t size)

cdef extern from "Python.h":
    int PyErr_CheckSignals() except -1
    int raw_check "PyErr_CheckSignals"()

lanes = double_precision.lanes

cdef dict SHAPES = {"full": FULL, "tied": TIED, "diag": DIAG, "spherical": SPHERICAL}
cdef dict STEPS = {
    double_precision.steps[i].name.decode(): i for i in range(double_precision.n_steps)
}
# Of each family: how many axes of features its arrays have, and whether one serves for all.
families = {
    FAMILIES[i].name.decode(): (FAMILIES[i].order, FAMILIES[i].is_tied) for i in range(N_FAMILIES)
}
# Steps that have methods of their own, and those of rows that are not whole.
cdef tuple OTHERS = ("given_labels", "given_resp", "seeds", "noisy_soft", "noisy_hard")

# What a row costs with a component besides its factor, in multiply-adds: an exponential, mostly.
cdef enum: EXPONENTIAL_WORK = 20

# Multiply-adds of iterations that are made together, some hundredths of a second, which Ctrl-C
# loses.
cdef enum: TOGETHER = 200_000_000


cdef int check_e_step(str em) except -1:
    """Refuse what is no E-step by its name."""
    if em not in STEPS or em in OTHERS:
        known = ", ".join(repr(name) for name in STEPS if name not in OTHERS)
        raise ValueError(f"em must be one of {known}; got {em!r}. Choose one of them.")
    return 0


cdef int check_signals() except -1 with gil:
    """Run Python's signal handlers; where one raises, so does this."""
    return PyErr_CheckSignals()


cdef int signalled() noexcept with gil:
    """Run Python's signal handlers; true where one raised, and its exception stays set."""
    return raw_check()


cdef class Memory:
    """A block of memory on a cache line's boundary, grown on demand and never shrunk."""

    cdef void *data
    cdef Py_ssize_t size

    def __dealloc__(self):
        free(self.data)

    cdef void *ask(self, Py_ssize_t size) except NULL:
        cdef void *block = NULL
        size = max(1, size)  # NULL means an error
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
    cdef double *work = <double *>memory.ask(FACTOR_SCRATCH(d) * sizeof(double))
    with nogil:
        for j in range(covariances.shape[0]):
            regular[j] = factorise_one(
                &covariances[j, 0, 0], d, most_inflation, work, &factors[j, 0, 0]
            )


def eigh(const double[:, :, ::1] matrices, double[:, ::1] values, double[:, :, ::1] axes,
         unsigned char[::1] found):
    """Write eigenvalues and eigenvectors, and whether there are any: see eigen.h."""
    cdef Py_ssize_t j, d = matrices.shape[1]
    cdef Memory memory = Memory()
    cdef double *work = <double *>memory.ask(EIGEN_SCRATCH(d) * sizeof(double))
    with nogil:
        for j in range(matrices.shape[0]):
            found[j] = eigen(&matrices[j, 0, 0], d, work, &values[j, 0], &axes[j, 0, 0])


def multiply(const double[:, :, ::1] left, const double[:, :, ::1] right,
             double[:, :, ::1] products):
    """Add the products of matrices to zeros; one on either side serves for all: see product.h."""
    cdef Py_ssize_t j, m = left.shape[1], p = left.shape[2], n = right.shape[2]
    cdef Py_ssize_t last_left = left.shape[0] - 1, last_right = right.shape[0] - 1
    cdef Memory memory = Memory()
    cdef double *panel = <double *>memory.ask(PANEL_SIZE * sizeof(double))
    if m == 0 or n == 0 or p == 0:
        return
    with nogil:
        for j in range(products.shape[0]):
            add_product(m, n, p, 1.0, &left[min(j, last_left), 0, 0], p,
                        rows_of(&right[min(j, last_right), 0, 0], n), False,
                        &products[j, 0, 0], n, panel)


def maximise_covariances(str name, Py_ssize_t n_features, const double[::1] scatter,
                         const double[::1] counts, const double[::1] previous,
                         double[::1] covariances):
    """Write the covariances of largest likelihood; return the steps that were made: families.h.

    All numbers of an array lie one behind the other; `previous` may be None.
    """
    cdef bytes letters = name.encode()
    cdef const Family *family = family_named(letters)
    cdef Py_ssize_t k = counts.shape[0]
    cdef Memory memory = Memory()
    cdef const double *before = NULL
    cdef double *work = <double *>memory.ask(
        maximise_scratch(family, k, n_features) * sizeof(double)
    )
    cdef Patience patience = Patience(signalled, 0, 0.0, 0)
    cdef int steps
    if previous is not None:
        before = &previous[0]
    with nogil:
        steps = maximise(family, k, n_features, &scatter[0], &counts[0], before, &covariances[0],
                         work, &patience)
    return steps


include "mstep.pxi"

cdef extern from "guess.h" nogil:
    void shrink_to_pooled(const Maximisation *m, double share, const double *resp_sum,
                          double *resp_xx, double *lent)


cdef class Rows:
    """Rows of data, perhaps weighted, and the memory that passes over them use.

    Parameters
    ----------
    X : buffer of shape (n_samples, n_features), float32 or float64, any strides, aligned
        Held, never copied or modified.
    sample_weight : ndarray of shape (n_samples,), float64, contiguous, or None
        None is one for each row.
    centre : ndarray of shape (n_features,), float64, contiguous, or None
        A point amid the rows, which tiles have taken off.
    single : bool
        Work on tiles in single precision, which needs `centre`; sums over tiles stay in double.
    code : ndarray of shape (n_samples,), int64, contiguous, or None
        What is known of the component of each row: see `mixtura.reference.Rows`.

    Attributes
    ----------
    rounding : float
        Error of a mean log-likelihood by rounding, relative to it.
    computed : float
        Share of (tile, component) pairs that the last pass computed.
    iterates : bool
        Whether there is `follow`.
    followed : int
        Passes that the last `follow` made.
    shared : float
        Share of (row, component) pairs that had a responsibility in the last pass; 1 where no masks
        can be kept (masks.h).

    Notes
    -----
    `mixtura.reference.Rows` says what the methods do. One `Rows` serves one thread at a time.
    """

    extras = ()

    cdef Py_buffer buffer
    cdef const double[::1] weight, centre
    cdef double[::1] middle
    cdef const int64_t[::1] code
    cdef const double[:, ::1] prior
    cdef Pass rows
    cdef const Precision *by
    cdef bint single
    cdef Memory mixture, scratch, slots
    cdef readonly Py_ssize_t n_samples, n_features
    cdef readonly double rounding, computed, shared
    cdef readonly bint iterates
    cdef readonly Py_ssize_t followed
    cdef double counted

    def __cinit__(self, X, const double[::1] sample_weight=None, const double[::1] centre=None,
                  *, bint single=False, const int64_t[::1] code=None, **_):
        # What else is known of rows is for the class of their form.
        PyObject_GetBuffer(X, &self.buffer, PyBUF_STRIDES | PyBUF_FORMAT)
        memset(&self.rows, 0, sizeof(Pass))
        self.n_samples, self.n_features = self.buffer.shape[0], self.buffer.shape[1]
        self.rows.n, self.rows.d = self.n_samples, self.n_features
        self.rows.X = <const char *>self.buffer.buf
        self.rows.row_stride = self.buffer.strides[0]
        self.rows.column_stride = self.buffer.strides[1]
        self.rows.is_float32 = self.buffer.itemsize == 4
        self.weight, self.centre, self.single = sample_weight, centre, single
        self.code, self.middle = code, None
        if sample_weight is not None and self.rows.n > 0:
            self.rows.is_weighted, self.rows.sample_weight = True, &sample_weight[0]
        if centre is not None:
            self.rows.is_centred, self.rows.centre = True, &centre[0]
        self.by = &single_precision if single else &double_precision
        self.iterates = not single and self.n_samples > 0
        self.shared = 1.0
        self.rounding = (2.0**-23 / max(1, self.n_samples) ** 0.5) if single else 2.0**-52
        self.mixture = Memory()
        self.scratch = Memory()
        self.slots = Memory()

    def __dealloc__(self):
        PyBuffer_Release(&self.buffer)

    # ---- what every pass does ----

    cdef Py_ssize_t lay_out(self, Pass *p, str step, int wanted, seen) except -1:
        """Cut the rows and lay out the components; return the work of a pass, in multiply-adds."""
        cdef const double[:, ::1] means = seen.means
        cdef const double[::1] log_weights = seen.log_weights
        cdef const double[::1] factors = seen.precisions_cholesky.reshape(-1)
        p.means, p.log_weights, p.factors = &means[0, 0], &log_weights[0], &factors[0]
        if not p.is_centred and step == "nearest":
            self.centre_on(p, means.shape[0], p.means)
        work = self.cut(p, step, wanted, seen.shape, means.shape[0], factors.shape[0])
        if self.code is not None and "prior" in seen.extras and p.step.keeps_scores and p.n > 0:
            self.prior = seen.extras["prior"]
            p.has_prior, p.code, p.prior = True, &self.code[0], &self.prior[0, 0]
        self.by.lay_out(p)
        return work

    cdef int centre_on(self, Pass *p, Py_ssize_t k, const double *centers) except -1:
        """Form products about the mean of some centers."""
        if self.middle is None:
            self.middle = np.empty(p.d)
        p.is_centred, p.centre = True, &self.middle[0]
        mean_of_centers(k, p.d, centers, &self.middle[0])
        return 0

    cdef Py_ssize_t cut(self, Pass *p, str step, int wanted, shape, Py_ssize_t k,
                        Py_ssize_t entries) except -1:
        """Cut the rows, for components of a size whose factors have so many entries."""
        p.step, p.wanted = self.by.steps[<int>STEPS[step]], wanted
        p.shape, p.k = SHAPES[shape.name], k
        self.by.cut(p)
        p.mixture = <char *>self.mixture.ask(p.mixture_size)
        return p.n * (max(entries, p.k * p.d) + EXPONENTIAL_WORK * p.k)

    cdef int run(self, Pass *p, n_threads, Py_ssize_t work) except -1:
        cdef char *scratch
        cdef int threads
        with threads_for_a_pass(n_threads, work=work, is_brief=True) as chosen:
            threads = max(1, min(chosen, p.n_slots))
            scratch = <char *>self.scratch.ask(threads * p.scratch_size)
            with nogil:
                run_slots(self.by, p, threads, scratch, signalled)
        return 0

    cdef object collect(self, Pass *p, n_threads, Py_ssize_t work, seen):
        """Run a pass for sums; return them as statistics about the means."""
        cdef Sums sums
        cdef Py_ssize_t k = p.k, d = p.d
        cdef double[:, ::1] rounded, resp_x = np.zeros((k, d))
        cdef double[::1] resp_sum = np.zeros(k)
        scatter = np.zeros(seen.shape.array_shape(k, d))
        cdef double[::1] resp_xx = scatter.reshape(-1)
        memset(&sums, 0, sizeof(Sums))
        sums.resp_sum, sums.resp_x, sums.resp_xx = &resp_sum[0], &resp_x[0, 0], &resp_xx[0]
        if p.n > 0:
            p.slots = <double *>self.slots.ask(p.n_slots * p.slot_size)
            self.run(p, n_threads, work)
            self.by.reduce_slots(p, &sums)
        self.computed = sums.computed / max(1, (p.n + p.tile - 1) // p.tile * k)
        self.counted = sums.shared / max(1, p.n * k)
        extras = {"entropy": np.asarray(sums.entropy)} if p.wanted & ENTROPIES else {}
        rest = resp_sum.base, resp_x.base, scatter, sums.log_likelihood, sums.weight, extras
        if not self.single:
            return Statistics(seen.shape.name, seen.means, *rest)
        rounded = np.empty((k, d))
        self.by.write_centres(p, &rounded[0, 0])
        return Statistics(seen.shape.name, rounded.base, *rest).recentred(seen.means)

    # ---- the doors ----

    cdef bint reach(self, Pass *p, MStep step, const Moments *at, const double *previous,
                    Points points, Py_ssize_t place, int threads, char *scratch) except -1 nogil:
        """Make an iteration; return whether there are parameters after it."""
        cdef Mixture mixture = points.mixture(place)
        cdef Sums sums = points.sums(place)
        if not m_step(&step.m, at, previous, &mixture, step.scratch):
            return False
        p.log_weights, p.means, p.factors = mixture.log_weights, mixture.means, mixture.factors
        self.by.lay_out(p)
        self.followed += 1
        run_slots(self.by, p, threads, scratch, signalled)
        self.by.reduce_slots(p, &sums)
        points.totals[place, 0], points.totals[place, 1] = sums.log_likelihood, sums.weight
        return True

    def follow(self, str em, MStep step, rule, state, statistics, previous, Py_ssize_t n,
               n_threads):
        """Make iterations, and decide after each of them by a schedule's rule.

        Parameters
        ----------
        em : str
        step : MStep
        rule : Rule
            See `mixtura.schedules.protocol`.
        state : SquaremState
        statistics : Statistics
            Where iterations begin.
        previous : ndarray
            Covariances under which these were taken.
        n : int
            Most iterations; fewer where a component has no parameters, or where they are more
            than `TOGETHER` multiply-adds.
        n_threads : int or None

        Returns
        -------
        tuple or None
            See `mixtura.passes.rows.Course`. None where the first iteration fails.
        """
        begin = Begin(statistics, previous)
        return Course(self, em, step, rule, state, begin.k, begin.d).run(begin, n, n_threads)

    def n_tiles(self, Py_ssize_t n_components, shape):
        """Return the number of tiles that a pass cuts the rows into."""
        cdef Pass p = self.rows
        p.step, p.wanted = self.by.steps[0], SUMS
        p.shape, p.k = SHAPES[shape.name], n_components
        self.by.cut(&p)
        return (p.n + p.tile - 1) // p.tile

    def accumulate(self, str em, seen, n_threads, *, carry=None, int64_t[::1] labels=None):
        """Return the statistics after an E-step.

        On demand `labels` gets the component of each row. `carry` holds bounds that are read and
        renewed, see prune.h, masks.h and nearest.h; those that are not known are only written.
        """
        cdef Pass p = self.rows
        cdef const int64_t[::1] order
        cdef float[:, ::1] reach, gaps
        cdef const double[::1] shrink, shift, constants
        cdef uint64_t[:, ::1] masks
        cdef double[::1] best
        cdef int32_t[::1] held
        cdef float[::1] apart
        cdef const int32_t[::1] moved
        check_e_step(em)
        if carry is not None and p.n > 0 and em == "nearest":
            held, apart = carry.held, carry.apart
            p.bounds, p.held, p.apart = NEW_BOUNDS, &held[0], &apart[0]
            if carry.before is not None:
                p.bounds, moved, p.n_moved = KNOWN_BOUNDS, carry.moved, len(carry.moved)
                p.drift = self.drift(carry.before, seen.means, carry.moved)
                if p.n_moved > 0:
                    p.moved = &moved[0]
        elif carry is not None and p.n > 0:
            order = carry.order
            p.is_ordered, p.order = True, &order[0]
            if carry.shrink is not None:
                shrink, shift = carry.shrink, carry.shift
                p.shrink, p.shift = &shrink[0], &shift[0]
            if carry.masks is None:
                reach = carry.reach
                p.bounds = NEW_BOUNDS if carry.shrink is None else KNOWN_BOUNDS
                p.reach = &reach[0, 0]
            else:
                masks, gaps, best = carry.masks.bits, carry.masks.gaps, carry.masks.best
                constants = carry.masks.constants
                p.bounds = KNOWN_MASKS if carry.masks.is_known else NEW_MASKS
                p.masks, p.gaps, p.best = &masks[0, 0], &gaps[0, 0], &best[0]
                p.constants = &constants[0]
        work = self.lay_out(&p, em, SUMS, seen)
        if labels is not None and p.n > 0:
            p.wanted, p.labels = p.wanted | LABELS, &labels[0]
        statistics = self.collect(&p, n_threads, work, seen)
        suits_masks = p.step == double_precision.steps[<int>STEPS["soft"]] and p.by_row \
            and p.shape in (FULL, DIAG)
        self.shared = self.counted if suits_masks else 1.0
        return statistics

    cdef double drift(self, before, after, moved) except -1.0:
        """Return how far a mean has moved at most, as tiles have it, of those not listed."""
        if self.single:
            before, after = (
                (means - np.asarray(self.centre)).astype(np.float32).astype(np.float64)
                for means in (before, after)
            )
        with np.errstate(over="ignore"):
            moves = np.sqrt(np.square(after - before).sum(axis=1))
        moves[moved] = 0.0
        return moves.max() * (1.0 + 1e-9)

    def evaluate(self, str em, seen, n_threads, *, double[:, ::1] log_density=None,
                 double[:, ::1] resp=None, double[::1] log_prob=None, int64_t[::1] labels=None):
        """Write what is wanted of every row into the arrays given."""
        cdef Pass p = self.rows
        cdef int wanted = 0
        check_e_step(em)
        if p.n == 0:
            return
        if log_density is not None:
            p.log_density = &log_density[0, 0]
            plain = seen._replace(log_weights=np.zeros(len(seen.means)))
            self.run(&p, n_threads, self.lay_out(&p, "soft", LOG_DENSITY, plain))
        if resp is not None and not self.by.steps[<int>STEPS[em]].keeps_scores:
            raise ValueError(f"the E-step {em!r} has no responsibilities. Ask for labels.")
        if resp is not None:
            wanted, p.resp = wanted | RESP, &resp[0, 0]
        if log_prob is not None:
            wanted, p.log_prob = wanted | LOG_PROB, &log_prob[0]
        if labels is not None:
            wanted, p.labels = wanted | LABELS, &labels[0]
        if wanted:
            self.run(&p, n_threads, self.lay_out(&p, em, wanted, seen))

    def given(self, shares, centres, shape, n_threads):
        """Return the statistics under given labels or responsibilities."""
        cdef Pass p = self.rows
        cdef const int64_t[::1] labels
        cdef const double[:, :] resp
        cdef bint by_labels = shares.ndim == 1
        seen = Seen.of_centers(centres, shape)
        work = self.lay_out(&p, "given_labels" if by_labels else "given_resp", SUMS, seen)
        if p.n > 0 and by_labels:
            labels = shares
            p.given_labels = &labels[0]
        elif p.n > 0:
            resp = shares
            p.given_resp = <const char *>&resp[0, 0]
            p.resp_row_stride, p.resp_column_stride = resp.strides[0], resp.strides[1]
        return self.collect(&p, n_threads, work, seen)

    def guess(self, MStep step, const int64_t[::1] labels, const double[::1] centre, Py_ssize_t k,
              double share, n_threads):
        """Return the parameters of clusters that are only guesses: see guess.h.

        Parameters
        ----------
        step : MStep
        labels : ndarray of shape (n_samples,)
        centre : ndarray of shape (n_features,)
            A point near the rows.
        k : int
            Clusters.
        share : float
            Of an average component, in rows that each borrows.
        n_threads : int or None

        Returns
        -------
        Parameters or None
            None where a cluster has no rows, or a component is singular.
        """
        cdef Pass p = self.rows
        cdef Py_ssize_t j, a, d = self.n_features, entries = entries_of(step.shape, k, d)
        cdef Py_ssize_t work = self.cut(&p, "given_labels", SUMS, step.shape, k, entries)
        cdef Points points = Points(2, k, d, step.shape)
        cdef Mixture begun = points.mixture(0), found = points.mixture(1)
        cdef Moments moments = points.moments(0)
        cdef Sums sums = points.sums(0)
        cdef char *scratch
        cdef int threads, turn
        cdef bint done = False
        step.prepare(k, d)
        p.given_labels, p.means = &labels[0], begun.means
        p.slots = <double *>self.slots.ask(p.n_slots * p.slot_size)
        with threads_for_a_pass(n_threads, work=work) as chosen:
            threads = max(1, min(chosen, p.n_slots))
            scratch = <char *>self.scratch.ask(threads * p.scratch_size)
            with nogil:
                for j in range(k):
                    for a in range(d):
                        begun.means[j * d + a] = centre[a]
                for turn in range(2):
                    if turn > 0:
                        move_centers(k, d, &sums, begun.means)
                    self.by.lay_out(&p)
                    run_slots(self.by, &p, threads, scratch, signalled)
                    self.by.reduce_slots(&p, &sums)
                shrink_to_pooled(&step.m, share, sums.resp_sum, sums.resp_xx, found.covariances)
                done = m_step(&step.m, &moments, NULL, &found, step.scratch)
        return points.parameters(1) if done else None

    def lloyd(self, centers, Py_ssize_t n_iter, double least_gain, n_threads, int64_t[::1] labels):
        """Give each row to the nearest center after iterations of Lloyd's algorithm: lloyd.h.

        Where these end, and what is returned: see `mixtura.reference.Rows`. Tiles must be in double
        precision.
        """
        cdef Pass p = self.rows
        cdef Py_ssize_t k = len(centers), d = self.n_features, made = 0
        cdef double[:, ::1] now_at = np.array(centers)
        cdef double[::1] resp_sum = np.empty(k), resp_xx = np.empty(k)
        cdef double[:, ::1] resp_x = np.empty((k, d))
        cdef bint may_move = n_iter > 0  # else sums are of no use
        cdef double height, before = -INFINITY, checked = now()
        cdef Sums sums
        cdef char *scratch
        cdef int threads
        if p.n == 0:
            return now_at.base, 0
        seen = Seen.of_centers(now_at.base, SPHERICAL_SHAPE)
        work = self.lay_out(&p, "nearest", LABELS | (SUMS if may_move else 0), seen)
        memset(&sums, 0, sizeof(Sums))
        sums.resp_sum, sums.resp_x, sums.resp_xx = &resp_sum[0], &resp_x[0, 0], &resp_xx[0]
        p.labels, p.means = &labels[0], &now_at[0, 0]
        p.slots = <double *>self.slots.ask(p.n_slots * p.slot_size)
        with threads_for_a_pass(n_threads, work=work) as chosen:
            threads = max(1, min(chosen, p.n_slots))
            scratch = <char *>self.scratch.ask(threads * p.scratch_size)
            with nogil:
                while True:
                    run_slots(self.by, &p, threads, scratch, signalled)
                    if made == n_iter:
                        break
                    self.by.reduce_slots(&p, &sums)
                    height = sums.log_likelihood
                    if gains_little(before, height, least_gain):
                        break
                    if now() - checked > BETWEEN_CHECKS:
                        check_signals()
                        checked = now()
                    before, made = height, made + 1
                    move_centers(k, d, &sums, &now_at[0, 0])
                    if self.centre is None:
                        mean_of_centers(k, d, &now_at[0, 0], &self.middle[0])
                    self.by.lay_out(&p)
        return now_at.base, made

    def potentials(self, seeds, double[::1] nearest, n_threads, *, double[:, :] after=None):
        """Take the first of some seeds; return what choosing each of them next would leave.

        With `after`, whose columns are contiguous, none is taken: see `mixtura.reference.Rows`.
        """
        cdef Pass p = self.rows
        if p.n > 0:
            p.nearest = &nearest[0]
        if p.n > 0 and after is not None:
            p.after, p.after_stride = &after[0, 0], after.strides[1] // <Py_ssize_t>sizeof(double)
        seen = Seen.of_centers(seeds, SPHERICAL_SHAPE)
        work = self.lay_out(&p, "seeds", SUMS, seen)
        return self.collect(&p, n_threads, work, seen).resp_sum

    def seeds(self, double first, const double[:, ::1] quantiles, n_threads):
        """Return the rows that k-means++ chooses: see seeding.h."""
        return seeds_of(self, first, quantiles, n_threads)


include "seeding.pxi"
include "iterate.pxi"
include "splits.pxi"
include "dense.pxi"
include "losses.pxi"


cdef class IncompleteRows(Rows):
    """Rows in which numbers may be missing, NaN in their place: see incomplete.h.

    `mixtura.reference.incomplete` says what the methods do. Tiles are always in double precision.
    """

    extras = ("entropy",)
    given = guess = lloyd = potentials = seeds = None  # these are for whole rows

    cdef const int64_t[::1] order, runs

    def __cinit__(self, X, const double[::1] sample_weight=None, const double[::1] centre=None,
                  *, bint single=False, const int64_t[::1] code=None):
        order = sort_by_pattern(np.asarray(X))
        self.order, self.runs = order.rows, order.runs
        self.rows.is_ordered, self.rows.most_missing = True, order.most_missing
        self.rows.n_runs = len(order.runs)
        if self.rows.n_runs > 0:
            self.rows.runs = &self.runs[0]
        if self.rows.n > 0:
            self.rows.order = &self.order[0]
        self.by, self.single, self.rounding = &incomplete_rows, False, 2.0**-52
        self.iterates = False

    cdef Py_ssize_t lay_out(self, Pass *p, str step, int wanted, seen) except -1:
        cdef const double[::1] covariances = np.ascontiguousarray(seen.covariances).reshape(-1)
        p.covariances = &covariances[0]
        return Rows.lay_out(self, p, step, wanted, seen)

    def accumulate(self, str em, seen, n_threads, *, carry=None, int64_t[::1] labels=None):
        """Return the statistics after an E-step; `labels` gets the component of each row.

        No bounds are carried.
        """
        cdef Pass p = self.rows
        cdef int wanted = SUMS | (OBSERVED if em == "nearest" else ENTROPIES)
        cdef double[:, ::1] observed = np.zeros(seen.means.shape)
        check_e_step(em)
        if labels is not None and p.n > 0:
            wanted, p.labels = wanted | LABELS, &labels[0]
        p.observed = &observed[0, 0]
        statistics = self.collect(&p, n_threads, self.lay_out(&p, em, wanted, seen), seen)
        if em == "nearest":
            return replace(statistics, extras={"observed": observed.base})
        return statistics

    def evaluate(self, str em, seen, n_threads, **outputs):
        """Write what is wanted of every row into the arrays given, whatever its weight."""
        cdef bint is_weighted = self.rows.is_weighted
        self.rows.is_weighted = False
        try:
            Rows.evaluate(self, em, seen, n_threads, **outputs)
        finally:
            self.rows.is_weighted = is_weighted

    def complete(self, seen, n_threads, *, double[:, :] out):
        """Write the rows with their missing numbers replaced by what is expected of them."""
        cdef Pass p = self.rows
        if p.n == 0:
            return
        p.is_weighted, p.completed = False, <char *>&out[0, 0]
        p.completed_row_stride, p.completed_column_stride = out.strides[0], out.strides[1]
        self.run(&p, n_threads, self.lay_out(&p, "soft", COMPLETED, seen))


cdef class NoisyRows(Rows):
    """Rows with noise of their own: see `mixtura.reference.NoisyRows` and noisy.h.

    Parameters
    ----------
    X, sample_weight, centre, single
        As of `Rows`; `centre` and `single` change nothing.
    noise : ndarray of shape (n,), (n, m) or (n, m, m), float64
        Numbers of a row side by side.
    observed : ndarray of shape (n, m), float64, contiguous, or None
    projection : ndarray of shape (n, m, n_features), float64, contiguous, or None
    """

    extras = ("entropy",)

    cdef Noise known
    cdef object noise, seen
    cdef const double[:, ::1] observed
    cdef const double[:, :, ::1] projection
    cdef const double[::1] covariances

    def __cinit__(self, X, const double[::1] sample_weight=None, const double[::1] centre=None,
                  *, bint single=False, noise, const double[:, ::1] observed=None,
                  const double[:, :, ::1] projection=None, const int64_t[::1] code=None):
        cdef const double[:] first
        self.by, self.single, self.rounding = &double_precision, False, 2.0**-52
        self.iterates = False
        self.rows.is_centred = False
        self.noise, self.observed, self.projection = noise, observed, projection
        self.known.kind = [SPHERICAL, DIAG, FULL][noise.ndim - 1]
        self.known.row_stride = noise.strides[0]
        self.known.n_observed = self.n_features
        if projection is not None:
            self.known.is_projected, self.known.n_observed = True, observed.shape[1]
        if self.n_samples > 0:
            first = noise[0].reshape(-1) if noise.ndim > 1 else noise[:1]
            self.known.noise = <const char *>&first[0]
            if projection is not None:
                self.known.observed = &observed[0, 0]
                self.known.projection = &projection[0, 0, 0]

    cdef Py_ssize_t lay_out(self, Pass *p, str step, int wanted, seen) except -1:
        cdef Py_ssize_t m = self.known.n_observed
        if step not in ("soft", "hard"):
            return Rows.lay_out(self, p, step, wanted, seen)
        if wanted & SUMS:
            wanted |= ENTROPIES
        self.seen, self.known.power = seen.untempered()
        seen = self.seen  # kept: the pass has pointers into its arrays
        self.covariances = np.ascontiguousarray(seen.covariances).reshape(-1)
        self.known.covariances = &self.covariances[0]
        p.noise = &self.known
        work = Rows.lay_out(self, p, "noisy_" + step, wanted, seen)
        return work + p.n * p.k * m * m * (m + p.d) // 3

    def accumulate(self, str em, seen, n_threads, *, carry=None, int64_t[::1] labels=None):
        """Return the statistics after an E-step; no bounds are carried."""
        return Rows.accumulate(self, em, seen, n_threads, labels=labels)

    def complete(self, seen, n_threads, *, double[:, :] out):
        """Write what is expected of the true rows."""
        cdef Pass p = self.rows
        if p.n == 0:
            return
        p.is_weighted = False
        p.completed = <char *>&out[0, 0]
        p.completed_row_stride, p.completed_column_stride = out.strides[0], out.strides[1]
        self.run(&p, n_threads, self.lay_out(&p, "soft", COMPLETED, seen))

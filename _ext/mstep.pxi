# The door to the M-step of m_step.h, and places for parameters and sums.

cdef extern from "rivals.h" nogil:
    ctypedef struct Maximisation:
        int shape
        Py_ssize_t k, d
        const Family *family
        const double *ridge
        double most_inflation
        int (*signalled)() noexcept nogil
    ctypedef struct Moments:
        const double *centres
        const double *resp_sum
        const double *resp_x
        const double *resp_xx
    ctypedef struct Mixture:
        double *weights
        double *means
        double *covariances
        double *factors
        double *log_weights
    Py_ssize_t m_step_scratch(const Maximisation *m)
    bint m_step(const Maximisation *m, const Moments *s, const double *previous,
                const Mixture *out, double *scratch) except? 0
    enum: N_STATISTICS
    double STRETCH, LEAST_LENGTH
    ctypedef struct StepRule:
        int extrapolates
        double tol, rounding
        const double *scale
    ctypedef struct Progress:
        int n_recent, confirming
        Py_ssize_t plain
        double *recent
        double predicted_gain, longest, slowest, gain
    bint begin_iteration(const StepRule *rule, const Progress *before, double objective,
                         Progress *after)
    bint end_iteration(const StepRule *rule, const Progress *before, double objective,
                       Progress *after, bint *drops)
    Py_ssize_t n_sums(const Maximisation *m)
    void as_vector(const Maximisation *m, const StepRule *rule, const Moments *s,
                   const double *centres, double *vector)
    double slowness(Py_ssize_t n, const double *x0, const double *x1, const double *x2)
    bint extrapolate(const Maximisation *m, const StepRule *rule, double length, const double *x0,
                     const double *x1, const double *x2, double *sums)
    enum: GOES_ON
    ctypedef struct Rivals:
        Py_ssize_t n, slower
        double leader
        const double *objectives
        const double *weights
        const double *means
        const double *scale
    Py_ssize_t look_at_rivals(const Rivals *r, Py_ssize_t iteration, double objective, double gain,
                              Py_ssize_t k, Py_ssize_t d, const Mixture *here)
    enum: SOON
    void all_log_weights "log_weights"(const Maximisation *m, const double *weights,
                                       const double *factors, double *out)


cdef class MStep:
    """The M-step of a covariance family, with a ridge or without: see m_step.h.

    Parameters
    ----------
    letters : str
        Of the family, one of `families`.
    shape : Shape
    ridge : ndarray of shape (n_features,), float64, contiguous, or None
    most_inflation : float
        Of a covariance that counts as regular: see factor.h.

    Notes
    -----
    One `MStep` serves one thread at a time: its scratch belongs to it.
    """

    cdef readonly object shape
    cdef bytes letters
    cdef const double[::1] ridge
    cdef Maximisation m
    cdef Memory memory
    cdef double *scratch

    def __cinit__(self, str letters, shape, const double[::1] ridge, double most_inflation):
        self.letters = letters.encode()
        self.shape, self.ridge, self.memory = shape, ridge, Memory()
        self.m.family = family_named(self.letters)
        self.m.shape, self.m.most_inflation = SHAPES[shape.name], most_inflation
        self.m.ridge, self.m.signalled = NULL, signalled
        if ridge is not None:
            self.m.ridge = &self.ridge[0]

    cdef int prepare(self, Py_ssize_t k, Py_ssize_t d) except -1:
        """Have scratch for components of one size."""
        self.m.k, self.m.d = k, d
        self.scratch = <double *>self.memory.ask(m_step_scratch(&self.m) * sizeof(double))
        return 0

    def maximise(self, statistics, previous):
        """Return the parameters that follow from statistics; None where a component has none."""
        cdef Begin at = Begin(statistics, previous)
        cdef Points found = Points(1, at.k, at.d, self.shape)
        cdef Mixture mixture = found.mixture(0)
        cdef bint done
        self.prepare(at.k, at.d)
        with nogil:
            done = m_step(&self.m, &at.moments, at.previous, &mixture, self.scratch)
        if not done:
            return None
        return found.parameters(0)

    def log_weights(self, weights, factors):
        """Return the constants that a pass adds to the log-densities, (6) of m_step.h."""
        cdef const double[::1] w = np.ascontiguousarray(weights)
        cdef double[::1] out = np.empty(w.shape[0])
        cdef const double[::1] numbers = np.ascontiguousarray(factors).reshape(-1)
        self.m.k, self.m.d = w.shape[0], 0 if self.ridge is None else self.ridge.shape[0]
        all_log_weights(&self.m, &w[0], &numbers[0], &out[0])
        return out.base


cdef class Begin:
    """Where iterations begin: the arrays of statistics and of covariances, kept."""

    cdef Py_ssize_t k, d
    cdef Moments moments
    cdef const double *previous
    cdef const double[::1] centres, resp_sum, resp_x, resp_xx, covariances

    def __cinit__(self, statistics, covariances):
        self.k, self.d = statistics.centres.shape
        self.centres = np.ascontiguousarray(statistics.centres).reshape(-1)
        self.resp_sum = np.ascontiguousarray(statistics.resp_sum)
        self.resp_x = np.ascontiguousarray(statistics.resp_x).reshape(-1)
        self.resp_xx = np.ascontiguousarray(statistics.resp_xx).reshape(-1)
        self.moments.centres, self.moments.resp_sum = &self.centres[0], &self.resp_sum[0]
        self.moments.resp_x, self.moments.resp_xx = &self.resp_x[0], &self.resp_xx[0]
        self.previous = NULL
        if covariances is not None:
            self.covariances = np.ascontiguousarray(covariances).reshape(-1)
            self.previous = &self.covariances[0]


cdef Py_ssize_t entries_of(shape, Py_ssize_t k, Py_ssize_t d) except -1:
    """Numbers in an array of a shape."""
    cdef Py_ssize_t entries = 1
    for size in shape.array_shape(k, d):
        entries *= size
    return entries


cdef class Points:
    """Some places for parameters and the sums of the rows under them.

    A place is one row of `numbers`, with `entries` numbers in an array of the shape:

        weights  log-weights  resp_sum     k each, from 0
        means  resp_x                      k d each, from 3 k
        covariances  factors  resp_xx      `entries` each, from 3 k + 2 k d
    """

    cdef object shape, block
    cdef double[:, ::1] numbers, totals
    cdef Py_ssize_t n, k, d, entries

    def __cinit__(self, Py_ssize_t n, Py_ssize_t k, Py_ssize_t d, shape):
        self.n, self.k, self.d, self.shape = n, k, d, shape
        self.entries = entries_of(shape, k, d)
        self.block = np.zeros((n, 3 * k + 2 * k * d + 3 * self.entries))
        self.numbers = self.block
        self.totals = np.zeros((n, 2))  # log-likelihood and weight of the rows

    cdef Mixture mixture(self, Py_ssize_t i) noexcept nogil:
        cdef Mixture m
        cdef double *first = &self.numbers[i, 0]
        m.weights, m.log_weights, m.means = first, first + self.k, first + 3 * self.k
        m.covariances = m.means + 2 * self.k * self.d
        m.factors = m.covariances + self.entries
        return m

    cdef Sums sums(self, Py_ssize_t i) noexcept nogil:
        cdef Sums sums
        cdef double *first = &self.numbers[i, 0]
        memset(&sums, 0, sizeof(Sums))
        sums.resp_sum = first + 2 * self.k
        sums.resp_x = first + 3 * self.k + self.k * self.d
        sums.resp_xx = first + 3 * self.k + 2 * self.k * self.d + 2 * self.entries
        return sums

    cdef Moments moments(self, Py_ssize_t i) noexcept nogil:
        cdef Moments moments
        cdef Sums sums = self.sums(i)
        moments.centres = &self.numbers[i, 3 * self.k]
        moments.resp_sum, moments.resp_x, moments.resp_xx = sums.resp_sum, sums.resp_x, sums.resp_xx
        return moments

    cdef double objective(self, Py_ssize_t i) noexcept nogil:
        return self.totals[i, 0] / self.totals[i, 1]

    cdef int keep(self, Py_ssize_t i, statistics) except -1:
        """Take statistics that were found before."""
        cdef Py_ssize_t k = self.k, d = self.d
        self.piece(i, 3 * k, (k, d))[...] = statistics.centres
        self.piece(i, 2 * k, (k,))[...] = statistics.resp_sum
        self.piece(i, 3 * k + k * d, (k, d))[...] = statistics.resp_x
        self.piece(i, 3 * k + 2 * k * d + 2 * self.entries, statistics.resp_xx.shape)[...] = (
            statistics.resp_xx
        )
        self.totals[i, 0], self.totals[i, 1] = statistics.log_likelihood, statistics.weight_sum
        return 0

    cdef object piece(self, Py_ssize_t i, Py_ssize_t at, shape):
        return np.ndarray(shape, np.float64, self.block, (i * self.numbers.shape[1] + at) * 8)

    cdef object parameters(self, Py_ssize_t i):
        cdef Py_ssize_t k = self.k, d = self.d, at = 3 * k + 2 * k * d
        array_shape = self.shape.array_shape(k, d)
        return Parameters(
            self.piece(i, 0, (k,)), self.piece(i, 3 * k, (k, d)), self.piece(i, at, array_shape),
            self.piece(i, at + self.entries, array_shape), self.shape,
        )

    cpdef object statistics(self, Py_ssize_t i):
        """The statistics of the rows, about the means."""
        cdef Py_ssize_t k = self.k, d = self.d, at = 3 * k + 2 * k * d + 2 * self.entries
        return Statistics(
            self.shape.name, self.piece(i, 3 * k, (k, d)), self.piece(i, 2 * k, (k,)),
            self.piece(i, 3 * k + k * d, (k, d)), self.piece(i, at, self.shape.array_shape(k, d)),
            self.totals[i, 0], self.totals[i, 1],
        )

# The door to the M-step of m_step.h, and to iterations that alternate it with a pass.

cdef extern from "m_step.h" nogil:
    ctypedef struct Maximisation:
        int shape
        Py_ssize_t k, d
        const Family *family
        const double *ridge
        double most_inflation
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
                const Mixture *out, double *scratch)
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
    """

    cdef readonly object shape
    cdef bytes letters
    cdef const double[::1] ridge
    cdef Maximisation m
    cdef Memory memory

    def __cinit__(self, str letters, shape, const double[::1] ridge, double most_inflation):
        self.letters = letters.encode()
        self.shape, self.ridge, self.memory = shape, ridge, Memory()
        self.m.family = family_named(self.letters)
        self.m.shape, self.m.most_inflation = SHAPES[shape.name], most_inflation
        self.m.ridge = NULL if ridge is None else &ridge[0]

    cdef double *prepare(self, Py_ssize_t k, Py_ssize_t d) except NULL:
        """Return scratch for components of one size."""
        self.m.k, self.m.d = k, d
        return <double *>self.memory.ask(m_step_scratch(&self.m) * sizeof(double))

    def maximise(self, statistics, previous):
        """Return the parameters that follow from statistics; None where a component has none."""
        cdef Begin at = Begin(statistics, previous)
        cdef Iterates found = Iterates(1, at.k, at.d, self.shape)
        cdef Mixture mixture = found.mixture(0)
        if not m_step(
            &self.m, &at.moments, at.previous, &mixture, self.prepare(at.k, at.d)
        ):
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


cdef class Iterates:
    """The parameters of some iterations, and the sums of the rows under each of them."""

    cdef object shape, block
    cdef double[:, ::1] numbers, totals
    cdef Py_ssize_t n, k, d, entries

    def __cinit__(self, Py_ssize_t n, Py_ssize_t k, Py_ssize_t d, shape):
        self.n, self.k, self.d, self.shape = n, k, d, shape
        self.entries = entries_of(shape, k, d)
        self.block = np.zeros((n, 3 * k + 2 * k * d + 3 * self.entries))
        self.numbers = self.block
        self.totals = np.empty((n, 2))  # log-likelihood and weight of the rows

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

    cdef object piece(self, Py_ssize_t i, Py_ssize_t at, shape):
        return np.ndarray(shape, np.float64, self.block, (i * self.numbers.shape[1] + at) * 8)

    cdef object parameters(self, Py_ssize_t i):
        cdef Py_ssize_t k = self.k, d = self.d, at = 3 * k + 2 * k * d
        array_shape = self.shape.array_shape(k, d)
        return Parameters(
            self.piece(i, 0, (k,)), self.piece(i, 3 * k, (k, d)), self.piece(i, at, array_shape),
            self.piece(i, at + self.entries, array_shape), self.shape,
        )

    cdef object both(self, Py_ssize_t i):
        """The parameters of an iteration, and the statistics about their means."""
        cdef Py_ssize_t k = self.k, d = self.d, at = 3 * k + 2 * k * d + 2 * self.entries
        parameters = self.parameters(i)
        statistics = Statistics(
            self.shape.name, parameters.means, self.piece(i, 2 * k, (k,)),
            self.piece(i, 3 * k + k * d, (k, d)), self.piece(i, at, self.shape.array_shape(k, d)),
            self.totals[i, 0], self.totals[i, 1],
        )
        return parameters, statistics

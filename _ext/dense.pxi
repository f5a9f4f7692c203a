# Groups of rows of low density: the door to dense.h.

cdef extern from "dense.h" nogil:
    ctypedef struct Sparse:
        Py_ssize_t m, d, size
        const double *columns
        const double *weight
        const double *log_prob
        double unit, least_variance
    double group_about(const Sparse *s, Py_ssize_t i, int64_t *near, double *squares,
                       double *nearest)
    int take_groups(const Sparse *s, int n_groups, const int64_t *near, double *gains,
                    unsigned char *taken, int64_t *groups, double *of_groups)


def densest(const double[:, ::1] Z, const double[::1] weight, const double[::1] log_prob,
            double unit, double least_variance, Py_ssize_t size, int n_groups):
    """Return the rows of groups, shape (n, size), and their gains: see mixtura.reference.dense."""
    cdef Sparse s
    cdef Py_ssize_t i
    cdef const double[:, ::1] columns = np.ascontiguousarray(Z.base.T)
    cdef int64_t[:, ::1] near, groups = np.empty((n_groups, size), dtype=np.int64)
    cdef double[::1] gains, squares, nearest, of_groups = np.empty(n_groups)
    cdef unsigned char[::1] taken
    cdef int n
    s.m, s.d, s.size, s.unit, s.least_variance = Z.shape[0], Z.shape[1], size, unit, least_variance
    s.columns, s.weight, s.log_prob = &columns[0, 0], &weight[0], &log_prob[0]
    near, taken = np.empty((s.m, size), dtype=np.int64), np.zeros(s.m, dtype=np.uint8)
    gains, squares, nearest = np.empty(s.m), np.empty(s.m), np.empty(size)
    with nogil:
        for i in range(s.m):
            gains[i] = group_about(&s, i, &near[i, 0], &squares[0], &nearest[0])
        n = take_groups(&s, n_groups, &near[0, 0], &gains[0], &taken[0], &groups[0, 0],
                        &of_groups[0])
    return groups.base[:n], of_groups.base[:n]

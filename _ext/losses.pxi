# What is lost without a component, or where two are merged: the doors to losses.h.

from mixtura.shapes import MOST_INFLATION

cdef extern from "losses.h" nogil:
    void lose_components(Py_ssize_t n, Py_ssize_t k, const double *resp, const double *weight,
                         double *out)
    void add_entropies(Py_ssize_t n, Py_ssize_t k, const double *resp, const double *weight,
                       Py_ssize_t n_others, const int64_t *others, double least_share,
                       double *scratch, double *out)
    Py_ssize_t bound_scratch(const Maximisation *m)
    void bound_pairs(const Maximisation *m, const Moments *s, Py_ssize_t n_pairs,
                     const int64_t *one, const int64_t *other, double *scratch, double *out)


def losses_of_rows(const double[:, ::1] resp, const double[::1] weight):
    """Return (1) of losses.h, shape (k,)."""
    cdef double[::1] out = np.empty(resp.shape[1])
    if resp.shape[0] == 0:
        return np.zeros(resp.shape[1])
    with nogil:
        lose_components(resp.shape[0], resp.shape[1], &resp[0, 0], &weight[0], &out[0])
    return out.base


def entropies(const double[:, ::1] resp, const double[::1] weight, others, double least_share):
    """Return (2) of losses.h, shape (k, n_others)."""
    cdef const int64_t[:, ::1] of_each = np.ascontiguousarray(others, dtype=np.int64)
    cdef Py_ssize_t k = resp.shape[1], n_others = of_each.shape[1]
    cdef double[::1] scratch = np.empty(k)
    cdef double[:, ::1] out = np.zeros((k, n_others))
    if resp.shape[0] == 0 or n_others == 0:
        return out.base
    with nogil:
        add_entropies(resp.shape[0], k, &resp[0, 0], &weight[0], n_others, &of_each[0, 0],
                      least_share, &scratch[0], &out[0, 0])
    return out.base


def runnalls(statistics, one, other):
    """Return (3) or (4) of losses.h, shape (n_pairs,), of statistics about the means."""
    cdef Begin at = Begin(statistics, None)
    cdef const int64_t[::1] first = np.ascontiguousarray(one, dtype=np.int64)
    cdef const int64_t[::1] second = np.ascontiguousarray(other, dtype=np.int64)
    cdef double[::1] out = np.empty(first.shape[0])
    cdef Maximisation m
    m.shape, m.k, m.d = SHAPES[statistics.shape.name], at.k, at.d
    m.family, m.ridge, m.most_inflation = NULL, NULL, MOST_INFLATION
    cdef double[::1] scratch = np.empty(bound_scratch(&m))
    if first.shape[0] == 0:
        return out.base
    with nogil:
        bound_pairs(&m, &at.moments, first.shape[0], &first[0], &second[0], &scratch[0], &out[0])
    return out.base

# How components are best split in two: the door to cuts.h.

cdef extern from "cuts.h" nogil:
    enum: MOST_CUTS
    ctypedef struct Cuttable:
        int shape
        Py_ssize_t d
        double weight, share
        const double *mean
        const double *scatter
        const double *deviations
        double apart, halo
    Py_ssize_t cut_scratch(Py_ssize_t d)
    bint deviate(int shape, Py_ssize_t d, const double *scatter, double weight,
                 const double *scale, double *scratch, double *out)
    bint has_different(Py_ssize_t n, Py_ssize_t d, const double *X, int least)
    Py_ssize_t most_bimodal(const Cuttable *c, Py_ssize_t n, const double *X, const double *weight,
                            double *scratch)
    Py_ssize_t entries_of_both(int shape, Py_ssize_t d)
    int cut_all_ways(const Cuttable *c, Py_ssize_t axis, double *means, double *scatter)


def best_splits(const double[:, ::1] X, const double[:, ::1] resp, const double[::1] weight,
                components, statistics, const double[::1] scale, MStep step, rule, n_threads):
    """Return how components are best split, after some iterations from each of some cuts.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    resp : ndarray of shape (n_samples, n_components)
    weight : ndarray of shape (n_samples,)
    components : sequence of int
        Of positive weight.
    statistics : Statistics
        Of all components, about the means.
    scale : ndarray of shape (n_features,)
        Units of the features.
    step : MStep
        For two components; one that needs no covariances to begin with.
    rule : Cutting
        See `mixtura.search.splits`.
    n_threads : int or None

    Returns
    -------
    list of tuple or None
        For each component the gain of its log-likelihood in nats and the statistics of the parts;
        None where no cut leads to two components.
    """
    cdef Begin of_all = Begin(statistics, None)
    cdef Py_ssize_t d = of_all.d, both, size, m, j
    cdef bint is_shared = step.shape.is_shared, has_axes = False
    cdef Cuttable c
    cdef double total = np.sum(statistics.resp_sum)
    cdef const double[:, ::1] own
    cdef const double[::1] shares
    cdef double[:, ::1] means = np.empty((MOST_CUTS, 2 * d)), scatter
    cdef double[::1] deviations = np.empty(d * d), scratch = np.empty(cut_scratch(d))
    cdef double least_share = rule.least_share
    cdef int n_ways, least_rows = rule.least_rows
    c.shape, c.d, c.apart, c.halo = SHAPES[step.shape.name], d, rule.apart, rule.halo
    both, size = entries_of_both(c.shape, d), entries_of(step.shape, 1, d)
    scatter = np.empty((MOST_CUTS, both))
    found = []
    c.deviations = &deviations[0]
    for j in components:
        check_signals()
        own, shares = own_rows(X, resp, weight, j, least_share)
        m = own.shape[0]
        if m == 0 or not has_different(m, d, &own[0, 0], least_rows):
            found.append(None)
            continue
        c.weight, c.share = of_all.resp_sum[j], of_all.resp_sum[j] / total
        c.mean = &of_all.centres[j * d]
        c.scatter = &of_all.resp_xx[0 if is_shared else j * size]
        with nogil:
            if not (is_shared and has_axes):  # one scatter has the same axes for all
                has_axes = deviate(
                    c.shape, d, c.scatter, total if is_shared else c.weight, &scale[0],
                    &scratch[0], &deviations[0],
                )
            n_ways = 0 if not has_axes else cut_all_ways(
                &c, most_bimodal(&c, m, &own[0, 0], &shares[0], &scratch[0]), &means[0, 0],
                &scatter[0, 0],
            )
        if n_ways == 0:
            found.append(None)
            continue
        rows = Rows(own, shares)
        found.append(best_cut(rows, step, n_ways, 0.5 * c.weight, means, scatter, rule.n_iter,
                              n_threads))
    return found


cdef own_rows(const double[:, ::1] X, const double[:, ::1] resp, const double[::1] weight,
              Py_ssize_t j, double least):
    """Copies of the rows in which a component has more than a least share, and their weights."""
    cdef Py_ssize_t i, n = 0, d = X.shape[1]
    for i in range(X.shape[0]):
        n += resp[i, j] > least
    cdef double[:, ::1] own = np.empty((n, d))
    cdef double[::1] shares = np.empty(n)
    n = 0
    for i in range(X.shape[0]):
        if resp[i, j] > least:
            own[n] = X[i]
            shares[n] = weight[i] * resp[i, j]
            n += 1
    return own.base, shares.base


cdef best_cut(Rows rows, MStep step, Py_ssize_t n_ways, double half, const double[:, ::1] means,
              const double[:, ::1] scatter, Py_ssize_t n_iter, n_threads):
    """Where the best of some cuts leads: gain and statistics. The first cut is only looked at."""
    cdef Py_ssize_t d = means.shape[1] // 2, way, left, place, best = 0
    cdef Pass p = rows.rows
    cdef Py_ssize_t work = rows.cut(&p, "soft", SUMS, step.shape, 2, entries_of(step.shape, 2, d))
    cdef Points points = Points(n_ways + 1, 2, d, step.shape)  # the last is on the way
    cdef double[::1] nothing = np.zeros(2 * d)
    cdef double[2] weights = [half, half]
    cdef const double *before
    cdef Moments at
    cdef char *scratch
    cdef int threads
    cdef double gain = -INFINITY
    step.prepare(2, d)
    p.slots = <double *>rows.slots.ask(p.n_slots * p.slot_size)
    with threads_for_a_pass(n_threads, work=work) as chosen:
        threads = max(1, min(chosen, p.n_slots))
        scratch = <char *>rows.scratch.ask(threads * p.scratch_size)
        with nogil:
            for way in range(n_ways):
                left, before = n_iter if way > 0 else 1, NULL
                at.centres, at.resp_sum, at.resp_x = &means[way, 0], weights, &nothing[0]
                at.resp_xx = &scatter[way, 0]
                while left > 0:
                    place = way if left % 2 else n_ways  # in turn; the last iteration ends in way
                    if not rows.reach(&p, step, &at, before, points, place, threads, scratch):
                        break
                    at, before = points.moments(place), points.mixture(place).covariances
                    left -= 1
                if left > 0 and way == 0:
                    break
                if left == 0 and way > 0 and points.totals[way, 0] - points.totals[0, 0] > gain:
                    gain, best = points.totals[way, 0] - points.totals[0, 0], way
    return None if best == 0 else (gain, points.statistics(best))

# Iterations from each of several beginnings: the door by which a search compares them.
#
# For one component and its rows a search tries some pairs of components in its place, each for an
# iteration or two. The rows are few, so that one call for all pairs takes half the time.


def trials(Rows rows, str em, MStep step, starts, n_iter, n_threads):
    """Make iterations from each of several statistics.

    Parameters
    ----------
    rows : Rows
        Which iterate.
    em : str
    step : MStep
        One that needs no covariances to begin with.
    starts : object
        With `centres` (n_starts, n_components, n_features), `resp_sum` and `resp_xx`: statistics
        about the means.
    n_iter : sequence of int
        Iterations from each of them, one at least.
    n_threads : int or None

    Returns
    -------
    log_likelihood : ndarray of shape (n_starts,), nats
        Under the parameters after the iterations; NaN where a component had none.
    statistics : callable
        From the place of a start to the statistics under them.
    """
    cdef const double[:, :, ::1] centres = starts.centres
    cdef const double[:, ::1] resp_sum = starts.resp_sum
    cdef Py_ssize_t n_starts = centres.shape[0], k = centres.shape[1], d = centres.shape[2]
    cdef const double[:, ::1] resp_xx = starts.resp_xx.reshape(n_starts, -1)
    cdef const double[::1] resp_x = np.zeros(k * d)
    cdef Pass p = rows.rows
    cdef Py_ssize_t work = rows.cut(&p, em, SUMS, step.shape, k, resp_xx.shape[1])
    cdef Points points = Points(n_starts + 1, k, d, step.shape)  # the last is on the way
    cdef double[::1] log_likelihood = np.full(n_starts, np.nan)
    cdef const double *before
    cdef Moments at
    cdef Py_ssize_t i, left, place
    cdef char *scratch
    cdef int threads
    step.prepare(k, d)
    rows.followed = 0
    p.slots = <double *>rows.slots.ask(p.n_slots * p.slot_size)
    with threads_for_a_pass(n_threads, work=work) as chosen:
        threads = max(1, min(chosen, p.n_slots))
        scratch = <char *>rows.scratch.ask(threads * p.scratch_size)
        for i in range(n_starts):
            left, before = n_iter[i], NULL
            at.centres, at.resp_sum = &centres[i, 0, 0], &resp_sum[i, 0]
            at.resp_x, at.resp_xx = &resp_x[0], &resp_xx[i, 0]
            with nogil:
                while left > 0:
                    left -= 1
                    place = n_starts if left % 2 else i
                    if not rows.reach(&p, step, &at, before, points, place, threads, scratch):
                        break
                    at, before = points.moments(place), points.mixture(place).covariances
                    if left == 0:
                        log_likelihood[i] = points.totals[place, 0]
    return log_likelihood.base, points.statistics

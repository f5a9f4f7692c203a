# The door to the seeds of seeding.h, all of them in one call.

cdef extern from "seeding.h" nogil:
    ctypedef struct Seeding
    ctypedef void (*Work)(const Seeding *s, Py_ssize_t first, Py_ssize_t end, double *columns,
                          double *slot) noexcept nogil
    ctypedef struct Seeding:
        Pass rows
        Work work
        Py_ssize_t chosen
        double n_nearer
        int64_t *drawn
    const Precision seeding_rows
    const Work begin_tiles, try_tiles, take_tiles
    Py_ssize_t draw_by_weight(const Pass *p, double quantile)
    void draw(Seeding *s, const double *quantiles)
    void lay_out_trials(Seeding *s, Py_ssize_t n)
    void choose(Seeding *s)
    Py_ssize_t place_seeding(Seeding *s, Py_ssize_t n_trials, char *base)
    void begin_seeding(Seeding *s)

# Multiply-adds below which taking a seed is not shared between threads.
cdef enum: SHARED_WORK = 1_000_000


cdef object seeds_of(Rows rows, double first, const double[:, ::1] quantiles, n_threads):
    """Return the rows that k-means++ chooses: see `mixtura.reference.Rows.seeds`."""
    cdef Seeding s
    cdef Memory memory = Memory(), scratch = Memory()
    cdef Py_ssize_t j, n_more = quantiles.shape[0], n_trials = quantiles.shape[1]
    cdef int64_t[::1] chosen = np.empty(1 + n_more, dtype=np.int64)
    cdef int threads
    cdef char *each
    cdef double checked = now()
    memset(&s, 0, sizeof(Seeding))
    s.rows = rows.rows
    place_seeding(&s, n_trials, <char *>memory.ask(place_seeding(&s, n_trials, NULL)))
    work = s.rows.n * n_trials * (s.rows.d + EXPONENTIAL_WORK)
    with threads_for_a_pass(n_threads, work=work) as allowed:
        threads = max(1, min(allowed, s.rows.n_slots))
        each = <char *>scratch.ask(threads * s.rows.scratch_size)
        with nogil:
            begin_seeding(&s)
            s.drawn[0] = chosen[0] = draw_by_weight(&s.rows, first)
            lay_out_trials(&s, 1)
            s.work = begin_tiles
            run_slots(&seeding_rows, &s.rows, threads, each, signalled)
            for j in range(n_more):
                draw(&s, &quantiles[j, 0])
                lay_out_trials(&s, n_trials)
                s.work = try_tiles
                run_slots(&seeding_rows, &s.rows, threads, each, signalled)
                choose(&s)
                chosen[1 + j] = s.drawn[s.chosen]
                if j == n_more - 1:
                    break
                s.work = take_tiles
                run_slots(
                    &seeding_rows, &s.rows,
                    threads if s.n_nearer * s.rows.d > SHARED_WORK else 1, each, signalled,
                )
                if now() - checked > BETWEEN_CHECKS:  # as passes do, if they are long enough
                    check_signals()
                    checked = now()
    return chosen.base

# Iterations that alternate M-steps with passes, as a schedule's rule decides: see squarem.h.

cdef class Lookout:
    """What a watch knows, as the iterations see it: `mixtura.search.watch`."""

    cdef Rivals rivals
    cdef const double[::1] objectives, scale
    cdef const double[:, ::1] weights
    cdef const double[:, :, ::1] means

    def __cinit__(self, watch, Py_ssize_t k):
        self.rivals.slower, self.rivals.leader = watch.slower, watch.leader
        self.rivals.n = 0
        if len(watch.objectives) > 0 and watch.weights.shape[1] == k:
            self.objectives, self.scale = watch.objectives, watch.scale
            self.weights, self.means = watch.weights, watch.means
            self.rivals.n = self.objectives.shape[0]
            self.rivals.objectives, self.rivals.scale = &self.objectives[0], &self.scale[0]
            self.rivals.weights, self.rivals.means = &self.weights[0, 0], &self.means[0, 0, 0]


cdef class Course:
    """Iterations: where they are, what the schedule knows, and statistics since its last step.

    Parameters
    ----------
    rows : Rows
    em : str
    step : MStep
    rule : Rule
    state : object
        Of the schedule.
    k, d : int
        Components, features.
    """

    cdef Rows rows
    cdef MStep step
    cdef Pass of_rows
    cdef Py_ssize_t work
    cdef int threads
    cdef char *scratch
    cdef Points points
    cdef object before
    cdef StepRule rule
    cdef Progress now
    cdef const double[::1] scale
    cdef double[::1] vectors
    cdef Py_ssize_t size, current, n_seen
    cdef Py_ssize_t[2] seen
    cdef Lookout lookout
    cdef Py_ssize_t iteration, since
    cdef double last_objective, small_gain

    def __cinit__(self, Rows rows, str em, MStep step, rule, state, Py_ssize_t k, Py_ssize_t d):
        cdef Pass *p = &self.of_rows
        self.rows, self.step, self.of_rows = rows, step, rows.rows
        self.work = rows.cut(p, em, SUMS, step.shape, k, entries_of(step.shape, k, d))
        p.slots = <double *>rows.slots.ask(p.n_slots * p.slot_size)
        step.prepare(k, d)
        self.lookout = None if rule.watch is None else Lookout(rule.watch, k)
        self.iteration, self.last_objective = rule.iteration, rule.objective
        self.since, self.small_gain = rule.since, rule.small
        self.points = Points(N_STATISTICS + 1, k, d, step.shape)
        self.before, self.current = state, -1
        self.rule.extrapolates = rule.extrapolates
        self.rule.tol, self.rule.rounding = rule.tol, rule.rounding
        self.size = n_sums(&step.m)
        if rule.extrapolates:
            self.scale = np.ascontiguousarray(rule.scale)
            self.vectors = np.empty(N_STATISTICS * self.size)
            self.rule.scale = &self.scale[0]
        self.now.n_recent = len(state.recent)
        for i in range(self.now.n_recent):
            self.now.recent[i] = state.recent[i]
        self.now.predicted_gain = state.predicted_gain
        if not rule.extrapolates:
            return
        self.now.plain, self.now.confirming = state.plain, state.confirming
        self.now.longest, self.now.slowest, self.now.gain = state.longest, state.slowest, state.gain
        for statistics in state.seen:
            self.points.keep(self.n_seen, statistics)
            self.seen[self.n_seen] = self.n_seen
            self.n_seen += 1

    cdef Py_ssize_t free(self) noexcept nogil:
        """A place that nothing needs."""
        cdef Py_ssize_t i = 0
        while i < self.points.n - 1:
            if i != self.current and not (self.n_seen > 0 and i == self.seen[0]) and not (
                self.n_seen > 1 and i == self.seen[1]
            ):
                break
            i += 1
        return i

    cdef Py_ssize_t after(self, double objective) noexcept nogil:
        """Count an iteration; return what the watch says of it."""
        cdef Mixture here
        cdef double gain = objective - self.last_objective
        self.last_objective = objective
        self.iteration += 1
        self.since += 1
        if self.lookout is None:
            return GOES_ON
        here = self.points.mixture(self.current)
        return look_at_rivals(
            &self.lookout.rivals, self.iteration, objective, gain, self.points.k, self.points.d,
            &here,
        )

    cdef bint is_slow(self) noexcept nogil:
        """Whether gains are small where they are looked at: `mixtura.schedules.parting`."""
        cdef Py_ssize_t times = self.since // SOON, n = self.now.n_recent
        if self.since % SOON or times & (times - 1) or times == 0 or n < 2:
            return False
        return self.now.recent[n - 1] - self.now.recent[n - 2] <= self.small_gain

    cdef double measured(self) noexcept nogil:
        """Set the vectors of the last three statistics, and return how slow iterations are."""
        cdef Py_ssize_t i
        cdef Py_ssize_t[3] last = [self.seen[0], self.seen[1], self.current]
        cdef Moments moments
        cdef double *x = &self.vectors[0]
        for i in range(N_STATISTICS):
            moments = self.points.moments(last[i])
            as_vector(
                &self.step.m, &self.rule, &moments, self.points.mixture(self.current).means,
                x + i * self.size,
            )
        return slowness(self.size, x, x + self.size, x + 2 * self.size)

    cdef bint reach(self, const Moments *at, const double *previous,
                    Py_ssize_t place) except -1 nogil:
        """Make an iteration; return whether there are parameters after it."""
        return self.rows.reach(
            &self.of_rows, self.step, at, previous, self.points, place, self.threads, self.scratch
        )

    cdef bint extrapolate(self, double length) except -1 nogil:
        """Make an extrapolation step if it leads no lower; return whether it does."""
        cdef double *x = &self.vectors[0]
        cdef double *sums = x + 2 * self.size
        cdef Py_ssize_t place, k = self.points.k, d = self.points.d
        cdef Mixture here = self.points.mixture(self.current)
        cdef Moments ahead
        if not extrapolate(&self.step.m, &self.rule, length, x, x + self.size, sums, sums):
            return False
        ahead.centres, ahead.resp_sum = here.means, sums
        ahead.resp_x, ahead.resp_xx = sums + k, sums + k + k * d
        place = self.free()
        if not self.reach(&ahead, here.covariances, place):
            return False
        if not self.points.objective(place) >= self.points.objective(self.current):
            return False
        self.current = self.seen[0] = place
        return True

    cdef double accelerated(self, Progress *after, bint *drops) except? -1 nogil:
        """Extrapolate, if it is time; return the objective where the iteration ends."""
        cdef double slowest, length, objective = self.points.objective(self.current)
        drops[0] = False
        if not begin_iteration(&self.rule, &self.now, objective, after):
            drops[0] = not self.now.confirming
        elif self.now.confirming:
            pass  # no extrapolation before the end
        elif self.n_seen < N_STATISTICS - 1:
            self.seen[self.n_seen] = self.current
            self.n_seen += 1
        else:
            slowest = self.measured()
            after.slowest = max(after.slowest, slowest)
            length = min(slowest, after.longest)
            self.n_seen, self.seen[0] = 1, self.current
            if length > 1.0 and self.extrapolate(length):
                objective = self.points.objective(self.current)
                if length == after.longest:
                    after.longest *= STRETCH
            elif length > 1.0:
                after.longest = max(length / STRETCH, LEAST_LENGTH)
        return objective

    def run(self, Begin begin, Py_ssize_t n, n_threads):
        """Make iterations; see `Rows.follow`."""
        cdef Moments at = begin.moments
        cdef const double *before = begin.previous
        cdef bint finished = False, slow = False, drops
        cdef Progress after
        cdef double objective, checked = now()
        cdef Py_ssize_t place, done = 0, stopped = GOES_ON
        n = max(1, min(n, TOGETHER // max(1, self.work)))
        cdef double[::1] objectives = np.empty(n)
        self.rows.followed = 0
        with threads_for_a_pass(n_threads, work=self.work) as chosen:
            self.threads = max(1, min(chosen, self.of_rows.n_slots))
            self.scratch = <char *>self.rows.scratch.ask(
                self.threads * self.of_rows.scratch_size
            )
            with nogil:
                while done < n and not (finished or slow or stopped != GOES_ON):
                    place = self.free()
                    if not self.reach(&at, before, place):
                        break
                    if now() - checked > BETWEEN_CHECKS:  # as passes do, if they are long enough
                        check_signals()
                        checked = now()
                    self.current = place
                    objective = self.accelerated(&after, &drops)
                    finished = end_iteration(&self.rule, &self.now, objective, &after, &drops)
                    if drops:
                        self.n_seen = 0
                    self.now, objectives[done] = after, objective
                    at = self.points.moments(self.current)
                    before = self.points.mixture(self.current).covariances
                    done += 1
                    stopped, slow = self.after(objective), self.is_slow()
        if done == 0:
            return None
        found = self.points.parameters(self.current), self.points.statistics(self.current)
        return self.state(), *found, objectives.base[:done].tolist(), finished, stopped

    cdef object state(self):
        """What the schedule knows, as it keeps it."""
        after = self.before._replace(
            recent=tuple([self.now.recent[i] for i in range(self.now.n_recent)]),
            predicted_gain=self.now.predicted_gain,
        )
        if not self.rule.extrapolates:
            return after
        return after._replace(
            plain=self.now.plain,
            seen=tuple([self.points.statistics(self.seen[i]) for i in range(self.n_seen)]),
            longest=self.now.longest, slowest=self.now.slowest, gain=self.now.gain,
            confirming=self.now.confirming,
        )

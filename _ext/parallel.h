/* Deals slots to threads, and stops them on a signal.

   Threads take slots in order: each takes the next one when it is free. Python runs signal
   handlers, that of Ctrl-C among them, in the thread that called. So this thread checks for signals
   between its tiles, and when no slot is left for it, it keeps checking until the others are done.
   Once a handler has raised, every thread stops before its next tile, and what the pass has written
   until then is meaningless. */
#ifndef MIXTURA_PARALLEL_H
#define MIXTURA_PARALLEL_H

#include "pass.h"
#ifdef _OPENMP
#include <omp.h>
#endif

/* `next` is shared by all threads */
static void take_slots(const Precision *by, const Pass *p, char *scratch, ptrdiff_t *next,
                       Watch *watch) {
    ptrdiff_t slot;
    while ((slot = __atomic_fetch_add(next, 1, __ATOMIC_RELAXED)) < p->n_slots && !stopped(watch))
        by->run_slot(p, slot, scratch, watch);
}

#ifdef _OPENMP
static const double BRIEF = 5e-3;         /* seconds; a shorter pass is not checked */
static const double OVERSLEPT = 1 / 64.0; /* largest share of a pass that is lost by sleeping */

/* Check for signals while others work. */
static void await(const int *done, int others, double began, Watch *watch) {
    double passed;
    while ((passed = now() - began) > BRIEF && !stopped(watch) &&
           __atomic_load_n(done, __ATOMIC_RELAXED) < others) {
        const struct timespec nap = {0, (long)(1e9 * (passed < 1.0 ? passed : 1.0) * OVERSLEPT)};
        nanosleep(&nap, NULL);
    }
}
#endif

/* Run all slots; returns true where a signal handler raised. */
static int run_slots(const Precision *by, const Pass *p, int n_threads, char *scratch,
                     int (*signalled)(void)) {
    const double began = now();
    ptrdiff_t next = 0;
    int stop = 0;
    if (n_threads == 1) { /* without OpenMP, which does not survive a fork */
        Watch watch = {signalled, began, &stop};
        take_slots(by, p, scratch, &next, &watch);
        return stop;
    }
#ifdef _OPENMP
    int done = 0;
#pragma omp parallel num_threads(n_threads)
    {
        const int thread = omp_get_thread_num();
        Watch watch = {thread == 0 ? signalled : NULL, began, &stop};
        take_slots(by, p, scratch + thread * p->scratch_size, &next, &watch);
        if (thread == 0) await(&done, omp_get_num_threads() - 1, began, &watch);
        else __atomic_fetch_add(&done, 1, __ATOMIC_RELAXED);
    }
#endif
    return stop;
}

#endif

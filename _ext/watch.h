/* Whether a pass has to stop: every thread asks before each tile. And whether an M-step has to. */
#ifndef MIXTURA_WATCH_H
#define MIXTURA_WATCH_H

#include <stddef.h>
#include <time.h>

/* Seconds between two checks for signals. A check waits for the GIL, which takes 5 ms where another
   Python thread holds it. */
static const double BETWEEN_CHECKS = 0.1;

typedef struct {
    int (*signalled)(void); /* runs Python's signal handlers, true if one raised; NULL: no checks */
    double checked;         /* seconds, when it was called last */
    int *stop;              /* shared by all threads */
} Watch;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int stopped(Watch *watch) {
    if (watch->signalled && now() - watch->checked > BETWEEN_CHECKS) {
        if (watch->signalled()) __atomic_store_n(watch->stop, 1, __ATOMIC_RELAXED);
        watch->checked = now();
    }
    return __atomic_load_n(watch->stop, __ATOMIC_RELAXED);
}

/* For work on one thread that is seldom long: no clock is read before there is much of it. */
static const ptrdiff_t UNWATCHED = 1000000; /* multiply-adds, a third of a millisecond */

typedef struct {
    int (*signalled)(void); /* as above */
    ptrdiff_t work;         /* multiply-adds since the clock was read */
    double checked;         /* seconds, 0 before the first time */
    int stop;
} Patience;

/* Whether to stop before some more work */
static int out_of_patience(Patience *patience, ptrdiff_t work) {
    patience->work += work;
    if (patience->work < UNWATCHED || patience->stop) return patience->stop;
    patience->work = 0;
    if (patience->checked == 0.0) patience->checked = now();
    Watch watch = {patience->signalled, patience->checked, &patience->stop};
    stopped(&watch);
    patience->checked = watch.checked;
    return patience->stop;
}

#endif

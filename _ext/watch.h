/* Whether a pass has to stop: every thread asks before each tile. */
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

#endif

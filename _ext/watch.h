/* Whether a pass is to go on: asked by every thread before each tile. */
#ifndef MIXTURA_WATCH_H
#define MIXTURA_WATCH_H

#include <stddef.h>
#include <time.h>

/* Seconds between two looks for signals: a look waits for the GIL, for 5 ms where another Python
   thread is busy with it. */
static const double LOOK = 0.1;

typedef struct {
    int (*signalled)(void); /* runs Python's signal handlers, true where one raised; NULL: not here */
    double looked;          /* seconds, when it was called last */
    int *stop;              /* of all threads */
} Watch;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int stopped(Watch *watch) {
    if (watch->signalled && now() - watch->looked > LOOK) {
        if (watch->signalled()) __atomic_store_n(watch->stop, 1, __ATOMIC_RELAXED);
        watch->looked = now();
    }
    return __atomic_load_n(watch->stop, __ATOMIC_RELAXED);
}

#endif

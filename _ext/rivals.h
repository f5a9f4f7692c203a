/* Whether a run of EM is given up, because it comes to a maximum that is known or cannot outdo the
   best run so far: mixtura.search.watch, which explains it. */
#ifndef MIXTURA_RIVALS_H
#define MIXTURA_RIVALS_H

#include "squarem.h"

/* Constants of mixtura.search.watch, where the first and STEPS_LEFT are FIRST and PATIENCE, and of
   mixtura.search.alike. */
enum { SOON = 8 }; /* of mixtura.schedules.parting */
enum { FIRST_LOOK = 2, EVERY = 4, LATEST = 32, SETTLED = 4 };
static const double STEPS_LEFT = 10.0, NEAR = 0.02, ALIKE = 0.1;

enum { GOES_ON = -2, HOPELESS = -1 }; /* else the number of the maximum */

typedef struct {
    ptrdiff_t n, slower;                      /* known maxima; see Watch */
    double leader;                            /* objective of the best run; -inf without one */
    const double *objectives, *weights, *means; /* (n), (n, k), (n, k, d) in units */
    const double *scale;                      /* (d), the units */
} Rivals;

/* Largest difference between a component and the one of others that is nearest to it. */
static double apart(ptrdiff_t k, ptrdiff_t d, double weight, const double *mean,
                    const double *mean_scale, const double *weights, const double *means,
                    const double *scale) {
    double nearest = INFINITY;
    for (ptrdiff_t j = 0; j < k; j++) {
        double most = fabs(weight - weights[j]);
        for (ptrdiff_t a = 0; a < d && most < nearest; a++) {
            const double one = mean_scale ? mean[a] / mean_scale[a] : mean[a];
            const double other = scale ? means[j * d + a] / scale[a] : means[j * d + a];
            most = fmax(most, fabs(one - other));
        }
        nearest = fmin(nearest, most);
    }
    return nearest;
}

static int is_known(const Rivals *r, ptrdiff_t i, ptrdiff_t k, ptrdiff_t d, const Mixture *here) {
    const double *weights = r->weights + i * k, *means = r->means + i * k * d;
    for (ptrdiff_t j = 0; j < k; j++) {
        if (!(apart(k, d, weights[j], means + j * d, NULL, here->weights, here->means, r->scale)
              < ALIKE))
            return 0;
        if (!(apart(k, d, here->weights[j], here->means + j * d, r->scale, weights, means, NULL)
              < ALIKE))
            return 0;
    }
    return 1;
}

/* What becomes of a run after an iteration with some objective and gain. */
static ptrdiff_t look_at_rivals(const Rivals *r, ptrdiff_t iteration, double objective, double gain,
                                ptrdiff_t k, ptrdiff_t d, const Mixture *here) {
    if (iteration % r->slower) return GOES_ON;
    iteration /= r->slower;
    if (iteration % EVERY && iteration != FIRST_LOOK) return GOES_ON;
    if (iteration >= SETTLED)
        for (ptrdiff_t i = 0; i < r->n; i++)
            if (fabs(r->objectives[i] - objective) < NEAR && is_known(r, i, k, d, here)) return i;
    const double behind = r->leader - objective;
    if (behind > STEPS_LEFT * fmax(gain, 0.0) || (behind > 0.0 && iteration >= LATEST))
        return HOPELESS;
    return GOES_ON;
}

#endif

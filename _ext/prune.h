/* Which components can matter to a tile: bounds that are carried from pass to pass.

   Let y = W (x - m), W = U^T, be the whitened difference of a row under one pass's parameters, and
   y' that under the next one's. Since y' = W' W^-1 y + W' (m - m'),

       |y'| >= sigma_min(W' W^-1) |y| - |W' (m - m')| = shrink |y| - shift,

   with the same two numbers for all rows. So a lower bound of |y| over the rows of a tile, `reach`,
   lives on through any number of passes, and with it the upper bound c_j - 1/2 reach^2 of l_j. A
   component whose bound is MARGIN below the best l of every row of the tile is left out of it: in
   statistics its responsibilities would be 0 (soft) or are 0 (hard). Rows are ordered by their last
   component, so that the rows of a tile have few components in common.

   The inequality for k-means: Hamerly, "Making k-means even faster", SDM 2010. */
#ifndef MIXTURA_PRUNE_H
#define MIXTURA_PRUNE_H

#include "nearest.h"

#ifdef SINGLE
static const double SLACK = 1e-5; /* relative; above the rounding of a distance */
#else
static const double SLACK = 1e-6; /* relative; above the rounding of a reach kept as float */
#endif

/* what l_j is for a row at its mean; k-means has no constants */
INLINE double log_density_at_mean(const Pass *p, ptrdiff_t j, const Tile *s) {
    return p->hard ? 0.0 : s->constants[j];
}

/* the largest l of component q of the list, over rows with weight */
static double largest_of(const Pass *p, ptrdiff_t padded, ptrdiff_t q, const Tile *s) {
    if (p->hard) return s->peak[q];
    vec largest = fill(-INFINITY);
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        vec l = load(s->resp + q * p->tile + t);
        largest = larger(largest, pick(load(s->weight + t) > 0, l, fill(-INFINITY)));
    }
    return largest_lane(largest);
}

/* the least, over rows with weight, of the best l so far */
static double least_best(const Pass *p, ptrdiff_t padded, const Tile *s) {
    if (p->hard) return least_nearest(padded, s);
    double least = INFINITY;
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        vec best = fill(-INFINITY);
        for (ptrdiff_t q = 0; q < s->listed; q++)
            best = larger(best, load(s->resp + q * p->tile + t));
        best = pick(load(s->weight + t) > 0, best, fill(INFINITY));
        for (int i = 0; i < LANES; i++) least = best[i] < least ? best[i] : least;
    }
    return least;
}

static void list_above(const Pass *p, ptrdiff_t padded, double floor, Tile *s) {
    const ptrdiff_t before = s->listed;
    for (ptrdiff_t j = 0; j < p->k; j++)
        if (s->upper[j] >= floor) {
            s->component[s->listed++] = (int32_t)j;
            s->upper[j] = NAN; /* not again: it is above no floor, not even minus infinity */
        }
    if (p->hard) scores(p, padded, before, s);
    else densities(p, padded, before, s);
}

/* List the components that matter and compute their densities; renew the reach of each. */
static void densities_that_matter(const Pass *p, ptrdiff_t padded, float *reach, Tile *s) {
    const double margin = p->hard ? 0.0 : MARGIN;
    double top = -INFINITY;
    for (ptrdiff_t j = 0; j < p->k; j++) {
        double b = p->shrink ? p->shrink[j] * reach[j] - p->shift[j] : 0.0;
        b = b > 0.0 ? b : 0.0; /* and where it is not a number */
        reach[j] = (float)(b * (1.0 - SLACK));
        s->upper[j] = log_density_at_mean(p, j, s) - 0.5 * b * b;
        top = s->upper[j] > top ? s->upper[j] : top;
    }
    s->listed = 0;
    if (p->shrink) {
        list_above(p, padded, top - margin, s);
        list_above(p, padded, least_best(p, padded, s) - margin, s);
    } else
        list_above(p, padded, -DBL_MAX, s);
    for (ptrdiff_t q = 0; q < s->listed; q++) {
        const ptrdiff_t j = s->component[q];
        const double squared = 2.0 * (log_density_at_mean(p, j, s) - largest_of(p, padded, q, s));
        reach[j] = squared > 0.0 ? (float)(sqrt(squared) * (1.0 - SLACK)) : 0.0f;
    }
}

#endif

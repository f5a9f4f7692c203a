/* Which components matter to a tile: bounds that are carried from pass to pass.

   Let y = W (x - m), W = U^T, be the whitened difference of a row under one pass's parameters, and
   y' that under the next one's. Since y' = W' W^-1 y + W' (m - m'),

       |y'| >= sigma_min(W' W^-1) |y| - |W' (m - m')| = shrink |y| - shift,

   with the same two numbers for all rows. So a lower bound of |y| over the rows of a tile, `reach`,
   can be carried through any number of passes, and with it the upper bound c_j - 1/2 reach^2 of
   l_j. A component whose bound is the step's `margin` below the best l of every row of the tile is
   not listed for it: its shares of these rows would be 0. Rows are taken in the order of their
   last component, so that few components matter to the rows of a tile.

   With NEW_BOUNDS nothing is known yet, and `reach` is only written.

   The inequality for k-means: Hamerly, "Making k-means even faster", SDM 2010. */
#ifndef MIXTURA_PRUNE_H
#define MIXTURA_PRUNE_H

#include "tile.h"

#ifdef SINGLE
static const double SLACK = 1e-5; /* relative; above the rounding of a distance */
#else
static const double SLACK = 1e-6; /* relative; above the rounding of a reach kept as float */
#endif

static void list_above(const Pass *p, double floor, Tile *s) {
    const ptrdiff_t before = s->listed;
    for (ptrdiff_t j = 0; j < p->k; j++)
        if (s->upper[j] >= floor) {
            s->component[s->listed++] = (int32_t)j;
            s->upper[j] = NAN; /* not listed again: no comparison with it is true */
        }
    p->step->score(p, before, s);
}

/* Lists the components that matter, scores them and renews their reach. */
static void score_what_matters(const Pass *p, Tile *s) {
    float *reach = p->reach + s->start / p->tile * p->k;
    const int known = p->bounds == KNOWN_BOUNDS;
    double top = -INFINITY;
    for (ptrdiff_t j = 0; j < p->k; j++) {
        double b = known ? p->shrink[j] * reach[j] - p->shift[j] : 0.0;
        b = b > 0.0 ? b : 0.0; /* 0 for a NaN too */
        reach[j] = (float)(b * (1.0 - SLACK));
        s->upper[j] = s->constants[j] - 0.5 * b * b;
        top = s->upper[j] > top ? s->upper[j] : top;
    }
    s->listed = 0;
    list_above(p, known ? top - p->step->first : -DBL_MAX, s);
    if (known) list_above(p, p->step->least_best(p, s) - p->margin, s);
    for (ptrdiff_t q = 0; q < s->listed; q++) {
        const ptrdiff_t j = s->component[q];
        const double squared = 2.0 * ((double)s->constants[j] - s->peak[q]);
        reach[j] = squared > 0.0 ? (float)(sqrt(squared) * (1.0 - SLACK)) : 0.0f;
    }
}

#endif

/* The choice of a seed in k-means++: what each of a few candidates would leave.

   The "components" are candidates. `nearest` holds the squared distance of each row to all earlier
   seeds, and the sum of a candidate is what it would leave,

     resp_sum_j = sum over rows of w min(nearest, |x - m_j|^2).

   Where these minima are wanted, they are written to `after`, so that no other pass is needed once
   a candidate has been chosen. Otherwise the first component is a seed just chosen, and `nearest`
   is brought up to date with it before. */
#ifndef MIXTURA_SEEDS_H
#define MIXTURA_SEEDS_H

#include "density.h"
#include "mixture.h"

static void write_after(const Pass *p, const Tile *s, const double *nearest) {
    for (ptrdiff_t j = 0; j < p->k; j++) {
        const real *l = s->resp + j * p->tile;
        double *after = p->after + j * p->after_stride + s->start;
        for (ptrdiff_t t = 0; t < s->rows; t++) {
            const double squared = -2.0 * l[t];
            after[t] = squared < nearest[t] ? squared : nearest[t];
        }
    }
}

static void update_nearest(const Pass *p, Tile *s) {
    if (p->after) write_after(p, s, p->nearest + s->start);
    for (ptrdiff_t t = 0; t < s->rows; t++) {
        const double squared = -2.0 * s->resp[t];
        double *nearest = p->nearest + s->start + t;
        if (!p->after && squared < *nearest) *nearest = squared;
        s->log_prob[t] = (real)(-0.5 * *nearest);
    }
    for (ptrdiff_t t = s->rows; t < s->padded; t++) s->log_prob[t] = 0;
}

static void add_potentials(const Pass *p, Tile *s, double *slot) {
    for (ptrdiff_t j = 0; j < p->k; j++) {
        vec sum = {0};
        for (ptrdiff_t t = 0; t < s->padded; t += LANES)
            sum -= 2 * load(s->weight + t)
                   * larger(load(s->log_prob + t), load(s->resp + j * p->tile + t));
        add_to(slot + resp_sum_at(j), sum);
    }
}

static ptrdiff_t no_scatter(const Pass *p) { (void)p; return 0; }

static void reduce_nothing_else(const Pass *p, const double *slot, Sums *sums) {
    (void)p, (void)slot, (void)sums;
}

static const Step seeds = {
    .name = "seeds",
    .by_row = NEVER,
    .keeps_scores = 1,
    .scatter_size = no_scatter,
    .lay_out = lay_out_points,
    .score = score_densities, /* minus half the squared distances */
    .share = update_nearest,
    .add = add_potentials,
    .reduce = reduce_nothing_else,
};

#endif

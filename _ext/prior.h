/* What is known of the component of each row: a log-prior for each, -inf where it is forbidden.

   With a_j the prior of component j for a row,

     l_j = c_j - 1/2 |U_j^T z|^2 + log a_j

   in place of (2) in pass.h, from the moment on when a tile's rows are shared out. A row at zero
   density under every component that its prior allows is shared out by weight_j a_j; where these
   are all zero, by a_j. */
#ifndef MIXTURA_PRIOR_H
#define MIXTURA_PRIOR_H

#include "gather.h"
#include "tile.h"

INLINE const double *prior_of(const Pass *p, const Tile *s, ptrdiff_t t) {
    return p->prior + p->code[row_at(p, s->start + t)] * p->k;
}

static void add_prior(const Pass *p, Tile *s) {
    for (ptrdiff_t t = 0; t < s->rows; t++) {
        const double *prior = prior_of(p, s, t);
        for (ptrdiff_t q = 0; q < s->listed; q++)
            s->resp[q * p->tile + t] += (real)prior[s->component[q]];
    }
}

/* log(weight_j a_j), or log a_j where `alone` */
INLINE double log_prior(const Pass *p, const double *prior, int alone, ptrdiff_t j) {
    return alone ? prior[j] : p->log_weights[j] + prior[j];
}

/* The heaviest component that a row's prior allows, the first of equal ones; and whether the
   weights of all of them are zero. */
INLINE ptrdiff_t heaviest_allowed(const Pass *p, const double *prior, int *alone) {
    ptrdiff_t best = 0;
    for (*alone = 0;; *alone = 1) {
        for (ptrdiff_t j = best = 0; j < p->k; j++)
            if (log_prior(p, prior, *alone, j) > log_prior(p, prior, *alone, best)) best = j;
        if (*alone || log_prior(p, prior, *alone, best) > -INFINITY) return best;
    }
}

/* Shares out row t, which is at zero density. */
static void share_by_prior(const Pass *p, const Tile *s, ptrdiff_t t) {
    const double *prior = prior_of(p, s, t);
    int alone;
    const ptrdiff_t best = heaviest_allowed(p, prior, &alone);
    const double largest = log_prior(p, prior, alone, best);
    double total = 0.0;
    for (ptrdiff_t j = 0; j < p->k; j++) total += exp(log_prior(p, prior, alone, j) - largest);
    for (ptrdiff_t q = 0; q < s->listed; q++) {
        const double share = exp(log_prior(p, prior, alone, s->component[q]) - largest) / total;
        s->resp[q * p->tile + t] = s->weight[t] * (real)share;
    }
}

#endif

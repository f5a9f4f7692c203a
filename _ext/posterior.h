/* From log-densities to responsibilities: equations (3) and (4) of gaussian.h. Lanes are rows. */
#ifndef MIXTURA_POSTERIOR_H
#define MIXTURA_POSTERIOR_H

#include "tile.h"

/* ---- responsibilities: equations (3) and (4) ---- */

/* Rows that every component puts at zero density are shared out by the weights. */
static void share_lost(const Pass *p, ptrdiff_t padded, const Tile *s) {
    for (ptrdiff_t t = 0; t < padded; t++)
        if (s->log_prob[t] == -INFINITY)
            for (ptrdiff_t q = 0; q < s->listed; q++)
                s->resp[q * p->tile + t] = s->weight[t] * s->shares[s->component[q]];
}

/* resp holds l_j and is overwritten with r_j; returns the weighted sum of L */
static double normalise(const Pass *p, ptrdiff_t padded, real floor, const Tile *s) {
    const ptrdiff_t k = s->listed, tile = p->tile;
    real *resp = s->resp;
    double total[LANES] = {0};
    mask any_lost = {0};
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        vec largest = load(resp + t);
        for (ptrdiff_t j = 1; j < k; j++) largest = larger(largest, load(resp + j * tile + t));
        mask lost = largest < -REAL_MAX;
        vec finite = pick(lost, fill(0), largest);
        vec sum = {0};
        for (ptrdiff_t j = 0; j < k; j++) {
            vec e = exp_nonpositive(load(resp + j * tile + t) - finite, floor);
            store(resp + j * tile + t, e);
            sum += e;
        }
        sum = pick(lost, fill(1), sum);
        vec w = load(s->weight + t);
        vec scale = w / sum;
        for (ptrdiff_t j = 0; j < k; j++)
            store(resp + j * tile + t, load(resp + j * tile + t) * scale);
        vec L = pick(lost, fill(-INFINITY), largest + log_positive(sum));
        store(s->log_prob + t, L);
        add_to(total, pick(w > 0, w * L, fill(0)));
        any_lost |= lost;
    }
    if (any_lane(any_lost)) share_lost(p, padded, s);
    return sum_lanes(total);
}

/* The same with each row given to its largest l_j, the first of equals; L is that l_j. */
static double assign(const Pass *p, ptrdiff_t padded, const Tile *s) {
    const ptrdiff_t k = s->listed, tile = p->tile;
    real *resp = s->resp;
    double total[LANES] = {0};
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        vec largest = load(resp + t);
        mask best = {0}; /* place in the list */
        for (ptrdiff_t j = 1; j < k; j++) {
            vec l = load(resp + j * tile + t);
            mask above = l > largest;
            largest = pick(above, l, largest);
            best = (above & (whole)j) | (~above & best);
        }
        vec w = load(s->weight + t);
        for (ptrdiff_t j = 0; j < k; j++) store(resp + j * tile + t, pick(best == (whole)j, w, fill(0)));
        store(s->log_prob + t, largest);
        add_to(total, pick(w > 0, w * largest, fill(0)));
    }
    return sum_lanes(total);
}

#endif

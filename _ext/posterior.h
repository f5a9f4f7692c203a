/* From log-densities to responsibilities: equations (3) and (4) of gaussian.h. Lanes are rows. */
#ifndef MIXTURA_POSTERIOR_H
#define MIXTURA_POSTERIOR_H

#include "tile.h"

/* ---- responsibilities: equations (3) and (4) ---- */

enum { FACTORS = 4 }; /* sums, at most k each, whose product has its logarithm taken at once */

/* Rows that every component puts at zero density are shared out by the weights. */
static void share_lost(const Pass *p, ptrdiff_t padded, const Tile *s) {
    for (ptrdiff_t t = 0; t < padded; t++)
        if (s->log_prob[t] == -INFINITY)
            for (ptrdiff_t q = 0; q < s->listed; q++)
                s->resp[q * p->tile + t] = s->weight[t] * s->shares[s->component[q]];
}

/* resp holds l_j and, to `keep`, is overwritten with r_j; returns the weighted sum of L */
INLINE double normalise_of(const int keep, const ptrdiff_t k, const Pass *p, ptrdiff_t padded,
                           real floor, const Tile *s) {
    const ptrdiff_t tile = p->tile;
    real *resp = s->resp;
    const int each = p->sample_weight || p->log_prob;
    double total[LANES] = {0};
    vec product = fill(1);
    mask any_lost = {0};
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        vec largest = load(resp + t);
        for (ptrdiff_t j = 1; j < k; j++) largest = larger(largest, load(resp + j * tile + t));
        mask lost = largest < -REAL_MAX;
        vec finite = pick(lost, fill(0), largest);
        vec sum = {0};
        for (ptrdiff_t j = 0; j < k; j++) {
            vec e = exp_nonpositive(load(resp + j * tile + t) - finite, floor);
            if (keep) store(resp + j * tile + t, e);
            sum += e;
        }
        sum = pick(lost, fill(1), sum);
        vec w = load(s->weight + t);
        vec scale = w / sum;
        for (ptrdiff_t j = 0; keep && j < k; j++)
            store(resp + j * tile + t, load(resp + j * tile + t) * scale);
        largest = pick(lost, fill(-INFINITY), largest);
        if (each) {
            largest += log_positive(sum);
            add_to(total, pick(w > 0, w * largest, fill(0)));
        } else {
            add_to(total, pick(w > 0, largest, fill(0)));
            product *= pick(w > 0, sum, fill(1));
            if ((t / LANES) % FACTORS == FACTORS - 1) {
                add_to(total, log_positive(product));
                product = fill(1);
            }
        }
        store(s->log_prob + t, largest); /* or what `share_lost` needs of it */
        any_lost |= lost;
    }
    add_to(total, log_positive(product));
    if (keep && any_lane(any_lost)) share_lost(p, padded, s);
    return sum_lanes(total);
}

/* the same, unrolled for few components */
INLINE double normalise(const int keep, const Pass *p, ptrdiff_t padded, real floor,
                        const Tile *s) {
    switch (s->listed) {
    case 1: return normalise_of(keep, 1, p, padded, floor, s);
    case 2: return normalise_of(keep, 2, p, padded, floor, s);
    case 3: return normalise_of(keep, 3, p, padded, floor, s);
    case 4: return normalise_of(keep, 4, p, padded, floor, s);
    default: return normalise_of(keep, s->listed, p, padded, floor, s);
    }
}

/* The most probable component of each row, of equals the first; where every density is zero, the
   heaviest. resp holds l_j. */
static void find_labels(const Pass *p, ptrdiff_t padded, const Tile *s) {
    ptrdiff_t heaviest = 0;
    for (ptrdiff_t j = 1; j < p->k; j++)
        if (s->shares[j] > s->shares[heaviest]) heaviest = j;
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        vec largest = fill(-INFINITY);
        mask label = (mask){0} + (whole)heaviest;
        for (ptrdiff_t q = 0; q < s->listed; q++) {
            const whole j = (whole)s->component[q];
            vec l = load(s->resp + q * p->tile + t);
            mask above = (l > largest) | ((l == largest) & (l > -REAL_MAX) & (label > j));
            largest = larger(largest, l);
            label = (above & j) | (~above & label);
        }
        memcpy(s->label + t, &label, sizeof label);
    }
}

#endif

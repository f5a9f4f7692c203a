/* From log-densities to responsibilities, equations (3) and (4) of pass.h, or to labels. */
#ifndef MIXTURA_POSTERIOR_H
#define MIXTURA_POSTERIOR_H

#include "prior.h"
#include "tile.h"

enum { FACTORS = 4 }; /* one logarithm is taken of the product of so many sums, at most k each */

/* Rows at zero density under every component are shared out by the weights. */
static void share_lost(const Pass *p, const Tile *s) {
    for (ptrdiff_t t = 0; t < s->padded; t++)
        if (s->log_prob[t] == -INFINITY && p->has_prior && t < s->rows)
            share_by_prior(p, s, t);
        else if (s->log_prob[t] == -INFINITY)
            for (ptrdiff_t q = 0; q < s->listed; q++)
                s->resp[q * p->tile + t] = s->weight[t] * s->shares[s->component[q]];
}

/* resp holds l_j and, with `keep`, is overwritten with r_j; sets the weighted sum of L */
INLINE void normalise_of(const int keep, const ptrdiff_t k, const Pass *p, real floor, Tile *s) {
    const ptrdiff_t tile = p->tile, padded = s->padded;
    real *resp = s->resp, *weight = s->weight, *log_prob = s->log_prob;
    const int each = p->is_weighted || wants(p, LOG_PROB);
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
        vec w = load(weight + t);
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
        store(log_prob + t, largest); /* L if `each`; else only lost rows can be told by it */
        any_lost |= lost;
    }
    add_to(total, log_positive(product));
    if (keep && any_lane(any_lost)) share_lost(p, s);
    s->log_likelihood = sum_lanes(total);
}

/* the same, unrolled for few components */
INLINE void normalise(const int keep, const Pass *p, real floor, Tile *s) {
    switch (s->listed) {
    case 1: normalise_of(keep, 1, p, floor, s); break;
    case 2: normalise_of(keep, 2, p, floor, s); break;
    case 3: normalise_of(keep, 3, p, floor, s); break;
    case 4: normalise_of(keep, 4, p, floor, s); break;
    default: normalise_of(keep, s->listed, p, floor, s);
    }
}

/* The most probable component of each row, the first of equal ones, and its l; where every density
   is zero, the heaviest component. resp holds l_j. */
static void find_labels(const Pass *p, const Tile *s) {
    for (ptrdiff_t t = 0; t < s->padded; t += LANES) {
        vec largest = fill(-INFINITY);
        mask label = (mask){0} + *s->heaviest;
        for (ptrdiff_t q = 0; q < s->listed; q++) {
            const whole j = (whole)s->component[q];
            vec l = load(s->resp + q * p->tile + t);
            mask above = (l > largest) | ((l == largest) & (l > -REAL_MAX) & (label > j));
            largest = larger(largest, l);
            label = (above & j) | (~above & label);
        }
        memcpy(s->label + t, &label, sizeof label);
        store(s->log_prob + t, largest);
    }
    for (ptrdiff_t t = 0; p->has_prior && t < s->rows; t++)
        if (s->log_prob[t] == -INFINITY) {
            int alone;
            s->label[t] = (whole)heaviest_allowed(p, prior_of(p, s, t), &alone);
        }
}

/* -sum_j r_j log(r_j / w), over the rows of a tile */
INLINE double entropy_of(const Pass *p, const Tile *s) {
    double total[LANES] = {0};
    for (ptrdiff_t t = 0; t < s->padded; t += LANES) {
        const vec w = load(s->weight + t), inverse = 1 / pick(w > 0, w, fill(1));
        vec sum = {0};
        for (ptrdiff_t j = 0; j < p->k; j++) {
            const vec r = load(s->resp + j * p->tile + t);
            const mask split = (r > 0) & (r < w);
            if (!any_lane(split)) continue;
            const vec share = pick(split, r * inverse, fill(1));
            sum -= pick(split, r * log_positive(share), fill(0));
        }
        add_to(total, sum);
    }
    return sum_lanes(total);
}

#endif

/* Each row to its nearest mean, and how far seeds are: k-means. Lanes are rows, then features.

   With |x - m|^2 = |x|^2 - 2 (m.x - |m|^2 / 2), the mean of the largest score m.x - |m|^2 / 2 is the
   nearest. A product takes half the arithmetic of a sum of squared differences, and MEANS of them
   share each load of the rows. Its rounding error is less than

       doubt = (d + 4) eps (X^2 + 3 M^2) / 2,   X, M the largest |x| of the tile and |m|,

   and where the second best score is closer than twice that, differences decide, and the first of
   equals. Rows and means are centred for the product, so that this is rare. All differences are of
   rows and means as they came. */
#ifndef MIXTURA_NEAREST_H
#define MIXTURA_NEAREST_H

#include "density.h"

enum { MEANS = 4 };

/* ---- scores ---- */

/* half |x|^2, infinite where a row has no weight, so that it bounds nothing; and the doubt */
static void half_squares(const Pass *p, ptrdiff_t padded, Tile *s) {
    vec largest = {0};
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        vec sum = {0};
        for (ptrdiff_t a = 0; a < p->d; a++) {
            vec x = load(s->by_feature + a * p->tile + t);
            sum += x * x;
        }
        mask present = load(s->weight + t) > 0;
        largest = larger(largest, pick(present, sum / 2, fill(0)));
        store(s->half_square + t, pick(present, sum / 2, fill(INFINITY)));
        store(s->best + t, fill(-INFINITY));
        store(s->second + t, fill(-INFINITY));
        for (int l = 0; l < LANES; l++) s->label[t + l] = s->component[0];
    }
    const real unit = (real)(p->d + 4) * REAL_EPSILON;
    s->doubt = unit * (largest_lane(largest) + 3 * *s->largest_half_square);
}

/* the scores of `count` listed means from place q on: the best two of each row, and the largest
   log-density -|x - m|^2 / 2 of each mean */
INLINE void score(const int count, const Pass *p, ptrdiff_t padded, ptrdiff_t q, Tile *s) {
    const real *mean[MEANS];
    vec peak[MEANS];
    for (int o = 0; o < count; o++) {
        mean[o] = s->means + s->component[q + o] * p->dp;
        peak[o] = fill(-INFINITY);
    }
    for (ptrdiff_t t = 0; t < padded; t += ROWS) {
        vec sum[MEANS][GROUP];
        for (int o = 0; o < count; o++)
            for (int g = 0; g < GROUP; g++) sum[o][g] = fill(-s->constants[s->component[q + o]]);
        for (ptrdiff_t a = 0; a < p->d; a++) {
            vec x[GROUP];
            for (int g = 0; g < GROUP; g++) x[g] = load(s->by_feature + a * p->tile + t + g * LANES);
            for (int o = 0; o < count; o++)
                for (int g = 0; g < GROUP; g++) sum[o][g] += mean[o][a] * x[g];
        }
        for (int g = 0; g < GROUP; g++) {
            const ptrdiff_t at = t + g * LANES;
            vec best = load(s->best + at), second = load(s->second + at);
            vec half = load(s->half_square + at);
            mask label;
            memcpy(&label, s->label + at, sizeof label);
            for (int o = 0; o < count; o++) {
                mask above = sum[o][g] > best;
                second = larger(second, pick(above, best, sum[o][g]));
                best = larger(best, sum[o][g]);
                label = (above & (whole)s->component[q + o]) | (~above & label);
                if (p->reach) peak[o] = larger(peak[o], sum[o][g] - half);
            }
            store(s->best + at, best);
            store(s->second + at, second);
            memcpy(s->label + at, &label, sizeof label);
        }
    }
    for (int o = 0; p->reach && o < count; o++)
        s->peak[q + o] = largest_lane(peak[o]) + 2 * s->doubt;
}

/* scores of the listed means, from place `first` on */
static void scores(const Pass *p, ptrdiff_t padded, ptrdiff_t first, Tile *s) {
    if (first == 0) half_squares(p, padded, s);
    ptrdiff_t q = first;
    for (; q + MEANS <= s->listed; q += MEANS) score(MEANS, p, padded, q, s);
    switch (s->listed - q) {
    case 1: score(1, p, padded, q, s); break;
    case 2: score(2, p, padded, q, s); break;
    case 3: score(3, p, padded, q, s); break;
    }
}

/* ---- doubt ---- */

/* of the rows of the tile, the least log-density of the nearest mean so far, less its doubt */
static double least_nearest(ptrdiff_t padded, const Tile *s) {
    vec farthest = {0}; /* half a squared distance */
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        vec half = load(s->half_square + t);
        farthest = larger(farthest, pick(half <= REAL_MAX, half - load(s->best + t), fill(0)));
    }
    return -(double)(largest_lane(farthest) + 2 * s->doubt);
}

static whole nearest_by_differences(const Pass *p, ptrdiff_t t, const Tile *s) {
    real least = INFINITY;
    whole nearest = s->component[0];
    for (ptrdiff_t q = 0; q < s->listed; q++) {
        const whole j = s->component[q];
        real distance = 0;
        for (ptrdiff_t a = 0; a < p->d; a++) {
            const real z = s->by_row[t * row_stride(p) + a] - s->row_means[j * p->dp + a];
            distance += z * z;
        }
        if (distance < least || (distance == least && j < nearest)) {
            least = distance;
            nearest = j;
        }
    }
    return nearest;
}

static void settle(const Pass *p, ptrdiff_t rows, ptrdiff_t padded, Tile *s) {
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        vec lead = load(s->best + t) - load(s->second + t);
        mask settled = lead > 2 * s->doubt;
        for (int l = 0; any_lane(~settled) && l < LANES && t + l < rows; l++)
            if (!settled[l]) s->label[t + l] = nearest_by_differences(p, t + l, s);
    }
}

/* ---- sums ---- */

/* add each row to the sums of its mean; lanes are features */
static void add_rows(const Pass *p, ptrdiff_t rows, const Tile *s, double *slot) {
    const ptrdiff_t dp = p->dp;
    for (ptrdiff_t t = 0; t < rows; t++) {
        const whole j = s->label[t];
        const real *x = s->by_row + t * row_stride(p), *mean = s->row_means + j * dp;
        double *resp_x = slot + resp_x_at(p) + j * resp_x_size(p);
        vec squares = {0};
        for (ptrdiff_t a = 0; a < dp; a += LANES) {
            vec z = load(x + a) - load(mean + a), rz = s->weight[t] * z;
            add_to(resp_x + a, rz);
            squares += rz * z;
        }
        slot[resp_sum_at(p) + j * LANES] += s->weight[t];
        add_to(slot + resp_xx_at(p) + j * resp_xx_size(p), squares);
    }
}

static void half_distances(const Pass *p, ptrdiff_t rows, Tile *s) {
    for (ptrdiff_t t = 0; t < rows; t++) {
        real distance = 0;
        for (ptrdiff_t a = 0; a < p->d; a++) {
            const real z = s->by_row[t * row_stride(p) + a] - s->row_means[s->label[t] * p->dp + a];
            distance += z * z;
        }
        s->log_prob[t] = -distance / 2;
    }
}

/* ---- seeds ---- */

/* k-means++: the first mean is a new seed, the others may be the next. `nearest` holds the squared
   distance of each row to the seeds before; with the new one it is brought up to date, and for each
   candidate the slot gets the sum it would leave. */
static void add_potentials(const Pass *p, ptrdiff_t start, ptrdiff_t rows, ptrdiff_t padded,
                           Tile *s, double *slot) {
    densities(p, padded, 0, s); /* minus half the squared distances */
    for (ptrdiff_t t = 0; t < rows; t++) {
        const double squared = -2.0 * s->resp[t];
        double *nearest = p->nearest + start + t;
        if (squared < *nearest) *nearest = squared;
        s->log_prob[t] = (real)(-0.5 * *nearest);
    }
    for (ptrdiff_t t = rows; t < padded; t++) s->log_prob[t] = 0;
    for (ptrdiff_t j = 0; j < p->k; j++) {
        vec sum = {0};
        for (ptrdiff_t t = 0; t < padded; t += LANES)
            sum -= 2 * load(s->weight + t)
                   * larger(load(s->log_prob + t), load(s->resp + j * p->tile + t));
        add_to(slot + resp_sum_at(p) + j * LANES, sum);
    }
}

#endif

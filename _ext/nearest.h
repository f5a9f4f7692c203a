/* The E-step of k-means: each row belongs to its nearest mean. Lanes are rows, then features.

   The scatter of a mean is the sum of its rows' weighted squared distances, and the log-likelihood
   minus half of all of them: l_j = -1/2 |x - m_j|^2.

   With |x - m|^2 = |x|^2 - 2 (m.x - |m|^2 / 2), the mean of the largest score m.x - |m|^2 / 2 is
   the nearest. A product takes half the arithmetic of a sum of squared differences, and MEANS of
   them share each load of the rows. Its rounding error is less than

       doubt = (d + 4) eps (X^2 + 3 M^2) / 2,   X, M the largest |x| of the tile and |m|,

   and where the second best score is closer than twice that, squared differences decide; of equal
   ones, the first mean. Rows and means are centred for the product, so that this is rare. The
   differences are of rows and means as they came. */
#ifndef MIXTURA_NEAREST_H
#define MIXTURA_NEAREST_H

#include "mixture.h"

enum { MEANS = 4 };

static void lay_out_half_squares(const Pass *p, Tile *s) {
    *s->largest_half_square = 0;
    for (ptrdiff_t j = 0; j < p->k; j++) {
        const real *mean = s->means + j * p->dp;
        real sum = 0;
        for (ptrdiff_t a = 0; a < p->d; a++) sum += mean[a] * mean[a];
        s->half_squares[j] = sum / 2;
        if (sum / 2 > *s->largest_half_square) *s->largest_half_square = sum / 2;
        s->constants[j] = 0;
    }
}

/* ---- scores ---- */

/* Sets half |x|^2, infinite for a row without weight so that it affects no bound; and the doubt. */
static void start_scores(const Pass *p, Tile *s) {
    vec largest = {0};
    for (ptrdiff_t t = 0; t < s->padded; t += LANES) {
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

/* Scores `count` listed means from place q on: updates the best two scores of each row, and finds
   the peak of each mean. */
INLINE void score(const int count, const Pass *p, ptrdiff_t q, Tile *s) {
    const ptrdiff_t padded = s->padded, d = p->d, tile = p->tile;
    const int find_peaks = p->bounds != NO_BOUNDS;
    const real *by_feature = s->by_feature, *half_squares = s->half_square;
    real *best_of = s->best, *second_of = s->second;
    whole *label_of = s->label, component[MEANS];
    const real *mean[MEANS];
    real half[MEANS];
    vec peak[MEANS];
    for (int o = 0; o < count; o++) {
        mean[o] = s->means + s->component[q + o] * p->dp;
        half[o] = s->half_squares[s->component[q + o]];
        component[o] = s->component[q + o];
        peak[o] = fill(-INFINITY);
    }
    for (ptrdiff_t t = 0; t < padded; t += ROWS) {
        vec sum[MEANS][GROUP];
        for (int o = 0; o < count; o++)
            for (int g = 0; g < GROUP; g++) sum[o][g] = fill(-half[o]);
        for (ptrdiff_t a = 0; a < d; a++) {
            vec x[GROUP];
            for (int g = 0; g < GROUP; g++) x[g] = load(by_feature + a * tile + t + g * LANES);
            for (int o = 0; o < count; o++)
                for (int g = 0; g < GROUP; g++) sum[o][g] += mean[o][a] * x[g];
        }
        for (int g = 0; g < GROUP; g++) {
            const ptrdiff_t at = t + g * LANES;
            vec best = load(best_of + at), second = load(second_of + at);
            vec half_square = load(half_squares + at);
            mask label;
            memcpy(&label, label_of + at, sizeof label);
            for (int o = 0; o < count; o++) {
                mask above = sum[o][g] > best;
                second = larger(second, pick(above, best, sum[o][g]));
                best = larger(best, sum[o][g]);
                label = (above & component[o]) | (~above & label);
                if (find_peaks) peak[o] = larger(peak[o], sum[o][g] - half_square);
            }
            store(best_of + at, best);
            store(second_of + at, second);
            memcpy(label_of + at, &label, sizeof label);
        }
    }
    for (int o = 0; find_peaks && o < count; o++)
        s->peak[q + o] = largest_lane(peak[o]) + 2 * s->doubt;
}

static void score_nearest(const Pass *p, ptrdiff_t first, Tile *s) {
    if (first == 0) start_scores(p, s);
    ptrdiff_t q = first;
    for (; q + MEANS <= s->listed; q += MEANS) score(MEANS, p, q, s);
    switch (s->listed - q) {
    case 1: score(1, p, q, s); break;
    case 2: score(2, p, q, s); break;
    case 3: score(3, p, q, s); break;
    }
}

/* ---- doubt ---- */

/* the least, over rows with weight, of the l of the nearest mean so far, less its doubt */
static double least_nearest(const Pass *p, const Tile *s) {
    (void)p;
    vec farthest = {0}; /* half a squared distance */
    for (ptrdiff_t t = 0; t < s->padded; t += LANES) {
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

static void half_distances(const Pass *p, Tile *s) {
    for (ptrdiff_t t = 0; t < s->rows; t++) {
        real distance = 0;
        for (ptrdiff_t a = 0; a < p->d; a++) {
            const real z = s->by_row[t * row_stride(p) + a] - s->row_means[s->label[t] * p->dp + a];
            distance += z * z;
        }
        s->log_prob[t] = -distance / 2;
    }
}

static void share_to_nearest(const Pass *p, Tile *s) {
    for (ptrdiff_t t = 0; t < s->padded; t += LANES) {
        vec lead = load(s->best + t) - load(s->second + t);
        mask settled = lead > 2 * s->doubt;
        for (int l = 0; any_lane(~settled) && l < LANES && t + l < s->rows; l++)
            if (!settled[l]) s->label[t + l] = nearest_by_differences(p, t + l, s);
    }
    if (wants(p, LOG_PROB)) half_distances(p, s);
}

/* ---- sums ---- */

static ptrdiff_t one_vector(const Pass *p) { (void)p; return LANES; }

/* Adds each row to the sums of its mean; lanes are features. */
static void add_rows(const Pass *p, Tile *s, double *slot) {
    const ptrdiff_t dp = p->dp;
    for (ptrdiff_t t = 0; t < s->rows; t++) {
        const whole j = s->label[t];
        const real *x = s->by_row + t * row_stride(p), *mean = s->row_means + j * dp;
        double *resp_x = slot + resp_x_at(p, j);
        vec squares = {0};
        for (ptrdiff_t a = 0; a < dp; a += LANES) {
            vec z = load(x + a) - load(mean + a), rz = s->weight[t] * z;
            add_to(resp_x + a, rz);
            squares += rz * z;
        }
        slot[resp_sum_at(j)] += s->weight[t];
        add_to(slot + resp_xx_at(p, j), squares);
    }
}

static void reduce_nearest(const Pass *p, const double *slot, Sums *sums) {
    for (ptrdiff_t j = 0; j < p->k; j++) {
        memcpy(sums->resp_x + j * p->d, slot + resp_x_at(p, j), p->d * sizeof(double));
        sums->resp_xx[j] = sum_lanes(slot + resp_xx_at(p, j));
        sums->log_likelihood -= 0.5 * sums->resp_xx[j];
    }
}

static const Step nearest = {
    .name = "nearest",
    .by_row = ALWAYS,
    .keeps_scores = 0,
    .first = 0.0,
    .margin = 0.0, /* doubt is already part of every bound */
    .scatter_size = one_vector,
    .lay_out = lay_out_half_squares,
    .score = score_nearest,
    .share = share_to_nearest,
    .add = add_rows,
    .reduce = reduce_nearest,
    .least_best = least_nearest,
};

#endif

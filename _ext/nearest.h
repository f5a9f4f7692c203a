/* The E-step of k-means: each row belongs to its nearest mean, the first of equal ones.

   The scatter of a mean is the sum of its rows' weighted squared distances, and the log-likelihood
   minus half of all of them: l_j = -1/2 |x - m_j|^2.

   The two best scores of a row come from products in single precision: scores.h. Where their
   difference is not above twice the doubt, squared differences from all means decide. Rows and means
   are centred for the products, so that this is rare, and doubles are multiplied by a power of two
   so that their squares are no larger than floats can hold; a row for which they are has an infinite
   doubt. The differences are of rows and means as they came.

   Bounds that are carried from pass to pass, two numbers a row: `held`, its mean in the last pass,
   and `apart`, no more than its distance from every other mean. A few means that have moved most
   are listed, and each row is scored with them. With `drift` the longest way of the others,

       apart' = min(apart - drift, distance from the listed means other than `held`),

   and a row that is nearer than apart' to the mean that holds it stays there. Only the other rows
   are scored with all means. All rows are added to the sums, of which distances are computed anyway.

   Hamerly, "Making k-means even faster", SDM 2010, without the list. */
#ifndef MIXTURA_NEAREST_H
#define MIXTURA_NEAREST_H

#include "gather.h"
#include "mixture.h"
#include "narrow.h"
#include "scores.h"

static const double STORED = 1e-6; /* relative; above the rounding of a distance kept as float */

/* What all threads share, after what tile.h places. */
typedef struct {
    double *scale;  /* a power of two, by which means and rows are multiplied */
    float *largest; /* half square of a mean */
    float *all, *listed; /* means as scores.h takes them */
    real *half_squares; /* of means, for narrow.h */
} Packed;

static ptrdiff_t place_packed(const Pass *p, char *base, Packed *packed) {
    char *next = base;
    packed->scale = take(&next, 1, sizeof(double));
    packed->largest = take(&next, 1, sizeof(float));
    packed->all = take(&next, packed_size(p->k, p->d), sizeof(float));
    packed->listed = take(&next, packed_size(p->n_moved, p->d), sizeof(float));
    packed->half_squares = take(&next, are_few_products(p) ? p->k : 0, sizeof(real));
    return next - base;
}

static ptrdiff_t packed_bytes(const Pass *p) {
    Packed packed;
    return place_packed(p, NULL, &packed);
}

/* Of a thread. */
typedef struct {
    float *copies;      /* of rows that are doubles, `stride` apart and zero beyond d */
    ptrdiff_t stride;
    float *half_square; /* of each row */
    const float **row;  /* those that are scored */
    Best *found;        /* of these */
    Narrow_scores narrow;
} Work;

static ptrdiff_t place_work(const Pass *p, char *base, Work *work) {
    const int copied = sizeof(real) > sizeof(float);
    char *next = base;
    work->stride = copied ? round_up(p->d, MEANS) : row_stride(p);
    work->copies = take(&next, copied ? p->tile * work->stride : 0, sizeof(float));
    work->half_square = take(&next, p->tile, sizeof(float));
    work->row = take(&next, p->tile, sizeof(float *));
    work->found = take(&next, p->tile, sizeof(Best));
    next += place_narrow(p, next, &work->narrow);
    return next - base;
}

static ptrdiff_t work_bytes(const Pass *p) {
    Work work;
    return place_work(p, NULL, &work);
}

static void lay_out_packed_means(const Pass *p, Tile *s) {
    Packed packed;
    place_packed(p, s->more_mixture, &packed);
    double largest = 0.0;
    for (ptrdiff_t i = 0; i < p->k * p->dp; i++)
        largest = fabs(s->means[i]) > largest ? fabs(s->means[i]) : largest;
    int exponent = 0;
    if (sizeof(real) > sizeof(float) && largest <= DBL_MAX) frexp(largest, &exponent);
    *packed.scale = ldexp(1.0, exponent < -1000 ? 1000 : -exponent);
    *packed.largest = pack_means(s->means, NULL, p->k, p->d, p->dp, *packed.scale, packed.all);
    pack_means(s->means, p->moved, p->n_moved, p->d, p->dp, *packed.scale, packed.listed);
    for (ptrdiff_t j = 0; !p->rows_alone && j < p->k; j++) {
        real sum = 0;
        for (ptrdiff_t a = 0; a < p->d; a++) sum += s->means[j * p->dp + a] * s->means[j * p->dp + a];
        packed.half_squares[j] = sum / 2;
    }
}

/* ---- differences ---- */

INLINE real squared_distance(const Pass *p, ptrdiff_t t, ptrdiff_t j, const Tile *s) {
    const real *x = s->by_row + t * row_stride(p), *mean = s->row_means + j * p->dp;
    vec sum = {0};
    for (ptrdiff_t a = 0; a < p->dp; a += LANES) {
        const vec z = load(x + a) - load(mean + a);
        sum += z * z;
    }
    return total_lane(sum);
}

static whole nearest_by_differences(const Pass *p, ptrdiff_t t, const Tile *s) {
    real least = INFINITY;
    whole nearest = 0;
    for (ptrdiff_t j = 0; j < p->k; j++) {
        const real distance = squared_distance(p, t, j, s);
        if (distance < least) {
            least = distance;
            nearest = (whole)j;
        }
    }
    return nearest;
}

static void half_distances(const Pass *p, Tile *s) {
    for (ptrdiff_t t = 0; t < s->rows; t++)
        s->log_prob[t] = -squared_distance(p, t, s->label[t], s) / 2;
}

/* ---- scores ---- */

/* A row of doubles in single precision. */
INLINE void copy_row_of(const int centred, const Pass *p, const real *from, double scale,
                        ptrdiff_t size, float *to) {
    for (ptrdiff_t a = 0; a < p->d; a++)
        to[a] = (float)((from[a] - (centred ? 0.0 : p->centre[a])) * scale);
    for (ptrdiff_t a = p->d; a < size; a++) to[a] = 0;
}

/* Sets the rows that are scored, `count` of them that are listed or all, and their half squares. */
static void prepare_rows(const Pass *p, const Tile *s, const int32_t *list, ptrdiff_t count,
                         double scale, Work *work) {
    const int copied = sizeof(real) > sizeof(float);
    if (!copied) work->copies = (float *)s->by_row;
    for (ptrdiff_t q = 0; q < count; q++) {
        const ptrdiff_t t = list ? list[q] : q;
        const real *from = s->by_row + t * row_stride(p);
        float *x = work->copies + t * work->stride;
        if (copied && rows_are_centred(p)) copy_row_of(1, p, from, scale, work->stride, x);
        else if (copied) copy_row_of(0, p, from, scale, work->stride, x);
        scores sum = {0};
        for (ptrdiff_t a = 0; a < p->d; a += MEANS) sum += load_scores(x + a) * load_scores(x + a);
        work->half_square[t] = sum_scores(sum) / 2;
        work->row[q] = x;
    }
}

INLINE float doubt_of(const Pass *p, float half_square, float largest) {
    const float unit = (float)(p->d + 4) * FLT_EPSILON;
    return unit * (half_square + 3 * largest) + (float)p->d * FLT_MIN;
}

/* A bound as it is kept, no larger in a float than it is. */
INLINE float as_bound(double distance) {
    if (!(distance >= FLT_MIN)) return 0.0f; /* among smaller floats, rounding is coarser */
    return distance > FLT_MAX ? FLT_MAX : (float)distance;
}

/* No more than the distance of a row from any mean of this score. */
INLINE float least_distance(double half_square, double score, double doubt, double scale) {
    const double half = half_square - score - doubt;
    return half > 0.0 ? as_bound(sqrt(2.0 * half) / scale * (1.0 - STORED)) : 0.0f;
}

/* Leaves rows where they are held as far as bounds allow; lists the others and returns how many. */
static ptrdiff_t list_unsettled(const Pass *p, const Packed *packed, Work *work, Tile *s) {
    const double above = 1.0 + (double)(p->d + 4) * REAL_EPSILON;
    if (p->n_moved > 0) {
        prepare_rows(p, s, NULL, s->rows, *packed->scale, work);
        score_rows(packed->listed, p->n_moved, p->d, s->rows, work->row, work->found);
    }
    ptrdiff_t count = 0;
    for (ptrdiff_t t = 0; t < s->rows; t++) {
        const ptrdiff_t row = row_at(p, s->start + t);
        const whole j = s->label[t] = p->held[row];
        double apart = (p->apart[row] - p->drift) * (1.0 - STORED);
        if (p->n_moved > 0) {
            float best, second;
            const int32_t m = p->moved[best_of_lanes(work->found + t, &best, &second)];
            const float half_square = work->half_square[t];
            const double from_listed
                = least_distance(half_square, m == j ? second : best,
                                 doubt_of(p, half_square, *packed->largest), *packed->scale);
            apart = from_listed < apart ? from_listed : apart;
        }
        p->apart[row] = as_bound(apart);
        const double distance = sqrt((double)squared_distance(p, t, j, s)) * above;
        if (!(distance < apart) && s->weight[t] > 0) s->active[count++] = (int32_t)t;
    }
    return count;
}

/* Takes the mean of the best score, where it is not in doubt; and renews the bound of the row. */
INLINE void settle(const Pass *p, ptrdiff_t t, whole label, double half_square, double best,
                   double second, double doubt, double scale, Tile *s) {
    const int settled = best - second > 2 * doubt;
    s->label[t] = settled ? label : nearest_by_differences(p, t, s);
    if (p->bounds != NO_BOUNDS)
        p->apart[row_at(p, s->start + t)]
            = least_distance(half_square, settled ? second : best, doubt, scale);
}

static void settle_narrow(const Pass *p, const Packed *packed, const Narrow_scores *found,
                          Tile *s) {
    const real unit = (real)(p->d + 4) * REAL_EPSILON, least = (real)p->d * REAL_MIN;
    real largest = 0;
    for (ptrdiff_t j = 0; j < p->k; j++)
        if (packed->half_squares[j] > largest) largest = packed->half_squares[j];
    score_narrow(p, s, packed->half_squares, found);
    s->listed = p->k;
    for (ptrdiff_t t = 0; t < s->padded; t += LANES) {
        const vec half_square = load(found->half_square + t);
        const vec doubt = unit * (half_square + 3 * largest) + least;
        const mask settled = load(found->best + t) - load(found->second + t) > 2 * doubt;
        memcpy(s->label + t, found->label + t, sizeof settled);
        if (p->bounds == NO_BOUNDS && !any_lane(~settled)) continue;
        for (int l = 0; l < LANES && t + l < s->rows; l++)
            settle(p, t + l, found->label[t + l], half_square[l], found->best[t + l],
                   found->second[t + l], doubt[l], 1.0, s);
    }
}

static void score_nearest(const Pass *p, ptrdiff_t first, Tile *s) {
    Packed packed;
    Work work;
    (void)first;
    place_packed(p, s->more_mixture, &packed);
    place_work(p, s->more_scratch, &work);
    if (p->bounds != KNOWN_BOUNDS && !p->rows_alone) {
        settle_narrow(p, &packed, &work.narrow, s);
        return;
    }
    const int some = p->bounds == KNOWN_BOUNDS;
    const ptrdiff_t count = some ? list_unsettled(p, &packed, &work, s) : s->rows;
    s->listed = count * p->k / s->rows;
    prepare_rows(p, s, some ? s->active : NULL, count, *packed.scale, &work);
    score_rows(packed.all, p->k, p->d, count, work.row, work.found);
    for (ptrdiff_t q = 0; q < count; q++) {
        const ptrdiff_t t = some ? s->active[q] : q;
        const float half_square = work.half_square[t];
        const float doubt = doubt_of(p, half_square, *packed.largest);
        float best, second;
        const whole label = best_of_lanes(work.found + q, &best, &second);
        settle(p, t, label, half_square, best, second, doubt, *packed.scale, s);
    }
}

static void share_to_nearest(const Pass *p, Tile *s) {
    for (ptrdiff_t t = 0; p->bounds != NO_BOUNDS && t < s->rows; t++)
        p->held[row_at(p, s->start + t)] = (int32_t)s->label[t];
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
    .bounds_rows = 1,
    .scatter_size = one_vector,
    .more_mixture = packed_bytes,
    .more_scratch = work_bytes,
    .lay_out = lay_out_packed_means,
    .score = score_nearest,
    .share = share_to_nearest,
    .add = add_rows,
    .reduce = reduce_nearest,
};

#endif

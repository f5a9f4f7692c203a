/* One pass of expectation-maximisation over the rows, tile by tile.

   Formulas, for row x, component j with mean m_j and precision factor U_j (upper triangular):

     (1)  z = x - m_j
     (2)  l_j = c_j - 1/2 |U_j^T z|^2,   c_j = log weight_j + log det U_j - d/2 log 2 pi
     (3)  L = M + log sum_j exp(l_j - M),   M = max_j l_j
     (4)  r_j = w exp(l_j - L),   w the weight of the row
     (5)  resp_sum_j += r_j,   resp_x_j += r_j z,   resp_xx_j += r_j z z^T

   A tile is `tile` consecutive rows. Both halves, (1)-(4) and (5), are done for every component
   while the tile is in cache, so each row comes from memory once a pass and no (n, k) array exists.

       X  --gather-->  by_feature  d x tile   lanes are rows       density.h, posterior.h, and
                                                                   scatter.h for d <= NARROW
                       by_row      tile x dp  lanes are features   scatter.h for d > NARROW
                       resp        k x tile   l_j, then r_j

   k-means, and the choice of its seeds, are the same pass with other halves: nearest.h.

   With many components, passes over the same rows carry bounds that tell which of them can matter to
   a tile at all (prune.h); a list of those takes the place of "every component" above.

   Memory, dp = d rounded up to PAD:

       the mixture   k panels of the triangle, k dp means, 2 k constants       mixture.h
       each thread   d tile + k tile + 3 dp tile + a few rows of tile          tile.h
       each slot     k + k dp + k dp dp doubles  (full; dp dp once for tied; k dp for diagonals);
                     d and LANES times as much for d <= NARROW, where every sum is a vector

   Determinism. Tiles are dealt to slots by a rule that knows n, d, k and nothing of threads; a slot
   is worked through in order by one thread; slots are added in order at the end. The bits of a
   result do not depend on the number of threads.

   Numbers are doubles (double.c) or floats (single.c): the code below is compiled for each. What
   leaves a tile is double. In floats, rows and means are first moved by a point amid the rows, so
   that an offset costs no digits, and the largest constant c_j is kept apart.

   Numerical choices. Squares are taken of differences from the component's own mean, never of raw
   values. A distance that overflows, or is inf - inf on the way, is infinitely far: l = -inf. A row
   for which every l_j is -inf is told nothing by the densities: r_j is w times the weight of j. A
   row of weight zero is read as a copy of the first mean, so that whatever stands in it cannot
   spread. Tied rows are whitened once, about the first mean, unless another mean is more than FAR
   deviations away, where the digits lost between two large numbers would show. In statistics, r
   below exp(-45) of the largest is 0 exactly, and such rows are left out of (5).

   Source of the algorithm: Dempster, Laird and Rubin 1977, section 4.3. */
#ifndef MIXTURA_GAUSSIAN_H
#define MIXTURA_GAUSSIAN_H

#include "density.h"
#include "gather.h"
#include "mixture.h"
#include "posterior.h"
#include "prune.h"
#include "scatter.h"
#include "tile.h"

/* ---- one tile, one slot ---- */

/* the weight of a tile's rows, exactly as given */
INLINE double weight_of(const Pass *p, ptrdiff_t start, ptrdiff_t rows) {
    double weight = 0.0;
    if (!p->sample_weight) return (double)rows;
    for (ptrdiff_t t = 0; t < rows; t++) weight += p->sample_weight[row_at(p, start + t)];
    return weight;
}

static void copy_given(const Pass *p, ptrdiff_t start, ptrdiff_t rows, ptrdiff_t padded,
                       Tile *s) {
    for (ptrdiff_t j = 0; j < p->k; j++) {
        real *out = s->resp + j * p->tile;
        const char *column = p->given_resp + j * p->resp_column_stride;
        for (ptrdiff_t t = 0; t < padded; t++) {
            double share = 0.0;
            if (t < rows && p->given_labels) share = p->given_labels[start + t] == j;
            else if (t < rows) share = *(const double *)(column + (start + t) * p->resp_row_stride);
            out[t] = s->weight[t] * (real)share;
        }
    }
}

static void copy_out(const Pass *p, ptrdiff_t start, ptrdiff_t rows, const real *from,
                     double *to) {
    for (ptrdiff_t t = 0; t < rows; t++)
        for (ptrdiff_t j = 0; j < p->k; j++) to[(start + t) * p->k + j] = from[j * p->tile + t];
}

static void copy_labels(const Pass *p, ptrdiff_t start, ptrdiff_t rows, const Tile *s) {
    for (ptrdiff_t t = 0; t < rows; t++) p->labels[row_at(p, start + t)] = s->label[t];
}

static void copy_log_prob(const Pass *p, ptrdiff_t start, ptrdiff_t rows, const Tile *s) {
    for (ptrdiff_t t = 0; t < rows; t++) p->log_prob[row_at(p, start + t)] = s->log_prob[t];
}

static void add_statistics(const Pass *p, ptrdiff_t rows, ptrdiff_t padded, Tile *s,
                           double *slot) {
    const ptrdiff_t dp = p->dp, tile = p->tile;
    for (ptrdiff_t q = 0; q < s->listed; q++) {
        const ptrdiff_t j = s->component[q];
        const real *r = s->resp + q * tile, *mean = s->row_means + j * dp;
        double *resp_x = slot + resp_x_at(p) + j * resp_x_size(p);
        double *resp_xx = slot + resp_xx_at(p) + (p->shape == TIED ? 0 : j * resp_xx_size(p));
        const ptrdiff_t n = add_active(r, padded, slot + resp_sum_at(p) + j * LANES);
        if (n > 0) {
            if (is_narrow(p))
                scatter_narrow(p, s->by_feature, n, rows, padded, s->means + j * dp, r, s->active,
                               s->z, resp_x, resp_xx);
            else {
                list_active(r, rows, s->active);
                if (is_diagonal(p))
                    scatter_diag(p, s->by_row, mean, r, s->active, n, resp_x, resp_xx);
                else {
                    pack_active(p, s->by_row, mean, r, s->active, n, s->z, s->rz, resp_x);
                    scatter_wide(p, s->rz, s->z, n, resp_xx);
                }
            }
        }
    }
}

/* densities, responsibilities and what is wanted of them */
static void evaluate(const Pass *p, ptrdiff_t start, ptrdiff_t rows, ptrdiff_t padded, Tile *s,
                     double *slot) {
    if (p->reach) densities_that_matter(p, padded, p->reach + start / p->tile * p->k, s);
    else densities(p, padded, 0, s);
    if (p->log_density) copy_out(p, start, rows, s->resp, p->log_density);
    if (p->labels) {
        find_labels(p, padded, s);
        copy_labels(p, start, rows, s);
    }
    if (slot) slot[LOG_LIKELIHOOD] += normalise(1, p, padded, (real)-MARGIN, s);
    else if (p->resp) normalise(1, p, padded, UNDERFLOWS, s);
    else if (p->log_prob) normalise(0, p, padded, UNDERFLOWS, s);
    if (p->resp) copy_out(p, start, rows, s->resp, p->resp);
    if (p->log_prob) copy_log_prob(p, start, rows, s);
}

/* k-means */
static void to_nearest(const Pass *p, ptrdiff_t start, ptrdiff_t rows, ptrdiff_t padded, Tile *s,
                       double *slot) {
    if (p->reach) densities_that_matter(p, padded, p->reach + start / p->tile * p->k, s);
    else scores(p, padded, 0, s);
    settle(p, rows, padded, s);
    add_rows(p, rows, s, slot);
    if (p->labels) copy_labels(p, start, rows, s);
    if (p->log_prob) {
        half_distances(p, rows, s);
        copy_log_prob(p, start, rows, s);
    }
}

static void run_tile(const Pass *p, ptrdiff_t start, ptrdiff_t rows, Tile *s, double *slot) {
    const ptrdiff_t padded = round_up(rows, ROWS);
    gather(p, start, rows, padded, s);
    s->listed = p->k;
    for (ptrdiff_t j = 0; j < p->k; j++) s->component[j] = (int32_t)j;
    if (p->nearest) add_potentials(p, start, rows, padded, s, slot);
    else if (p->hard) to_nearest(p, start, rows, padded, s, slot);
    else if (p->given_resp || p->given_labels) copy_given(p, start, rows, padded, s);
    else evaluate(p, start, rows, padded, s, slot);
    if (!slot) return;
    if (!p->hard && !p->nearest) add_statistics(p, rows, padded, s, slot);
    const double weight = weight_of(p, start, rows);
    slot[WEIGHT] += weight;
    slot[COMPUTED] += (double)s->listed;
    if (p->factors) slot[LOG_LIKELIHOOD] += *s->level * weight;
}

static void run_slot(const Pass *p, ptrdiff_t index, void *scratch, Watch *watch) {
    Tile s;
    place_mixture(p, p->mixture, &s);
    place_scratch(p, scratch, &s);
    memset(s.by_row, 0, p->tile * row_stride(p) * sizeof(real)); /* its padding stays zero */
    double *slot = p->slots ? p->slots + index * (p->slot_size / (ptrdiff_t)sizeof(double)) : NULL;
    if (slot) memset(slot, 0, p->slot_size);
    const ptrdiff_t first = index * p->tiles_per_slot * p->tile;
    const ptrdiff_t end = smaller(p->n, first + p->tiles_per_slot * p->tile);
    for (ptrdiff_t start = first; start < end && !stopped(watch); start += p->tile)
        run_tile(p, start, smaller(p->tile, end - start), &s, slot);
}

/* ---- before and after ---- */

static const ptrdiff_t TILE_BYTES = 24 * 1024; /* half of L1: what the inner loops of (5) read */
static const ptrdiff_t SLOT_BYTES = 16 * 1024 * 1024; /* all slots, beyond the least number */
enum { LEAST_TILE = 64, LARGEST_TILE = 256, LEAST_SLOTS = 8, MOST_SLOTS = 64 };

/* Cut n rows into tiles and slots; depends on the problem alone. */
static void cut(Pass *p) {
    p->dp = round_up(p->d, PAD);
    ptrdiff_t row_bytes = sizeof(real) * (p->d <= NARROW ? p->d + 1 : 2 * p->dp);
    ptrdiff_t tile = TILE_BYTES / row_bytes / ROWS * ROWS;
    p->tile = tile < LEAST_TILE ? LEAST_TILE : tile > LARGEST_TILE ? LARGEST_TILE : tile;
    p->slot_size = round_up(slot_end(p) * sizeof(double), 64);
    ptrdiff_t slots = SLOT_BYTES / p->slot_size;
    slots = slots < LEAST_SLOTS ? LEAST_SLOTS : slots > MOST_SLOTS ? MOST_SLOTS : slots;
    ptrdiff_t tiles = (p->n + p->tile - 1) / p->tile;
    p->tiles_per_slot = (tiles + slots - 1) / slots;
    if (p->tiles_per_slot == 0) p->tiles_per_slot = 1;
    p->n_slots = (tiles + p->tiles_per_slot - 1) / p->tiles_per_slot;
    Tile s;
    p->mixture_size = place_mixture(p, NULL, &s);
    p->scratch_size = place_scratch(p, NULL, &s);
}

INLINE double sum_entry(const Pass *p, const double *at) {
    return entry(p) == LANES ? sum_lanes(at) : *at;
}

/* Add the slots in order, then the lanes; strip the padding, mirror the triangle. `centres` gets
   the means as the tiles had them: in single precision not quite the mixture's. */
static void reduce_slots(const Pass *p, double *totals, double *centres, double *resp_sum,
                         double *resp_x, double *resp_xx) {
    const ptrdiff_t k = p->k, d = p->d, c = columns(p), e = entry(p), size = slot_end(p);
    double *sum = p->slots;
    for (ptrdiff_t s = 1; s < p->n_slots; s++) {
        const double *slot = p->slots + s * (p->slot_size / (ptrdiff_t)sizeof(double));
        for (ptrdiff_t i = 0; i < size; i++) sum[i] += slot[i];
    }
    memcpy(totals, sum, 3 * sizeof(double));
    Tile s;
    place_mixture(p, p->mixture, &s);
    const double *x = sum + resp_x_at(p), *xx = sum + resp_xx_at(p);
    for (ptrdiff_t j = 0; j < k; j++) {
        resp_sum[j] = sum_lanes(sum + resp_sum_at(p) + j * LANES);
        for (ptrdiff_t a = 0; a < d; a++) {
            centres[j * d + a] = (double)s.row_means[j * p->dp + a]
                                 + (rows_are_centred(p) ? centre_of(p, a) : 0.0);
            resp_x[j * d + a] = sum_entry(p, x + (j * c + a) * e);
            if (is_diagonal(p) && !p->hard) resp_xx[j * d + a] = sum_entry(p, xx + (j * c + a) * e);
        }
        if (p->hard) {
            resp_xx[j] = sum_lanes(xx + j * LANES);
            totals[LOG_LIKELIHOOD] -= 0.5 * resp_xx[j];
        }
    }
    for (ptrdiff_t j = 0; !is_diagonal(p) && j < (p->shape == TIED ? 1 : k); j++)
        for (ptrdiff_t a = 0; a < d; a++)
            for (ptrdiff_t b = 0; b <= a; b++)
                resp_xx[(j * d + a) * d + b] = resp_xx[(j * d + b) * d + a] =
                    sum_entry(p, xx + ((j * c + a) * c + b) * e);
}

#endif

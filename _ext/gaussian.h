/* One pass of expectation-maximisation over the rows, tile by tile.

   Formulas, for row x, component j with mean m_j and precision factor U_j (upper triangular):

     (1)  z = x - m_j
     (2)  l_j = c_j - 1/2 |U_j^T z|^2,   c_j = log weight_j + log det U_j - d/2 log 2 pi
     (3)  L = M + log sum_j exp(l_j - M),   M = max_j l_j
     (4)  r_j = w exp(l_j - L),   w the weight of the row
     (5)  resp_sum_j += r_j,   resp_x_j += r_j z,   resp_xx_j += r_j z z^T

   A tile is `tile` consecutive rows. Both halves, (1)-(4) and (5), are done for every component while
   the tile is in cache, so each row comes from memory once a pass and no (n, k) array exists.

       X  --gather-->  by_feature  d x tile   lanes are rows       (1)-(4), and (5) for d <= NARROW
                       by_row      tile x dp  lanes are features   (5) for d > NARROW
                       resp        k x tile   l_j, then r_j

   Memory, in doubles, dp = d rounded up to PAD:

       each thread   d tile + dp tile + k tile + 2 dp tile + a few rows of tile
       each slot     2 + k + k dp + k dp dp  (full; dp dp once for tied; k dp for diag)

   Determinism. Tiles are dealt to slots by a rule that knows n, d, k and nothing of threads; a slot is
   worked through in order by one thread; slots are added in order at the end. The bits of a result do
   not depend on the number of threads.

   Numerical choices. Squares are taken of differences from the component's own mean, never of raw
   values. A distance that overflows, or is inf - inf on the way, is infinitely far: l = -inf. A row
   for which every l_j is -inf is told nothing by the densities: r_j is w times the weight of j. A row of
   weight zero is read as a copy of the first mean, so that whatever stands in it cannot spread.
   Tied rows are whitened once, about the first mean, unless another mean is more than FAR deviations
   away, where the digits lost between two large numbers would show.
   In statistics, r below exp(-60) of the largest is 0 exactly, and such rows are left out of (5).

   Source of the algorithm: Dempster, Laird and Rubin 1977, section 4.3. */
#ifndef MIXTURA_GAUSSIAN_H
#define MIXTURA_GAUSSIAN_H

#include <float.h>
#include <stddef.h>
#include "simd.h"

enum { FULL, TIED, DIAG };

#if LANES == 8
enum { GROUP = 4, BLOCK_ROWS = 8, BLOCK_VECTORS = 3 }; /* 32 registers */
#else
enum { GROUP = 2, BLOCK_ROWS = 4, BLOCK_VECTORS = 2 }; /* 16 registers */
#endif
enum {
    OUTPUTS = 4,            /* rows of the triangle worked on at once, by GROUP vectors of rows of X */
    ROWS = GROUP * LANES,   /* tiles are filled up to a multiple of this */
    PAD = BLOCK_ROWS > LANES ? BLOCK_ROWS : LANES,
    NARROW = 4,             /* up to here the whole scatter of a component fits in registers */
};

static const double NEGLIGIBLE = -60.0;  /* log of the smallest share kept in statistics */
static const double FAR = 1e3; /* standard deviations; costs three digits */
static const double UNDERFLOWS = -708.0; /* log of the smallest normal double */

typedef struct {
    /* rows */
    const char *X;
    ptrdiff_t row_stride, column_stride; /* bytes */
    int is_float32;
    const double *sample_weight; /* n, or NULL for ones */
    ptrdiff_t n, d, k, dp;
    /* cuts */
    ptrdiff_t tile, n_slots, tiles_per_slot, slot_size, scratch_size;
    /* mixture */
    int shape;
    int hard;                     /* each row belongs to its most probable component altogether */
    const double *means;          /* k x dp, zero beyond d */
    const double *panels;         /* FULL: k packed triangles; TIED: one */
    const double *scales;         /* DIAG: k x d; TIED: ones */
    const double *whitened_means; /* TIED: k x d, about `means[0]`; NULL where they are too far apart */
    const double *constants;      /* k, c_j of (2) */
    const double *shares;         /* k, weights summing to one */
    /* instead of a mixture: responsibilities or labels */
    const char *given_resp;
    ptrdiff_t resp_row_stride, resp_column_stride;
    const int64_t *given_labels;
    /* wanted, each may be NULL */
    double *log_density; /* n x k, l_j */
    double *resp;        /* n x k */
    double *log_prob;    /* n */
    int64_t *labels;     /* n, the most probable component */
    double *slots;       /* n_slots x slot_size */
} Pass;

INLINE ptrdiff_t round_up(ptrdiff_t x, ptrdiff_t to) { return (x + to - 1) / to * to; }
INLINE ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/* ---- where things stand in a slot ---- */

INLINE double *slot_resp_sum(const Pass *p, double *slot) { (void)p; return slot + 2; }
INLINE double *slot_resp_x(const Pass *p, double *slot) { return slot + 2 + p->k; }
INLINE double *slot_resp_xx(const Pass *p, double *slot) { return slot + 2 + p->k + p->k * p->dp; }
INLINE ptrdiff_t scatter_size(const Pass *p) { return p->shape == DIAG ? p->dp : p->dp * p->dp; }

/* ---- the triangle, packed for four outputs at a time ---- */

INLINE ptrdiff_t panel_size(ptrdiff_t d) {
    ptrdiff_t size = 0;
    for (ptrdiff_t b = 0; b < d; b += OUTPUTS) {
        ptrdiff_t outputs = smaller(OUTPUTS, d - b);
        size += (b + outputs) * outputs;
    }
    return size;
}

static void pack_panel(const double *U, ptrdiff_t d, double *panel) {
    for (ptrdiff_t b = 0; b < d; b += OUTPUTS) {
        ptrdiff_t outputs = smaller(OUTPUTS, d - b);
        for (ptrdiff_t a = 0; a < b + outputs; a++)
            for (ptrdiff_t o = 0; o < outputs; o++) *panel++ = a <= b + o ? U[a * d + b + o] : 0.0;
    }
}

/* y_(b+o) = sum_a U[a, b+o] z_a for `outputs` values of o, added up in y */
INLINE void triangle_rows(const int outputs, ptrdiff_t terms, const double *panel, const double *z,
                          vec y[OUTPUTS][GROUP]) {
    for (int o = 0; o < outputs; o++)
        for (int g = 0; g < GROUP; g++) y[o][g] = (vec){0};
    for (ptrdiff_t a = 0; a < terms; a++) {
        vec z_a[GROUP];
        for (int g = 0; g < GROUP; g++) z_a[g] = load(z + a * ROWS + g * LANES);
        for (int o = 0; o < outputs; o++)
            for (int g = 0; g < GROUP; g++) y[o][g] += panel[a * outputs + o] * z_a[g];
    }
}

INLINE void add_squares(const int outputs, ptrdiff_t terms, const double *panel, const double *z,
                        vec distance[GROUP]) {
    vec y[OUTPUTS][GROUP];
    triangle_rows(outputs, terms, panel, z, y);
    for (int o = 0; o < outputs; o++)
        for (int g = 0; g < GROUP; g++) distance[g] += y[o][g] * y[o][g];
}

INLINE void store_rows(const int outputs, ptrdiff_t terms, const double *panel, const double *z,
                       double *out, ptrdiff_t stride) {
    vec y[OUTPUTS][GROUP];
    triangle_rows(outputs, terms, panel, z, y);
    for (int o = 0; o < outputs; o++)
        for (int g = 0; g < GROUP; g++) store(out + o * stride + g * LANES, y[o][g]);
}

/* ---- densities: equations (1) and (2) ---- */

INLINE void subtract_mean(const double *x, ptrdiff_t stride, ptrdiff_t d, const double *mean, double *z) {
    for (ptrdiff_t a = 0; a < d; a++)
        for (int g = 0; g < GROUP; g++)
            store(z + a * ROWS + g * LANES, load(x + a * stride + g * LANES) - mean[a]);
}

INLINE void store_log_density(double *out, double constant, const vec distance[GROUP]) {
    for (int g = 0; g < GROUP; g++) {
        mask near = distance[g] <= DBL_MAX; /* false for inf and nan alike */
        store(out + g * LANES, pick(near, constant - 0.5 * distance[g], fill(-INFINITY)));
    }
}

static void density_full(const Pass *p, const double *x, ptrdiff_t padded, const double *mean,
                         const double *panel, double constant, double *z, double *out) {
    const ptrdiff_t d = p->d;
    for (ptrdiff_t t = 0; t < padded; t += ROWS) {
        subtract_mean(x + t, p->tile, d, mean, z);
        vec distance[GROUP] = {{0}};
        const double *row = panel;
        ptrdiff_t b = 0;
        for (; b + OUTPUTS <= d; b += OUTPUTS) {
            add_squares(OUTPUTS, b + OUTPUTS, row, z, distance);
            row += (b + OUTPUTS) * OUTPUTS;
        }
        switch (d - b) {
        case 1: add_squares(1, d, row, z, distance); break;
        case 2: add_squares(2, d, row, z, distance); break;
        case 3: add_squares(3, d, row, z, distance); break;
        }
        store_log_density(out + t, constant, distance);
    }
}

static void density_diag(const Pass *p, const double *x, ptrdiff_t padded, const double *mean,
                         const double *scale, double constant, double *out) {
    for (ptrdiff_t t = 0; t < padded; t += ROWS) {
        vec distance[GROUP] = {{0}};
        for (ptrdiff_t a = 0; a < p->d; a++)
            for (int g = 0; g < GROUP; g++) {
                vec y = (load(x + a * p->tile + t + g * LANES) - mean[a]) * scale[a];
                distance[g] += y * y;
            }
        store_log_density(out + t, constant, distance);
    }
}

/* y = U^T (x - m) for the whole tile: with one factor for all components the triangle is paid once */
static void whiten(const Pass *p, const double *x, ptrdiff_t padded, const double *mean, double *z,
                   double *out) {
    const ptrdiff_t d = p->d;
    for (ptrdiff_t t = 0; t < padded; t += ROWS) {
        subtract_mean(x + t, p->tile, d, mean, z);
        const double *row = p->panels;
        ptrdiff_t b = 0;
        for (; b + OUTPUTS <= d; b += OUTPUTS) {
            store_rows(OUTPUTS, b + OUTPUTS, row, z, out + b * p->tile + t, p->tile);
            row += (b + OUTPUTS) * OUTPUTS;
        }
        switch (d - b) {
        case 1: store_rows(1, d, row, z, out + b * p->tile + t, p->tile); break;
        case 2: store_rows(2, d, row, z, out + b * p->tile + t, p->tile); break;
        case 3: store_rows(3, d, row, z, out + b * p->tile + t, p->tile); break;
        }
    }
}

/* ---- responsibilities: equations (3) and (4) ---- */

/* resp holds l_j and is overwritten with r_j; returns the weighted sum of L */
static double normalise(const Pass *p, ptrdiff_t padded, const double *weight, double floor,
                        double *resp, double *log_prob) {
    const ptrdiff_t k = p->k, tile = p->tile;
    vec total = {0};
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        vec largest = load(resp + t);
        for (ptrdiff_t j = 1; j < k; j++) largest = larger(largest, load(resp + j * tile + t));
        mask lost = largest < -DBL_MAX;
        vec reference = pick(lost, fill(0.0), largest);
        vec sum = {0};
        for (ptrdiff_t j = 0; j < k; j++) {
            vec e = exp_nonpositive(load(resp + j * tile + t) - reference, floor);
            store(resp + j * tile + t, e);
            sum += e;
        }
        sum = pick(lost, fill(1.0), sum);
        vec w = load(weight + t);
        vec scale = w / sum;
        for (ptrdiff_t j = 0; j < k; j++)
            store(resp + j * tile + t, load(resp + j * tile + t) * scale);
        vec L = pick(lost, fill(-INFINITY), largest + log_positive(sum));
        store(log_prob + t, L);
        total += pick(w > 0.0, w * L, fill(0.0));
        if (sum_lanes(pick(lost, fill(1.0), fill(0.0))) > 0.0)
            for (ptrdiff_t j = 0; j < k; j++)
                store(resp + j * tile + t,
                      pick(lost, w * p->shares[j], load(resp + j * tile + t)));
    }
    return sum_lanes(total);
}

/* The same with each row given to its largest l_j, the first of equals; L is that l_j. */
static double assign(const Pass *p, ptrdiff_t padded, const double *weight, double *resp,
                     double *log_prob) {
    const ptrdiff_t k = p->k, tile = p->tile;
    vec total = {0};
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        vec largest = load(resp + t);
        mask best = {0};
        for (ptrdiff_t j = 1; j < k; j++) {
            vec l = load(resp + j * tile + t);
            mask above = l > largest;
            largest = pick(above, l, largest);
            best = (above & j) | (~above & best);
        }
        vec w = load(weight + t);
        for (ptrdiff_t j = 0; j < k; j++) store(resp + j * tile + t, pick(best == j, w, fill(0.0)));
        store(log_prob + t, largest);
        total += pick(w > 0.0, w * largest, fill(0.0));
    }
    return sum_lanes(total);
}

/* ---- statistics: equation (5) ---- */

/* d <= NARROW, lanes are rows: every sum of a component in registers, all rows of the tile */
INLINE void scatter_narrow(const int d, const int cross, const Pass *p, const double *x,
                           ptrdiff_t padded, const double *mean, const double *r, double *resp_sum,
                           double *resp_x, double *resp_xx) {
    vec sum = {0}, first[NARROW] = {{0}}, second[NARROW][NARROW] = {{{0}}};
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        vec z[NARROW], rz[NARROW], r_t = load(r + t);
        sum += r_t;
        for (int a = 0; a < d; a++) {
            z[a] = load(x + a * p->tile + t) - mean[a];
            rz[a] = r_t * z[a];
            first[a] += rz[a];
            for (int b = cross ? 0 : a; b <= a; b++) second[a][b] += rz[a] * z[b];
        }
    }
    *resp_sum += sum_lanes(sum);
    for (int a = 0; a < d; a++) {
        resp_x[a] += sum_lanes(first[a]);
        if (!cross) resp_xx[a] += sum_lanes(second[a][a]);
        else
            for (int b = 0; b <= a; b++) resp_xx[a * p->dp + b] += sum_lanes(second[a][b]);
    }
}

/* the rows to which a component answers: their positions in the tile */
INLINE ptrdiff_t active_rows(const double *r, ptrdiff_t rows, int32_t *active) {
    ptrdiff_t n = 0;
    for (ptrdiff_t t = 0; t < rows; t++) {
        active[n] = (int32_t)t;
        n += r[t] > 0.0;
    }
    return n;
}

INLINE void scatter_diag(const Pass *p, const double *x, const double *mean, const double *r,
                         const int32_t *active, ptrdiff_t n, double *resp_x, double *resp_xx) {
    const ptrdiff_t dp = p->dp;
    for (ptrdiff_t a = 0; a < dp; a += LANES) {
        const vec m = load(mean + a);
        vec first = {0}, second = {0};
        for (ptrdiff_t q = 0; q < n; q++) {
            vec z = load(x + active[q] * dp + a) - m;
            vec rz = r[active[q]] * z;
            first += rz;
            second += rz * z;
        }
        store(resp_x + a, load(resp_x + a) + first);
        store(resp_xx + a, load(resp_xx + a) + second);
    }
}

/* z and r z of the active rows, side by side, so that the blocks below read nothing else */
INLINE void pack_active(const Pass *p, const double *x, const double *mean, const double *r,
                        const int32_t *active, ptrdiff_t n, double *z, double *rz, double *resp_x) {
    const ptrdiff_t dp = p->dp;
    for (ptrdiff_t a = 0; a < dp; a += LANES) {
        const vec m = load(mean + a);
        vec first = {0};
        for (ptrdiff_t q = 0; q < n; q++) {
            vec z_q = load(x + active[q] * dp + a) - m;
            vec rz_q = r[active[q]] * z_q;
            store(z + q * dp + a, z_q);
            store(rz + q * dp + a, rz_q);
            first += rz_q;
        }
        store(resp_x + a, load(resp_x + a) + first);
    }
}

/* BLOCK_ROWS x (vectors * LANES) entries of sum_q (r z)_q z_q^T, in registers over all rows */
INLINE void scatter_block(const int vectors, const double *rz, const double *z, ptrdiff_t n,
                          ptrdiff_t dp, double *out) {
    vec sum[BLOCK_ROWS][BLOCK_VECTORS];
    for (int a = 0; a < BLOCK_ROWS; a++)
        for (int v = 0; v < vectors; v++) sum[a][v] = (vec){0};
    for (ptrdiff_t q = 0; q < n; q++) {
        vec z_q[BLOCK_VECTORS];
        for (int v = 0; v < vectors; v++) z_q[v] = load(z + q * dp + v * LANES);
        for (int a = 0; a < BLOCK_ROWS; a++)
            for (int v = 0; v < vectors; v++) sum[a][v] += rz[q * dp + a] * z_q[v];
    }
    for (int a = 0; a < BLOCK_ROWS; a++)
        for (int v = 0; v < vectors; v++) {
            double *at = out + a * dp + v * LANES;
            store(at, load(at) + sum[a][v]);
        }
}

INLINE void scatter_full(const Pass *p, const double *rz, const double *z, ptrdiff_t n, double *out) {
    const ptrdiff_t dp = p->dp;
    for (ptrdiff_t a = 0; a < dp; a += BLOCK_ROWS) {
        ptrdiff_t b = 0, end = a + BLOCK_ROWS; /* the lower triangle, by whole blocks */
        for (; b + BLOCK_VECTORS * LANES <= end; b += BLOCK_VECTORS * LANES)
            scatter_block(BLOCK_VECTORS, rz + a, z + b, n, dp, out + a * dp + b);
        switch ((end - b) / LANES) {
        case 1: scatter_block(1, rz + a, z + b, n, dp, out + a * dp + b); break;
        case 2: scatter_block(2, rz + a, z + b, n, dp, out + a * dp + b); break;
        }
    }
}

INLINE void scatter_narrow_of(const int cross, const Pass *p, const double *x, ptrdiff_t padded,
                              const double *mean, const double *r, double *resp_sum,
                              double *resp_x, double *resp_xx) {
    switch (p->d) {
    case 1: scatter_narrow(1, cross, p, x, padded, mean, r, resp_sum, resp_x, resp_xx); break;
    case 2: scatter_narrow(2, cross, p, x, padded, mean, r, resp_sum, resp_x, resp_xx); break;
    case 3: scatter_narrow(3, cross, p, x, padded, mean, r, resp_sum, resp_x, resp_xx); break;
    case 4: scatter_narrow(4, cross, p, x, padded, mean, r, resp_sum, resp_x, resp_xx); break;
    }
}

/* ---- one tile, one slot ---- */

typedef struct {
    double *by_feature, *by_row, *whitened, *resp, *weight, *log_prob, *difference, *z, *rz;
    int32_t *active;
} Scratch;

/* Lay the scratch out from `base`; return its size in doubles. */
static ptrdiff_t lay_out(const Pass *p, double *base, Scratch *s) {
    double *next = base;
    const ptrdiff_t tile = p->tile, by_row = tile * p->dp;
    s->by_feature = next; next += p->d * tile;
    s->by_row = next; next += by_row; /* zero from d to dp */
    s->whitened = next; next += p->shape == TIED ? p->d * tile : 0;
    s->resp = next; next += p->k * tile;
    s->weight = next; next += tile;
    s->log_prob = next; next += tile;
    s->difference = next; next += p->d * ROWS;
    s->z = next; next += by_row;
    s->rz = next; next += by_row;
    s->active = (int32_t *)next; next += tile;
    return round_up(next - base, 8);
}

INLINE double element(const char *at, int is_float32) {
    return is_float32 ? (double)*(const float *)at : *(const double *)at;
}

INLINE void gather_elements(const int is_float32, const Pass *p, ptrdiff_t start, ptrdiff_t rows,
                            double *by_feature) {
    for (ptrdiff_t a = 0; a < p->d; a++) {
        const char *at = p->X + start * p->row_stride + a * p->column_stride;
        double *out = by_feature + a * p->tile;
        for (ptrdiff_t t = 0; t < rows; t++, at += p->row_stride) out[t] = element(at, is_float32);
    }
}

/* Bring the rows in, in both orders; fill the tile up with weightless copies of the first mean. */
static void gather(const Pass *p, ptrdiff_t start, ptrdiff_t rows, ptrdiff_t padded, Scratch *s) {
    const ptrdiff_t d = p->d, dp = p->dp, tile = p->tile;
    for (ptrdiff_t t = 0; t < padded; t++)
        s->weight[t] = t >= rows ? 0.0 : p->sample_weight ? p->sample_weight[start + t] : 1.0;
    if (p->is_float32) gather_elements(1, p, start, rows, s->by_feature);
    else gather_elements(0, p, start, rows, s->by_feature);
    for (ptrdiff_t t = p->sample_weight ? 0 : rows; t < padded; t++)
        if (s->weight[t] == 0.0)
            for (ptrdiff_t a = 0; a < d; a++) s->by_feature[a * tile + t] = p->means[a];
    if (d > NARROW && p->slots)
        for (ptrdiff_t t = 0; t < rows; t++)
            for (ptrdiff_t a = 0; a < d; a++) s->by_row[t * dp + a] = s->by_feature[a * tile + t];
}

static void densities(const Pass *p, ptrdiff_t padded, Scratch *s) {
    const ptrdiff_t d = p->d, panel = panel_size(d);
    const int whitened = p->shape == TIED && p->whitened_means;
    if (whitened) whiten(p, s->by_feature, padded, p->means, s->difference, s->whitened);
    for (ptrdiff_t j = 0; j < p->k; j++) {
        double *out = s->resp + j * p->tile;
        if (p->shape != DIAG && !whitened)
            density_full(p, s->by_feature, padded, p->means + j * p->dp,
                         p->panels + (p->shape == FULL ? j * panel : 0), p->constants[j],
                         s->difference, out);
        else if (whitened)
            density_diag(p, s->whitened, padded, p->whitened_means + j * d, p->scales,
                         p->constants[j], out);
        else
            density_diag(p, s->by_feature, padded, p->means + j * p->dp, p->scales + j * d,
                         p->constants[j], out);
    }
}

static void copy_given(const Pass *p, ptrdiff_t start, ptrdiff_t rows, ptrdiff_t padded, Scratch *s) {
    for (ptrdiff_t j = 0; j < p->k; j++) {
        double *out = s->resp + j * p->tile;
        const char *column = p->given_resp + j * p->resp_column_stride;
        for (ptrdiff_t t = 0; t < padded; t++) {
            double share = 0.0;
            if (t < rows)
                share = p->given_labels ? (p->given_labels[start + t] == j)
                                        : *(const double *)(column + (start + t) * p->resp_row_stride);
            out[t] = s->weight[t] * share;
        }
    }
}

static void copy_out(const Pass *p, ptrdiff_t start, ptrdiff_t rows, const double *from, double *to) {
    for (ptrdiff_t t = 0; t < rows; t++)
        for (ptrdiff_t j = 0; j < p->k; j++) to[(start + t) * p->k + j] = from[j * p->tile + t];
}

static void copy_labels(const Pass *p, ptrdiff_t start, ptrdiff_t rows, const double *resp) {
    for (ptrdiff_t t = 0; t < rows; t++) {
        ptrdiff_t best = 0;
        for (ptrdiff_t j = 1; j < p->k; j++)
            if (resp[j * p->tile + t] > resp[best * p->tile + t]) best = j;
        p->labels[start + t] = best;
    }
}

static void add_statistics(const Pass *p, ptrdiff_t rows, ptrdiff_t padded, Scratch *s, double *slot) {
    const ptrdiff_t dp = p->dp, tile = p->tile;
    double *resp_sum = slot_resp_sum(p, slot), *resp_x = slot_resp_x(p, slot);
    double *resp_xx = slot_resp_xx(p, slot);
    const ptrdiff_t step = p->shape == TIED ? 0 : scatter_size(p);
    for (ptrdiff_t j = 0; j < p->k; j++, resp_x += dp, resp_xx += step) {
        const double *r = s->resp + j * tile, *mean = p->means + j * dp;
        if (p->d <= NARROW) {
            if (p->shape == DIAG)
                scatter_narrow_of(0, p, s->by_feature, padded, mean, r, resp_sum + j, resp_x, resp_xx);
            else
                scatter_narrow_of(1, p, s->by_feature, padded, mean, r, resp_sum + j, resp_x, resp_xx);
            continue;
        }
        const ptrdiff_t n = active_rows(r, rows, s->active);
        if (n == 0) continue;
        vec sum = {0};
        for (ptrdiff_t t = 0; t < padded; t += LANES) sum += load(r + t);
        resp_sum[j] += sum_lanes(sum);
        if (p->shape == DIAG)
            scatter_diag(p, s->by_row, mean, r, s->active, n, resp_x, resp_xx);
        else {
            pack_active(p, s->by_row, mean, r, s->active, n, s->z, s->rz, resp_x);
            scatter_full(p, s->rz, s->z, n, resp_xx);
        }
    }
}

static void run_tile(const Pass *p, ptrdiff_t start, ptrdiff_t rows, Scratch *s, double *slot) {
    const ptrdiff_t padded = round_up(rows, ROWS);
    gather(p, start, rows, padded, s);
    if (p->given_resp || p->given_labels) copy_given(p, start, rows, padded, s);
    else {
        densities(p, padded, s);
        if (p->log_density) copy_out(p, start, rows, s->resp, p->log_density);
        if (!(slot || p->resp || p->log_prob || p->labels)) return;
        double floor = slot ? NEGLIGIBLE : UNDERFLOWS;
        double total = p->hard ? assign(p, padded, s->weight, s->resp, s->log_prob)
                               : normalise(p, padded, s->weight, floor, s->resp, s->log_prob);
        if (p->resp) copy_out(p, start, rows, s->resp, p->resp);
        if (p->labels) copy_labels(p, start, rows, s->resp);
        if (p->log_prob) memcpy(p->log_prob + start, s->log_prob, rows * sizeof(double));
        if (slot) slot[0] += total;
    }
    if (slot) {
        double weight = 0.0;
        for (ptrdiff_t t = 0; t < rows; t++) weight += s->weight[t];
        slot[1] += weight;
        add_statistics(p, rows, padded, s, slot);
    }
}

static void run_slot(const Pass *p, ptrdiff_t index, double *scratch) {
    Scratch s;
    lay_out(p, scratch, &s);
    memset(s.by_row, 0, p->tile * p->dp * sizeof(double)); /* its padding stays zero */
    double *slot = p->slots ? p->slots + index * p->slot_size : NULL;
    if (slot) memset(slot, 0, p->slot_size * sizeof(double));
    const ptrdiff_t first = index * p->tiles_per_slot * p->tile;
    const ptrdiff_t end = smaller(p->n, first + p->tiles_per_slot * p->tile);
    for (ptrdiff_t start = first; start < end; start += p->tile)
        run_tile(p, start, smaller(p->tile, end - start), &s, slot);
}

/* ---- before and after ---- */

static const ptrdiff_t TILE_BYTES = 24 * 1024; /* half of L1: what the inner loops of (5) read */
static const ptrdiff_t SLOT_BYTES = 16 * 1024 * 1024; /* all slots, beyond the least number */
enum { LEAST_TILE = 64, LARGEST_TILE = 256, LEAST_SLOTS = 8, MOST_SLOTS = 64 };

/* Cut n rows into tiles and slots; depends on the problem alone. */
static void cut(Pass *p) {
    p->dp = round_up(p->d, PAD);
    ptrdiff_t row_bytes = 8 * (p->d <= NARROW ? p->d + p->k : 2 * p->dp);
    ptrdiff_t tile = TILE_BYTES / row_bytes / ROWS * ROWS;
    p->tile = tile < LEAST_TILE ? LEAST_TILE : tile > LARGEST_TILE ? LARGEST_TILE : tile;
    p->slot_size = round_up(2 + p->k + p->k * p->dp + (p->shape == TIED ? 1 : p->k) * scatter_size(p), 8);
    ptrdiff_t slots = SLOT_BYTES / 8 / p->slot_size;
    slots = slots < LEAST_SLOTS ? LEAST_SLOTS : slots > MOST_SLOTS ? MOST_SLOTS : slots;
    ptrdiff_t tiles = (p->n + p->tile - 1) / p->tile;
    p->tiles_per_slot = (tiles + slots - 1) / slots;
    if (p->tiles_per_slot == 0) p->tiles_per_slot = 1;
    p->n_slots = (tiles + p->tiles_per_slot - 1) / p->tiles_per_slot;
    Scratch s;
    p->scratch_size = lay_out(p, NULL, &s);
}

/* Add the slots in order, strip the padding, mirror the triangle. */
static void reduce_slots(const Pass *p, double *totals, double *resp_sum, double *resp_x,
                         double *resp_xx) {
    const ptrdiff_t k = p->k, d = p->d, dp = p->dp;
    double *sum = p->slots;
    for (ptrdiff_t s = 1; s < p->n_slots; s++)
        for (ptrdiff_t i = 0; i < p->slot_size; i++) sum[i] += p->slots[s * p->slot_size + i];
    memcpy(totals, sum, 2 * sizeof(double));
    memcpy(resp_sum, slot_resp_sum(p, sum), k * sizeof(double));
    const double *x = slot_resp_x(p, sum), *xx = slot_resp_xx(p, sum);
    for (ptrdiff_t j = 0; j < k; j++) memcpy(resp_x + j * d, x + j * dp, d * sizeof(double));
    if (p->shape == DIAG) {
        for (ptrdiff_t j = 0; j < k; j++) memcpy(resp_xx + j * d, xx + j * dp, d * sizeof(double));
        return;
    }
    for (ptrdiff_t j = 0; j < (p->shape == TIED ? 1 : k); j++)
        for (ptrdiff_t a = 0; a < d; a++)
            for (ptrdiff_t b = 0; b <= a; b++)
                resp_xx[(j * d + a) * d + b] = resp_xx[(j * d + b) * d + a] = xx[(j * dp + a) * dp + b];
}

#endif

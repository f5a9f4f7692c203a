/* Sums of weighted differences and their outer products: equation (5) of pass.h.

   Few features (d <= NARROW): lanes are rows, every sum is a whole vector, and lanes are added up
   only at the very end. Blocks of four by four features keep their sums in registers over the tile.

   Many features: lanes are features. The rows that a component has a share of are gathered as z and
   r z, and blocks of the lower triangle are sums of outer products, as in a matrix product. */
#ifndef MIXTURA_SCATTER_H
#define MIXTURA_SCATTER_H

#include "tile.h"

/* ---- the rows that a component has a share of ---- */

/* Adds up their r; returns their number. */
INLINE ptrdiff_t add_active(const real *r, ptrdiff_t padded, double *resp_sum) {
    mask n = {0};
    vec sum = {0};
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        n -= load(r + t) > 0;
        sum += load(r + t);
    }
    add_to(resp_sum, sum);
    ptrdiff_t count = 0;
    for (int l = 0; l < LANES; l++) count += n[l];
    return count;
}

INLINE void list_active(const real *r, ptrdiff_t rows, int32_t *active) {
    ptrdiff_t n = 0;
    for (ptrdiff_t t = 0; t < rows; t++) {
        active[n] = (int32_t)t;
        n += r[t] > 0;
    }
}

/* ---- few features: lanes are rows ---- */

typedef struct {
    const real *x, *mean, *r; /* x by feature, `stride` apart */
    ptrdiff_t stride, rows, d;
    double *resp_x, *resp_xx; /* d and d x d vectors; d vectors for a diagonal */
} Narrow;

/* features a .. a + size - 1 with themselves, and their first sums */
INLINE void narrow_diagonal(const int size, const int cross, const Narrow *n, ptrdiff_t a) {
    vec first[4] = {{0}}, second[4][4] = {{{0}}};
    for (ptrdiff_t t = 0; t < n->rows; t += LANES) {
        vec z[4], r = load(n->r + t);
        for (int i = 0; i < size; i++) {
            z[i] = load(n->x + (a + i) * n->stride + t) - n->mean[a + i];
            vec rz = r * z[i];
            first[i] += rz;
            for (int j = cross ? 0 : i; j <= i; j++) second[i][j] += rz * z[j];
        }
    }
    for (int i = 0; i < size; i++) {
        add_to(n->resp_x + (a + i) * LANES, first[i]);
        for (int j = cross ? 0 : i; j <= i; j++)
            add_to(n->resp_xx + (cross ? (a + i) * n->d + a + j : a + i) * LANES, second[i][j]);
    }
}

/* features a .. a + size - 1 with b .. b + 3, all of them before a */
INLINE void narrow_rectangle(const int size, const Narrow *n, ptrdiff_t a, ptrdiff_t b) {
    vec sum[4][4] = {{{0}}};
    for (ptrdiff_t t = 0; t < n->rows; t += LANES) {
        vec z[4], r = load(n->r + t);
        for (int j = 0; j < 4; j++) z[j] = load(n->x + (b + j) * n->stride + t) - n->mean[b + j];
        for (int i = 0; i < size; i++) {
            vec rz = r * (load(n->x + (a + i) * n->stride + t) - n->mean[a + i]);
            for (int j = 0; j < 4; j++) sum[i][j] += rz * z[j];
        }
    }
    for (int i = 0; i < size; i++)
        for (int j = 0; j < 4; j++)
            add_to(n->resp_xx + ((a + i) * n->d + b + j) * LANES, sum[i][j]);
}

INLINE void narrow_rows(const int size, const int cross, const Narrow *n, ptrdiff_t a) {
    for (ptrdiff_t b = 0; cross && b < a; b += 4) narrow_rectangle(size, n, a, b);
    narrow_diagonal(size, cross, n, a);
}

INLINE void scatter_narrow_of(const int cross, const Narrow *n) {
    ptrdiff_t a = 0;
    for (; a + 4 <= n->d; a += 4) narrow_rows(4, cross, n, a);
    switch (n->d - a) {
    case 1: narrow_rows(1, cross, n, a); break;
    case 2: narrow_rows(2, cross, n, a); break;
    case 3: narrow_rows(3, cross, n, a); break;
    }
}

/* Whether copying the active rows side by side takes less than what it saves: the products of the
   other rows, LANES at a time. The factor 2 was measured; for diagonals it never pays. */
INLINE int are_few(const Pass *p, ptrdiff_t count, ptrdiff_t rows) {
    const ptrdiff_t products = p->d * (p->d + 3) / 2, copies = rows + count * (p->d + 1);
    return !is_diagonal(p) && (rows - count) * products > 2 * LANES * copies;
}

/* Copies the active rows side by side where they are few. */
INLINE void compress(const Pass *p, Narrow *n, ptrdiff_t count, ptrdiff_t rows, int32_t *active,
                     real *packed) {
    if (!are_few(p, count, rows)) return;
    list_active(n->r, rows, active);
    const ptrdiff_t padded = round_up(count, LANES);
    real *r = packed + p->d * p->tile;
    for (ptrdiff_t a = 0; a < p->d; a++) {
        const real *from = n->x + a * n->stride;
        real *to = packed + a * p->tile;
        for (ptrdiff_t q = 0; q < count; q++) to[q] = from[active[q]];
        for (ptrdiff_t q = count; q < padded; q++) to[q] = n->mean[a];
    }
    for (ptrdiff_t q = 0; q < count; q++) r[q] = n->r[active[q]];
    for (ptrdiff_t q = count; q < padded; q++) r[q] = 0;
    n->x = packed;
    n->r = r;
    n->stride = p->tile;
    n->rows = padded;
}

static void scatter_narrow(const Pass *p, const real *x, ptrdiff_t count, ptrdiff_t rows,
                           ptrdiff_t padded, const real *mean, const real *r, int32_t *active,
                           real *packed, double *resp_x, double *resp_xx) {
    Narrow n = {x, mean, r, p->tile, padded, p->d, resp_x, resp_xx};
    compress(p, &n, count, rows, active, packed);
    if (is_diagonal(p)) scatter_narrow_of(0, &n);
    else scatter_narrow_of(1, &n);
}

/* ---- many features: lanes are features ---- */

INLINE void scatter_diag(const Pass *p, const real *x, const real *mean, const real *r,
                         const int32_t *active, ptrdiff_t n, double *resp_x, double *resp_xx) {
    const ptrdiff_t dp = p->dp, stride = row_stride(p);
    for (ptrdiff_t a = 0; a < dp; a += LANES) {
        const vec m = load(mean + a);
        vec first = {0}, second = {0};
        for (ptrdiff_t q = 0; q < n; q++) {
            vec z = load(x + active[q] * stride + a) - m;
            vec rz = r[active[q]] * z;
            first += rz;
            second += rz * z;
        }
        add_to(resp_x + a, first);
        add_to(resp_xx + a, second);
    }
}

/* z and r z of the active rows, side by side for the blocks below; and their sum */
INLINE void pack_active(const Pass *p, const real *x, const real *mean, const real *r,
                        const int32_t *active, ptrdiff_t n, real *z, real *rz, double *resp_x) {
    const ptrdiff_t dp = p->dp, stride = row_stride(p);
    for (ptrdiff_t a = 0; a < dp; a += LANES) {
        const vec m = load(mean + a);
        vec first = {0};
        for (ptrdiff_t q = 0; q < n; q++) {
            vec z_q = load(x + active[q] * stride + a) - m;
            vec rz_q = r[active[q]] * z_q;
            store(z + q * stride + a, z_q);
            store(rz + q * stride + a, rz_q);
            first += rz_q;
        }
        add_to(resp_x + a, first);
    }
}

/* BLOCK_ROWS x (vectors * LANES) entries of sum_q (r z)_q z_q^T, kept in registers */
INLINE void wide_block(const int vectors, const Pass *p, const real *rz, const real *z, ptrdiff_t n,
                       double *out) {
    const ptrdiff_t dp = p->dp, stride = row_stride(p);
    vec sum[BLOCK_ROWS][BLOCK_VECTORS];
    for (int a = 0; a < BLOCK_ROWS; a++)
        for (int v = 0; v < vectors; v++) sum[a][v] = (vec){0};
    for (ptrdiff_t q = 0; q < n; q++) {
        vec z_q[BLOCK_VECTORS];
        for (int v = 0; v < vectors; v++) z_q[v] = load(z + q * stride + v * LANES);
        for (int a = 0; a < BLOCK_ROWS; a++)
            for (int v = 0; v < vectors; v++) sum[a][v] += rz[q * stride + a] * z_q[v];
    }
    for (int a = 0; a < BLOCK_ROWS; a++)
        for (int v = 0; v < vectors; v++) add_to(out + a * dp + v * LANES, sum[a][v]);
}

static void scatter_wide(const Pass *p, const real *rz, const real *z, ptrdiff_t n,
                         double *out) {
    const ptrdiff_t dp = p->dp;
    for (ptrdiff_t a = 0; a < dp; a += BLOCK_ROWS) {
        /* the lower triangle, by whole vectors */
        ptrdiff_t b = 0, end = round_up(a + BLOCK_ROWS, LANES);
        for (; b + BLOCK_VECTORS * LANES <= end; b += BLOCK_VECTORS * LANES)
            wide_block(BLOCK_VECTORS, p, rz + a, z + b, n, out + a * dp + b);
        switch ((end - b) / LANES) {
        case 1: wide_block(1, p, rz + a, z + b, n, out + a * dp + b); break;
        case 2: wide_block(2, p, rz + a, z + b, n, out + a * dp + b); break;
        }
    }
}

/* ---- all components ---- */

static ptrdiff_t moments_size(const Pass *p) {
    return (is_diagonal(p) ? 1 : columns(p)) * columns(p) * entry(p);
}

static void add_moments(const Pass *p, Tile *s, double *slot) {
    const ptrdiff_t dp = p->dp, tile = p->tile, rows = s->rows, padded = s->padded;
    for (ptrdiff_t q = 0; q < s->listed; q++) {
        const ptrdiff_t j = s->component[q];
        const real *r = s->resp + q * tile, *mean = s->row_means + j * dp;
        double *resp_x = slot + resp_x_at(p, j);
        double *resp_xx = slot + resp_xx_at(p, p->shape == TIED ? 0 : j);
        const ptrdiff_t n = add_active(r, padded, slot + resp_sum_at(j));
        slot[SHARED] += (double)n;
        if (n == 0) continue;
        if (p->narrow) {
            scatter_narrow(p, s->by_feature, n, rows, padded, s->means + j * dp, r, s->active, s->z,
                           resp_x, resp_xx);
            continue;
        }
        list_active(r, rows, s->active);
        if (is_diagonal(p))
            scatter_diag(p, s->by_row, mean, r, s->active, n, resp_x, resp_xx);
        else {
            pack_active(p, s->by_row, mean, r, s->active, n, s->z, s->rz, resp_x);
            scatter_wide(p, s->rz, s->z, n, resp_xx);
        }
    }
}

INLINE double sum_entry(const Pass *p, const double *at) {
    return entry(p) == LANES ? sum_lanes(at) : *at;
}

/* Strips the padding, adds the lanes, mirrors the triangle. */
static void reduce_moments(const Pass *p, const double *slot, Sums *sums) {
    const ptrdiff_t k = p->k, d = p->d, c = columns(p), e = entry(p);
    for (ptrdiff_t j = 0; j < k; j++)
        for (ptrdiff_t a = 0; a < d; a++)
            sums->resp_x[j * d + a] = sum_entry(p, slot + resp_x_at(p, j) + a * e);
    for (ptrdiff_t j = 0; j < (p->shape == TIED ? 1 : k); j++) {
        const double *xx = slot + resp_xx_at(p, j);
        double *out = sums->resp_xx + j * (p->shape == SPHERICAL ? 1 : is_diagonal(p) ? d : d * d);
        if (p->shape == SPHERICAL) *out = 0.0;
        for (ptrdiff_t a = 0; a < d; a++) {
            if (p->shape == SPHERICAL) *out += sum_entry(p, xx + a * e);
            else if (p->shape == DIAG) out[a] = sum_entry(p, xx + a * e);
            else
                for (ptrdiff_t b = 0; b <= a; b++)
                    out[a * d + b] = out[b * d + a] = sum_entry(p, xx + (a * c + b) * e);
        }
    }
}

#endif

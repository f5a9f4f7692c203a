/* Statistics of a tile: equation (5) of gaussian.h.

   Few features (d <= NARROW): lanes are rows, every sum is a whole vector, and lanes are added up
   only at the very end. Blocks of four by four features keep their sums in registers over the tile.

   Many features: lanes are features. The rows to which a component answers are gathered as z and
   r z, and blocks of the lower triangle are sums of outer products, as in a matrix product. */
#ifndef MIXTURA_SCATTER_H
#define MIXTURA_SCATTER_H

#include "tile.h"

/* ---- which rows ---- */

/* how many of them, and the sum of their r */
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

/* Bring the active rows together where they are few enough to be worth it. */
INLINE void compress(const Pass *p, Narrow *n, ptrdiff_t count, ptrdiff_t rows, int32_t *active,
                     real *packed) {
    if (p->d == 1 || 4 * count > 3 * n->rows) return;
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

/* z and r z of the active rows, side by side, so that the blocks below read nothing else */
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

/* BLOCK_ROWS x (vectors * LANES) entries of sum_q (r z)_q z_q^T, in registers over all rows */
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

#endif

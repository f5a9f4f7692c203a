/* Sums of weighted differences and their outer products: equation (5) of pass.h.

   Few features (d <= NARROW): lanes are rows, every sum is a vector, and its lanes are added up
   only at the very end. Blocks of four by four features keep their sums in registers over the tile.

   Many features: lanes are features. The rows that a component has a share of are gathered as
   y = sqrt(r) z, which is written and read once where z and r z would be two, and blocks of the
   lower triangle are sums of y y^T, as in a matrix product. Where the diagonal cuts through a
   vector, the rows above take half a vector. */
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

/* Lists them, and their r one behind the other; both have room for `padded` numbers. */
INLINE void list_active(const real *r, ptrdiff_t padded, int32_t *active, real *packed) {
    ptrdiff_t n = 0;
#if VECTOR_BYTES == 64
    for (ptrdiff_t t = 0; t < padded; t += LANES)
        n += list_lanes(load(r + t), t, active + n, packed + n);
#else
    for (ptrdiff_t t = 0; t < padded; t++) {
        active[n] = (int32_t)t;
        packed[n] = r[t];
        n += r[t] > 0;
    }
#endif
}

/* ---- few features: lanes are rows ---- */

typedef struct {
    const real *x, *mean, *r; /* x by feature, `stride` apart */
    ptrdiff_t stride, rows, d;
    double *resp_x, *resp_xx; /* d and d x d sums; d for a diagonal */
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
        add_lanes_to(n->resp_x + (a + i) * KEPT_LANES, first[i]);
        for (int j = cross ? 0 : i; j <= i; j++)
            add_lanes_to(n->resp_xx + (cross ? (a + i) * n->d + a + j : a + i) * KEPT_LANES,
                         second[i][j]);
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
            add_lanes_to(n->resp_xx + ((a + i) * n->d + b + j) * KEPT_LANES, sum[i][j]);
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
    real *r = packed + p->d * p->tile;
    list_active(n->r, n->rows, active, r);
    const ptrdiff_t padded = round_up(count, LANES);
    for (ptrdiff_t a = 0; a < p->d; a++) {
        const real *from = n->x + a * n->stride;
        real *to = packed + a * p->tile;
        for (ptrdiff_t q = 0; q < count; q++) to[q] = from[active[q]];
        for (ptrdiff_t q = count; q < padded; q++) to[q] = n->mean[a];
    }
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

/* With few vectors, up to so many rows in turn have sums of their own: with one sum, each addition
   would wait for the one before. */
enum { MOST_SETS = 4 };

/* What a block of vectors of features works with. */
typedef struct {
    const real *x, *mean;
    ptrdiff_t stride, n; /* n active rows of x */
    const real *r;       /* of all rows; or roots, of the active ones */
    const int32_t *active;
    double *resp_x, *resp_xx;
    real *y;
} Wide;

/* r z and r z^2 of active row q, added to sums */
INLINE void add_diag_row(const int vectors, const Wide *w, ptrdiff_t q, const vec *m, vec *first,
                         vec *second) {
    const real *row = w->x + w->active[q] * w->stride, r = w->r[w->active[q]];
    for (int v = 0; v < vectors; v++) {
        const vec z = load(row + v * LANES) - m[v], rz = r * z;
        first[v] += rz;
        second[v] += rz * z;
    }
}

/* sums of r z and r z^2 */
INLINE void diag_block(const int vectors, const Wide *w) {
    const int sets = vectors == 1 ? MOST_SETS : vectors == 2 ? 2 : 1;
    vec first[MOST_SETS][MOST_SIDE_BY_SIDE], second[MOST_SETS][MOST_SIDE_BY_SIDE];
    vec m[MOST_SIDE_BY_SIDE];
    for (int v = 0; v < vectors; v++) {
        for (int i = 0; i < sets; i++) first[i][v] = second[i][v] = (vec){0};
        m[v] = load(w->mean + v * LANES);
    }
    ptrdiff_t q = 0;
    for (; q + sets <= w->n; q += sets)
        for (int i = 0; i < sets; i++) add_diag_row(vectors, w, q + i, m, first[i], second[i]);
    for (; q < w->n; q++) add_diag_row(vectors, w, q, m, first[0], second[0]);
    for (int v = 0; v < vectors; v++) {
        for (int i = 1; i < sets; i++) first[0][v] += first[i][v], second[0][v] += second[i][v];
        add_to(w->resp_x + v * LANES, first[0][v]);
        add_to(w->resp_xx + v * LANES, second[0][v]);
    }
}

/* y = sqrt(r) z of active row q, and r z added to a sum */
INLINE void pack_row(const int vectors, const Wide *w, ptrdiff_t q, const vec *m, vec *first) {
    const real *row = w->x + w->active[q] * w->stride, root = w->r[q];
    for (int v = 0; v < vectors; v++) {
        const vec y = root * (load(row + v * LANES) - m[v]);
        store(w->y + q * w->stride + v * LANES, y);
        first[v] += root * y;
    }
}

/* y, row by row, and the sum of r z */
INLINE void pack_block(const int vectors, const Wide *w) {
    const int sets = vectors == 1 ? MOST_SETS : vectors == 2 ? 2 : 1;
    vec first[MOST_SETS][MOST_SIDE_BY_SIDE], m[MOST_SIDE_BY_SIDE];
    for (int v = 0; v < vectors; v++) {
        for (int i = 0; i < sets; i++) first[i][v] = (vec){0};
        m[v] = load(w->mean + v * LANES);
    }
    ptrdiff_t q = 0;
    for (; q + sets <= w->n; q += sets)
        for (int i = 0; i < sets; i++) pack_row(vectors, w, q + i, m, first[i]);
    for (; q < w->n; q++) pack_row(vectors, w, q, m, first[0]);
    for (int v = 0; v < vectors; v++) {
        for (int i = 1; i < sets; i++) first[0][v] += first[i][v];
        add_to(w->resp_x + v * LANES, first[0][v]);
    }
}

/* all features, in groups of about equal size */
INLINE void all_blocks(void (*const block)(const int, const Wide *), ptrdiff_t dp, Wide w) {
    ptrdiff_t left = dp / LANES;
    for (ptrdiff_t groups = (left + SIDE_BY_SIDE - 1) / SIDE_BY_SIDE; groups > 0; groups--) {
        const ptrdiff_t now = (left + groups - 1) / groups;
        switch (now) {
        case 1: block(1, &w); break;
        case 2: block(2, &w); break;
        case 3: block(3, &w); break;
        case 4: block(4, &w); break;
        case 5: block(5, &w); break;
        default: block(MOST_SIDE_BY_SIDE, &w);
        }
        w.x += now * LANES, w.mean += now * LANES, w.y += now * LANES;
        w.resp_x += now * LANES, w.resp_xx += now * LANES;
        left -= now;
    }
}

ALONE void scatter_diag(ptrdiff_t dp, const Wide *w) { all_blocks(diag_block, dp, *w); }

/* sqrt(r) z of the active rows, side by side for the blocks below, and the sum of r z; `root` holds
   their r */
ALONE void pack_active(ptrdiff_t dp, const Wide *w, real *root) {
    for (ptrdiff_t q = 0; q < w->n; q++) root[q] = SQUARE_ROOT(root[q]);
    Wide packed = *w;
    packed.r = root;
    all_blocks(pack_block, dp, packed);
}

/* `rows` x (vectors * LANES) entries of sum_q u_q z_q^T, kept in registers. Of the last vector, the
   first `halves` rows keep the lower half only. */
INLINE void wide_block(const int rows, const int vectors, const int halves, const Pass *p,
                       const real *u, const real *z, ptrdiff_t n, double *out) {
    const ptrdiff_t dp = p->dp, stride = row_stride(p);
    const int last = vectors - 1;
    vec sum[BLOCK_ROWS][BLOCK_VECTORS];
    half half_sum[BLOCK_ROWS];
    for (int a = 0; a < rows; a++) {
        for (int v = 0; v < vectors; v++) sum[a][v] = (vec){0};
        half_sum[a] = (half){0};
    }
    for (ptrdiff_t q = 0; q < n; q++, u += stride, z += stride) {
        vec z_q[BLOCK_VECTORS];
        for (int v = 0; v < last; v++) z_q[v] = load(z + v * LANES);
        for (int v = 0; v < last; v++)
            for (int a = 0; a < rows; a++) sum[a][v] += u[a] * z_q[v];
        const half lower = load_half(z + last * LANES);
        for (int a = 0; a < halves; a++) half_sum[a] += u[a] * lower;
        if (halves == rows) continue;
        z_q[last] = load(z + last * LANES);
        for (int a = halves; a < rows; a++) sum[a][last] += u[a] * z_q[last];
    }
    for (int a = 0; a < rows; a++) {
        for (int v = 0; v < vectors - (a < halves); v++)
            add_to(out + a * dp + v * LANES, sum[a][v]);
        if (a < halves) add_half_to(out + a * dp + last * LANES, half_sum[a]);
    }
}

/* rows a .. a + rows - 1 of the lower triangle, by whole vectors and halves of them */
INLINE void wide_rows(const int rows, const int halves, const Pass *p, const real *u,
                      const real *z, ptrdiff_t n, ptrdiff_t a, double *out) {
    ptrdiff_t left = round_up(a + rows, LANES) / LANES;
    u += a;
    out += a * p->dp;
    for (; left > BLOCK_VECTORS; left -= BLOCK_VECTORS) {
        wide_block(rows, BLOCK_VECTORS, 0, p, u, z, n, out);
        z += BLOCK_VECTORS * LANES;
        out += BLOCK_VECTORS * LANES;
    }
    switch (left) {
    case 1: wide_block(rows, 1, halves, p, u, z, n, out); break;
    case 2: wide_block(rows, 2, halves, p, u, z, n, out); break;
    default: wide_block(rows, BLOCK_VECTORS, halves, p, u, z, n, out);
    }
}

/* the same where the last vector of a row ends at or after its diagonal, and halves are enough */
INLINE void wide_rows_from(const int rows, const Pass *p, const real *u, const real *z, ptrdiff_t n,
                           ptrdiff_t a, double *out) {
    const int quarter = BLOCK_ROWS / 2;
    if (HALF == LANES || a % LANES >= HALF) wide_rows(rows, 0, p, u, z, n, a, out);
    else if (HALF >= BLOCK_ROWS) wide_rows(rows, rows, p, u, z, n, a, out);
    else wide_rows(rows, quarter, p, u, z, n, a, out);
}

/* Adds sum_q u_q z_q^T, which is symmetric: its lower triangle. */
static void scatter_wide(const Pass *p, const real *u, const real *z, ptrdiff_t n, double *out) {
    ptrdiff_t a = 0;
    for (; a + BLOCK_ROWS / 2 < p->d; a += BLOCK_ROWS)
        wide_rows_from(BLOCK_ROWS, p, u, z, n, a, out);
    if (a < p->d) wide_rows_from(BLOCK_ROWS / 2, p, u, z, n, a, out);
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
        /* a row that is not left out costs diagonals less than the list */
        const ptrdiff_t count = is_diagonal(p) && 8 * n > 7 * rows ? rows : n;
        if (is_diagonal(p) && count == rows)
            for (ptrdiff_t t = 0; t < rows; t++) s->active[t] = (int32_t)t;
        else
            list_active(r, padded, s->active, s->rz);
        const Wide w = {s->by_row, mean, row_stride(p), count, r, s->active,
                        resp_x, resp_xx, s->z};
        if (is_diagonal(p)) {
            scatter_diag(dp, &w);
            continue;
        }
        pack_active(dp, &w, s->rz);
        scatter_wide(p, s->z, s->z, n, resp_xx);
    }
}

INLINE double sum_entry(const Pass *p, const double *at) {
    return p->narrow ? sum_of(KEPT_LANES, at) : *at;
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

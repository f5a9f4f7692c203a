/* Some of the rows of a tile with one component: equations (1), (2) and (5) of pass.h.

   Lanes are features, so rows need not be side by side and nothing is transposed. BLOCK_ROWS rows
   share each load of the factor. The factor is packed by columns, BLOCK_VECTORS vectors of them at
   a time; of a vector of columns, the entries below the triangle are left out by whole vectors. The
   squares of a row stay in lanes until the end, where those of LANES rows are transposed and added. */
#ifndef MIXTURA_PAIRS_H
#define MIXTURA_PAIRS_H

#include "gather.h"
#include "scatter.h"

/* ---- the factor of a component ---- */

/* `vectors` vectors of columns from column b on */
static real *pack_columns(const double *U, ptrdiff_t d, ptrdiff_t b, ptrdiff_t vectors,
                          real *panel) {
    for (ptrdiff_t a = 0; a < b + vectors * LANES; a++)
        for (ptrdiff_t c = a < b ? b : a / LANES * LANES; c < b + vectors * LANES; c++)
            *panel++ = a <= c && c < d ? (real)U[a * d + c] : 0;
    return panel;
}

static void lay_out_pairs(const Pass *p, Tile *s) {
    const ptrdiff_t d = p->d, step = BLOCK_VECTORS * LANES;
    for (ptrdiff_t j = 0; j < p->k; j++) {
        real *panel = s->pair_panels + j * pair_panel_size(p);
        for (ptrdiff_t a = 0; p->shape == DIAG && a < p->dp; a++)
            panel[a] = a < d ? (real)p->factors[j * d + a] : 0;
        for (ptrdiff_t b = 0; p->shape == FULL && b < p->dp; b += step)
            panel = pack_columns(p->factors + j * d * d, d, b, smaller(step, p->dp - b) / LANES,
                                 panel);
    }
}

/* ---- densities ---- */

/* y += z_a U[a, ...] for so many values of a; vectors before `first` are below the triangle */
INLINE const real *add_terms(const int rows, const int first, const int vectors, ptrdiff_t terms,
                             const real *panel, const real *z, ptrdiff_t stride,
                             vec y[BLOCK_ROWS][BLOCK_VECTORS]) {
    for (ptrdiff_t a = 0; a < terms; a++) {
        vec u[BLOCK_VECTORS];
        for (int v = first; v < vectors; v++, panel += LANES) u[v] = load(panel);
        for (int r = 0; r < rows; r++)
            for (int v = first; v < vectors; v++) y[r][v] += z[r * stride + a] * u[v];
    }
    return panel;
}

/* adds the squares of `vectors` vectors of U^T z; `before` entries of z come before them */
INLINE const real *add_pair_squares(const int rows, const int vectors, ptrdiff_t before,
                                    const real *panel, const real *z, ptrdiff_t stride,
                                    vec square[BLOCK_ROWS]) {
    vec y[BLOCK_ROWS][BLOCK_VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) y[r][v] = (vec){0};
    /* written out, so that y stays in registers */
    panel = add_terms(rows, 0, vectors, before + LANES, panel, z, stride, y);
    z += before + LANES;
    if (vectors > 1) panel = add_terms(rows, 1, vectors, LANES, panel, z, stride, y);
    if (vectors > 2) panel = add_terms(rows, 2, vectors, LANES, panel, z + LANES, stride, y);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) square[r] += y[r][v] * y[r][v];
    return panel;
}

INLINE void full_pairs(const int rows, const Pass *p, const real *panel, const real *z,
                       vec square[BLOCK_ROWS]) {
    const ptrdiff_t step = BLOCK_VECTORS * LANES, stride = row_stride(p);
    ptrdiff_t b = 0;
    for (; b + step <= p->dp; b += step)
        panel = add_pair_squares(rows, BLOCK_VECTORS, b, panel, z, stride, square);
    switch ((p->dp - b) / LANES) {
    case 1: add_pair_squares(rows, 1, b, panel, z, stride, square); break;
    case 2: add_pair_squares(rows, 2, b, panel, z, stride, square); break;
    }
}

INLINE void diag_pairs(const Pass *p, const Tile *s, const real *mean, const real *scale,
                       const int32_t *active, vec square[BLOCK_ROWS]) {
    const real *x[BLOCK_ROWS];
    for (int r = 0; r < BLOCK_ROWS; r++) x[r] = s->by_row + active[r] * row_stride(p);
    for (ptrdiff_t a = 0; a < p->dp; a += LANES) {
        const vec u = load(scale + a), m = load(mean + a);
        for (int r = 0; r < BLOCK_ROWS; r++) {
            const vec y = u * (load(x[r] + a) - m);
            square[r] += y * y;
        }
    }
}

/* the sums of the lanes, and l from them */
INLINE void finish_pairs(vec square[BLOCK_ROWS], real constant, real *out) {
    for (int r = 0; r < BLOCK_ROWS; r += LANES) {
        vec distance = {0};
        transpose(square + r);
        for (int l = 0; l < LANES; l++) distance += square[r + l];
        const mask near = distance <= REAL_MAX; /* false for inf and nan alike */
        store(out + r, pick(near, constant - distance / 2, fill(-INFINITY)));
    }
}

/* z of the rows listed, side by side */
INLINE void pack_pairs(const Pass *p, const Tile *s, const real *mean, ptrdiff_t n) {
    const ptrdiff_t stride = row_stride(p);
    for (ptrdiff_t a = 0; a < p->dp; a += LANES) {
        const vec m = load(mean + a);
        const real *x = s->by_row + a;
        real *z = s->z + a;
        for (ptrdiff_t i = 0; i < n; i++)
            store(z + i * stride, load(x + s->active[i] * stride) - m);
    }
}

/* l_j of the first n rows of s->active, one after the other in s->pair; the last row is repeated up
   to a whole block */
ALONE void pair_densities(const Pass *p, const Tile *s, ptrdiff_t j, ptrdiff_t n) {
    const ptrdiff_t stride = row_stride(p), whole_blocks = round_up(n, BLOCK_ROWS);
    const real *panel = s->pair_panels + j * pair_panel_size(p), *mean = s->row_means + j * p->dp;
    for (ptrdiff_t i = n; i < whole_blocks; i++) s->active[i] = s->active[n - 1];
    if (p->shape == FULL) pack_pairs(p, s, mean, whole_blocks);
    for (ptrdiff_t i = 0; i < n; i += BLOCK_ROWS) {
        vec square[BLOCK_ROWS];
        for (int r = 0; r < BLOCK_ROWS; r++) square[r] = (vec){0};
        if (p->shape == DIAG) diag_pairs(p, s, mean, panel, s->active + i, square);
        else if (n - i > BLOCK_ROWS / 2)
            full_pairs(BLOCK_ROWS, p, panel, s->z + i * stride, square);
        else full_pairs(BLOCK_ROWS / 2, p, panel, s->z + i * stride, square);
        finish_pairs(square, s->constants[j], s->pair + i);
    }
}

/* ---- sums ---- */

/* `vectors` vectors of features from x, mean, resp_x and resp_xx on */
INLINE void add_squares_of(const int vectors, const Pass *p, const Tile *s, const real *x,
                           const real *mean, const real *r, ptrdiff_t n, double *resp_x,
                           double *resp_xx) {
    const ptrdiff_t stride = row_stride(p);
    vec first[BLOCK_VECTORS], second[BLOCK_VECTORS], m[BLOCK_VECTORS];
    for (int v = 0; v < vectors; v++) {
        first[v] = second[v] = (vec){0};
        m[v] = load(mean + v * LANES);
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        const ptrdiff_t t = s->active[i];
        for (int v = 0; v < vectors; v++) {
            const vec z = load(x + t * stride + v * LANES) - m[v], rz = r[t] * z;
            first[v] += rz;
            second[v] += rz * z;
        }
    }
    for (int v = 0; v < vectors; v++) {
        add_to(resp_x + v * LANES, first[v]);
        add_to(resp_xx + v * LANES, second[v]);
    }
}

static void add_diag_pairs(const Pass *p, const Tile *s, const real *mean, const real *r,
                           ptrdiff_t n, double *resp_x, double *resp_xx) {
    const ptrdiff_t step = BLOCK_VECTORS * LANES;
    ptrdiff_t a = 0;
    for (; a + step <= p->dp; a += step)
        add_squares_of(BLOCK_VECTORS, p, s, s->by_row + a, mean + a, r, n, resp_x + a, resp_xx + a);
    switch ((p->dp - a) / LANES) {
    case 1: add_squares_of(1, p, s, s->by_row + a, mean + a, r, n, resp_x + a, resp_xx + a); break;
    case 2: add_squares_of(2, p, s, s->by_row + a, mean + a, r, n, resp_x + a, resp_xx + a); break;
    }
}

/* adds the first n rows of s->active to the sums of component j, by their shares r */
static void add_pairs(const Pass *p, Tile *s, ptrdiff_t j, ptrdiff_t n, const real *r,
                      double *slot) {
    const real *mean = s->row_means + j * p->dp;
    double *resp_x = slot + resp_x_at(p, j), *resp_xx = slot + resp_xx_at(p, j);
    if (p->shape == DIAG)
        add_diag_pairs(p, s, mean, r, n, resp_x, resp_xx);
    else {
        const Wide w = {s->by_row, mean, row_stride(p), n, NULL, s->active, resp_x, NULL, s->z};
        for (ptrdiff_t i = 0; i < n; i++) s->pair[i] = r[s->active[i]];
        pack_active(p->dp, &w, s->pair);
        scatter_wide(p, s->z, s->z, n, resp_xx);
    }
}

#endif

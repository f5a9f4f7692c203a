/* Log-densities of a tile: equations (1) and (2) of pass.h. Lanes are rows. */
#ifndef MIXTURA_DENSITY_H
#define MIXTURA_DENSITY_H

#include "tile.h"

/* ---- the triangle, packed for OUTPUTS at a time by mixture.h ---- */

/* Where rows of a tile are, and what is taken off them on the way, unless `less` is 0. */
typedef struct {
    const real *x;    /* feature by feature, `stride` apart */
    ptrdiff_t stride;
    const real *mean;
} Features;

/* y_o += U[a, o] z_a for outputs from `first` on */
INLINE void add_term(const int less, const int first, const int outputs, const Features *f,
                     ptrdiff_t a, const real *U, vec y[OUTPUTS][GROUP]) {
    vec z[GROUP];
    for (int g = 0; g < GROUP; g++) {
        z[g] = load(f->x + a * f->stride + g * LANES);
        if (less) z[g] -= f->mean[a];
    }
    for (int o = first; o < outputs; o++)
        for (int g = 0; g < GROUP; g++) y[o][g] += U[a * outputs + o] * z[g];
}

/* y_(b+o) = sum_a U[a, b+o] z_a for `outputs` values of o; terms = b + outputs */
INLINE void triangle_rows(const int less, const int outputs, ptrdiff_t terms, const real *panel,
                          const Features *f, vec y[OUTPUTS][GROUP]) {
    const ptrdiff_t b = terms - outputs;
    for (int o = 0; o < outputs; o++)
        for (int g = 0; g < GROUP; g++) y[o][g] = (vec){0};
    for (ptrdiff_t a = 0; a < b; a++) add_term(less, 0, outputs, f, a, panel, y);
    /* the rest is triangular; loops of a length that varies would not be kept in registers */
    add_term(less, 0, outputs, f, b, panel, y);
    if (outputs > 1) add_term(less, 1, outputs, f, b + 1, panel, y);
    if (outputs > 2) add_term(less, 2, outputs, f, b + 2, panel, y);
    if (outputs > 3) add_term(less, 3, outputs, f, b + 3, panel, y);
}

INLINE void add_squares(const int less, const int outputs, ptrdiff_t terms, const real *panel,
                        const Features *f, vec distance[GROUP]) {
    vec y[OUTPUTS][GROUP];
    triangle_rows(less, outputs, terms, panel, f, y);
    for (int o = 0; o < outputs; o++)
        for (int g = 0; g < GROUP; g++) distance[g] += y[o][g] * y[o][g];
}

INLINE void store_rows(const int outputs, ptrdiff_t terms, const real *panel, const real *z,
                       real *out, ptrdiff_t stride) {
    const Features f = {z, ROWS, NULL};
    vec y[OUTPUTS][GROUP];
    triangle_rows(0, outputs, terms, panel, &f, y);
    for (int o = 0; o < outputs; o++)
        for (int g = 0; g < GROUP; g++) store(out + o * stride + g * LANES, y[o][g]);
}

/* ---- densities: equations (1) and (2) ---- */

INLINE void subtract_mean(const real *x, ptrdiff_t stride, ptrdiff_t d, const real *mean,
                          real *z) {
    for (ptrdiff_t a = 0; a < d; a++)
        for (int g = 0; g < GROUP; g++)
            store(z + a * ROWS + g * LANES, load(x + a * stride + g * LANES) - mean[a]);
}

INLINE void store_log_density(real *out, real constant, const vec distance[GROUP]) {
    for (int g = 0; g < GROUP; g++) {
        mask near = distance[g] <= REAL_MAX; /* false for inf and nan alike */
        store(out + g * LANES, pick(near, constant - distance[g] / 2, fill(-INFINITY)));
    }
}

INLINE void density_full(const int less, const int blocks, ptrdiff_t d, const Features *f,
                         const real *panel, real constant, real *out) {
    vec distance[GROUP] = {{0}};
    ptrdiff_t b = 0;
    for (; blocks && b + OUTPUTS <= d; b += OUTPUTS) {
        add_squares(less, OUTPUTS, b + OUTPUTS, panel, f, distance);
        panel += (b + OUTPUTS) * OUTPUTS;
    }
    switch (d - b) {
    case 1: add_squares(less, 1, d, panel, f, distance); break;
    case 2: add_squares(less, 2, d, panel, f, distance); break;
    case 3: add_squares(less, 3, d, panel, f, distance); break;
    }
    store_log_density(out, constant, distance);
}

/* Fewer features than OUTPUTS, which leave registers for others; or blocks of them, the mean taken
   off again for each block; or, where there are many, once. */
INLINE void density_few(const Pass *p, const real *x, ptrdiff_t padded, const real *mean,
                        const real *panel, real constant, real *out) {
    for (ptrdiff_t t = 0; t < padded; t += ROWS) {
        const Features f = {x + t, p->tile, mean};
        density_full(1, 0, p->d, &f, panel, constant, out + t);
    }
}

ALONE void density_blocks(const Pass *p, const real *x, ptrdiff_t padded, const real *mean,
                          const real *panel, real constant, real *out) {
    for (ptrdiff_t t = 0; t < padded; t += ROWS) {
        const Features f = {x + t, p->tile, mean};
        density_full(1, 1, p->d, &f, panel, constant, out + t);
    }
}

ALONE void density_many(const Pass *p, const real *x, ptrdiff_t padded, const real *mean,
                        const real *panel, real constant, real *z, real *out) {
    const Features f = {z, ROWS, NULL};
    for (ptrdiff_t t = 0; t < padded; t += ROWS) {
        subtract_mean(x + t, p->tile, p->d, mean, z);
        density_full(0, 1, p->d, &f, panel, constant, out + t);
    }
}

/* |scale (x - m)|^2 feature by feature; one scale for all features is applied at the end */
INLINE void density_axes(const int one_scale, const Pass *p, const real *x, ptrdiff_t padded,
                         const real *mean, const real *scale, real constant, real *out) {
    for (ptrdiff_t t = 0; t < padded; t += ROWS) {
        vec distance[GROUP] = {{0}};
        for (ptrdiff_t a = 0; a < p->d; a++)
            for (int g = 0; g < GROUP; g++) {
                vec y = load(x + a * p->tile + t + g * LANES) - mean[a];
                if (!one_scale) y *= scale[a];
                distance[g] += y * y;
            }
        for (int g = 0; one_scale && g < GROUP; g++) distance[g] *= scale[0] * scale[0];
        store_log_density(out + t, constant, distance);
    }
}

/* y = U^T (x - m) for the whole tile, computed once for all components */
static void whiten(const Pass *p, const Tile *s) {
    const ptrdiff_t d = p->d, tile = p->tile;
    for (ptrdiff_t t = 0; t < s->padded; t += ROWS) {
        subtract_mean(s->by_feature + t, tile, d, s->means, s->difference);
        const real *row = s->panels;
        real *out = s->whitened_rows + t;
        ptrdiff_t b = 0;
        for (; b + OUTPUTS <= d; b += OUTPUTS) {
            store_rows(OUTPUTS, b + OUTPUTS, row, s->difference, out + b * tile, tile);
            row += (b + OUTPUTS) * OUTPUTS;
        }
        switch (d - b) {
        case 1: store_rows(1, d, row, s->difference, out + b * tile, tile); break;
        case 2: store_rows(2, d, row, s->difference, out + b * tile, tile); break;
        case 3: store_rows(3, d, row, s->difference, out + b * tile, tile); break;
        }
    }
}

/* l_j of the listed components, from place `first` on */
static void densities(const Pass *p, ptrdiff_t first, const Tile *s) {
    const ptrdiff_t d = p->d, padded = s->padded, panel = p->shape == FULL ? panel_size(d) : 0;
    const int whitened = p->shape == TIED && *s->whitened;
    if (whitened && first == 0) whiten(p, s);
    for (ptrdiff_t q = first; q < s->listed; q++) {
        const ptrdiff_t j = s->component[q];
        const real constant = s->constants[j], *mean = s->means + j * p->dp;
        real *out = s->resp + q * p->tile;
        if (whitened)
            density_axes(1, p, s->whitened_rows, padded, s->whitened_means + j * d, s->scales,
                         constant, out);
        else if (p->shape == SPHERICAL)
            density_axes(1, p, s->by_feature, padded, mean, s->scales + j, constant, out);
        else if (p->shape == DIAG)
            density_axes(0, p, s->by_feature, padded, mean, s->scales + j * d, constant, out);
        else if (d < OUTPUTS)
            density_few(p, s->by_feature, padded, mean, s->panels + j * panel, constant, out);
        else if (d < MANY_FEATURES)
            density_blocks(p, s->by_feature, padded, mean, s->panels + j * panel, constant, out);
        else
            density_many(p, s->by_feature, padded, mean, s->panels + j * panel, constant,
                         s->difference, out);
    }
}

/* the largest l of each of them over rows with weight, where bounds are carried */
static void find_peaks(const Pass *p, ptrdiff_t first, const Tile *s) {
    for (ptrdiff_t q = first; q < s->listed && (p->bounds == NEW_BOUNDS || p->bounds == KNOWN_BOUNDS); q++) {
        vec largest = fill(-INFINITY);
        for (ptrdiff_t t = 0; t < s->padded; t += LANES) {
            vec l = load(s->resp + q * p->tile + t);
            largest = larger(largest, pick(load(s->weight + t) > 0, l, fill(-INFINITY)));
        }
        s->peak[q] = largest_lane(largest);
    }
}

/* l_j as the scores of an E-step */
static void score_densities(const Pass *p, ptrdiff_t first, Tile *s) {
    densities(p, first, s);
    find_peaks(p, first, s);
}

/* the least, over rows with weight, of the best l so far */
static double least_best_density(const Pass *p, const Tile *s) {
    double least = INFINITY;
    for (ptrdiff_t t = 0; t < s->padded; t += LANES) {
        vec best = fill(-INFINITY);
        for (ptrdiff_t q = 0; q < s->listed; q++)
            best = larger(best, load(s->resp + q * p->tile + t));
        best = pick(load(s->weight + t) > 0, best, fill(INFINITY));
        for (int i = 0; i < LANES; i++) least = best[i] < least ? best[i] : least;
    }
    return least;
}

#endif

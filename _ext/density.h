/* Log-densities of a tile: equations (1) and (2) of pass.h. Lanes are rows. */
#ifndef MIXTURA_DENSITY_H
#define MIXTURA_DENSITY_H

#include "tile.h"

/* ---- the triangle, packed for OUTPUTS at a time by mixture.h ---- */

/* y_(b+o) = sum_a U[a, b+o] z_a for `outputs` values of o, added up in y */
INLINE void triangle_rows(const int outputs, ptrdiff_t terms, const real *panel, const real *z,
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

INLINE void add_squares(const int outputs, ptrdiff_t terms, const real *panel, const real *z,
                        vec distance[GROUP]) {
    vec y[OUTPUTS][GROUP];
    triangle_rows(outputs, terms, panel, z, y);
    for (int o = 0; o < outputs; o++)
        for (int g = 0; g < GROUP; g++) distance[g] += y[o][g] * y[o][g];
}

INLINE void store_rows(const int outputs, ptrdiff_t terms, const real *panel, const real *z,
                       real *out, ptrdiff_t stride) {
    vec y[OUTPUTS][GROUP];
    triangle_rows(outputs, terms, panel, z, y);
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

INLINE void density_full(const int blocks, const Pass *p, const real *x, ptrdiff_t padded,
                         const real *mean, const real *panel, real constant, real *z, real *out) {
    const ptrdiff_t d = p->d, tile = p->tile;
    for (ptrdiff_t t = 0; t < padded; t += ROWS) {
        subtract_mean(x + t, tile, d, mean, z);
        vec distance[GROUP] = {{0}};
        const real *row = panel;
        ptrdiff_t b = 0;
        for (; blocks && b + OUTPUTS <= d; b += OUTPUTS) {
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

/* the same with whole blocks of OUTPUTS rows of the triangle */
ALONE void density_blocks(const Pass *p, const real *x, ptrdiff_t padded, const real *mean,
                          const real *panel, real constant, real *z, real *out) {
    density_full(1, p, x, padded, mean, panel, constant, z, out);
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
            density_full(0, p, s->by_feature, padded, mean, s->panels + j * panel, constant,
                         s->difference, out);
        else
            density_blocks(p, s->by_feature, padded, mean, s->panels + j * panel, constant,
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

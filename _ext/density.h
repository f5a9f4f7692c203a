/* Log-densities of a tile: equations (1) and (2) of gaussian.h. Lanes are rows. */
#ifndef MIXTURA_DENSITY_H
#define MIXTURA_DENSITY_H

#include "pass.h"

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

INLINE void subtract_mean(const double *x, ptrdiff_t stride, ptrdiff_t d, const double *mean,
                          double *z) {
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

/* y = U^T (x - m) for the whole tile: the triangle is paid once for all components */
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

/* l_j of the listed components, from place `first` on */
static void densities(const Pass *p, ptrdiff_t padded, ptrdiff_t first, const Scratch *s) {
    const ptrdiff_t d = p->d, panel = panel_size(d);
    const int whitened = p->shape == TIED && p->whitened_means;
    if (whitened && first == 0)
        whiten(p, s->by_feature, padded, p->means, s->difference, s->whitened);
    for (ptrdiff_t q = first; q < s->listed; q++) {
        const ptrdiff_t j = s->component[q];
        double *out = s->resp + q * p->tile;
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

#endif

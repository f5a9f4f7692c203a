/* The mixture as tiles read it: centred means, packed triangles, and c_j of (2) in gaussian.h. */
#ifndef MIXTURA_MIXTURE_H
#define MIXTURA_MIXTURE_H

#include "tile.h"

static const double LOG_2_PI = 1.8378770664093454836;

INLINE double centre_of(const Pass *p, ptrdiff_t a) { return p->centre ? p->centre[a] : 0.0; }

/* the triangle, OUTPUTS of its rows at a time */
static void pack_panel(const double *U, ptrdiff_t d, real *panel) {
    for (ptrdiff_t b = 0; b < d; b += OUTPUTS) {
        ptrdiff_t outputs = smaller(OUTPUTS, d - b);
        for (ptrdiff_t a = 0; a < b + outputs; a++)
            for (ptrdiff_t o = 0; o < outputs; o++)
                *panel++ = a <= b + o ? (real)U[a * d + b + o] : 0;
    }
}

INLINE void lay_out_factor(const Pass *p, ptrdiff_t j, Tile *s) {
    const ptrdiff_t d = p->d;
    if (p->shape == SPHERICAL)
        s->scales[j] = (real)p->factors[j];
    else if (p->shape == DIAG)
        for (ptrdiff_t a = 0; a < d; a++) s->scales[j * d + a] = (real)p->factors[j * d + a];
    else if (p->shape == FULL)
        pack_panel(p->factors + j * d * d, d, s->panels + j * panel_size(d));
    else if (j == 0)
        pack_panel(p->factors, d, s->panels);
}

/* c_j of (2) */
static double constant(const Pass *p, ptrdiff_t j) {
    const ptrdiff_t d = p->d;
    double c = log(p->weights[j]) - 0.5 * d * LOG_2_PI;
    for (ptrdiff_t a = 0; a < d; a++)
        switch (p->shape) {
        case FULL: c += log(p->factors[(j * d + a) * d + a]); break;
        case TIED: c += log(p->factors[a * d + a]); break;
        case DIAG: c += log(p->factors[j * d + a]); break;
        case SPHERICAL: c += log(p->factors[j]); break;
        }
    return c;
}

/* U^T (m_j - m_0), and whether all of them are near */
static void lay_out_whitened_means(const Pass *p, Tile *s) {
    const ptrdiff_t d = p->d;
    *s->whitened = 1;
    s->scales[0] = 1;
    for (ptrdiff_t j = 0; j < p->k; j++)
        for (ptrdiff_t b = 0; b < d; b++) {
            double sum = 0.0;
            for (ptrdiff_t a = 0; a <= b; a++)
                sum += (p->means[j * d + a] - p->means[a]) * p->factors[a * d + b];
            s->whitened_means[j * d + b] = (real)sum;
            if (!(fabs(sum) <= FAR)) *s->whitened = 0;
        }
}

/* Of k-means, where the constants are half |m|^2; and where seeds are chosen, none. */
static void lay_out_half_squares(const Pass *p, Tile *s) {
    *s->level = 0.0;
    *s->largest_half_square = 0;
    for (ptrdiff_t j = 0; j < p->k; j++) {
        const real *mean = s->means + j * p->dp;
        real sum = 0;
        for (ptrdiff_t a = 0; a < p->d; a++) sum += mean[a] * mean[a];
        s->constants[j] = p->nearest ? 0 : sum / 2;
        if (sum / 2 > *s->largest_half_square) *s->largest_half_square = sum / 2;
    }
    for (ptrdiff_t j = 0; j < p->k; j++) s->scales[j] = 1;
}

static void lay_out_mixture(Pass *p, void *memory) {
    Tile s;
    const ptrdiff_t k = p->k, d = p->d;
    double total = 0.0;
    p->mixture = memory;
    place_mixture(p, memory, &s);
    memset(s.means, 0, k * p->dp * sizeof(real));
    memset(s.row_means, 0, k * p->dp * sizeof(real));
    for (ptrdiff_t j = 0; j < k; j++)
        for (ptrdiff_t a = 0; a < d; a++) {
            s.row_means[j * p->dp + a] = (real)p->means[j * d + a];
            s.means[j * p->dp + a] = (real)(p->means[j * d + a] - centre_of(p, a));
        }
    if (p->hard || p->nearest) lay_out_half_squares(p, &s);
    if (!p->factors) return;
    *s.level = sizeof(real) == sizeof(double) ? 0.0 : -INFINITY;
    for (ptrdiff_t j = 0; j < k; j++) {
        total += p->weights[j];
        if (sizeof(real) < sizeof(double)) *s.level = fmax(*s.level, constant(p, j));
    }
    for (ptrdiff_t j = 0; j < k; j++) {
        lay_out_factor(p, j, &s);
        s.shares[j] = (real)(p->weights[j] / total);
        s.constants[j] = (real)(constant(p, j) - *s.level);
    }
    if (p->shape == TIED) lay_out_whitened_means(p, &s);
}

#endif

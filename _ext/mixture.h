/* The components as tiles read them: packed triangles, and c_j of (2) in pass.h. */
#ifndef MIXTURA_MIXTURE_H
#define MIXTURA_MIXTURE_H

#include "tile.h"

static const double LOG_2_PI = 1.8378770664093454836;

INLINE double centre_of(const Pass *p, ptrdiff_t a) { return p->is_centred ? p->centre[a] : 0.0; }

/* Packs the triangle, OUTPUTS of its rows at a time. */
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
    double c = p->log_weights[j] - 0.5 * d * LOG_2_PI;
    for (ptrdiff_t a = 0; a < d; a++)
        switch (p->shape) {
        case FULL: c += log(p->factors[(j * d + a) * d + a]); break;
        case TIED: c += log(p->factors[a * d + a]); break;
        case DIAG: c += log(p->factors[j * d + a]); break;
        case SPHERICAL: c += log(p->factors[j]); break;
        }
    return c;
}

/* Sets U^T (m_j - m_0), and whether all of them are near. */
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

/* ---- what a step asks for, besides the means ---- */

static void lay_out_means_only(const Pass *p, Tile *s) { (void)p, (void)s; }

/* unit Gaussians without a constant: l_j = -1/2 |x - m_j|^2 */
static void lay_out_points(const Pass *p, Tile *s) {
    for (ptrdiff_t j = 0; j < p->k; j++) {
        s->constants[j] = 0;
        s->scales[j] = 1;
    }
}

static void lay_out_shares(const Pass *p, Tile *s) {
    const double *log_weights = p->log_weights;
    double total = 0.0;
    *s->heaviest = 0;
    for (ptrdiff_t j = 1; j < p->k; j++)
        if (log_weights[j] > log_weights[*s->heaviest]) *s->heaviest = (whole)j;
    const double largest = log_weights[*s->heaviest];
    for (ptrdiff_t j = 0; j < p->k; j++) total += exp(log_weights[j] - largest);
    for (ptrdiff_t j = 0; j < p->k; j++)
        s->shares[j] = (real)(exp(log_weights[j] - largest) / total);
}

static void lay_out_mixture(const Pass *p, Tile *s) {
    lay_out_shares(p, s);
    if (sizeof(real) < sizeof(double)) {
        *s->level = -INFINITY;
        for (ptrdiff_t j = 0; j < p->k; j++) *s->level = fmax(*s->level, constant(p, j));
    }
    for (ptrdiff_t j = 0; j < p->k; j++) {
        lay_out_factor(p, j, s);
        s->constants[j] = (real)(constant(p, j) - *s->level);
    }
    if (p->shape == TIED) lay_out_whitened_means(p, s);
}

#endif

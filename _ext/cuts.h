/* The ways in which a search cuts one component in two.

   Of a component, N is the weight, m the mean, S the scatter about it, and s_1, s_2, ... are one
   standard deviation along each axis, the widest first. A cut makes two halves of weight N / 2 with

     (1)  means m - s and m + s
     (2)  scatter (2 - v) / 2 and v / 2 of S - N s s^T

   so that the scatter of both about m stays S. Where all components share one scatter, the component
   has its share of it, and so do both halves together. The cuts are

     (3)  s = 0, v = 1        two that are equal: what the component is without a cut
     (4)  s = c s_1, v = 1    across the widest axis
     (5)  s = c s_a, v = 1    across the axis along which rows have the least kurtosis
     (6)  s = 0, v = h        a core and its halo, unless the scatter is shared

   where (5) is left out if a = 1. Two clusters side by side have a low kurtosis: the fourth moment
   of the rows along an axis over the square of the second.

   `mixtura.search.splits` has the same in NumPy, and says where c and h are from. */
#ifndef MIXTURA_CUTS_H
#define MIXTURA_CUTS_H

#include "eigen.h"
#include "m_step.h"

enum { MOST_CUTS = 4 };

typedef struct {
    int shape;
    ptrdiff_t d;
    double weight, share;
    const double *mean, *scatter;
    const double *deviations; /* d axes of d numbers */
    double apart, halo;       /* c, h */
} Cuttable;

/* numbers of scratch that `deviate` and `most_bimodal` ask for */
static ptrdiff_t cut_scratch(ptrdiff_t d) {
    const ptrdiff_t of_axes = 2 * d * d + 2 * d + EIGEN_SCRATCH(d), of_moments = d * (d + 3);
    return of_axes > of_moments ? of_axes : of_moments;
}

/* One standard deviation along each axis of a scatter of some weight, the widest first in units of the
   features, whose scale is `scale`; d rows of d numbers. Returns whether there are any. */
static int deviate(int shape, ptrdiff_t d, const double *scatter, double weight,
                   const double *scale, double *scratch, double *out) {
    double *M = scratch, *axes = M + d * d, *values = axes + d * d, *units = values + d;
    double least = INFINITY, size = 0.0;
    if (shape == DIAG || shape == SPHERICAL) {
        memset(out, 0, d * d * sizeof *out);
        for (ptrdiff_t a = 0; a < d; a++)
            values[a] = sqrt(fmax(shape == DIAG ? scatter[a] / weight
                                                : scatter[0] / weight / (double)d, 0.0));
        for (ptrdiff_t a = 0; a < d; a++) {
            ptrdiff_t place = 0; /* before which wider ones come, and equal ones that are earlier */
            for (ptrdiff_t b = 0; b < d; b++) {
                const double own = values[a] / scale[a], other = values[b] / scale[b];
                place += other > own || (other == own && b < a);
            }
            out[place * d + a] = values[a];
        }
        return 1;
    }
    for (ptrdiff_t a = 0; a < d; a++) least = fmin(least, scale[a]);
    for (ptrdiff_t a = 0; a < d; a++) units[a] = scale[a] / least;
    for (ptrdiff_t e = 0; e < d * d; e++) size = fmax(size, fabs(scatter[e] / weight));
    if (size == 0.0) size = 1.0;
    for (ptrdiff_t e = 0; e < d * d; e++) /* nothing overflows */
        M[e] = scatter[e] / weight / size / units[e % d] / units[e / d];
    if (!eigen(M, d, units + d, values, axes)) return 0;
    for (ptrdiff_t a = 0; a < d; a++) {
        const double length = sqrt(fmax(values[a], 0.0)) * sqrt(size);
        for (ptrdiff_t b = 0; b < d; b++)
            out[(d - 1 - a) * d + b] = length * axes[b * d + a] * units[b];
    }
    return 1;
}

/* Whether so many (at most MOST_CUTS) of n rows are different. */
static int has_different(ptrdiff_t n, ptrdiff_t d, const double *X, int least) {
    ptrdiff_t found[MOST_CUTS];
    int n_found = 0;
    for (ptrdiff_t i = 0; i < n && n_found < least; i++) {
        int is_new = 1;
        for (int f = 0; f < n_found && is_new; f++) {
            is_new = 0;
            for (ptrdiff_t a = 0; a < d && !is_new; a++)
                is_new = X[i * d + a] != X[found[f] * d + a];
        }
        if (is_new) found[n_found++] = i;
    }
    return n_found >= least;
}

/* The axis of (5). `along` is transposed, feature by axis, so that the inner loop is over axes. */
static ptrdiff_t most_bimodal(const Cuttable *c, ptrdiff_t n, const double *X, const double *weight,
                              double *scratch) {
    const ptrdiff_t d = c->d;
    double *along = scratch, *at = along + d * d, *second = at + d, *fourth = second + d;
    double least = INFINITY;
    ptrdiff_t axis = 0;
    for (ptrdiff_t a = 0; a < d; a++) {
        double length = 0.0;
        for (ptrdiff_t b = 0; b < d; b++) length += c->deviations[a * d + b] * c->deviations[a * d + b];
        for (ptrdiff_t b = 0; b < d; b++)
            along[b * d + a] = c->deviations[a * d + b] / (length > DBL_MIN ? length : DBL_MIN);
        second[a] = fourth[a] = 0.0;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        memset(at, 0, d * sizeof *at);
        for (ptrdiff_t b = 0; b < d; b++) {
            const double z = X[i * d + b] - c->mean[b];
            for (ptrdiff_t a = 0; a < d; a++) at[a] += z * along[b * d + a];
        }
        for (ptrdiff_t a = 0; a < d; a++) {
            const double square = at[a] * at[a];
            second[a] += weight[i] * square;
            fourth[a] += weight[i] * square * square;
        }
    }
    for (ptrdiff_t a = 0; a < d; a++) {
        const double kurtosis = fourth[a] / (second[a] * second[a]);
        if (kurtosis < least) least = kurtosis, axis = a; /* false for NaN: an axis without spread */
    }
    return axis;
}

/* numbers in the scatter of both halves */
INLINE ptrdiff_t entries_of_both(int shape, ptrdiff_t d) {
    return (shape == TIED ? 1 : 2) * entries_of_one(shape, d);
}

/* (1) and (2) for the step `length` times `deviation`, and the width v */
static void cut_in_two(const Cuttable *c, double length, const double *deviation, double v,
                       double *means, double *scatter) {
    const ptrdiff_t d = c->d, size = entries_of_one(c->shape, d);
    const double first = 0.5 * (2.0 - v), second = 0.5 * v;
    for (ptrdiff_t a = 0; a < d; a++) {
        means[a] = c->mean[a] - length * deviation[a];
        means[d + a] = c->mean[a] + length * deviation[a];
    }
    for (ptrdiff_t e = 0; e < size; e++) {
        double lost = 0.0;
        if (c->shape == SPHERICAL)
            for (ptrdiff_t a = 0; a < d; a++) lost += deviation[a] * deviation[a];
        else
            lost = deviation[c->shape == DIAG ? e : e / d] * deviation[c->shape == DIAG ? e : e % d];
        lost *= c->weight * length * length;
        if (c->shape == TIED) {
            scatter[e] = c->share * c->scatter[e] - lost;
        } else {
            scatter[e] = first * (c->scatter[e] - lost);
            scatter[size + e] = second * (c->scatter[e] - lost);
        }
    }
}

/* All cuts, (3) first; returns how many. There is room for MOST_CUTS. */
static int cut_all_ways(const Cuttable *c, ptrdiff_t axis, double *means, double *scatter) {
    const ptrdiff_t d = c->d, both = entries_of_both(c->shape, d);
    const double *s = c->deviations;
    int n = 0;
    cut_in_two(c, 0.0, s, 1.0, means, scatter);
    n++;
    cut_in_two(c, c->apart, s, 1.0, means + n * 2 * d, scatter + n * both);
    n++;
    if (axis > 0) {
        cut_in_two(c, c->apart, s + axis * d, 1.0, means + n * 2 * d, scatter + n * both);
        n++;
    }
    if (c->shape != TIED) {
        cut_in_two(c, 0.0, s, c->halo, means + n * 2 * d, scatter + n * both);
        n++;
    }
    return n;
}

#endif

/* Precision factors of many covariances: A = L L^T, then W = L^-1, and U = W^T.

   Both steps work on BLOCK rows or columns at a time. What the blocks before contribute is a matrix
   product; the rest goes row by row, so that inner loops run along rows. A matrix that is not
   positive definite leads to a pivot that is not positive, and its factor is meaningless. */
#ifndef MIXTURA_FACTOR_H
#define MIXTURA_FACTOR_H

#include "product.h"

enum { BLOCK = 48 }; /* of 24 to 96, the fastest for 200 to 1000 features, by little */

/* numbers of scratch that `factorise` asks for */
#define FACTOR_SCRATCH(d) ((d) * (d) + 2 * BLOCK * (d) + PANEL_SIZE)

INLINE double dot(ptrdiff_t n, const double *x, const double *y) {
    vec sum = {0};
    double total = 0.0;
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES) sum += load(x + i) * load(y + i);
    for (; i < n; i++) total += x[i] * y[i];
    return total + sum_lanes((const double *)&sum);
}

/* L in `lower`, d x d, zeros above its diagonal to begin with; returns whether there is one */
static int cholesky(const double *A, ptrdiff_t d, double *lower, double *panel) {
    for (ptrdiff_t b = 0; b < d; b += BLOCK) {
        const ptrdiff_t width = d - b < BLOCK ? d - b : BLOCK;
        for (ptrdiff_t i = b; i < d; i++)
            memcpy(lower + i * d + b, A + i * d + b, width * sizeof *A);
        if (b)
            add_product(d - b, width, b, -1.0, lower + b * d, d, transpose_of(lower + b * d, d), 0,
                        lower + b * d + b, d, panel);
        for (ptrdiff_t i = b; i < d; i++) {
            double *row = lower + i * d + b;
            const ptrdiff_t end = i - b < width ? i - b : width;
            for (ptrdiff_t j = 0; j < end; j++) {
                const double *before = lower + (b + j) * d + b;
                row[j] = (row[j] - dot(j, row, before)) / before[j];
            }
            if (end == width) continue;
            const double pivot = row[end] - dot(end, row, row);
            if (!(pivot > 0.0 && pivot <= DBL_MAX)) return 0;
            row[end] = sqrt(pivot);
            memset(row + end + 1, 0, (width - end - 1) * sizeof *row);
        }
    }
    return 1;
}

/* the inverse of a lower triangle, in its place: row i from the rows of the inverse before it */
static void invert_rows(ptrdiff_t d, double *lower, ptrdiff_t stride, double *sum) {
    for (ptrdiff_t i = 0; i < d; i++) {
        double *row = lower + i * stride;
        const double reciprocal = 1.0 / row[i];
        for (ptrdiff_t j = 0; j < i; j++) sum[j] = 0.0;
        for (ptrdiff_t k = 0; k < i; k++)
            for (ptrdiff_t j = 0; j <= k; j++) sum[j] -= row[k] * lower[k * stride + j];
        for (ptrdiff_t j = 0; j < i; j++) row[j] = reciprocal * sum[j];
        row[i] = reciprocal;
    }
}

/* W = L^-1 in the place of L, which is zero above the diagonal. With L = (L1 0; B L2), the rows of
   a block are -W2 B W1. */
static void invert(ptrdiff_t d, double *lower, double *work, double *panel) {
    double *below = work, *product = work + BLOCK * d;
    for (ptrdiff_t b = 0; b < d; b += BLOCK) {
        const ptrdiff_t width = d - b < BLOCK ? d - b : BLOCK;
        double *rows = lower + b * d;
        invert_rows(width, rows + b, d, work);
        if (!b) continue;
        for (ptrdiff_t i = 0; i < width; i++) {
            memcpy(below + i * b, rows + i * d, b * sizeof *rows);
            memset(product + i * b, 0, b * sizeof *rows);
            memset(rows + i * d, 0, b * sizeof *rows);
        }
        add_product(width, b, b, -1.0, below, b, rows_of(lower, d), 1, product, b, panel);
        add_product(width, b, width, 1.0, rows + b, d, rows_of(product, b), 0, rows, d, panel);
    }
}

/* sum over features of covariance[a, a] inv(covariance)[a, a], from the columns of W */
static double inflation(const double *A, ptrdiff_t d, const double *W, double *deviations) {
    double total = 0.0;
    for (ptrdiff_t a = 0; a < d; a++) deviations[a] = sqrt(A[a * d + a]);
    for (ptrdiff_t i = 0; i < d; i++)
        for (ptrdiff_t a = 0; a <= i; a++) {
            const double scaled = W[i * d + a] * deviations[a];
            total += scaled * scaled;
        }
    return total;
}

/* U of one covariance; returns whether it is regular; `work` holds FACTOR_SCRATCH(d) doubles */
static int factorise(const double *A, ptrdiff_t d, double most_inflation, double *work,
                     double *factor) {
    double *W = work, *rest = W + d * d, *panel = rest + 2 * BLOCK * d;
    memset(W, 0, d * d * sizeof *W);
    memset(factor, 0, d * d * sizeof *factor);
    if (!cholesky(A, d, W, panel)) return 0;
    invert(d, W, rest, panel);
    for (ptrdiff_t i = 0; i < d; i++)
        for (ptrdiff_t a = 0; a <= i; a++) factor[a * d + i] = W[i * d + a];
    return inflation(A, d, W, rest) < most_inflation; /* false for a NaN */
}

#endif

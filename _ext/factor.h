/* Precision factors of many small covariances: A = L L^T, then W = L^-1, and U = W^T.

   Row by row, so that inner loops run along rows; lanes are columns. A matrix that is not positive
   definite leads to a pivot that is not positive, and its factor is meaningless. */
#ifndef MIXTURA_FACTOR_H
#define MIXTURA_FACTOR_H

#include "simd.h"

INLINE double dot(ptrdiff_t n, const double *x, const double *y) {
    vec sum = {0};
    double total = 0.0;
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES) sum += load(x + i) * load(y + i);
    for (; i < n; i++) total += x[i] * y[i];
    return total + sum_lanes((const double *)&sum);
}

/* L on and below the diagonal of `lower`, d x d; returns whether there is one */
static int cholesky(const double *A, ptrdiff_t d, double *lower) {
    for (ptrdiff_t i = 0; i < d; i++) {
        double *row = lower + i * d;
        for (ptrdiff_t j = 0; j < i; j++)
            row[j] = (A[i * d + j] - dot(j, row, lower + j * d)) / lower[j * d + j];
        const double pivot = A[i * d + i] - dot(i, row, row);
        if (!(pivot > 0.0 && pivot <= DBL_MAX)) return 0;
        row[i] = sqrt(pivot);
    }
    return 1;
}

/* W = L^-1 in the place of L: row i from the rows of W before it */
static void invert(ptrdiff_t d, double *lower, double *sum) {
    for (ptrdiff_t i = 0; i < d; i++) {
        double *row = lower + i * d;
        const double reciprocal = 1.0 / row[i];
        for (ptrdiff_t j = 0; j < i; j++) sum[j] = 0.0;
        for (ptrdiff_t k = 0; k < i; k++)
            for (ptrdiff_t j = 0; j <= k; j++) sum[j] -= row[k] * lower[k * d + j];
        for (ptrdiff_t j = 0; j < i; j++) row[j] = reciprocal * sum[j];
        row[i] = reciprocal;
    }
}

/* sum over features of covariance[a, a] inv(covariance)[a, a], from the columns of W */
static double inflation(const double *A, ptrdiff_t d, const double *W) {
    double total = 0.0;
    for (ptrdiff_t i = 0; i < d; i++)
        for (ptrdiff_t a = 0; a <= i; a++) {
            const double scaled = W[i * d + a] * sqrt(A[a * d + a]);
            total += scaled * scaled;
        }
    return total;
}

/* U of one covariance; returns whether it is regular; `work` holds d (d + 1) doubles */
static int factorise(const double *A, ptrdiff_t d, double most_inflation, double *work,
                     double *factor) {
    double *W = work, *sum = work + d * d;
    for (ptrdiff_t i = 0; i < d * d; i++) factor[i] = 0.0;
    if (!cholesky(A, d, W)) return 0;
    invert(d, W, sum);
    for (ptrdiff_t i = 0; i < d; i++)
        for (ptrdiff_t a = 0; a <= i; a++) factor[a * d + i] = W[i * d + a];
    return inflation(A, d, W) < most_inflation; /* false for a NaN */
}

#endif

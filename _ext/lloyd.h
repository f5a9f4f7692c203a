/* What Lloyd's iterations do between passes of nearest.h: `Rows.lloyd` alternates both.

     (1)  center_j += resp_x_j / resp_sum_j    where it has rows; an empty cluster stays
     (2)  the end: h - h_before <= least_gain |h|,   h minus half of all squared distances

   S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28,
   129-137, 1982. */
#ifndef MIXTURA_LLOYD_H
#define MIXTURA_LLOYD_H

#include <math.h>
#include "pass.h"

/* The point about which products are formed. */
static void mean_of_centers(ptrdiff_t k, ptrdiff_t d, const double *centers, double *mean) {
    for (ptrdiff_t a = 0; a < d; a++) {
        double sum = 0.0;
        for (ptrdiff_t j = 0; j < k; j++) sum += centers[j * d + a];
        mean[a] = sum / (double)k;
    }
}

/* (1) */
static void move_centers(ptrdiff_t k, ptrdiff_t d, const Sums *sums, double *centers) {
    for (ptrdiff_t j = 0; j < k; j++)
        for (ptrdiff_t a = 0; a < d && sums->resp_sum[j] > 0.0; a++)
            centers[j * d + a] += sums->resp_x[j * d + a] / sums->resp_sum[j];
}

/* (2) */
static int gains_little(double before, double height, double least_gain) {
    return height - before <= least_gain * fabs(height);
}

#endif

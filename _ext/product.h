/* Products of row-major matrices, C += scale A B, on one thread.

   B is copied panel by panel, WIDTH columns side by side, so that the inner loop reads both factors
   in order; it keeps HEIGHT x WIDTH sums in registers. Missing rows of A repeat its last row, missing
   columns of B are zero; neither result is stored. The order of additions depends on the sizes only. */
#ifndef MIXTURA_PRODUCT_H
#define MIXTURA_PRODUCT_H

#include "simd.h"

enum { HEIGHT = 4, VECTORS = 3, WIDTH = VECTORS * LANES }; /* 12 sums: half the registers or all */
enum { DEPTH = 256 };                                      /* rows of a panel, in first-level cache */

/* numbers of scratch that a product asks for */
#define PANEL_SIZE (DEPTH * WIDTH)

/* A matrix, or its transpose: entry (i, j) is at[i * down + j * across] */
typedef struct {
    const double *at;
    ptrdiff_t down, across;
} View;

INLINE View rows_of(const double *at, ptrdiff_t stride) { return (View){at, stride, 1}; }
INLINE View transpose_of(const double *at, ptrdiff_t stride) { return (View){at, 1, stride}; }

static void copy_panel(View B, ptrdiff_t depth, ptrdiff_t width, double *panel) {
    for (ptrdiff_t p = 0; p < depth; p++)
        for (ptrdiff_t j = 0; j < WIDTH; j++)
            panel[p * WIDTH + j] = j < width ? B.at[p * B.down + j * B.across] : 0.0;
}

/* HEIGHT rows of A times a panel */
ALONE void block_product(ptrdiff_t depth, const double *const *A, const double *panel, vec *sums) {
    vec s[HEIGHT * VECTORS] = {{0}};
    for (ptrdiff_t p = 0; p < depth; p++)
        for (int v = 0; v < VECTORS; v++) {
            const vec b = load(panel + p * WIDTH + v * LANES);
            for (int i = 0; i < HEIGHT; i++) s[i * VECTORS + v] += A[i][p] * b;
        }
    memcpy(sums, s, sizeof s);
}

/* C (m x n) += scale A (m x p) B (p x n); with `lower`, B is lower triangular, p x n */
static void add_product(ptrdiff_t m, ptrdiff_t n, ptrdiff_t p, double scale, const double *A,
                        ptrdiff_t stride_A, View B, int lower, double *C, ptrdiff_t stride_C,
                        double *panel) {
    vec sums[HEIGHT * VECTORS];
    double row[WIDTH];
    for (ptrdiff_t j = 0; j < n; j += WIDTH) {
        const ptrdiff_t width = n - j < WIDTH ? n - j : WIDTH;
        for (ptrdiff_t q = lower ? j : 0; q < p; q += DEPTH) {
            const ptrdiff_t depth = p - q < DEPTH ? p - q : DEPTH;
            const View part = {B.at + q * B.down + j * B.across, B.down, B.across};
            copy_panel(part, depth, width, panel);
            for (ptrdiff_t i = 0; i < m; i += HEIGHT) {
                const ptrdiff_t height = m - i < HEIGHT ? m - i : HEIGHT;
                const double *rows[HEIGHT];
                for (ptrdiff_t r = 0; r < HEIGHT; r++)
                    rows[r] = A + (i + (r < height ? r : height - 1)) * stride_A + q;
                block_product(depth, rows, panel, sums);
                for (ptrdiff_t r = 0; r < height; r++) {
                    memcpy(row, sums + r * VECTORS, sizeof row);
                    for (ptrdiff_t c = 0; c < width; c++)
                        C[(i + r) * stride_C + j + c] += scale * row[c];
                }
            }
        }
    }
}

#endif

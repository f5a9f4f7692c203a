/* What a pass is told, and where its results stand. */
#ifndef MIXTURA_PASS_H
#define MIXTURA_PASS_H

#include <float.h>
#include <stddef.h>
#include "simd.h"

enum { FULL, TIED, DIAG };

#if LANES == 8
enum { GROUP = 4, BLOCK_ROWS = 8, BLOCK_VECTORS = 3 }; /* 32 registers */
#else
enum { GROUP = 2, BLOCK_ROWS = 4, BLOCK_VECTORS = 2 }; /* 16 registers */
#endif
enum {
    OUTPUTS = 4,            /* rows of the triangle worked on at once, by GROUP vectors */
    ROWS = GROUP * LANES,   /* tiles are filled up to a multiple of this */
    PAD = BLOCK_ROWS > LANES ? BLOCK_ROWS : LANES,
    NARROW = 12,            /* features up to which scatter is summed with rows as lanes */
};

static const double NEGLIGIBLE = -60.0;  /* log of the smallest share kept in statistics */
static const double FAR = 1e3; /* standard deviations; costs three digits */
static const double UNDERFLOWS = -708.0; /* log of the smallest normal double */

typedef struct {
    /* rows */
    const char *X;
    ptrdiff_t row_stride, column_stride; /* bytes */
    int is_float32;
    const double *sample_weight; /* n, or NULL for ones */
    ptrdiff_t n, d, k, dp;
    /* cuts */
    ptrdiff_t tile, n_slots, tiles_per_slot, slot_size, scratch_size;
    /* mixture */
    int shape;
    int hard;                     /* each row belongs to its most probable component altogether */
    const double *means;          /* k x dp, zero beyond d */
    const double *panels;         /* FULL: k packed triangles; TIED: one */
    const double *scales;         /* DIAG: k x d; TIED: ones */
    const double *whitened_means; /* TIED: k x d, about `means[0]`; NULL where some are FAR */
    const double *constants;      /* k, c_j of (2) */
    const double *shares;         /* k, weights summing to one */
    /* instead of a mixture: responsibilities or labels */
    const char *given_resp;
    ptrdiff_t resp_row_stride, resp_column_stride;
    const int64_t *given_labels;
    /* wanted, each may be NULL */
    double *log_density; /* n x k, l_j */
    double *resp;        /* n x k */
    double *log_prob;    /* n */
    int64_t *labels;     /* n, the most probable component */
    double *slots;       /* n_slots x slot_size */
} Pass;

INLINE ptrdiff_t round_up(ptrdiff_t x, ptrdiff_t to) { return (x + to - 1) / to * to; }
INLINE ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/* ---- where things stand in a slot: log-likelihood, weight, then the three sums ---- */

/* doubles to an entry: a vector whose lanes are added at the end, or one */
INLINE ptrdiff_t entry(const Pass *p) { return p->d <= NARROW ? LANES : 1; }
INLINE ptrdiff_t columns(const Pass *p) { return p->d <= NARROW ? p->d : p->dp; }

INLINE ptrdiff_t resp_sum_at(const Pass *p) { (void)p; return LANES; }
INLINE ptrdiff_t resp_x_at(const Pass *p) { return resp_sum_at(p) + p->k * LANES; }
INLINE ptrdiff_t resp_x_size(const Pass *p) { return columns(p) * entry(p); }
INLINE ptrdiff_t resp_xx_at(const Pass *p) { return resp_x_at(p) + p->k * resp_x_size(p); }
INLINE ptrdiff_t resp_xx_size(const Pass *p) {
    return (p->shape == DIAG ? 1 : columns(p)) * columns(p) * entry(p);
}

#endif

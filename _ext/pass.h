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
    /* carried from pass to pass, each may be NULL; see prune.h */
    const int64_t *order;         /* n, row at each place */
    float *reach;                 /* tiles x k */
    const double *shrink, *shift; /* k; NULL: nothing is known yet */
    /* wanted, each may be NULL */
    double *log_density; /* n x k, l_j */
    double *resp;        /* n x k */
    double *log_prob;    /* n */
    int64_t *labels;     /* n, the most probable component */
    double *slots;       /* n_slots x slot_size */
} Pass;

INLINE ptrdiff_t round_up(ptrdiff_t x, ptrdiff_t to) { return (x + to - 1) / to * to; }
INLINE ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/* ---- where things stand in a slot: totals, then the three sums ---- */

/* doubles to an entry: a vector whose lanes are added at the end, or one */
INLINE ptrdiff_t entry(const Pass *p) { return p->d <= NARROW ? LANES : 1; }
INLINE ptrdiff_t columns(const Pass *p) { return p->d <= NARROW ? p->d : p->dp; }

enum { LOG_LIKELIHOOD, WEIGHT, COMPUTED, HEADER = LANES > 4 ? LANES : 4 };

INLINE ptrdiff_t resp_sum_at(const Pass *p) { (void)p; return HEADER; }
INLINE ptrdiff_t resp_x_at(const Pass *p) { return resp_sum_at(p) + p->k * LANES; }
INLINE ptrdiff_t resp_x_size(const Pass *p) { return columns(p) * entry(p); }
INLINE ptrdiff_t resp_xx_at(const Pass *p) { return resp_x_at(p) + p->k * resp_x_size(p); }
INLINE ptrdiff_t resp_xx_size(const Pass *p) {
    return (p->shape == DIAG ? 1 : columns(p)) * columns(p) * entry(p);
}

/* ---- what a thread works with ---- */

typedef struct {
    double *by_feature, *by_row, *whitened, *resp, *weight, *log_prob, *difference, *z, *rz;
    double *upper;      /* k, bounds of l_j; see prune.h */
    int32_t *active;    /* rows */
    int32_t *component; /* `listed` of them: those that matter to the tile, row by row of resp */
    ptrdiff_t listed;
} Scratch;

/* Lay the scratch out from `base`; return its size in doubles. */
static ptrdiff_t lay_out(const Pass *p, double *base, Scratch *s) {
    double *next = base;
    const ptrdiff_t tile = p->tile, by_row = tile * p->dp;
    s->by_feature = next; next += p->d * tile;
    s->by_row = next; next += by_row; /* zero from d to dp */
    s->whitened = next; next += p->shape == TIED ? p->d * tile : 0;
    s->resp = next; next += p->k * tile;
    s->weight = next; next += tile;
    s->log_prob = next; next += tile;
    s->difference = next; next += p->d * ROWS;
    s->z = next; next += by_row + tile; /* or the active rows by feature, and their r */
    s->rz = next; next += by_row;
    s->upper = next; next += p->k;
    s->active = (int32_t *)next; next += tile; /* half is used */
    s->component = (int32_t *)next; next += p->k;
    return round_up(next - base, 8);
}

#endif

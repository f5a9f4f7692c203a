/* What a pass is told, and the two kinds of lanes that can make it. */
#ifndef MIXTURA_PASS_H
#define MIXTURA_PASS_H

#include <stddef.h>
#include <stdint.h>
#include "watch.h"

enum { FULL, TIED, DIAG, SPHERICAL };

typedef struct {
    /* rows */
    const char *X;
    ptrdiff_t row_stride, column_stride; /* bytes */
    int is_float32;
    const double *sample_weight; /* n, or NULL for ones */
    const double *centre;        /* d, taken off rows and means; see `rows_are_centred` in tile.h */
    ptrdiff_t n, d, k;
    /* mixture */
    int shape;
    int hard;              /* k-means: each row belongs to the nearest mean altogether */
    const double *weights; /* k, of any sum */
    const double *means;   /* k x d */
    const double *factors; /* precision factors; NULL: none are needed */
    /* instead of factors: responsibilities or labels */
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
    double *nearest;     /* n, squared distances to seeds so far; see nearest.h */
    /* set by `cut` and `lay_out_mixture` */
    ptrdiff_t dp, tile, n_slots, tiles_per_slot;
    ptrdiff_t slot_size, mixture_size, scratch_size; /* bytes */
    char *mixture;
} Pass;

typedef struct {
    int lanes; /* numbers to a vector */
    void (*cut)(Pass *p);
    void (*lay_out_mixture)(Pass *p, void *memory);
    void (*run_slot)(const Pass *p, ptrdiff_t index, void *scratch, Watch *watch);
    void (*reduce_slots)(const Pass *p, double *totals, double *centres, double *resp_sum,
                         double *resp_x, double *resp_xx);
} Lanes;

extern const Lanes double_lanes, single_lanes;

#endif

/* One pass over the rows, tile by tile: from the parameters of k components to sums over n rows.

   Formulas, for a row x of weight w, and component j with mean m_j and precision factor U_j (upper
   triangular):

     (1)  z = x - m_j
     (2)  l_j = c_j - 1/2 |U_j^T z|^2,   c_j = log weight_j + log det U_j - d/2 log 2 pi
     (3)  L = M + log sum_j exp(l_j - M),   M = max_j l_j
     (4)  r_j = w exp(l_j - L)
     (5)  resp_sum_j += r_j,   resp_x_j += r_j z,   resp_xx_j += r_j z z^T

   An E-step is a table of functions, `Step` below: how its components are laid out, how a tile is
   scored, shared out between the components and added to the sums. Each stands in a header of its
   own, and steps.h lists them. The formulas are those of "soft"; the others change (3) and (4), or
   (2) and (5), and say so. All of them share the loop (run.h) and these parts:

     mixture.h   the components as tiles read them         posterior.h  (3), (4) and labels
     gather.h    brings the rows of a tile in              scatter.h    (5)
     density.h   (1) and (2)                               prune.h      which components matter
     prior.h     what is known of a row's component        nearest.h    k-means, and its bounds
     masks.h     which rows components matter to           pairs.h      (1), (2) and (5) for some
     noisy.h     (1) to (5) for rows with noise of their own

   Other headers are for what happens between passes: updates (m_step.h, families.h), iterations in
   one call (squarem.h, rivals.h), starts (seeding.h, codes.h, lloyd.h, guess.h), and the choice of
   moves (cuts.h, losses.h, dense.h).

   A tile is `tile` consecutive rows. Everything is done for all components while the tile is in
   cache, so each row comes from memory once a pass, and no (n, k) array exists.

     X  --gather-->  by_feature  d x tile   lanes are rows      densities, shares, and sums for
                                                                d <= NARROW
                     by_row      tile x dp  lanes are features  sums for d > NARROW
                     resp        k x tile   l_j, then r_j

   Memory, dp = d rounded up to PAD:

     the mixture   k panels of the triangle, k dp means, a few times k numbers      tile.h
     each thread   d tile + k tile + 3 dp tile + a few rows of tile                 tile.h
     each slot     k + k dp + k dp dp doubles (full; dp dp once for tied; k dp for diagonals), in
                   which every sum is KEPT_LANES for d <= NARROW

   Determinism. Tiles are dealt to slots by a rule that depends on n, d, k, the step and the shape,
   not on threads. One thread works through a slot in order, and slots are added in order at the
   end. So the bits of a result do not depend on the number of threads.

   Precision. Numbers are doubles (double.c) or floats (single.c): the code is compiled for each.
   What leaves a tile is double. In floats, a point amid the rows is first taken off rows and means,
   so that an offset costs no digits, and the largest constant c_j is kept apart.

   Numerical choices. Squares are taken of differences from the component's own mean, never of raw
   values. A distance that overflows, or is inf - inf on the way, counts as infinite: l = -inf.
   Where all l_j of a row are -inf, the row is shared out by the weights of the components. A row of
   weight zero is replaced by the first mean, so that no value in it can spread. For a tied
   covariance rows are whitened once, about the first mean, unless another mean is more than FAR
   deviations away, where the digits lost between two large numbers would show. In sums, r below
   exp(-margin) of the largest is exactly 0, and such rows are left out of (5). The margin is 45 nats
   for fewer than 48 components. From 48 on it is 23 + log k: what a row loses is then less than
   exp(-23) = 1e-10 of its weight altogether, and its log-likelihood is lower by less than 1e-10.
   That is the worst case, where every component is just beyond the margin. Where k components are
   apart, gaps are spread over hundreds of nats, and log-likelihoods agree to 1e-12 of their size.

   Dempster, Laird and Rubin, "Maximum likelihood from incomplete data via the EM algorithm", JRSS B
   39, 1-38, 1977, section 4.3. */
#ifndef MIXTURA_PASS_H
#define MIXTURA_PASS_H

#include <stddef.h>
#include <stdint.h>
#include "watch.h"

enum { FULL, TIED, DIAG, SPHERICAL };                                     /* Pass.shape */
enum { SUMS = 1, LOG_DENSITY = 2, RESP = 4, LOG_PROB = 8, LABELS = 16,
       ENTROPIES = 32, OBSERVED = 64, COMPLETED = 128 }; /* Pass.wanted */
enum { NO_BOUNDS, NEW_BOUNDS, KNOWN_BOUNDS, NEW_MASKS, KNOWN_MASKS };     /* Pass.bounds */
enum { NEVER, FOR_WIDE_SUMS, ALWAYS };                                    /* Step.by_row */

typedef struct Pass Pass;
typedef struct Tile Tile; /* tile.h */

/* What `reduce` writes. The first four are totals: `computed` counts components in tiles, or parts
   of tiles; `shared` counts pairs of a row and a component with r_j > 0. */
typedef struct {
    double log_likelihood, weight, computed, shared;
    double entropy; /* of steps that add it up */
    double *resp_sum, *resp_x, *resp_xx;
} Sums;

/* What is known of the noise of each row: noisy.h. */
typedef struct {
    int kind;                  /* of covariances: SPHERICAL, DIAG or FULL */
    int is_projected;
    const char *noise;         /* n covariances */
    ptrdiff_t row_stride;      /* bytes from one to the next */
    ptrdiff_t n_observed;      /* numbers that are observed of a row, m */
    const double *observed;    /* n x m, where projected; else they are X */
    const double *projection;  /* n x m x d */
    const double *covariances; /* of the components, in the shape of the pass */
    double power;              /* to which weighted densities are raised */
} Noise;

typedef struct {
    const char *name;
    int by_row;       /* whether it reads rows whose features lie side by side */
    int keeps_scores; /* whether it needs k numbers for each row of a tile, `resp` */
    int bounds_rows;  /* whether bounds are of rows, not of tiles: nearest.h */
    int is_distance;  /* whether l_j is no density, and a missing number adds nothing to sums */
    double first;     /* components whose bounds are this near to the highest are scored first */
    double margin;    /* a component this far below the best l of every row does not matter */
    ptrdiff_t (*scatter_size)(const Pass *p);                /* of a component, in doubles */
    ptrdiff_t (*more_mixture)(const Pass *p);                /* bytes of its own; may be NULL */
    ptrdiff_t (*more_scratch)(const Pass *p);                /* the same for each thread */
    void (*lay_out)(const Pass *p, Tile *s);                 /* the components, once a pass */
    void (*score)(const Pass *p, ptrdiff_t first, Tile *s);  /* listed ones from `first` on */
    void (*share)(const Pass *p, Tile *s);                   /* each row, between the listed ones */
    void (*add)(const Pass *p, Tile *s, double *slot);
    void (*reduce)(const Pass *p, const double *slot, Sums *sums); /* the slots' total */
    double (*least_best)(const Pass *p, const Tile *s); /* over rows: of the best l; see prune.h */
} Step;

/* All pointers that `wanted`, `bounds`, the step and the flags beside them ask for are there. */
struct Pass {
    const Step *step;
    int wanted; /* which results, a sum of flags */
    /* rows */
    const char *X;
    ptrdiff_t row_stride, column_stride; /* bytes */
    int is_float32, is_weighted, is_centred;
    const double *sample_weight; /* n */
    const double *centre;        /* d, taken off rows and means; see `rows_are_centred` in tile.h */
    ptrdiff_t n, d, k;
    int is_ordered;       /* whether rows are read in an order of their own */
    const int64_t *order; /* n, row at each place */
    /* components */
    int shape;                 /* of the factors and of the scatter */
    const double *log_weights; /* k, of weights of any sum */
    const double *means;       /* k x d */
    const double *factors;     /* precision factors */
    /* what a row is shared out by where that is given: given.h */
    const int64_t *given_labels; /* n */
    const char *given_resp;      /* n x k doubles */
    ptrdiff_t resp_row_stride, resp_column_stride; /* bytes */
    double *nearest; /* n, squared distances to earlier seeds: seeds.h */
    double *after;   /* what they would be, a column of n for each seed; or NULL */
    ptrdiff_t after_stride; /* from column to column */
    /* what is known of the component of each row: prior.h */
    int has_prior;
    const int64_t *code; /* n, rows of `prior` */
    const double *prior; /* codes x k, added to l_j */
    const Noise *noise;
    double margin; /* nats below a row's largest l_j from which r_j is 0; set by `cut` */
    /* carried from pass to pass: prune.h, masks.h */
    int bounds;
    float *reach;                 /* tiles x k */
    const double *shrink, *shift; /* k */
    uint64_t *masks;              /* blocks x k: masks.h */
    float *gaps;                  /* blocks x k, nats */
    double *best;                 /* n, by place: the largest l_j */
    const double *constants;      /* k, c_j of the pass before */
    /* the same for rows, and means that have moved most: nearest.h */
    int32_t *held;        /* n */
    float *apart;         /* n */
    const int32_t *moved; /* n_moved */
    ptrdiff_t n_moved;
    double drift; /* of the other means */
    /* results for each row */
    double *log_density; /* n x k, l_j */
    double *resp;        /* n x k */
    double *log_prob;    /* n */
    int64_t *labels;     /* n */
    /* rows with missing values: incomplete.h */
    ptrdiff_t n_runs, most_missing;
    const int64_t *runs;                               /* n_runs, places where they begin */
    const double *covariances;                         /* of `shape` */
    double *observed;                                  /* k x d */
    /* expected rows, of forms that are not whole */
    char *completed;                                         /* n x d doubles */
    ptrdiff_t completed_row_stride, completed_column_stride; /* bytes */
    /* set by `cut` */
    ptrdiff_t dp, tile, n_slots, tiles_per_slot;
    ptrdiff_t scatter_size; /* doubles */
    int narrow;             /* whether lanes are rows in sums */
    int by_row;             /* whether tiles need `by_row` */
    int rows_alone;         /* whether they need nothing else */
    ptrdiff_t slot_size, mixture_size, scratch_size; /* bytes */
    /* memory of these sizes, one of slot_size for each slot */
    char *mixture;
    double *slots;
};

/* The pass as compiled for one kind of numbers. */
typedef struct {
    int lanes, n_steps; /* numbers to a vector */
    const Step *const *steps;
    void (*cut)(Pass *p);
    void (*lay_out)(const Pass *p);
    void (*run_slot)(const Pass *p, ptrdiff_t index, void *scratch, Watch *watch);
    void (*reduce_slots)(const Pass *p, Sums *sums);
    void (*write_centres)(const Pass *p, double *centres); /* k x d: the means as tiles have them */
} Precision;

extern const Precision double_precision, single_precision;
extern const Precision incomplete_rows; /* in double precision: incomplete.h */

static inline int wants(const Pass *p, int results) { return (p->wanted & results) != 0; }

#endif

/* What a thread works with on a tile, and where sums stand in a slot. */
#ifndef MIXTURA_TILE_H
#define MIXTURA_TILE_H

#include "pass.h"
#include "simd.h"

#if VECTOR_BYTES == 64
enum { GROUP = 4, BLOCK_ROWS = 8, BLOCK_VECTORS = 3, SIDE_BY_SIDE = 6 }; /* 32 registers */
#else
enum { GROUP = 2, BLOCK_ROWS = 4, BLOCK_VECTORS = 2, SIDE_BY_SIDE = 3 }; /* 16 registers */
#endif
enum {
    MOST_SIDE_BY_SIDE = 6,  /* on any machine */
    OUTPUTS = 4,            /* rows of the triangle worked on at once, by GROUP vectors */
    MANY_FEATURES = 32,            /* features from which the mean is taken off once for all of them */
    ROWS = GROUP * LANES,   /* tiles are filled up to a multiple of this */
    PAD = BLOCK_ROWS > LANES ? BLOCK_ROWS : LANES,
    NARROW = 12,            /* features up to which scatter is summed with rows as lanes */
    MASK_ROWS = 64,         /* rows to a tile that has masks: masks.h */
};

/* Nats below a row's best component from which a component has no share: 3e-20 of the row. From
   MANY_COMPONENTS on, MANY_MARGIN + log k: all of them together less than 1e-10 of the row. Each nat
   more costs time: of components 8.5 deviations apart, a fifth lies within 23 + log k, half within
   45. */
static const double MARGIN = 45.0, MANY_MARGIN = 23.0;
enum { MANY_COMPONENTS = 48 };     /* as LEAST_COMPONENTS in passes/bounds.py */
static const double FAR = 1e3;     /* standard deviations; they cost three digits */

INLINE ptrdiff_t round_up(ptrdiff_t x, ptrdiff_t to) { return (x + to - 1) / to * to; }
INLINE ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/* Numbers from row to row of by_row, z and rz. Wide rows are an odd number of cache lines apart,
   because a column of them would otherwise share a few sets of the cache. */
INLINE ptrdiff_t row_stride(const Pass *p) {
    const ptrdiff_t line = 64 / sizeof(real);
    return p->dp < 8 * line ? p->dp : (round_up(p->dp, line) / line | 1) * line;
}

INLINE int has_masks(const Pass *p) { return p->bounds >= NEW_MASKS; }
INLINE int is_diagonal(const Pass *p) { return p->shape == DIAG || p->shape == SPHERICAL; }

/* ---- where sums stand in a slot, in doubles: totals, resp_sum, resp_x, resp_xx ---- */

enum { LOG_LIKELIHOOD, WEIGHT, COMPUTED, ENTROPY, SHARED, HEADER = LANES > 8 ? LANES : 8 };

/* doubles to a sum: lanes of a vector that are added at the end, or one */
INLINE ptrdiff_t entry(const Pass *p) { return p->narrow ? KEPT_LANES : 1; }
INLINE ptrdiff_t columns(const Pass *p) { return p->narrow ? p->d : p->dp; }

INLINE ptrdiff_t resp_sum_at(ptrdiff_t j) { return HEADER + j * LANES; }
INLINE ptrdiff_t resp_x_at(const Pass *p, ptrdiff_t j) {
    return resp_sum_at(p->k) + j * columns(p) * entry(p);
}
/* j is 0 where all components share a scatter */
INLINE ptrdiff_t resp_xx_at(const Pass *p, ptrdiff_t j) {
    return resp_x_at(p, p->k) + j * p->scatter_size;
}
INLINE ptrdiff_t slot_end(const Pass *p) { return resp_xx_at(p, p->shape == TIED ? 1 : p->k); }

/* ---- memory ---- */

/* The next `count` numbers of `size` bytes, from a multiple of 64 bytes on. */
INLINE void *take(char **next, ptrdiff_t count, ptrdiff_t size) {
    void *here = *next;
    *next += round_up(count * size, 64);
    return here;
}

struct Tile {
    /* the mixture, the same for all threads: mixture.h */
    real *means;          /* k x dp, zero beyond d, centred as `by_feature` is */
    real *row_means;      /* the same, as `by_row` is */
    real *panels;         /* FULL: k packed triangles; TIED: one */
    real *scales;         /* DIAG: k x d; SPHERICAL: k; TIED: one, when whitened */
    real *whitened_means; /* TIED: k x d, about the first mean */
    real *constants;      /* k, c_j of (2) less `level` */
    double *level;        /* the largest c_j in single precision, which has few digits; or 0 */
    real *shares;         /* k, weights of the components, summing to one */
    whole *heaviest;      /* the component of the largest weight */
    int *whitened;        /* TIED: whether all means are near enough for `whitened_means` */
    real *pair_panels;    /* k: pairs.h */
    double *lose, *turn, *drop; /* k: masks.h */
    char *more_mixture;   /* what a step keeps besides */
    /* the tile's rows */
    ptrdiff_t start, rows, padded; /* its first row, their number, that rounded up to ROWS */
    real *by_feature;              /* d x tile, less the centre */
    real *by_row;                  /* tile rows, `row_stride` apart; see `rows_are_centred` */
    real *weight;
    /* what is found out about them */
    real *whitened_rows, *difference, *z, *rz; /* density.h, scatter.h */
    real *resp;
    real *log_prob;
    whole *label; /* component that a row belongs to */
    double log_likelihood;
    int32_t *active; /* rows that a component has a share of */
    /* which components matter: prune.h */
    int32_t *component; /* `listed` of them, row by row of resp */
    ptrdiff_t listed;
    real *peak;    /* k, largest l of each listed one, where bounds are carried */
    double *upper; /* k, bounds of l_j, or of gaps */
    /* which rows they matter to: masks.h */
    uint64_t *bits; /* k, rows that have l_j, of each listed one */
    real *pair;     /* MASK_ROWS, l_j of some rows */
    int is_turned;  /* whether `by_feature` has been filled */
    /* what a step keeps besides */
    char *more_scratch;
    double entropy;
};

INLINE ptrdiff_t panel_size(ptrdiff_t d) {
    ptrdiff_t size = 0;
    for (ptrdiff_t b = 0; b < d; b += OUTPUTS) {
        ptrdiff_t outputs = smaller(OUTPUTS, d - b);
        size += (b + outputs) * outputs;
    }
    return size;
}

/* the same with lanes for columns: pairs.h */
INLINE ptrdiff_t pair_panel_size(const Pass *p) {
    const ptrdiff_t vectors = p->dp / LANES;
    return p->shape == DIAG ? p->dp : vectors * (vectors + 1) / 2 * LANES * LANES;
}

/* Whether the centre is taken off `by_row` too. Single precision has no digits for an offset; in
   double, rows keep theirs. */
INLINE int rows_are_centred(const Pass *p) {
    return sizeof(real) < sizeof(double) || !p->is_centred;
}

/* Places the mixture from `base` on; returns its size in bytes. */
INLINE ptrdiff_t place_mixture(const Pass *p, char *base, Tile *s) {
    char *next = base;
    const ptrdiff_t k = p->k, d = p->d;
    s->means = take(&next, k * p->dp, sizeof(real));
    s->row_means = rows_are_centred(p) ? s->means : take(&next, k * p->dp, sizeof(real));
    s->panels = take(&next, is_diagonal(p) ? 0 : (p->shape == FULL ? k : 1) * panel_size(d),
                     sizeof(real));
    s->scales = take(&next, p->shape == DIAG ? k * d : p->shape == SPHERICAL ? k : 1, sizeof(real));
    s->whitened_means = take(&next, p->shape == TIED ? k * d : 0, sizeof(real));
    s->constants = take(&next, k, sizeof(real));
    s->level = take(&next, 1, sizeof(double));
    s->shares = take(&next, k, sizeof(real));
    s->heaviest = take(&next, 1, sizeof(whole));
    s->whitened = take(&next, 1, sizeof(int));
    s->pair_panels = take(&next, has_masks(p) ? k * pair_panel_size(p) : 0, sizeof(real));
    s->lose = take(&next, has_masks(p) ? k : 0, sizeof(double));
    s->turn = take(&next, has_masks(p) ? k : 0, sizeof(double));
    s->drop = take(&next, has_masks(p) ? k : 0, sizeof(double));
    s->more_mixture = take(&next, p->step->more_mixture ? p->step->more_mixture(p) : 0, 1);
    return next - base;
}

/* The same for a thread's scratch. */
INLINE ptrdiff_t place_scratch(const Pass *p, char *base, Tile *s) {
    char *next = base;
    const ptrdiff_t tile = p->tile, by_row = tile * row_stride(p);
    s->by_feature = take(&next, p->d * tile, sizeof(real));
    s->by_row = take(&next, by_row, sizeof(real)); /* zero from d to dp */
    s->whitened_rows = take(&next, p->shape == TIED ? p->d * tile : 0, sizeof(real));
    s->resp = take(&next, p->step->keeps_scores ? p->k * tile : 0, sizeof(real));
    s->weight = take(&next, tile, sizeof(real));
    s->log_prob = take(&next, tile, sizeof(real));
    s->difference = take(&next, p->d * ROWS, sizeof(real));
    s->z = take(&next, by_row + tile, sizeof(real)); /* or active rows by feature, and their r */
    s->rz = take(&next, by_row, sizeof(real));
    s->peak = take(&next, p->k, sizeof(real));
    s->label = take(&next, tile, sizeof(whole));
    s->upper = take(&next, p->k, sizeof(double));
    s->active = take(&next, tile, sizeof(int32_t));
    s->component = take(&next, p->k, sizeof(int32_t));
    s->bits = take(&next, has_masks(p) ? p->k : 0, sizeof(uint64_t));
    s->pair = take(&next, has_masks(p) ? MASK_ROWS : 0, sizeof(real));
    s->more_scratch = take(&next, p->step->more_scratch ? p->step->more_scratch(p) : 0, 1);
    return next - base;
}

#endif

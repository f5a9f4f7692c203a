/* A part of the rows that stand one after the other in their order and are worked on alike, and the
   memory for it: see incomplete.h. */
#ifndef MIXTURA_PART_H
#define MIXTURA_PART_H

#include "factor.h"
#include "gather.h"

typedef struct {
    Pass pass; /* as if its features were all there are; rows that lack others have NaN there */
    Tile tile;
    ptrdiff_t first, end; /* places */
    int is_mixed;         /* whether rows lack different features */
    int32_t *kept, *lost; /* the pass's features, and those that all rows lack */
    ptrdiff_t n_lost;
    double *sums; /* what a slot of `pass` holds, then k x d vectors for `observed` */
    /* a run: marginal.h */
    char *mixture, *scratch;
    double *means, *factors; /* of the kept features */
    double *slopes, *rest;   /* for each factor: n_lost x kept, n_lost x n_lost */
    double *block, *work;    /* matrices on the way; FACTOR_SCRATCH(d) numbers */
    /* mixed rows: holes.h */
    int32_t *lacks, *lacking;  /* tile; most_missing x tile: lost features, the last one first */
    int32_t *firsts; /* most_missing + 1: where the columns begin, and the first of them all */
    double *columns, *ratios;  /* (most_missing + 1) x dp and most_missing^2 vectors of ROWS */
    double *lengths;           /* most_missing vectors of ROWS, and one of sums of logarithms */
    double *expected, *spread; /* k x most_missing, factors x pairs; each a row of `tile` */
} Part;

INLINE ptrdiff_t n_factors(const Pass *p) { return p->shape == TIED ? 1 : p->k; }
INLINE ptrdiff_t pairs(ptrdiff_t m) { return m * (m + 1) / 2; }

/* ---- what all threads share, in the pass's mixture after what tile.h places there ---- */

typedef struct {
    double *rows_of_U;    /* FULL: k, TIED: one; d + 1 rows of dp numbers, the last one zero */
    double *log_constants; /* DIAG, SPHERICAL: k x d, what a feature adds to c_j */
} Shared;

static ptrdiff_t place_shared(const Pass *p, char *base, Shared *shared) {
    char *next = base;
    const int diagonal = is_diagonal(p);
    shared->rows_of_U = take(&next, diagonal ? 0 : n_factors(p) * (p->d + 1) * p->dp, 8);
    shared->log_constants = take(&next, diagonal ? p->k * p->d : 0, 8);
    return next - base;
}

/* ---- a thread's scratch ---- */

static const ptrdiff_t SPREAD_BYTES = 256 * 1024; /* of `spread`: half of a second-level cache */

/* Rows to a tile of mixed rows: fewer where each of them asks for much. */
INLINE ptrdiff_t mixed_tile(const Pass *p) {
    const ptrdiff_t row = n_factors(p) * pairs(p->most_missing) * (ptrdiff_t)sizeof(double) + 1;
    const ptrdiff_t rows = SPREAD_BYTES / row / ROWS * ROWS;
    return rows < ROWS ? ROWS : smaller(rows, p->tile);
}

/* The pass over a part that has the first `d` features, as far as sizes go. */
static Pass sized(const Pass *p, ptrdiff_t d, int is_mixed) {
    Pass part = *p;
    part.d = d;
    part.dp = round_up(d, PAD);
    part.narrow = is_mixed ? is_diagonal(p) : d <= NARROW;
    part.by_row = !part.narrow && wants(p, SUMS);
    if (wants(p, COMPLETED)) part.wanted |= RESP; /* none of them is cut off */
    part.scatter_size = p->step->scatter_size(&part);
    if (is_mixed && !is_diagonal(p)) part.tile = mixed_tile(p);
    return part;
}

/* Places what a thread works with from `base` on; returns its size in bytes. */
static ptrdiff_t place_part(const Pass *p, char *base, Part *part) {
    char *next = base;
    const ptrdiff_t k = p->k, d = p->d, dd = is_diagonal(p) ? 0 : d * d, most = p->most_missing;
    const Pass narrow = sized(p, smaller(d, NARROW), 0), mixed = sized(p, d, 1);
    const Pass wide = sized(p, d, 0);
    const ptrdiff_t tile = mixed.tile, holes = is_diagonal(p) ? 0 : most;
    ptrdiff_t sums = slot_end(&narrow);
    if (sums < slot_end(&wide)) sums = slot_end(&wide);
    if (sums < slot_end(&mixed) + k * d * LANES) sums = slot_end(&mixed) + k * d * LANES;
    part->kept = take(&next, d, sizeof(int32_t));
    part->lost = take(&next, d, sizeof(int32_t));
    part->sums = take(&next, sums, sizeof(double));
    part->means = take(&next, k * d, sizeof(double));
    part->factors = take(&next, is_diagonal(p) ? k * d : n_factors(p) * dd, sizeof(double));
    part->slopes = take(&next, n_factors(p) * dd, sizeof(double));
    part->rest = take(&next, n_factors(p) * dd, sizeof(double));
    part->block = take(&next, 2 * dd, sizeof(double));
    part->work = take(&next, is_diagonal(p) ? 0 : FACTOR_SCRATCH(d), sizeof(double));
    part->lacks = take(&next, p->tile, sizeof(int32_t));
    part->lacking = take(&next, most * p->tile, sizeof(int32_t));
    part->firsts = take(&next, holes + 1, sizeof(int32_t));
    part->columns = take(&next, is_diagonal(p) ? 0 : (holes + 1) * p->dp * ROWS, sizeof(double));
    part->ratios = take(&next, 2 * holes * holes * ROWS, sizeof(double));
    part->lengths = take(&next, (holes + 1) * ROWS, sizeof(double));
    part->expected = take(&next, k * holes * tile, sizeof(double));
    part->spread = take(&next, n_factors(p) * pairs(holes) * tile, sizeof(double));
    part->mixture = next;
    Tile s;
    next += place_mixture(&wide, NULL, &s);
    part->scratch = next;
    next += place_scratch(&wide, NULL, &s); /* fewer features ask for less */
    return next - base;
}

#endif

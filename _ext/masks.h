/* Which rows a component matters to: masks that are carried from pass to pass.

   Rows are cut into blocks of MASK_ROWS = 64. Let b be the largest l of a row, and g = b - l_j its gap
   to component j. A component matters to a row whose gap is below the margin M: else its share is 0.
   For each block and component are kept

     mask   one bit a row: its gap may be below M
     gap    a number no more than the gap of every other row

   and for each row its b. A pass computes l_j of the rows in masks. These tell the new b' of each row
   and which rows leave the masks. For the others let D^2 / 2 = c_j - l_j, which under new parameters
   obeys D' >= s D - t (prune.h), s <= 1. With e = c_j - b + gap, no more than D^2 / 2,

     gap' >= gap + (b' - b) + (c_j - c'_j) - (1 - s^2) e - s t sqrt(2 e)    and    gap' >= b' - c'_j.

   The right side falls with e, so that for a block b is the least of its rows, and b' - b too. Where
   the bound stays above M, the rows outside the mask do not matter. Where it does not, all rows of
   the block are computed with this component, and mask and gap are drawn anew. A mask has the rows up
   to M + B, so that this is rare: B is about what the bound loses in one pass.

   A block that has rows of density zero under all components has NaN for its first b: it is computed
   with all components. Rows of weight 0 are in no mask. A block is worked on alone, so nothing here
   depends on threads.

   Memory: 8 + 3/16 k bytes a row. The inequality for k-means: Hamerly, "Making k-means even faster",
   SDM 2010. */
#ifndef MIXTURA_MASKS_H
#define MIXTURA_MASKS_H

#include "density.h"
#include "pairs.h"
#include "posterior.h"

/* Rows in a mask from which all rows are computed faster: half of them, and three quarters for
   diagonals, which have less to pack. Both were measured. */
INLINE ptrdiff_t dense_from(const Pass *p) {
    return p->shape == FULL ? MASK_ROWS / 2 : MASK_ROWS * 3 / 4;
}
static const double MOST_SPARE = 8.0, LEAST_SPARE = 1.0; /* nats, of B */
static const double OF_LOSS = 1.2;                       /* B in losses of one pass */
static const double LARGEST_GAP = 1e30;
static const double ROUNDED_OFF = 1e-6; /* of a gap: above the rounding of a float */

/* the second where the first is NaN */
INLINE double larger_of(double a, double b) { return a > b ? a : b; }
INLINE double smaller_of(double a, double b) { return a < b ? a : b; }

/* ---- the components ---- */

/* What the bounds lose, see above: all where it is not known how far the components have moved. */
static void lay_out_losses(const Pass *p, Tile *s) {
    for (ptrdiff_t j = 0; j < p->k; j++) {
        const double shrink = p->shrink[j] >= 0.0 ? smaller_of(p->shrink[j], 1.0) : 0.0;
        s->lose[j] = 1.0 - shrink * shrink;
        s->turn[j] = shrink * p->shift[j] * sqrt(2.0);
        s->drop[j] = p->constants[j] - s->constants[j];
    }
}

static void lay_out_masks(const Pass *p, Tile *s) {
    lay_out_pairs(p, s);
    lay_out_losses(p, s);
}

/* ---- one block ---- */

typedef struct {
    uint64_t present; /* rows with weight */
    uint64_t *masks;
    float *gaps;
    double *before;                /* b of each row under the parameters before */
    double best[MASK_ROWS];        /* b under these */
    double least, rise, least_now; /* of b, b' - b and b' */
} Block;

INLINE Block block_at(const Pass *p, const Tile *s) {
    const ptrdiff_t first = s->start / MASK_ROWS * p->k;
    const uint64_t all = UINT64_MAX >> (MASK_ROWS - s->rows);
    Block b = {all, p->masks + first, p->gaps + first, p->best + s->start, {0}, 0, 0, 0};
    for (ptrdiff_t t = 0; p->is_weighted && t < s->rows; t++)
        if (!(s->weight[t] > 0)) b.present &= ~((uint64_t)1 << t);
    for (ptrdiff_t t = 0; t < MASK_ROWS; t++) /* gaps of rows without weight are infinite */
        b.best[t] = b.present >> t & 1 ? -INFINITY : INFINITY;
    return b;
}

INLINE float kept_gap(double gap) {
    return (float)smaller_of(gap * (1.0 - ROUNDED_OFF), LARGEST_GAP);
}

/* the bits of the LANES rows from t on */
INLINE uint64_t lanes_at(uint64_t bits, ptrdiff_t t) {
    return bits >> t & (UINT64_MAX >> (64 - LANES));
}

/* the largest so far of each row, with component q */
INLINE void raise_best(const Tile *s, uint64_t bits, const real *l, Block *b) {
    for (ptrdiff_t t = 0; t < s->padded; t += LANES)
        if (lanes_at(bits, t)) store(b->best + t, larger(load(b->best + t), load(l + t)));
}

/* B of a component whose rows at the margin are looked at */
INLINE double spare(const Pass *p, const Tile *s, const Block *b, ptrdiff_t j) {
    const double e = larger_of(s->constants[j] - b->least_now + p->margin, 0.0);
    const double lost = s->lose[j] * e + s->turn[j] * sqrt(e) - s->drop[j] - b->rise;
    return smaller_of(LEAST_SPARE + OF_LOSS * larger_of(lost, 0.0), MOST_SPARE);
}

/* Draws the mask of a component from l_j of the rows in `bits`, of which the gap of the others is
   `others`. With `sum`, adds exp(l_j - b) to it and leaves it in place of l_j. */
INLINE uint64_t draw_mask(const Pass *p, const Tile *s, const Block *b, ptrdiff_t j,
                          uint64_t bits, real *l, double others, double *sum) {
    const double reach = p->margin + spare(p, s, b, j);
    uint64_t inside = 0;
    vec least = fill(REAL_MAX);
    for (ptrdiff_t t = 0; t < s->padded; t += LANES) {
        if (!lanes_at(bits, t)) continue;
        const vec gap = load(b->best + t) - load(l + t);
        const mask near = gap < reach;
        inside |= bits_of(near) << t;
        least = pick(~near & (gap < least), gap, least);
        if (!sum) continue;
        const vec e = exp_nonpositive(-gap, (real)-p->margin);
        store(l + t, e);
        store(sum + t, load(sum + t) + e);
    }
    b->gaps[j] = kept_gap(smaller_of(-largest_lane(-least), others));
    return b->masks[j] = inside & bits;
}

/* ---- a block of which nothing is known ---- */

/* resp holds l_j of all components */
static void draw_masks(const Pass *p, const Tile *s) {
    Block b = block_at(p, s);
    int is_lost = 0;
    for (ptrdiff_t q = 0; q < p->k; q++) raise_best(s, b.present, s->resp + q * MASK_ROWS, &b);
    b.least_now = INFINITY;
    for (ptrdiff_t t = 0; t < s->rows; t++) {
        b.before[t] = b.best[t];
        if (!(b.present >> t & 1)) continue;
        is_lost |= !(b.best[t] >= -REAL_MAX);
        b.least_now = smaller_of(b.best[t], b.least_now);
    }
    for (ptrdiff_t j = 0; j < p->k; j++)
        draw_mask(p, s, &b, j, b.present, s->resp + j * MASK_ROWS, INFINITY, NULL);
    if (is_lost) b.before[0] = NAN;
}

/* ---- a block that has masks ---- */

/* Lists the bits of a word. */
INLINE ptrdiff_t list_bits(uint64_t bits, int32_t *list) {
    ptrdiff_t n = 0;
    for (; bits; bits &= bits - 1) list[n++] = __builtin_ctzll(bits);
    return n;
}

/* l_j of all rows of the block, for the component listed at q */
static void score_rows_of_block(const Pass *p, ptrdiff_t q, Tile *s) {
    const ptrdiff_t listed = s->listed;
    if (!s->is_turned) turn_rows(p, s);
    s->listed = q + 1;
    densities(p, q, s);
    s->listed = listed;
}

/* l_j of the rows in the mask, -inf for the others; of all rows where most are in it. Returns the
   rows that have l_j. */
static uint64_t score_mask(const Pass *p, ptrdiff_t q, const Block *b, Tile *s) {
    real *l = s->resp + q * MASK_ROWS;
    const uint64_t bits = b->masks[s->component[q]];
    const ptrdiff_t n = list_bits(bits, s->active);
    if (n >= dense_from(p)) {
        score_rows_of_block(p, q, s);
        return b->present;
    }
    pair_densities(p, s, s->component[q], n);
    for (ptrdiff_t t = 0; t < s->padded; t += LANES)
        if (lanes_at(bits, t) || wants(p, LABELS)) store(l + t, fill(-INFINITY));
    for (ptrdiff_t i = 0; i < n; i++) l[s->active[i]] = s->pair[i];
    return bits;
}

/* b, b' - b and b', the least of each; false where some b' is not finite */
static int compare_best(const Tile *s, Block *b) {
    b->least = b->rise = b->least_now = INFINITY;
    int is_finite = 1;
    for (ptrdiff_t t = 0; t < s->rows; t++) {
        if (!(b->present >> t & 1)) continue;
        is_finite &= b->best[t] >= -REAL_MAX;
        b->least = smaller_of(b->before[t], b->least);
        b->rise = smaller_of(b->best[t] - b->before[t], b->rise);
        b->least_now = smaller_of(b->best[t], b->least_now);
    }
    return is_finite;
}

/* bounds of the gaps, into `upper` */
ALONE void bound_gaps(const Pass *p, const Tile *s, const Block *b) {
    const double least = b->least, rise = b->rise, least_now = b->least_now;
    const double *before = p->constants, *lose = s->lose, *turn = s->turn, *drop = s->drop;
    const real *constants = s->constants;
    double *bound = s->upper;
    for (ptrdiff_t j = 0; j < p->k; j++) {
        const double gap = b->gaps[j], rest = before[j] - least + gap, e = rest > 0 ? rest : 0;
        const double carried = gap + rise + drop[j] - lose[j] * e - turn[j] * sqrt(e);
        const double highest = least_now - constants[j];
        bound[j] = carried > highest ? carried : highest;
    }
}

/* Computes all rows with the components whose bounds do not hold. */
static double renew(const Pass *p, Tile *s, Block *b, uint64_t *bits) {
    double renewed = 0.0;
    const ptrdiff_t known = s->listed;
    for (ptrdiff_t q = 0; q < known; q++) {
        const ptrdiff_t j = s->component[q];
        if (bits[q] == b->present || s->upper[j] >= p->margin) continue;
        score_rows_of_block(p, q, s);
        raise_best(s, b->present, s->resp + q * MASK_ROWS, b);
        bits[q] = b->present;
        renewed++;
    }
    for (ptrdiff_t j = 0; j < p->k; j++) {
        if (b->masks[j] || s->upper[j] >= p->margin) continue;
        const ptrdiff_t q = s->listed++;
        s->component[q] = (int32_t)j;
        score_rows_of_block(p, q, s);
        raise_best(s, b->present, s->resp + q * MASK_ROWS, b);
        bits[q] = b->present;
        renewed++;
    }
    return renewed;
}

/* exp(l_j - b), their sums, and the masks for the next pass */
static void exponentials(const Pass *p, Tile *s, Block *b, uint64_t *bits, double *sum) {
    for (ptrdiff_t t = 0; t < MASK_ROWS; t++) sum[t] = 0;
    for (ptrdiff_t j = 0; j < p->k; j++)
        if (!b->masks[j]) b->gaps[j] = kept_gap(s->upper[j]);
    for (ptrdiff_t q = 0; q < s->listed; q++) {
        const ptrdiff_t j = s->component[q];
        const double others = bits[q] == b->present ? INFINITY : s->upper[j];
        bits[q] = draw_mask(p, s, b, j, bits[q], s->resp + q * MASK_ROWS, others, sum);
    }
}

/* w / sum in place of the sums; the log-likelihood of the block */
static double normalise_block(const Tile *s, const Block *b, double *sum) {
    double total[LANES] = {0};
    for (ptrdiff_t t = 0; t < s->padded; t += LANES) {
        const vec w = load(s->weight + t), all = pick(w > 0, load(sum + t), fill(1));
        add_to(total, pick(w > 0, w * (load(b->best + t) + log_positive(all)), fill(0)));
        store(sum + t, w / all);
    }
    return sum_lanes(total);
}

static void add_block(const Pass *p, Tile *s, const uint64_t *bits, const double *scale,
                      double *slot) {
    for (ptrdiff_t q = 0; q < s->listed; q++) {
        const ptrdiff_t j = s->component[q];
        real *r = s->resp + q * MASK_ROWS;
        uint64_t shared = 0;
        vec sum = {0};
        for (ptrdiff_t t = 0; t < s->padded; t += LANES) {
            if (!lanes_at(bits[q], t)) continue;
            const vec share = load(r + t) * load(scale + t);
            store(r + t, share);
            shared |= bits_of(share > 0) << t;
            sum += share;
        }
        if (!shared) continue;
        add_to(slot + resp_sum_at(j), sum);
        const ptrdiff_t n = list_bits(shared, s->active);
        slot[SHARED] += (double)n;
        add_pairs(p, s, j, n, r, slot);
    }
}

/* Asks for what is kept of the next block while this one is worked on. */
INLINE void prefetch_block(const Pass *p, const Tile *s) {
    const ptrdiff_t next = (s->start / MASK_ROWS + 1) * p->k;
    if (s->start + MASK_ROWS >= p->n) return;
    for (ptrdiff_t j = 0; j < p->k; j += 8) __builtin_prefetch(p->masks + next + j, 1, 2);
    for (ptrdiff_t j = 0; j < p->k; j += 16) __builtin_prefetch(p->gaps + next + j, 1, 2);
}

/* A pass over one block with masks; false where it must be computed with all components. */
static int run_masked(const Pass *p, Tile *s, double *slot) {
    Block b = block_at(p, s);
    double sum[MASK_ROWS], computed = 0.0;
    uint64_t *bits = s->bits;
    prefetch_block(p, s);
    if (isnan(b.before[0])) return 0;
    s->listed = 0;
    for (ptrdiff_t j = 0; j < p->k; j++) {
        b.masks[j] &= b.present;
        if (!b.masks[j]) continue;
        const ptrdiff_t q = s->listed++;
        s->component[q] = (int32_t)j;
        bits[q] = score_mask(p, q, &b, s);
        computed += (double)__builtin_popcountll(bits[q]) / MASK_ROWS;
        raise_best(s, bits[q], s->resp + q * MASK_ROWS, &b);
    }
    if (!compare_best(s, &b)) return 0;
    bound_gaps(p, s, &b);
    computed += renew(p, s, &b, bits);
    if (wants(p, LABELS)) find_labels(p, s);
    exponentials(p, s, &b, bits, sum);
    slot[LOG_LIKELIHOOD] += normalise_block(s, &b, sum);
    memcpy(b.before, b.best, s->rows * sizeof(double));
    add_block(p, s, bits, sum, slot);
    slot[COMPUTED] += computed;
    return 1;
}

#endif

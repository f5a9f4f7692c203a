/* The loop of a pass: tiles, slots, and what comes before and after them. */
#ifndef MIXTURA_RUN_H
#define MIXTURA_RUN_H

#include "gather.h"
#ifndef SINGLE
#include "masks.h"
#endif
#include "prune.h"
#include "steps.h"

/* ---- one tile, one slot ---- */

/* weight of the tile's rows, exactly as given */
INLINE double weight_of(const Pass *p, const Tile *s) {
    double weight = 0.0;
    if (!p->is_weighted) return (double)s->rows;
    for (ptrdiff_t t = 0; t < s->rows; t++) weight += p->sample_weight[row_at(p, s->start + t)];
    return weight;
}

/* k numbers of each row */
static void write_table(const Pass *p, const Tile *s, double level, double *out) {
    for (ptrdiff_t t = 0; t < s->rows; t++)
        for (ptrdiff_t j = 0; j < p->k; j++)
            out[row_at(p, s->start + t) * p->k + j] = s->resp[j * p->tile + t] + level;
}

static void write_rows(const Pass *p, const Tile *s) {
    for (ptrdiff_t t = 0; t < s->rows; t++) {
        const ptrdiff_t row = row_at(p, s->start + t);
        if (wants(p, LABELS)) p->labels[row] = s->label[t];
        if (wants(p, LOG_PROB)) p->log_prob[row] = s->log_prob[t] + *s->level;
    }
}

static void run_tile(const Pass *p, Tile *s, double *slot) {
    const Step *step = p->step;
    gather(p, s);
#ifndef SINGLE
    if (p->bounds == KNOWN_MASKS) {
        if (run_masked(p, s, slot)) {
            slot[WEIGHT] += weight_of(p, s);
            if (wants(p, LABELS)) write_rows(p, s);
            return;
        }
        if (!s->is_turned) turn_rows(p, s);
    }
#endif
    if (p->bounds == NO_BOUNDS || has_masks(p) || step->bounds_rows) {
        s->listed = p->k;
        for (ptrdiff_t j = 0; j < p->k; j++) s->component[j] = (int32_t)j;
        step->score(p, 0, s);
    } else
        score_what_matters(p, s);
#ifndef SINGLE
    if (has_masks(p)) draw_masks(p, s);
#endif
    if (wants(p, LOG_DENSITY)) write_table(p, s, *s->level, p->log_density);
    if (p->has_prior) add_prior(p, s);
    s->log_likelihood = 0.0;
    step->share(p, s);
    if (wants(p, RESP)) write_table(p, s, 0.0, p->resp);
    if (wants(p, LOG_PROB | LABELS)) write_rows(p, s);
    if (wants(p, SUMS)) {
        const double weight = weight_of(p, s);
        step->add(p, s, slot);
        slot[LOG_LIKELIHOOD] += s->log_likelihood + *s->level * weight;
        slot[WEIGHT] += weight;
        slot[COMPUTED] += (double)s->listed;
    }
}

INLINE double *slot_at(const Pass *p, ptrdiff_t index) {
    return p->slots + index * (p->slot_size / (ptrdiff_t)sizeof(double));
}

static void run_slot(const Pass *p, ptrdiff_t index, void *scratch, Watch *watch) {
    Tile s;
    place_mixture(p, p->mixture, &s);
    place_scratch(p, scratch, &s);
    memset(s.by_row, 0, p->tile * row_stride(p) * sizeof(real)); /* its padding stays zero */
    double *slot = wants(p, SUMS) ? slot_at(p, index) : NULL;
    if (wants(p, SUMS)) memset(slot, 0, p->slot_size);
    const ptrdiff_t first = index * p->tiles_per_slot * p->tile;
    const ptrdiff_t end = smaller(p->n, first + p->tiles_per_slot * p->tile);
    for (s.start = first; s.start < end && !stopped(watch); s.start += p->tile) {
        s.rows = smaller(p->tile, end - s.start);
        s.padded = round_up(s.rows, ROWS);
        run_tile(p, &s, slot);
    }
}

/* ---- before and after ---- */

static const ptrdiff_t TILE_BYTES = 24 * 1024; /* half of L1: what the inner loops of (5) read */
static const ptrdiff_t SLOT_BYTES = 16 * 1024 * 1024; /* of all slots, unless they are too few */
enum { LEAST_TILE = 64, LARGEST_TILE = 256, LEAST_SLOTS = 8, MOST_SLOTS = 64 };

/* Floats may have as many bytes to a tile as doubles: adding its sums as doubles takes long. Not where
   bounds are better for few rows, and not for diagonals, which have few sums. */
INLINE ptrdiff_t largest_tile(const Pass *p) {
    const int more = p->k < MANY_COMPONENTS && !is_diagonal(p);
    return more ? LARGEST_TILE * (ptrdiff_t)(sizeof(double) / sizeof(real)) : LARGEST_TILE;
}

/* Deals the tiles to slots of so many doubles. */
static void deal(Pass *p, ptrdiff_t slot_numbers) {
    p->slot_size = round_up(slot_numbers * sizeof(double), 64);
    ptrdiff_t slots = SLOT_BYTES / p->slot_size;
    slots = slots < LEAST_SLOTS ? LEAST_SLOTS : slots > MOST_SLOTS ? MOST_SLOTS : slots;
    ptrdiff_t tiles = (p->n + p->tile - 1) / p->tile;
    p->tiles_per_slot = (tiles + slots - 1) / slots;
    if (p->tiles_per_slot == 0) p->tiles_per_slot = 1;
    p->n_slots = (tiles + p->tiles_per_slot - 1) / p->tiles_per_slot;
}

/* Cuts n rows into tiles and slots; depends on the problem alone. */
static void cut(Pass *p) {
    p->dp = round_up(p->d, PAD);
    p->narrow = p->d <= NARROW && p->step->by_row != ALWAYS;
    p->by_row = p->step->by_row == ALWAYS
                || (p->step->by_row == FOR_WIDE_SUMS && !p->narrow && wants(p, SUMS));
    p->rows_alone = p->step->bounds_rows && !are_few_products(p);
    p->scatter_size = p->step->scatter_size(p);
    ptrdiff_t row_bytes = sizeof(real) * (p->d <= NARROW ? p->d + 1 : 2 * p->dp);
    ptrdiff_t tile = TILE_BYTES / row_bytes / ROWS * ROWS;
    p->tile = tile < LEAST_TILE ? LEAST_TILE : smaller(tile, largest_tile(p));
    if (has_masks(p)) p->tile = MASK_ROWS;
    p->margin = p->step->margin;
    if (p->k >= MANY_COMPONENTS) p->margin = fmin(p->margin, MANY_MARGIN + log((double)p->k));
    deal(p, slot_end(p));
    Tile s;
    p->mixture_size = place_mixture(p, NULL, &s);
    p->scratch_size = place_scratch(p, NULL, &s);
}

static void lay_out(const Pass *p) {
    Tile s;
    place_mixture(p, p->mixture, &s);
    memset(s.means, 0, p->k * p->dp * sizeof(real));
    memset(s.row_means, 0, p->k * p->dp * sizeof(real));
    for (ptrdiff_t j = 0; j < p->k; j++)
        for (ptrdiff_t a = 0; a < p->d; a++) {
            s.row_means[j * p->dp + a] = (real)p->means[j * p->d + a];
            s.means[j * p->dp + a] = (real)(p->means[j * p->d + a] - centre_of(p, a));
        }
    *s.level = 0.0;
    p->step->lay_out(p, &s);
#ifndef SINGLE
    if (has_masks(p)) lay_out_masks(p, &s);
#endif
}

/* Adds the slots in order, then their lanes. */
static void reduce_slots(const Pass *p, Sums *sums) {
    double *total = slot_at(p, 0);
    const ptrdiff_t size = slot_end(p);
    for (ptrdiff_t index = 1; index < p->n_slots; index++) {
        const double *slot = slot_at(p, index);
        for (ptrdiff_t i = 0; i < size; i++) total[i] += slot[i];
    }
    sums->log_likelihood = total[LOG_LIKELIHOOD];
    sums->weight = total[WEIGHT];
    sums->computed = total[COMPUTED];
    sums->shared = total[SHARED];
    for (ptrdiff_t j = 0; j < p->k; j++) sums->resp_sum[j] = sum_lanes(total + resp_sum_at(j));
    p->step->reduce(p, total, sums);
}

/* The means as tiles have them: in single precision, those of the mixture rounded. */
static void write_centres(const Pass *p, double *centres) {
    Tile s;
    place_mixture(p, p->mixture, &s);
    for (ptrdiff_t j = 0; j < p->k; j++)
        for (ptrdiff_t a = 0; a < p->d; a++)
            centres[j * p->d + a] = (double)s.row_means[j * p->dp + a]
                                    + (rows_are_centred(p) ? centre_of(p, a) : 0.0);
}

#define PRECISION                                                                      \
    {                                                                                  \
        LANES, sizeof STEPS / sizeof *STEPS, STEPS,                                    \
        cut, lay_out, run_slot, reduce_slots, write_centres                            \
    }

#endif

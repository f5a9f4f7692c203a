/* The two best scores of each row of a tile where there is little to multiply. Lanes are rows.

   As in scores.h, but in the precision of the tile, and from rows by feature, so that lanes need not
   be compared with each other in the end. FEW means share each load. */
#ifndef MIXTURA_NARROW_H
#define MIXTURA_NARROW_H

#include "tile.h"

enum { FEW = 4, FEW_PRODUCTS = 2048 }; /* the second was measured */

/* To compare a score with the best ones takes as long as eight products. */
INLINE int are_few_products(const Pass *p) { return p->k * (p->d + 8) < FEW_PRODUCTS; }

typedef struct {
    real *half_square; /* of each row */
    real *best, *second;
    whole *label;
} Narrow_scores;

static ptrdiff_t place_narrow(const Pass *p, char *base, Narrow_scores *narrow) {
    char *next = base;
    const ptrdiff_t tile = are_few_products(p) ? p->tile : 0;
    narrow->half_square = take(&next, tile, sizeof(real));
    narrow->best = take(&next, tile, sizeof(real));
    narrow->second = take(&next, tile, sizeof(real));
    narrow->label = take(&next, tile, sizeof(whole));
    return next - base;
}

static void start_narrow(const Pass *p, const Tile *s, const Narrow_scores *found) {
    for (ptrdiff_t t = 0; t < s->padded; t += LANES) {
        vec sum = {0};
        for (ptrdiff_t a = 0; a < p->d; a++) {
            const vec x = load(s->by_feature + a * p->tile + t);
            sum += x * x;
        }
        store(found->half_square + t, sum / 2);
        store(found->best + t, fill(-INFINITY));
        store(found->second + t, fill(-INFINITY));
        memset(found->label + t, 0, LANES * sizeof *found->label);
    }
}

/* Scores `count` means from j on. */
INLINE void score_few(const int count, const Pass *p, const Tile *s, const real *half_squares,
                      whole j, const Narrow_scores *found) {
    const ptrdiff_t d = p->d, tile = p->tile, padded = s->padded;
    const real *by_feature = s->by_feature, *mean[FEW];
    real *best_of = found->best, *second_of = found->second;
    whole *label_of = found->label;
    for (int o = 0; o < count; o++) mean[o] = s->means + (j + o) * p->dp;
    for (ptrdiff_t t = 0; t < padded; t += ROWS) {
        vec sum[FEW][GROUP];
        for (int o = 0; o < count; o++)
            for (int g = 0; g < GROUP; g++) sum[o][g] = fill(-half_squares[j + o]);
        for (ptrdiff_t a = 0; a < d; a++) {
            vec x[GROUP];
            for (int g = 0; g < GROUP; g++) x[g] = load(by_feature + a * tile + t + g * LANES);
            for (int o = 0; o < count; o++)
                for (int g = 0; g < GROUP; g++) sum[o][g] += mean[o][a] * x[g];
        }
        for (int g = 0; g < GROUP; g++) {
            const ptrdiff_t at = t + g * LANES;
            vec best = load(best_of + at), second = load(second_of + at);
            mask label;
            memcpy(&label, label_of + at, sizeof label);
            for (int o = 0; o < count; o++) {
                const mask above = sum[o][g] > best;
                second = larger(second, pick(above, best, sum[o][g]));
                best = larger(best, sum[o][g]);
                label = (above & (j + o)) | (~above & label);
            }
            store(best_of + at, best);
            store(second_of + at, second);
            memcpy(label_of + at, &label, sizeof label);
        }
    }
}

static void score_narrow(const Pass *p, const Tile *s, const real *half_squares,
                         const Narrow_scores *found) {
    start_narrow(p, s, found);
    ptrdiff_t j = 0;
    for (; j + FEW <= p->k; j += FEW) score_few(FEW, p, s, half_squares, (whole)j, found);
    switch (p->k - j) {
    case 1: score_few(1, p, s, half_squares, (whole)j, found); break;
    case 2: score_few(2, p, s, half_squares, (whole)j, found); break;
    case 3: score_few(3, p, s, half_squares, (whole)j, found); break;
    }
}

#endif

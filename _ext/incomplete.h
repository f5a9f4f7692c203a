/* One pass over rows in which numbers are missing, NaN in their place.

   With o the observed features of a row and m the others, the density of component j is that of
   x_o alone, and what is added up are the sums that the complete row would be expected to have:
   E[x_m] stands for the missing numbers, and the scatter gains r_j V, their covariance given x_o
   (Ghahramani and Jordan, "Supervised learning from incomplete data via an EM approach", Advances
   in Neural Information Processing Systems 6, 120-127, 1994). reference/incomplete.py has the
   formulas.

   Rows are read in an order by what they lack (kernels/patterns.py), so that a slot is a few parts:

     mixed rows, each lacking features of its own     holes.h       solved row by row, in lanes
     runs: many rows that lack the same ones          marginal.h    an ordinary pass over the others
     complete rows: the run that lacks nothing

   Each part is a pass of its own (part.h): with its own features, mixture and sums, it uses the
   functions of the ordinary pass. Its sums are those of complete rows when it ends, and are added
   to the slot. The weight of rows in which a feature is observed is kept beside them.

   Of a row i with shares r_ij of its weight w_i, "entropy" adds up -sum_j r_ij log(r_ij / w_i): in
   EM of complete rows it follows from the other sums, but not where these are expectations.

   Memory, besides that of pass.h: each thread has a mixture and a slot of its own for the part, 4 k
   d d doubles for the conditional moments of a run, and for mixed rows k m m / 2 doubles of each
   row of a tile, of which there are fewer where that would be much. */
#ifndef MIXTURA_INCOMPLETE_H
#define MIXTURA_INCOMPLETE_H

#include "holes.h"
#include "marginal.h"
#include "run.h"

/* ---- the E-steps: ordinary ones, but that distances are of what is observed ---- */

static void lay_out_unit_spheres(const Pass *p, Tile *s) {
    lay_out_points(p, s);
    *s->heaviest = 0;
}

/* the first of the nearest means; l_j = -1/2 |x_o - m_jo|^2 */
static const Step observed_nearest = {
    .name = "nearest",
    .by_row = FOR_WIDE_SUMS,
    .keeps_scores = 1,
    .is_distance = 1,
    .scatter_size = moments_size,
    .lay_out = lay_out_unit_spheres,
    .score = score_densities,
    .share = share_to_most_probable,
    .add = add_moments,
    .reduce = reduce_moments,
};

/* in the order of steps.h */
static const Step *const INCOMPLETE_STEPS[] = {&soft, &hard, &observed_nearest};

/* ---- a tile ---- */

/* Distance in rows at which a row is asked for before it is read. */
enum { AHEAD = 16 };

/* The features a of row t that it lacks, the last one first. */
INLINE void list_lacking(const Pass *p, Part *part, ptrdiff_t t) {
    const ptrdiff_t tile = p->tile;
    int32_t m = 0;
    for (ptrdiff_t a = p->d - 1; a >= 0; a--)
        if (isnan(part->tile.by_feature[a * tile + t])) part->lacking[m++ * tile + t] = (int32_t)a;
    part->lacks[t] = m;
    for (; m < p->most_missing; m++) part->lacking[m * tile + t] = (int32_t)p->d;
}

/* Brings the kept features in; rows without weight, and those that fill up, are the first mean. */
INLINE void gather_kept(const int is_float32, const Pass *p, Part *part) {
    Tile *s = &part->tile;
    const ptrdiff_t tile = p->tile, stride = row_stride(p);
    for (ptrdiff_t t = 0; t < s->padded; t++) {
        const ptrdiff_t place = s->start + t;
        const int present = t < s->rows && (!p->is_weighted
                                            || p->sample_weight[row_at(p, place)] != 0.0);
        s->weight[t] = !present ? 0.0
                       : p->is_weighted ? p->sample_weight[row_at(p, place)] : 1.0;
        if (place + AHEAD < part->end)
            __builtin_prefetch(p->X + row_at(p, place + AHEAD) * p->row_stride);
        const char *row = present ? p->X + row_at(p, place) * p->row_stride : NULL;
        for (ptrdiff_t a = 0; a < p->d; a++) {
            const double x =
                present ? element(row + part->kept[a] * p->column_stride, is_float32) : s->means[a];
            s->by_feature[a * tile + t] = x;
            if (p->by_row) s->by_row[t * stride + a] = x;
        }
        if (part->is_mixed) list_lacking(p, part, t);
    }
}

/* Writes the rows of a tile, with what is expected in place of what is missing. */
static void write_completed(const Pass *p, const Pass *own, const Part *part) {
    const Tile *s = &part->tile;
    for (ptrdiff_t t = 0; t < s->rows; t++) {
        const ptrdiff_t row = row_at(p, s->start + t);
        for (ptrdiff_t a = 0; a < own->d; a++)
            *completed_at(p, row, part->kept[a]) = s->by_feature[a * own->tile + t];
        const ptrdiff_t m = part->is_mixed ? part->lacks[t] : part->n_lost;
        for (ptrdiff_t i = 0; i < m; i++) {
            const ptrdiff_t a = part->is_mixed ? part->lacking[i * own->tile + t] : part->lost[i];
            double sum = 0.0;
            for (ptrdiff_t j = 0; j < p->k; j++) {
                double x = 0.0;
                if (!part->is_mixed) x = expected_of_run(p, part, j, i, t);
                else if (is_diagonal(p)) x = p->means[j * p->d + a];
                else
                    x = p->means[j * p->d + a]
                        + part->expected[(j * p->most_missing + i) * own->tile + t];
                sum += s->resp[j * own->tile + t] * x;
            }
            *completed_at(p, row, a) = sum;
        }
    }
}

static void run_part_tile(const Pass *p, const Shared *shared, Part *part, double *slot) {
    const Pass *own = &part->pass;
    Tile *s = &part->tile;
    if (p->is_float32) gather_kept(1, own, part);
    else gather_kept(0, own, part);
    s->listed = p->k;
    for (ptrdiff_t j = 0; j < p->k; j++) s->component[j] = (int32_t)j;
    if (part->is_mixed) score_mixed(own, shared, part);
    else own->step->score(own, 0, s);
    if (wants(p, LOG_DENSITY)) write_table(own, s, 0.0, p->log_density);
    if (p->has_prior) add_prior(own, s);
    s->log_likelihood = 0.0;
    own->step->share(own, s);
    if (wants(p, RESP)) write_table(own, s, 0.0, p->resp);
    if (wants(p, LOG_PROB | LABELS)) write_rows(own, s);
    if (wants(p, COMPLETED)) write_completed(p, own, part);
    if (wants(p, SUMS)) {
        if (part->is_mixed) add_mixed(own, part);
        else own->step->add(own, s, part->sums);
        slot[LOG_LIKELIHOOD] += s->log_likelihood;
        slot[WEIGHT] += weight_of(own, s);
        if (wants(p, ENTROPIES)) slot[ENTROPY] += entropy_of(own, s);
    }
}

/* ---- a part, a slot ---- */

static void start_mixed(const Pass *p, Part *part) {
    part->pass = sized(p, p->d, 1);
    for (ptrdiff_t a = 0; a < p->d; a++) part->kept[a] = (int32_t)a;
    part->n_lost = 0;
}

/* Variances of what mixed rows lack, and the weight of what they have. */
static void lift_mixed_diagonal(const Pass *p, const Part *part, double *slot) {
    const Pass *own = &part->pass;
    for (ptrdiff_t j = 0; j < p->k; j++) {
        const double resp_sum = sum_lanes(part->sums + resp_sum_at(j));
        double *xx = slot + total_xx_at(p) + (p->shape == DIAG ? j * p->d : j);
        for (ptrdiff_t a = 0; a < p->d; a++) {
            const double seen =
                sum_lanes(part->sums + slot_end(own) + (j * p->d + a) * LANES);
            slot[observed_at(p) + j * p->d + a] += seen;
            xx[p->shape == DIAG ? a : 0] += (resp_sum - seen) * lost_variance(p, j, a);
        }
    }
}

static void run_part(const Pass *p, const Shared *shared, Part *part, double *slot, Watch *watch) {
    if (part->is_mixed) start_mixed(p, part);
    else start_run(p, part);
    const Pass *own = &part->pass;
    Tile *s = &part->tile;
    place_mixture(own, own->mixture, s);
    place_scratch(own, part->scratch, s);
    const ptrdiff_t most = smaller(own->tile, round_up(part->end - part->first, ROWS));
    memset(s->by_row, 0, most * row_stride(own) * sizeof(real)); /* its padding stays zero */
    const ptrdiff_t size = slot_end(own) + (part->is_mixed ? p->k * p->d * LANES : 0);
    if (wants(p, SUMS)) memset(part->sums, 0, size * sizeof(double));
    for (s->start = part->first; s->start < part->end && !stopped(watch); s->start += own->tile) {
        s->rows = smaller(own->tile, part->end - s->start);
        s->padded = round_up(s->rows, ROWS);
        run_part_tile(p, shared, part, slot);
    }
    if (!wants(p, SUMS)) return;
    lift(p, part, slot);
    if (part->is_mixed && is_diagonal(p)) lift_mixed_diagonal(p, part, slot);
}

/* How many of the places where runs begin are not beyond a place. */
static ptrdiff_t runs_until(const Pass *p, ptrdiff_t place) {
    ptrdiff_t low = 0, high = p->n_runs;
    while (low < high) {
        const ptrdiff_t middle = (low + high) / 2;
        if (p->runs[middle] <= place) low = middle + 1;
        else high = middle;
    }
    return low;
}

static void run_incomplete_slot(const Pass *p, ptrdiff_t index, void *scratch, Watch *watch) {
    Part part;
    Shared shared;
    Tile s;
    place_shared(p, p->mixture + place_mixture(p, NULL, &s), &shared);
    place_part(p, scratch, &part);
    double *slot = wants(p, SUMS) ? slot_at(p, index) : NULL;
    if (wants(p, SUMS)) memset(slot, 0, p->slot_size);
    const ptrdiff_t size = p->tiles_per_slot * p->tile;
    const ptrdiff_t end = smaller(p->n, (index + 1) * size);
    part.first = index * size;
    for (ptrdiff_t run = runs_until(p, part.first); part.first < end; run++) {
        part.is_mixed = run == 0;
        part.end = smaller(end, run < p->n_runs ? p->runs[run] : p->n);
        if (part.first < part.end) run_part(p, &shared, &part, slot, watch);
        part.first = part.end;
    }
}

/* ---- before and after ---- */

/* Rows to a slot, if there are so many: to lay out a run and to lift its sums takes as long as 100
   to 250 rows of it, and every slot does so for the runs it has a part in. */
enum { LEAST_ROWS = 1024 };

static void cut_incomplete(Pass *p) {
    Part part;
    Shared shared;
    p->is_centred = 0;
    cut(p);
    deal(p, totals_end(p));
    const ptrdiff_t least = (LEAST_ROWS + p->tile - 1) / p->tile;
    if (p->tiles_per_slot < least) p->tiles_per_slot = least;
    p->n_slots = (p->n + p->tiles_per_slot * p->tile - 1) / (p->tiles_per_slot * p->tile);
    p->mixture_size = round_up(p->mixture_size, 64) + place_shared(p, NULL, &shared);
    p->scratch_size = place_part(p, NULL, &part);
}

static void lay_out_incomplete(const Pass *p) {
    Tile s;
    Shared shared;
    lay_out(p);
    place_shared(p, p->mixture + place_mixture(p, p->mixture, &s), &shared);
    lay_out_shared(p, &shared);
}

static void reduce_incomplete(const Pass *p, Sums *sums) {
    double *total = slot_at(p, 0);
    const ptrdiff_t size = totals_end(p), k = p->k, d = p->d;
    for (ptrdiff_t index = 1; index < p->n_slots; index++)
        for (ptrdiff_t i = 0; i < size; i++) total[i] += slot_at(p, index)[i];
    sums->log_likelihood = total[LOG_LIKELIHOOD];
    sums->weight = total[WEIGHT];
    sums->computed = (double)((p->n + p->tile - 1) / p->tile * k);
    memcpy(sums->resp_sum, total + HEADER, k * sizeof(double));
    memcpy(sums->resp_x, total + total_x_at(p), k * d * sizeof(double));
    memcpy(sums->resp_xx, total + total_xx_at(p), total_xx_size(p) * sizeof(double));
    sums->entropy = total[ENTROPY];
    if (wants(p, OBSERVED)) memcpy(p->observed, total + observed_at(p), k * d * sizeof(double));
}

#define INCOMPLETE                                                                       \
    {                                                                                    \
        LANES, sizeof INCOMPLETE_STEPS / sizeof *INCOMPLETE_STEPS, INCOMPLETE_STEPS,     \
        cut_incomplete, lay_out_incomplete, run_incomplete_slot, reduce_incomplete,      \
        write_centres                                                                    \
    }

#endif

/* k-means++ over rows in memory: all seeds in one call.

   With D_i the squared distance of row i to its nearest seed, some rows are drawn with chances
   w_i D_i, and that one becomes a seed which leaves the least

     (1)  sum_i w_i min(D_i, |x_i - c|^2).

   Only rows that get nearer change (1), so the trial is taken that gains most,

     (2)  gain_c = sum over rows with |x_i - c|^2 < D_i of w_i (D_i - |x_i - c|^2).

   With j seeds about one row in j gets nearer to a trial. Rows rounded to bytes (codes.h) tell
   which rows may; for these alone the distance is computed, from the numbers as they came. So all
   D are exact, and no seed depends on how rows are rounded. Which rows get nearer is kept until a
   trial is taken, a bit each, and their distances where there is room for them. Where most rows
   of a tile may get nearer, as to the first seeds, its features are turned into columns, and all
   of its distances are computed, with rows as lanes.

   Rows are drawn where the cumulated chances exceed a share of their total. Chances are added up
   within a tile first, then tile by tile, so that only tiles that change are added up again.

   Tiles are dealt to slots by a rule that depends on the number of rows, and the gains of slots
   are added in order: the bits of a result do not depend on the number of threads.

   Memory: d + 29 bytes a row, and a bit a trial; and the columns, where they are few.

   D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007. Which
   rows cannot change is otherwise found by distances between seeds (E. Raff, "Exact acceleration
   of k-means++ and k-means||", IJCAI 2021). These say nothing where rows are as far from their
   seed as seeds from each other, as they are among many features. */
#ifndef MIXTURA_SEEDING_H
#define MIXTURA_SEEDING_H

#include "codes.h"

enum { SLOTS = 64, LEAST_SLOT = 8, LARGEST_SLOT = 1024 }; /* the latter two in tiles */
static const double TIE = 1e-12; /* of the sum of all chances: above rounding */
enum { PAIR_WORK = 16 }; /* of a pair beside its features, in instructions */
enum { FEW_BYTES = 1 << 19 };   /* half of a second-level cache */
enum { SAMPLE = 63, FEW = 31 }; /* rows that say what the unit is, and where the middle */

typedef struct Seeding Seeding;

struct Seeding {
    Pass rows; /* first: what threads are given */
    void (*work)(const Seeding *s, ptrdiff_t first, ptrdiff_t end, double *columns,
                 double *slot);
    ptrdiff_t n_trials;
    Codes codes;
    double *nearest;      /* of rows: D */
    double *chances;      /* of tiles */
    double *cumulated, total;
    uint64_t *nearer;     /* of tiles: rows that get nearer to each trial */
    double *kept;         /* their squared distances, as many as a slot has rows */
    ptrdiff_t *kept_from; /* of tiles: where theirs begin; below 0 where there was no room */
    double *columns;      /* of tiles, where the rows are few; else NULL */
    double *trials;       /* rows */
    int32_t *trial_codes;
    Point *points;
    int64_t *drawn;
    ptrdiff_t chosen;     /* a trial */
    double n_nearer;      /* rows that get nearer to it */
};

/* ---- rows ---- */

INLINE double weight_at(const Pass *p, ptrdiff_t i) {
    return p->is_weighted ? p->sample_weight[i] : 1.0;
}

INLINE double number_at(const Pass *p, ptrdiff_t i, ptrdiff_t a) {
    const char *at = p->X + i * p->row_stride + a * p->column_stride;
    return p->is_float32 ? (double)*(const float *)at : *(const double *)at;
}

static void read_row(const Pass *p, ptrdiff_t i, double *row) {
    for (ptrdiff_t a = 0; a < p->d; a++) row[a] = number_at(p, i, a);
}

INLINE double element_of(const int is_float32, const char *x, ptrdiff_t a) {
    return is_float32 ? (double)((const float *)x)[a] : ((const double *)x)[a];
}

INLINE vec load_as_doubles(const int is_float32, const char *x, ptrdiff_t a) {
    few_floats narrow;
    if (!is_float32) return load((const double *)x + a);
    memcpy(&narrow, (const float *)x + a, sizeof narrow);
#if VECTOR_BYTES == 64
    return (vec)_mm512_cvtps_pd((__m256)narrow);
#else
    return __builtin_convertvector(narrow, vec);
#endif
}

/* |x - y|^2 of a row whose features lie side by side */
INLINE double squared_distance(const int is_float32, const char *x, const double *y, ptrdiff_t d) {
    vec sum = {0}, other = {0};
    ptrdiff_t a = 0;
    for (; a + 2 * LANES <= d; a += 2 * LANES) {
        const vec left = load_as_doubles(is_float32, x, a) - load(y + a);
        const vec right = load_as_doubles(is_float32, x, a + LANES) - load(y + a + LANES);
        sum += left * left;
        other += right * right;
    }
    for (; a + LANES <= d; a += LANES) {
        const vec left = load_as_doubles(is_float32, x, a) - load(y + a);
        sum += left * left;
    }
    double total = total_lane(sum + other);
    for (; a < d; a++) {
        const double z = element_of(is_float32, x, a) - y[a];
        total += z * z;
    }
    return total;
}

static void add_chances(const Seeding *s, ptrdiff_t tile) {
    const Pass *p = &s->rows;
    const ptrdiff_t first = tile * CODED, end = smaller(first + CODED, p->n);
    double lanes[LANES] = {0};
    ptrdiff_t i = first;
    vec sum = {0};
    for (; i + LANES <= end; i += LANES) {
        const vec nearest = load(s->nearest + i);
        sum += p->is_weighted ? load(p->sample_weight + i) * nearest : nearest;
    }
    store(lanes, sum);
    for (ptrdiff_t l = 0; i < end; i++, l++) lanes[l] += weight_at(p, i) * s->nearest[i];
    s->chances[tile] = sum_lanes(lanes);
}

/* ---- the middle of the rows, and the unit ---- */

static void sort(double *x, ptrdiff_t n) {
    for (ptrdiff_t i = 1; i < n; i++) {
        const double moved = x[i];
        ptrdiff_t at = i;
        for (; at > 0 && x[at - 1] > moved; at--) x[at] = x[at - 1];
        x[at] = moved;
    }
}

/* Evenly spaced rows of positive weight, at most `most`. */
static ptrdiff_t sample(const Pass *p, ptrdiff_t most, ptrdiff_t *rows) {
    ptrdiff_t n = 0;
    for (ptrdiff_t m = 0; m < most; m++) {
        const ptrdiff_t i = (ptrdiff_t)((m + 0.5) / most * p->n);
        if (weight_at(p, i) > 0.0) rows[n++] = i;
    }
    return n;
}

/* Medians of a few rows; and a unit by which nineteen of twenty rows can be rounded. Rows far away
   change neither. */
static void choose_unit(Seeding *s) {
    const Pass *p = &s->rows;
    ptrdiff_t rows[SAMPLE], n = sample(p, FEW, rows);
    double numbers[SAMPLE], largest = 0.0;
    for (ptrdiff_t a = 0; a < p->d; a++) {
        for (ptrdiff_t m = 0; m < n; m++) numbers[m] = number_at(p, rows[m], a);
        sort(numbers, n);
        s->codes.middle[a] = n > 0 ? numbers[n / 2] : 0.0;
    }
    n = sample(p, SAMPLE, rows);
    for (ptrdiff_t m = 0; m < n; m++) {
        double most = 0.0;
        for (ptrdiff_t a = 0; a < p->d; a++) {
            const double size = fabs(number_at(p, rows[m], a) - s->codes.middle[a]);
            most = size > most ? size : most; /* GCC 12 for AArch64 crashes on fmax here */
        }
        numbers[m] = most;
    }
    sort(numbers, n);
    if (n > 0) largest = numbers[n * 19 / 20] > 0.0 ? numbers[n * 19 / 20] : numbers[n - 1];
    const int is_usual = largest > 1e-250 && largest < 1e250; /* else all rows are compared */
    s->codes.per_unit = is_usual ? LARGEST_CODE / largest : 1.0;
}

/* ---- what is done with tiles ---- */

/* How rows lie in memory, or that their distances are known. */
enum { FLOATS, DOUBLES, APART, KNOWN };

INLINE int layout_of(const Pass *p) {
    if (p->column_stride != (p->is_float32 ? 4 : 8)) return APART;
    return p->is_float32 ? FLOATS : DOUBLES;
}

/* Asks for rows of a tile, and for what is known of them. */
INLINE void ask_for_rows(const Seeding *s, ptrdiff_t tile, uint64_t rows) {
    const Pass *p = &s->rows;
    const ptrdiff_t size = layout_of(p) == APART ? 0 : p->d * (p->is_float32 ? 4 : 8);
    for (; rows; rows &= rows - 1) {
        const ptrdiff_t i = tile * CODED + __builtin_ctzll(rows);
        const char *row = p->X + i * p->row_stride;
        __builtin_prefetch(s->nearest + i);
        for (ptrdiff_t at = 0; at < size; at += 64) __builtin_prefetch(row + at);
        __builtin_prefetch(row + size - 1);
    }
}

/* Whether a row counts. */
INLINE int is_there(const Pass *p, ptrdiff_t i) { return i < p->n && weight_at(p, i) > 0.0; }

/* Copies the features of a tile to columns of CODED numbers. A row that does not count is the
   middle. */
static void turn_tile(const Pass *p, const double *middle, ptrdiff_t tile, double *columns) {
    const int layout = layout_of(p);
    for (ptrdiff_t t = 0; t < CODED; t++) {
        const ptrdiff_t i = tile * CODED + t;
        const char *row = p->X + i * p->row_stride;
        if (!is_there(p, i))
            for (ptrdiff_t a = 0; a < p->d; a++) columns[a * CODED + t] = middle[a];
        else if (layout == FLOATS)
            for (ptrdiff_t a = 0; a < p->d; a++) columns[a * CODED + t] = element_of(1, row, a);
        else if (layout == DOUBLES)
            for (ptrdiff_t a = 0; a < p->d; a++) columns[a * CODED + t] = element_of(0, row, a);
        else
            for (ptrdiff_t a = 0; a < p->d; a++) columns[a * CODED + t] = number_at(p, i, a);
    }
}

/* The columns of a tile; into `columns`, unless they are kept. */
INLINE const double *columns_of(const Seeding *s, ptrdiff_t tile, double *columns) {
    if (s->columns) return s->columns + tile * CODED * s->rows.d;
    turn_tile(&s->rows, s->codes.middle, tile, columns);
    return columns;
}

/* Squared distances of the rows of a tile from a point. */
static void distances_from(const Pass *p, const double *columns, const double *point,
                           double *squared) {
    for (ptrdiff_t t = 0; t < CODED; t += ROWS) {
        vec sum[GROUP] = {{0}};
        for (ptrdiff_t a = 0; a < p->d; a++)
            for (int g = 0; g < GROUP; g++) {
                const vec z = load(columns + a * CODED + t + g * LANES) - point[a];
                sum[g] += z * z;
            }
        for (int g = 0; g < GROUP; g++) store(squared + t + g * LANES, sum[g]);
    }
}

/* Rounds the rows, and takes the first trial as the first seed. */
static void begin_tiles(const Seeding *s, ptrdiff_t first, ptrdiff_t end, double *columns,
                        double *slot) {
    const Pass *p = &s->rows;
    (void)slot;
    for (ptrdiff_t tile = first; tile < end; tile++) {
        double *here = s->columns ? s->columns + tile * CODED * p->d : columns;
        double *nearest = s->nearest + tile * CODED;
        turn_tile(p, s->codes.middle, tile, here);
        code_tile(&s->codes, here, tile);
        distances_from(p, here, s->trials, nearest);
        set_all_reach(&s->codes, tile, nearest);
        for (ptrdiff_t t = 0; t < CODED; t++)
            if (!is_there(p, tile * CODED + t))
                nearest[t] = 0.0, s->codes.reach[tile * CODED + t] = -FLT_MAX;
        add_chances(s, tile);
    }
}

/* A trial in a tile. */
typedef struct {
    const Seeding *s;
    ptrdiff_t tile;
    const double *trial;
    uint64_t *nearer; /* rows that may get nearer; those that do not are removed */
    double *kept;     /* gets the distances of the others */
} Gain;

/* Returns what a trial gains in a tile, (2). `numbers` has room for a row, or all distances. */
INLINE double gain_of(const int layout, const Gain *by, double *numbers) {
    const Pass *p = &by->s->rows;
    const double *nearest = by->s->nearest + by->tile * CODED;
    const char *rows = p->X + by->tile * CODED * p->row_stride;
    uint64_t nearer = *by->nearer;
    double gain = 0.0, *kept = by->kept;
    for (uint64_t left = nearer; left; left &= left - 1) {
        const int t = __builtin_ctzll(left);
        const char *row = layout == APART ? (char *)numbers : rows + t * p->row_stride;
        if (layout == APART) read_row(p, by->tile * CODED + t, numbers);
        const double squared = layout == KNOWN ? numbers[t]
                             : squared_distance(layout == FLOATS, row, by->trial, p->d);
        const double less = nearest[t] - squared;
        const int is_nearer = less > 0.0;
        gain += is_nearer ? weight_at(p, by->tile * CODED + t) * less : 0.0;
        nearer &= ~((uint64_t)!is_nearer << t);
        *kept = squared;
        kept += is_nearer;
    }
    *by->nearer = nearer;
    return gain;
}

/* Finds the rows that may get nearer to each trial. */
static void find_nearer(const Seeding *s, ptrdiff_t tile) {
    const ptrdiff_t rows = s->rows.n - tile * CODED;
    const uint64_t there = rows < CODED ? ((uint64_t)1 << rows) - 1 : ~(uint64_t)0;
    uint64_t *nearer = s->nearer + tile * s->n_trials, any = 0;
    find_within_reach(&s->codes, tile, s->n_trials, s->trial_codes, s->points, nearer);
    for (ptrdiff_t j = 0; j < s->n_trials; j++) any |= nearer[j] &= there;
    ask_for_rows(s, tile, any);
}

/* Whether it takes less time to compute all distances of a tile than those of so many pairs: rows
   are turned into columns for it, and LANES of them are compared at once. */
INLINE int takes_all(const Seeding *s, ptrdiff_t pairs) {
    const ptrdiff_t d = s->rows.d, turning = s->columns ? 0 : LANES;
    return pairs * (PAIR_WORK * LANES + 3 * d) > (2 * s->n_trials + turning) * CODED * d;
}

/* Adds what each trial gains, and after that the number of rows that get nearer to it. */
static void try_tiles(const Seeding *s, ptrdiff_t first, ptrdiff_t end, double *columns,
                      double *slot) {
    const Pass *p = &s->rows;
    const ptrdiff_t m = s->n_trials;
    ptrdiff_t used = first * CODED;
    double known[CODED], not_kept[CODED];
    find_nearer(s, first);
    for (ptrdiff_t tile = first; tile < end; tile++) {
        uint64_t *nearer = s->nearer + tile * m;
        ptrdiff_t pairs = 0;
        if (tile + 1 < end) find_nearer(s, tile + 1);
        for (ptrdiff_t j = 0; j < m; j++) pairs += __builtin_popcountll(nearer[j]);
        const int keeps = used + pairs <= end * CODED, all = takes_all(s, pairs);
        const int layout = all ? KNOWN : layout_of(p);
        s->kept_from[tile] = keeps ? used : -1;
        const double *turned = all ? columns_of(s, tile, columns) : NULL;
        for (ptrdiff_t j = 0; j < m; j++) {
            if (!nearer[j]) continue;
            const double *trial = s->trials + j * p->d;
            const Gain by = {s, tile, trial, nearer + j, keeps ? s->kept + used : not_kept};
            if (all) distances_from(p, turned, trial, known);
            slot[j] += layout == KNOWN ? gain_of(KNOWN, &by, known)
                     : layout == FLOATS ? gain_of(FLOATS, &by, columns)
                     : layout == DOUBLES ? gain_of(DOUBLES, &by, columns)
                                         : gain_of(APART, &by, columns);
            const ptrdiff_t found = __builtin_popcountll(nearer[j]);
            used += keeps ? found : 0;
            slot[m + j] += (double)found;
        }
    }
}

/* Takes the chosen trial as a seed. */
static void take_tiles(const Seeding *s, ptrdiff_t first, ptrdiff_t end, double *columns,
                       double *slot) {
    const ptrdiff_t j = s->chosen;
    double known[CODED];
    (void)slot;
    for (ptrdiff_t tile = first; tile < end; tile++) {
        const uint64_t *of_trials = s->nearer + tile * s->n_trials;
        const int keeps = s->kept_from[tile] >= 0;
        const double *kept = s->kept + (keeps ? s->kept_from[tile] : 0);
        if (!of_trials[j]) continue;
        if (!keeps)
            distances_from(&s->rows, columns_of(s, tile, columns), s->trials + j * s->rows.d,
                           known);
        for (ptrdiff_t before = 0; before < j; before++)
            kept += __builtin_popcountll(of_trials[before]);
        for (uint64_t left = of_trials[j]; left; left &= left - 1) {
            const int t = __builtin_ctzll(left);
            const ptrdiff_t i = tile * CODED + t;
            s->nearest[i] = keeps ? *kept++ : known[t];
            set_reach(&s->codes, i, s->nearest[i]);
        }
        add_chances(s, tile);
    }
}

static void run_seeding_slot(const Pass *p, ptrdiff_t index, void *scratch, Watch *watch) {
    const Seeding *s = (const Seeding *)p;
    const ptrdiff_t first = index * p->tiles_per_slot;
    const ptrdiff_t end = smaller(first + p->tiles_per_slot, tiles_of(p->n));
    double *slot = p->slots + index * p->slot_size / (ptrdiff_t)sizeof(double);
    (void)watch;
    memset(slot, 0, p->slot_size);
    s->work(s, first, end, scratch, slot);
}

static const Precision seeding_rows = {.run_slot = run_seeding_slot};

/* ---- between the tiles ---- */

/* Draws by weight alone. */
static ptrdiff_t draw_by_weight(const Pass *p, double quantile) {
    double total = 0.0, sum = 0.0;
    ptrdiff_t last = 0;
    if (!p->is_weighted) return smaller((ptrdiff_t)(quantile * p->n), p->n - 1);
    for (ptrdiff_t i = 0; i < p->n; i++) total += p->sample_weight[i];
    for (ptrdiff_t i = 0; i < p->n; i++) {
        sum += p->sample_weight[i];
        if (sum > quantile * total) return i;
        if (p->sample_weight[i] > 0.0) last = i;
    }
    return last;
}

/* Draws by chance in one tile, where `sum` are the chances before it. */
static ptrdiff_t draw_in_tile(const Seeding *s, ptrdiff_t tile, double sum, double share) {
    const ptrdiff_t first = tile * CODED, end = smaller(first + CODED, s->rows.n);
    ptrdiff_t last = first;
    for (ptrdiff_t i = first; i < end; i++) {
        const double chance = weight_at(&s->rows, i) * s->nearest[i];
        sum += chance;
        if (chance > 0.0) last = i;
        if (chance > 0.0 && sum > share) break;
    }
    return last;
}

/* Draws the trials; by weight where every row is on a seed. */
static void draw(Seeding *s, const double *quantiles) {
    const ptrdiff_t n_tiles = tiles_of(s->rows.n);
    double total = 0.0;
    ptrdiff_t last = 0;
    for (ptrdiff_t tile = 0; tile < n_tiles; tile++) {
        total += s->chances[tile];
        s->cumulated[tile] = total;
        if (s->chances[tile] > 0.0) last = tile;
    }
    s->total = total;
    for (ptrdiff_t j = 0; j < s->n_trials; j++) {
        const double share = quantiles[j] * total;
        ptrdiff_t low = 0, high = last; /* the first tile beyond the share, or the last */
        while (low < high) {
            const ptrdiff_t middle = low + (high - low) / 2;
            if (s->cumulated[middle] > share) high = middle;
            else low = middle + 1;
        }
        s->drawn[j] = total > 0.0
            ? draw_in_tile(s, low, low > 0 ? s->cumulated[low - 1] : 0.0, share)
            : draw_by_weight(&s->rows, quantiles[j]);
    }
}

/* Makes trials of the rows drawn. */
static void lay_out_trials(Seeding *s, ptrdiff_t n) {
    for (ptrdiff_t j = 0; j < n; j++) {
        double *trial = s->trials + j * s->rows.d;
        read_row(&s->rows, s->drawn[j], trial);
        s->points[j] = code_point(&s->codes, trial, j, s->trial_codes);
    }
}

/* Chooses the trial that gains most, the first of those that rounding cannot tell apart. Two rows
   that are far from all others gain the same, each of them the other. */
static void choose(Seeding *s) {
    const Pass *p = &s->rows;
    const ptrdiff_t m = s->n_trials, stride = p->slot_size / (ptrdiff_t)sizeof(double);
    double most = 0.0;
    for (ptrdiff_t slot = 1; slot < p->n_slots; slot++)
        for (ptrdiff_t i = 0; i < 2 * m; i++) p->slots[i] += p->slots[slot * stride + i];
    for (ptrdiff_t j = 0; j < m; j++) most = fmax(most, p->slots[j]);
    s->chosen = 0;
    for (ptrdiff_t j = m - 1; j >= 0; j--)
        if (p->slots[j] >= most - TIE * s->total) s->chosen = j;
    s->n_nearer = p->slots[m + s->chosen];
}

/* Places what n_trials trials need; returns its size in bytes. What threads need is beside it. */
static ptrdiff_t place_seeding(Seeding *s, ptrdiff_t n_trials, char *base) {
    Pass *p = &s->rows;
    char *next = base;
    const ptrdiff_t n_tiles = tiles_of(p->n), least = (n_tiles + SLOTS - 1) / SLOTS;
    s->n_trials = n_trials;
    s->codes.d = p->d;
    s->codes.pairs = (p->d + 1) / 2;
    p->tiles_per_slot = least < LEAST_SLOT ? LEAST_SLOT : smaller(least, LARGEST_SLOT);
    p->n_slots = (n_tiles + p->tiles_per_slot - 1) / p->tiles_per_slot;
    p->slot_size = round_up(2 * n_trials * sizeof(double), 64);
    p->scratch_size = CODED * p->d * sizeof(double);
    place_codes(p->n, &next, &s->codes);
    s->nearest = take(&next, n_tiles * CODED, sizeof(double));
    s->chances = take(&next, n_tiles, sizeof(double));
    s->cumulated = take(&next, n_tiles, sizeof(double));
    s->nearer = take(&next, n_tiles * n_trials, sizeof(uint64_t));
    s->kept = take(&next, n_tiles * CODED, sizeof(double));
    s->kept_from = take(&next, n_tiles, sizeof(ptrdiff_t));
    const int are_few = n_tiles * p->scratch_size <= FEW_BYTES;
    s->columns = are_few ? take(&next, n_tiles * p->scratch_size, 1) : NULL;
    s->trials = take(&next, n_trials * p->d, sizeof(double));
    s->trial_codes = take(&next, points_size(&s->codes, n_trials), sizeof(int32_t));
    s->points = take(&next, n_trials, sizeof(Point));
    s->drawn = take(&next, n_trials, sizeof(int64_t));
    p->slots = take(&next, p->n_slots * p->slot_size, 1);
    return next - base;
}

/* Prepares, with all places there. */
static void begin_seeding(Seeding *s) {
    memset(s->trial_codes, 0, points_size(&s->codes, s->n_trials) * sizeof(int32_t));
    choose_unit(s);
}

#endif

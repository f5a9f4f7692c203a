/* Brings the rows of a tile in, centred: by feature and, where a pass needs it, by row. */
#ifndef MIXTURA_GATHER_H
#define MIXTURA_GATHER_H

#include "mixture.h"

INLINE ptrdiff_t row_at(const Pass *p, ptrdiff_t place) {
    return p->is_ordered ? p->order[place] : place;
}

/* where the expected number of a row is written */
INLINE double *completed_at(const Pass *p, ptrdiff_t row, ptrdiff_t a) {
    return (double *)(p->completed + row * p->completed_row_stride
                      + a * p->completed_column_stride);
}

INLINE double element(const char *at, int is_float32) {
    return is_float32 ? (double)*(const float *)at : *(const double *)at;
}

/* ---- LANES rows to LANES columns ---- */

#if defined(__has_builtin) && __has_builtin(__builtin_shuffle)
#if LANES == 16
#define COUNT {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
#elif LANES == 8
#define COUNT {0, 1, 2, 3, 4, 5, 6, 7}
#elif LANES == 4
#define COUNT {0, 1, 2, 3}
#else
#define COUNT {0, 1}
#endif

/* Swaps the off-diagonal quarters of blocks of 2 step x 2 step numbers. */
INLINE void swap_quarters(const int step, vec v[LANES]) {
    const mask count = COUNT, right = (count & step) != 0;
    const mask upper = count + (right & (LANES - step));
    const mask lower = count + (right & LANES) + (~right & step);
    for (int i = 0; i < LANES; i++)
        if (!(i & step)) {
            const vec above = v[i], below = v[i + step];
            v[i] = __builtin_shuffle(above, below, upper);
            v[i + step] = __builtin_shuffle(above, below, lower);
        }
}

INLINE void transpose(vec v[LANES]) {
    swap_quarters(1, v);
    if (LANES > 2) swap_quarters(2, v);
    if (LANES > 4) swap_quarters(4, v);
    if (LANES > 8) swap_quarters(8, v);
}
#else
INLINE void transpose(vec v[LANES]) {
    for (int i = 0; i < LANES; i++)
        for (int l = 0; l < i; l++) {
            const real kept = v[i][l];
            v[i][l] = v[l][i];
            v[l][i] = kept;
        }
}
#endif

/* Copies LANES rows of `block` to place t of by_feature, less the centre if that is still there. */
INLINE void turn(const int centred, const Pass *p, const real *block, ptrdiff_t t, Tile *s) {
    for (ptrdiff_t a = 0; a < p->d; a += LANES) {
        vec v[LANES];
        for (int l = 0; l < LANES; l++) v[l] = load(block + l * row_stride(p) + a);
        transpose(v);
        for (int l = 0; l < LANES && a + l < p->d; l++)
            store(s->by_feature + (a + l) * p->tile + t,
                  centred ? v[l] : v[l] - (real)p->centre[a + l]);
    }
}

/* ---- rows whose features lie side by side ---- */

INLINE void copy_row(const int is_float32, const int centred, const Pass *p, const char *from,
                     real *to) {
    for (ptrdiff_t a = 0; a < p->d; a++)
        to[a] = (real)(element(from + a * (is_float32 ? 4 : 8), is_float32)
                       - (centred ? p->centre[a] : 0.0));
}

/* Rows without weight, and those that fill the tile up, are copies of the first mean. */
INLINE void gather_rows(const int is_float32, const Pass *p, Tile *s) {
    const int centred = rows_are_centred(p);
    const ptrdiff_t padded = s->padded, step = p->by_row ? row_stride(p) : 0;
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        real *block = s->by_row + t * step;
        for (ptrdiff_t l = 0; l < LANES; l++) {
            const ptrdiff_t place = smaller(s->start + t + l, p->n - 1);
            const char *from = p->X + row_at(p, place) * p->row_stride;
            real *to = block + l * row_stride(p);
            if (s->weight[t + l] == 0) memcpy(to, s->row_means, p->d * sizeof(real));
            else if (centred && p->is_centred) copy_row(is_float32, 1, p, from, to);
            else copy_row(is_float32, 0, p, from, to);
        }
        if (p->rows_alone || !s->is_turned) continue;
        if (centred) turn(1, p, block, t, s);
        else turn(0, p, block, t, s);
    }
}

/* Fills `by_feature` where it has been put off. */
static void turn_rows(const Pass *p, Tile *s) {
    for (ptrdiff_t t = 0; t < s->padded; t += LANES)
        turn(rows_are_centred(p), p, s->by_row + t * row_stride(p), t, s);
    s->is_turned = 1;
}

/* ---- any other layout: feature by feature ---- */

INLINE void gather_columns(const int is_float32, const Pass *p, Tile *s) {
    const ptrdiff_t start = s->start, rows = s->rows, stride = p->row_stride;
    const int64_t *order = p->order;
    for (ptrdiff_t a = 0; a < p->d; a++) {
        const char *column = p->X + a * p->column_stride, *first = column + start * stride;
        const double centre = centre_of(p, a);
        real *out = s->by_feature + a * p->tile;
        if (p->is_ordered)
            for (ptrdiff_t t = 0; t < rows; t++)
                out[t] = (real)(element(column + order[start + t] * stride, is_float32) - centre);
        else if (stride == (is_float32 ? 4 : 8))
            for (ptrdiff_t t = 0; t < rows; t++)
                out[t] = (real)(element(first + t * (is_float32 ? 4 : 8), is_float32) - centre);
        else
            for (ptrdiff_t t = 0; t < rows; t++)
                out[t] = (real)(element(first + t * stride, is_float32) - centre);
        for (ptrdiff_t t = p->is_weighted ? 0 : rows; t < s->padded; t++)
            if (s->weight[t] == 0) out[t] = s->means[a];
        if (!p->by_row) continue;
        for (ptrdiff_t t = 0; t < rows; t++) {
            real *at = s->by_row + t * row_stride(p) + a;
            if (s->weight[t] == 0) *at = s->row_means[a];
            else if (rows_are_centred(p)) *at = out[t];
            else *at = (real)element(column + row_at(p, start + t) * stride, is_float32);
        }
    }
}

/* Asks for the rows of the next tile while this one is worked on. */
INLINE void prefetch(const Pass *p, ptrdiff_t start) {
    const ptrdiff_t end = smaller(start + 2 * p->tile, p->n), size = p->d * (p->is_float32 ? 4 : 8);
    for (ptrdiff_t t = start + p->tile; t < end; t++) {
        const char *row = p->X + row_at(p, t) * p->row_stride;
        for (ptrdiff_t i = 0; i < size; i += 64) __builtin_prefetch(row + i, 0, 2);
        if (p->is_ordered) __builtin_prefetch(row + size - 1, 0, 2); /* rows may begin anywhere */
    }
}

static void gather(const Pass *p, Tile *s) {
    for (ptrdiff_t t = 0; t < s->padded; t++) s->weight[t] = t < s->rows;
    for (ptrdiff_t t = 0; p->is_weighted && t < s->rows; t++)
        s->weight[t] = (real)p->sample_weight[row_at(p, s->start + t)];
    const int by_rows = p->d > NARROW && p->column_stride == (p->is_float32 ? 4 : 8);
    s->is_turned = !by_rows || p->bounds != KNOWN_MASKS;
    if (by_rows && p->is_float32) gather_rows(1, p, s);
    else if (by_rows) gather_rows(0, p, s);
    else if (p->is_float32) gather_columns(1, p, s);
    else gather_columns(0, p, s);
    /* afterwards: the reads above would wait for these, what follows reads from the cache */
    if (by_rows || p->is_ordered) prefetch(p, s->start);
}

#endif

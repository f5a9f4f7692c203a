/* Rows rounded to bytes, which tell the rows that may be near a point from those that cannot.

   With a middle m and a unit u, a row x is (x - m) / u, rounded to q: whole numbers of a byte. A
   point c is (c - m) / u, rounded to g p: whole numbers of two bytes, and a step g of its own. Of
   a row, e is the length of what rounding took off, in units; of a point, f. By the triangle
   inequality,

     (1)  |x - c| / u >= |q - g p| - e - f,
     (2)  |q - g p|^2 = |q|^2 - 2 g q.p + g^2 |p|^2.

   So a row can be within a distance D of the point only where |q - g p|^2 < (D / u + e + f)^2.
   The product q.p is exact in 32 bits. What floats round in (2) is less than 2^-19 of the two
   squares, which are lowered by that; D / u + e is raised by as much.

   A row takes a byte a feature, an eighth of what doubles take, and two multiply-adds are one
   instruction for as many rows as floats have lanes. What rounding takes off has no direction, so
   that e is about sqrt(d / 12): where distances are tens of units, few rows pass that are not
   within D. The unit is such that nearly all numbers of nearly all rows can be rounded. A number
   beyond is cut off; e says by how much, and such a row may pass always.

   Lanes are rows. A tile has CODED rows, in blocks of two vectors of floats. The codes of a block
   are two features of all its rows, then the next two.

   R. Weber, H.-J. Schek, S. Blott, "A quantitative analysis and performance study for
   similarity-search methods in high-dimensional spaces", VLDB 1998, filter nearest neighbours so.
   */
#ifndef MIXTURA_CODES_H
#define MIXTURA_CODES_H

#include "scores.h"
#include "tile.h"

enum {
    CODED = 64,        /* rows to a tile: one bit of a mask each */
    LARGEST_CODE = 127,
    LARGEST_POINT = 32767,
    AHEAD = 2048,      /* bytes: how far ahead codes are prefetched */
    TOGETHER = VECTOR_BYTES == 64 ? 8 : 4, /* points; times two, half the registers */
    CODE_BLOCK = 2 * MEANS,
};
static const double RAISED = 1.0 + 0x1p-19, LOWERED = 1.0 - 0x1p-19;

typedef int16_t shorts __attribute__((vector_size(VECTOR_BYTES)));
typedef int8_t bytes __attribute__((vector_size(VECTOR_BYTES / 2)));

/* Rows as they are compared. Numbers of rows have places up to the end of the last tile. */
typedef struct {
    ptrdiff_t d, pairs;   /* features, and pairs of them */
    double *middle, per_unit; /* the latter 1 / u */
    int8_t *codes;  /* q, 2 CODE_BLOCK pairs of a block */
    float *squares; /* |q|^2, lowered */
    float *errors;  /* e, raised */
    float *reach;   /* D / u + e, raised; below -f where no point matters to the row */
} Codes;

/* A point as it is compared. */
typedef struct {
    float twice;  /* 2 g */
    float square; /* g^2 |p|^2, lowered */
    float error;  /* f, raised */
} Point;

INLINE ptrdiff_t tiles_of(ptrdiff_t n) { return (n + CODED - 1) / CODED; }

static void place_codes(ptrdiff_t n, char **next, Codes *c) {
    const ptrdiff_t rows = tiles_of(n) * CODED;
    c->middle = take(next, c->d, sizeof(double));
    c->codes = take(next, 2 * c->pairs * rows, sizeof(int8_t));
    c->squares = take(next, rows, sizeof(float));
    c->errors = take(next, rows, sizeof(float));
    c->reach = take(next, rows, sizeof(float));
}

/* ---- rows ---- */

static const double TO_WHOLE = 0x1.8p52; /* a number of size 2^51 at most plus this is rounded */

typedef int32_t few_numbers __attribute__((vector_size(4 * LANES)));
typedef int16_t few_shorts __attribute__((vector_size(2 * LANES)));
typedef float few_floats __attribute__((vector_size(4 * LANES)));

INLINE void store_floats(float *to, vec v) {
    const few_floats narrow = __builtin_convertvector(v, few_floats);
    memcpy(to, &narrow, sizeof narrow);
}

/* Rounds numbers of a feature of LANES rows, and adds to their squares. */
INLINE few_numbers rounded(const Codes *c, ptrdiff_t a, const double *column, vec *squares,
                           vec *errors) {
    if (a >= c->d) return (few_numbers){0};
    vec v = (load(column) - c->middle[a]) * c->per_unit;
    const vec most = fill(LARGEST_CODE), kept = pick(v > most, most, pick(v < -most, -most, v));
    const vec q = (kept + TO_WHOLE) - TO_WHOLE;
    v -= q;
    *squares += q * q;
    *errors += v * v;
    return __builtin_convertvector(q, few_numbers);
}

/* Rounds the rows of a tile, of which features are in columns of CODED numbers; squares that
   overflow are allowed. */
static void code_tile(const Codes *c, const double *columns, ptrdiff_t tile) {
    for (ptrdiff_t t = 0; t < CODED; t += LANES) {
        const ptrdiff_t at = tile * CODED + t;
        int8_t *out = c->codes + 2 * (at / CODE_BLOCK * CODE_BLOCK * c->pairs + at % CODE_BLOCK);
        vec squares = {0}, errors = {0};
        for (ptrdiff_t a = 0; a < 2 * c->pairs; a += 2, out += 2 * CODE_BLOCK) {
            const double *column = columns + a * CODED + t;
            const few_numbers first = rounded(c, a, column, &squares, &errors);
            const few_numbers next = rounded(c, a + 1, column + CODED, &squares, &errors);
            const few_shorts both =
                __builtin_convertvector((first & 0xff) | (next << 8), few_shorts);
            memcpy(out, &both, sizeof both);
        }
        store_floats(c->squares + at, squares * LOWERED);
        store_floats(c->errors + at, root_of(errors) * RAISED);
    }
}

/* Sets how far points matter to a row: up to a squared distance. */
INLINE void set_reach(const Codes *c, ptrdiff_t at, double squared) {
    c->reach[at] = (float)((sqrt(squared) * c->per_unit + c->errors[at]) * RAISED);
}

/* The same for a tile. */
static void set_all_reach(const Codes *c, ptrdiff_t tile, const double *squared) {
    for (ptrdiff_t at = tile * CODED; at < (tile + 1) * CODED; at += LANES, squared += LANES) {
        few_floats errors;
        memcpy(&errors, c->errors + at, sizeof errors);
        const vec error = __builtin_convertvector(errors, vec);
        store_floats(c->reach + at, (root_of(load(squared)) * c->per_unit + error) * RAISED);
    }
}

/* ---- points ---- */

/* numbers in the codes of points: for each pair of features, TOGETHER points side by side */
INLINE ptrdiff_t points_size(const Codes *c, ptrdiff_t n) {
    return round_up(n, TOGETHER) * c->pairs;
}

/* Rounds point j. */
static Point code_point(const Codes *c, const double *row, ptrdiff_t j, int32_t *codes) {
    const ptrdiff_t most = INT32_MAX / (LARGEST_CODE * 2 * c->pairs);
    const double limit = most < LARGEST_POINT ? (double)most : (double)LARGEST_POINT;
    double largest = 0.0;
    for (ptrdiff_t a = 0; a < c->d; a++)
        largest = fmax(largest, fabs((row[a] - c->middle[a]) * c->per_unit));
    const int is_far = !(largest < 1e15); /* its squares leave floats no room */
    const float step = is_far ? 1.0f : (float)fmax(largest / limit * RAISED, FLT_MIN);
    double square = 0.0, error = 0.0;
    int32_t *out = codes + j / TOGETHER * TOGETHER * c->pairs + j % TOGETHER;
    for (ptrdiff_t a = 0; a < 2 * c->pairs; a++) {
        const double v = a < c->d && !is_far ? (row[a] - c->middle[a]) * c->per_unit : 0.0;
        const double p = rint(v / step), e = v - p * step;
        square += p * p;
        error += e * e;
        int16_t *pair = (int16_t *)(out + a / 2 * TOGETHER);
        pair[a % 2] = (int16_t)p;
    }
    const Point point = {
        2.0f * step, (float)(square * step * step * LOWERED),
        is_far ? INFINITY : (float)(sqrt(error) * RAISED),
    };
    return point;
}

/* ---- products: (2) ---- */

INLINE shorts widened(const int8_t *codes) {
#if defined(__AVX512BW__)
    return (shorts)_mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)codes));
#elif defined(__ARM_NEON) /* GCC 12 would convert one number after the other */
    return (shorts)vmovl_s8(vld1_s8(codes));
#else
    bytes narrow;
    memcpy(&narrow, codes, sizeof narrow);
    return __builtin_convertvector(narrow, shorts);
#endif
}

/* products of shorts, those side by side added */
INLINE numbers add_pairs(shorts a, shorts b) {
#if defined(__AVX512BW__)
    return (numbers)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (numbers)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__) && VECTOR_BYTES == 16
    return (numbers)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
    const numbers p = (numbers)a, q = (numbers)b; /* pairs: a low and a high half */
    return (p << 16 >> 16) * (q << 16 >> 16) + (p >> 16) * (q >> 16);
#endif
}

INLINE uint64_t lanes_of(numbers yes) {
#if defined(__AVX512DQ__)
    return _mm512_movepi32_mask((__m512i)yes);
#elif defined(__AVX__)
    return (uint64_t)_mm256_movemask_ps((__m256)yes);
#elif defined(__SSE2__)
    return (uint64_t)_mm_movemask_ps((__m128)yes);
#else
    uint64_t bits = 0;
    for (int l = 0; l < MEANS; l++) bits |= (uint64_t)(yes[l] & 1) << l;
    return bits;
#endif
}

/* Finds which rows of a tile some points may be within reach of. */
INLINE void find_some(const int count, const Codes *c, ptrdiff_t tile, const int32_t *codes,
                      const Point *points, uint64_t *found) {
    for (int j = 0; j < count; j++) found[j] = 0;
    for (ptrdiff_t first = 0; first < CODED; first += CODE_BLOCK) {
        const int8_t *q = c->codes + 2 * (CODED * tile + first) * c->pairs;
        const int32_t *p = codes;
        numbers sum[TOGETHER][2];
        for (int j = 0; j < count; j++) sum[j][0] = sum[j][1] = (numbers){0};
        for (ptrdiff_t a = 0; a < c->pairs; a++, q += 2 * CODE_BLOCK, p += TOGETHER) {
            const shorts left = widened(q), right = widened(q + CODE_BLOCK);
            __builtin_prefetch(q + AHEAD);
            for (int j = 0; j < count; j++) {
                const shorts point = (shorts)(p[j] - (numbers){0});
                sum[j][0] += add_pairs(left, point);
                sum[j][1] += add_pairs(right, point);
            }
        }
        for (int g = 0; g < 2; g++) {
            const ptrdiff_t at = first + g * MEANS;
            const scores square = load_scores(c->squares + tile * CODED + at);
            const scores reach = load_scores(c->reach + tile * CODED + at);
            for (int j = 0; j < count; j++) {
                const scores least = square + points[j].square
                                     - points[j].twice * __builtin_convertvector(sum[j][g], scores);
                const scores most = upper(reach + points[j].error, fill_scores(0));
                found[j] |= lanes_of(least < most * most) << at;
            }
        }
    }
}

/* Writes a mask of rows for each of n points. */
static void find_within_reach(const Codes *c, ptrdiff_t tile, ptrdiff_t n, const int32_t *codes,
                              const Point *points, uint64_t *found) {
    for (ptrdiff_t j = 0; j < n; j += TOGETHER) {
        const int32_t *p = codes + j * c->pairs;
        switch (n - j) {
        case 1: find_some(1, c, tile, p, points + j, found + j); break;
        case 2: find_some(2, c, tile, p, points + j, found + j); break;
        case 3: find_some(3, c, tile, p, points + j, found + j); break;
#if VECTOR_BYTES == 64
        case 4: find_some(4, c, tile, p, points + j, found + j); break;
        case 5: find_some(5, c, tile, p, points + j, found + j); break;
        case 6: find_some(6, c, tile, p, points + j, found + j); break;
        case 7: find_some(7, c, tile, p, points + j, found + j); break;
#endif
        default: find_some(TOGETHER, c, tile, p, points + j, found + j);
        }
    }
}

#endif

/* The two best scores of rows, of products with means in single precision. Lanes are means.

   With |x - m|^2 = |x|^2 - 2 (m.x - |m|^2 / 2), the mean of the largest score m.x - |m|^2 / 2 is
   the nearest one. Single precision decides almost all rows, of doubles too, at half the price: with
   X and M the largest |x| and |m|, and u = 2^-24, d multiply-adds of rounded numbers, from a rounded
   |m|^2 / 2 on, and |x|^2 / 2 are together wrong by less than

       doubt = (d + 4) 2 u (X^2 + 3 M^2) / 2.

   Rows stand as they are, their features side by side, so that any of them can be scored without
   a copy. Means are packed in panels of WIDE vectors, the last ones of a single vector: first
   -|m|^2 / 2, then feature by feature. A panel stays in the first-level cache while it goes over
   the rows, AT_ONCE of them at a time, with all products in registers. Each lane keeps its own two
   best scores; they are compared in the end. Missing means have scores of -inf. */
#ifndef MIXTURA_SCORES_H
#define MIXTURA_SCORES_H

#include "simd.h"

#if VECTOR_BYTES == 64
enum { AT_ONCE = 6, WIDE = 4 }; /* 24 of 32 registers */
#else
enum { AT_ONCE = 6, WIDE = 2 }; /* 12 of 16 */
#endif
enum { MEANS = VECTOR_BYTES / 4 }; /* to a vector */

typedef float scores __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t numbers __attribute__((vector_size(VECTOR_BYTES)));

INLINE scores load_scores(const float *p) { scores v; memcpy(&v, p, sizeof v); return v; }
INLINE scores fill_scores(float x) { return x - (scores){0}; }

INLINE float sum_scores(scores v) {
#if VECTOR_BYTES == 64
    return _mm512_reduce_add_ps((__m512)v);
#else
    float s[MEANS];
    memcpy(s, &v, sizeof s);
    for (int width = MEANS / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++) s[l] += s[l + width];
    return s[0];
#endif
}

#if VECTOR_BYTES == 64
INLINE scores upper(scores a, scores b) { return (scores)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE scores lower(scores a, scores b) { return (scores)_mm512_min_ps((__m512)a, (__m512)b); }
#elif defined(__AVX__)
INLINE scores upper(scores a, scores b) { return (scores)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE scores lower(scores a, scores b) { return (scores)_mm256_min_ps((__m256)a, (__m256)b); }
#elif defined(__SSE2__)
INLINE scores upper(scores a, scores b) { return (scores)_mm_max_ps((__m128)a, (__m128)b); }
INLINE scores lower(scores a, scores b) { return (scores)_mm_min_ps((__m128)a, (__m128)b); }
#else
INLINE scores either(numbers m, scores yes, scores no) {
    return (scores)((m & (numbers)yes) | (~m & (numbers)no));
}
INLINE scores upper(scores a, scores b) { return either(a > b, a, b); }
INLINE scores lower(scores a, scores b) { return either(a < b, a, b); }
#endif

/* ---- packed means ---- */

/* of the panel that begins with mean j, in vectors */
INLINE ptrdiff_t panel_width(ptrdiff_t k, ptrdiff_t j) {
    return j + WIDE * MEANS <= k ? WIDE : 1;
}

INLINE ptrdiff_t packed_size(ptrdiff_t k, ptrdiff_t d) {
    return (k + MEANS - 1) / MEANS * MEANS * (d + 1);
}

/* Packs k means, `stride` apart, times `scale`; returns the largest half square. Of means that are
   listed, only those. */
static float pack_means(const real *means, const int32_t *list, ptrdiff_t k, ptrdiff_t d,
                        ptrdiff_t stride, double scale, float *packed) {
    double largest = 0.0;
    ptrdiff_t width;
    for (ptrdiff_t j = 0; j < k; j += width) {
        width = panel_width(k, j) * MEANS;
        for (ptrdiff_t o = 0; o < width; o++) {
            const real *mean = j + o < k ? means + (list ? list[j + o] : j + o) * stride : NULL;
            double sum = 0.0;
            for (ptrdiff_t a = 0; a < d; a++) {
                const double m = mean ? mean[a] * scale : 0.0;
                packed[(a + 1) * width + o] = (float)m;
                sum += m * m;
            }
            packed[o] = mean ? (float)(-0.5 * sum) : -INFINITY;
            largest = sum > largest ? sum : largest;
        }
        packed += width * (d + 1);
    }
    return (float)(0.5 * largest);
}

/* ---- rows ---- */

/* The best scores of a row in each lane, and their means. */
typedef struct {
    scores best, second;
    numbers mean;
} Best;

INLINE void score_block(const int rows, const int width, const float *panel, ptrdiff_t d,
                        int32_t first, const float *const *x, Best *found) {
    scores sum[AT_ONCE][WIDE];
    const float *row[AT_ONCE];
    for (int i = 0; i < rows; i++) {
        row[i] = x[i];
        for (int v = 0; v < width; v++) sum[i][v] = load_scores(panel + v * MEANS);
    }
    for (ptrdiff_t a = 0; a < d; a++) {
        panel += width * MEANS;
        scores m[WIDE];
        for (int v = 0; v < width; v++) m[v] = load_scores(panel + v * MEANS);
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < width; v++) sum[i][v] += row[i][a] * m[v];
    }
    for (int i = 0; i < rows; i++) {
        Best b = found[i];
        for (int v = 0; v < width; v++) {
            const numbers above = sum[i][v] > b.best;
            b.second = upper(b.second, lower(b.best, sum[i][v]));
            b.best = upper(b.best, sum[i][v]);
            b.mean = (above & (first + v * MEANS)) | (~above & b.mean);
        }
        found[i] = b;
    }
}

INLINE void score_panel(const int width, const float *panel, ptrdiff_t d, int32_t first,
                        ptrdiff_t n, const float *const *x, Best *found) {
    ptrdiff_t i = 0;
    for (; i + AT_ONCE <= n; i += AT_ONCE)
        score_block(AT_ONCE, width, panel, d, first, x + i, found + i);
    for (; i + AT_ONCE / 2 <= n; i += AT_ONCE / 2)
        score_block(AT_ONCE / 2, width, panel, d, first, x + i, found + i);
    for (; i < n; i++) score_block(1, width, panel, d, first, x + i, found + i);
}

/* Finds the best scores of n rows among k packed means. */
static void score_rows(const float *packed, ptrdiff_t k, ptrdiff_t d, ptrdiff_t n,
                       const float *const *x, Best *found) {
    for (ptrdiff_t i = 0; i < n; i++) {
        found[i].best = found[i].second = fill_scores(-INFINITY);
        found[i].mean = (numbers){0};
    }
    ptrdiff_t width;
    for (ptrdiff_t j = 0; j < k; j += width * MEANS, packed += width * MEANS * (d + 1)) {
        width = panel_width(k, j);
        if (width == 1) score_panel(1, packed, d, (int32_t)j, n, x, found);
        else score_panel(WIDE, packed, d, (int32_t)j, n, x, found);
    }
}

/* Compares the lanes; returns the mean of the best score. */
INLINE int32_t best_of_lanes(const Best *found, float *best, float *second) {
#if VECTOR_BYTES == 64
    const __m512 each = (__m512)found->best, next = (__m512)found->second;
    *best = _mm512_reduce_max_ps(each);
    const int equal = _mm512_cmpeq_ps_mask(each, _mm512_set1_ps(*best));
    const int at = equal ? __builtin_ctz(equal) : 0;
    *second = _mm512_reduce_max_ps(_mm512_mask_mov_ps(each, (__mmask16)(1 << at), next));
    return ((const int32_t *)&found->mean)[at] + at;
#else
    float highest[MEANS], next[MEANS];
    int32_t mean[MEANS];
    memcpy(highest, &found->best, sizeof highest);
    memcpy(next, &found->second, sizeof next);
    memcpy(mean, &found->mean, sizeof mean);
    int at = 0;
    for (int l = 1; l < MEANS; l++)
        if (highest[l] > highest[at]) at = l;
    *best = highest[at];
    *second = next[at];
    for (int l = 0; l < MEANS; l++)
        if (l != at && highest[l] > *second) *second = highest[l];
    return mean[at] + at;
#endif
}

#endif

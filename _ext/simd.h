/* Vectors as wide as the instruction set allows, and the two functions EM needs of them.

   GCC's and Clang's vector extensions: `a * b + c` on a `vec` is one instruction for LANES numbers.
   The numbers are doubles, or floats where SINGLE is defined. Nothing here depends on the width, so
   results differ between instruction sets only by the order in which lanes are summed and by fused
   multiply-adds. */
#ifndef MIXTURA_SIMD_H
#define MIXTURA_SIMD_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#ifdef SINGLE
typedef float real;
typedef int32_t whole;
#define LANES (VECTOR_BYTES / 4)
#define SQUARE_ROOT sqrtf
#define REAL_MAX FLT_MAX
#define REAL_MIN FLT_MIN /* normal */
#define REAL_EPSILON FLT_EPSILON
#define UNDERFLOWS (-87.0f) /* above the log of the smallest normal number */
#else
typedef double real;
typedef int64_t whole;
#define LANES (VECTOR_BYTES / 8)
#define SQUARE_ROOT sqrt
#define REAL_MAX DBL_MAX
#define REAL_MIN DBL_MIN
#define REAL_EPSILON DBL_EPSILON
#define UNDERFLOWS (-708.0)
#endif

typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef whole mask __attribute__((vector_size(VECTOR_BYTES)));
typedef double wide __attribute__((vector_size(8 * LANES))); /* as many lanes, always doubles */
#if VECTOR_BYTES == 64
typedef real half __attribute__((vector_size(VECTOR_BYTES / 2))); /* takes half the time of a vec */
typedef double half_wide __attribute__((vector_size(4 * LANES)));
#define HALF (LANES / 2)
#else
typedef vec half; /* nothing is won by less */
typedef wide half_wide;
#define HALF LANES
#endif

#define INLINE static inline __attribute__((always_inline))
#define ALONE static __attribute__((noinline)) /* its loops have all registers */

INLINE vec load(const real *p) { vec v; memcpy(&v, p, sizeof v); return v; }
INLINE void store(real *p, vec v) { memcpy(p, &v, sizeof v); }
INLINE half load_half(const real *p) { half v; memcpy(&v, p, sizeof v); return v; }
INLINE vec fill(real x) { return x - (vec){0}; }

/* totals are doubles whatever the lanes hold */
INLINE void add_to(double *sum, vec v) {
    wide total;
    memcpy(&total, sum, sizeof total);
    total += __builtin_convertvector(v, wide);
    memcpy(sum, &total, sizeof total);
}

INLINE void add_half_to(double *sum, half v) {
    half_wide total;
    memcpy(&total, sum, sizeof total);
    total += __builtin_convertvector(v, half_wide);
    memcpy(sum, &total, sizeof total);
}

/* A sum keeps KEPT_LANES lanes until the end. Wider vectors are folded to that many as they are
   added, so that the sums of many features stay in cache. */
#if VECTOR_BYTES == 64
enum { KEPT_LANES = 4 };
INLINE void add_lanes_to(double *sum, vec v) {
#ifdef SINGLE
    const __m512 lanes = (__m512)v;
    const __m512d all = _mm512_cvtps_pd(
        _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1)));
#else
    const __m512d all = (__m512d)v;
#endif
    const __m256d part =
        _mm256_add_pd(_mm512_castpd512_pd256(all), _mm512_extractf64x4_pd(all, 1));
    _mm256_storeu_pd(sum, _mm256_add_pd(_mm256_loadu_pd(sum), part));
}
#else
enum { KEPT_LANES = LANES };
INLINE void add_lanes_to(double *sum, vec v) { add_to(sum, v); }
#endif

INLINE vec pick(mask m, vec yes, vec no) { return (vec)((m & (mask)yes) | (~m & (mask)no)); }

#if defined(__AVX512F__) && defined(SINGLE)
INLINE vec larger(vec a, vec b) { return (vec)_mm512_max_ps((__m512)a, (__m512)b); }
#elif defined(__AVX512F__)
INLINE vec larger(vec a, vec b) { return (vec)_mm512_max_pd((__m512d)a, (__m512d)b); }
#else
INLINE vec larger(vec a, vec b) { return pick(a > b, a, b); }
#endif

INLINE vec root_of(vec v) {
#if defined(__AVX512F__) && defined(SINGLE)
    return (vec)_mm512_sqrt_ps((__m512)v);
#elif defined(__AVX512F__)
    return (vec)_mm512_sqrt_pd((__m512d)v);
#else
    for (int l = 0; l < LANES; l++) v[l] = (real)sqrt(v[l]);
    return v;
#endif
}

INLINE int any_lane(mask m) {
    whole any = 0;
    for (int l = 0; l < LANES; l++) any |= m[l];
    return any != 0;
}

/* one bit for each lane, the first one lowest */
INLINE uint64_t bits_of(mask m) {
#if defined(__AVX512DQ__) && !defined(SINGLE)
    return _mm512_movepi64_mask((__m512i)m);
#else
    uint64_t bits = 0;
    for (int l = 0; l < LANES; l++) bits |= (uint64_t)(m[l] & 1) << l;
    return bits;
#endif
}

#if VECTOR_BYTES == 64
/* Lists the lanes above 0 of a vector at place t, and what they hold, by whole vectors; returns how
   many there are. */
INLINE ptrdiff_t list_lanes(vec v, ptrdiff_t t, int32_t *list, real *packed) {
#ifdef SINGLE
    const __mmask16 above = _mm512_cmp_ps_mask((__m512)v, _mm512_setzero_ps(), _CMP_GT_OQ);
    const __m512i places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i from = _mm512_add_epi32(places, _mm512_set1_epi32((int)t));
    _mm512_storeu_si512(list, _mm512_maskz_compress_epi32(above, from));
    store(packed, (vec)_mm512_maskz_compress_ps(above, (__m512)v));
#else
    const __mmask8 above = _mm512_cmp_pd_mask((__m512d)v, _mm512_setzero_pd(), _CMP_GT_OQ);
    const __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i from = _mm256_add_epi32(places, _mm256_set1_epi32((int)t));
    _mm256_storeu_si256((__m256i *)list, _mm256_maskz_compress_epi32(above, from));
    store(packed, (vec)_mm512_maskz_compress_pd(above, (__m512d)v));
#endif
    return __builtin_popcount(above);
}
#endif

INLINE real largest_lane(vec v) {
    real largest = v[0];
    for (int l = 1; l < LANES; l++) largest = v[l] > largest ? v[l] : largest;
    return largest;
}

INLINE real total_lane(vec v) {
#if VECTOR_BYTES == 64 && defined(SINGLE)
    return _mm512_reduce_add_ps((__m512)v);
#elif VECTOR_BYTES == 64
    return _mm512_reduce_add_pd((__m512d)v);
#else
    real s[LANES];
    store(s, v);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++) s[l] += s[l + width];
    return s[0];
#endif
}

INLINE double sum_of(const int lanes, const double *sum) {
    double s[LANES];
    memcpy(s, sum, lanes * sizeof *s);
    for (int width = lanes / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++) s[l] += s[l + width];
    return s[0];
}
INLINE double sum_lanes(const double *sum) { return sum_of(LANES, sum); }

/* p[0] x^(n-1) + ... + p[n-1] */
INLINE vec polynomial(const int n, const real *p, vec x) {
    vec sum = fill(p[0]);
    for (int i = 1; i < n; i++) sum = sum * x + p[i];
    return sum;
}

/* What the two functions below are made of: log 2 in two parts, so that small multiples of the
   first are exact; a number whose addition rounds to an integer and leaves that in the low bits;
   exp and (atanh(f) / f - 1) / f^2, a function of f^2, by the polynomials that interpolate them in
   the Chebyshev points (errors 3e-18 and 8e-21; in single precision 2e-9 and 3e-9). */
#ifdef SINGLE
enum { FRACTION_BITS = 23, EXP_TERMS = 7, LOG_TERMS = 3 };
#define LOG2_HIGH 0x1.62e4p-1f
#define LOG2_LOW 0x1.7f7d1cp-20f
#define LOG2_INVERSE 0x1.715476p+0f
#define ROUNDER 0x1.8p23f
#define SQRT_HALF 0x3f3504f3
static const real EXP[EXP_TERMS] = {
    0.0013941118895837f, 0.008375134774624326f, 0.04166635277111221f, 0.16666415414041177f,
    0.5000000047146057f, 1.0000000377388714f, 1.0f,
};
static const real LOG[LOG_TERMS] = {
    0.14790026523333394f, 0.1999438914101748f, 0.33333342522578485f,
};
#else
enum { FRACTION_BITS = 52, EXP_TERMS = 12, LOG_TERMS = 8 };
#define LOG2_HIGH 0x1.62e42fee00000p-1
#define LOG2_LOW 0x1.a39ef35793c76p-33
#define LOG2_INVERSE 0x1.71547652b82fep+0
#define ROUNDER 0x1.8p52
#define SQRT_HALF 0x3fe6a09e667f3bcdLL
static const real EXP[EXP_TERMS] = {
    2.511015364692893e-08, 2.763279054211718e-07, 2.7557240604663896e-06, 2.4801485074105115e-05,
    0.00019841269890340666, 0.0013888888952696516, 0.00833333333331949, 0.04166666666648666,
    0.1666666666666668, 0.5000000000000019, 1.0, 1.0,
};
static const real LOG[LOG_TERMS] = {
    0.06631399643974238, 0.0662434315641838, 0.07693582176325549, 0.0909088682939668,
    0.11111111338969072, 0.142857142844061, 0.2000000000000376, 0.3333333333333333,
};
#endif

/* exp(x) for x <= 0, within one unit in the last place; exactly 0 below `floor` (>= UNDERFLOWS).

   x = n log 2 + r with |r| <= log(2)/2; 2^n by adding n to the exponent. */
INLINE vec exp_nonpositive(vec x, real floor) {
    mask kept = x > floor;
    x = pick(kept, x, fill(0));
    vec shifted = x * LOG2_INVERSE + ROUNDER;
    vec n = shifted - ROUNDER;
    vec r = x - n * LOG2_HIGH - n * LOG2_LOW;
    vec e = polynomial(EXP_TERMS, EXP, r);
    return (vec)(kept & ((mask)e + ((mask)shifted << FRACTION_BITS)));
}

/* log(x) for finite normal x > 0, within one unit in the last place.

   x = 2^n m with sqrt(1/2) <= m < sqrt(2); log m = 2 atanh(f), f = (m - 1)/(m + 1). */
INLINE vec log_positive(vec x) {
    mask exponent = ((mask)x - SQRT_HALF) >> FRACTION_BITS;
    vec m = (vec)((mask)x - (exponent << FRACTION_BITS));
    vec n = (vec)(exponent + (mask)fill(ROUNDER)) - ROUNDER; /* a conversion to floating point */
    vec f = (m - 1) / (m + 1);
    vec s = f * f;
    vec atanh_f = polynomial(LOG_TERMS, LOG, s) * s * f + f; /* the leading term added last */
    return n * LOG2_HIGH + (2 * atanh_f + n * LOG2_LOW);
}

#endif

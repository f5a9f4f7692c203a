/* Vectors of doubles as wide as the instruction set allows, and the two functions EM needs of them.

   GCC's and Clang's vector extensions: `a * b + c` on a `vec` is one instruction for LANES numbers.
   Nothing here depends on the width, so results differ between instruction sets only by the order
   in which lanes are summed and by fused multiply-adds. */
#ifndef MIXTURA_SIMD_H
#define MIXTURA_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#define LANES 8
#elif defined(__AVX__)
#define LANES 4
#else
#define LANES 2
#endif

typedef double vec __attribute__((vector_size(8 * LANES)));
typedef int64_t mask __attribute__((vector_size(8 * LANES)));

#define INLINE static inline __attribute__((always_inline))

INLINE vec load(const double *p) { vec v; memcpy(&v, p, sizeof v); return v; }
INLINE void store(double *p, vec v) { memcpy(p, &v, sizeof v); }
INLINE vec fill(double x) { return x - (vec){0}; }

INLINE vec pick(mask m, vec yes, vec no) { return (vec)((m & (mask)yes) | (~m & (mask)no)); }

#if defined(__AVX512F__)
INLINE vec larger(vec a, vec b) { return (vec)_mm512_max_pd((__m512d)a, (__m512d)b); }
#else
INLINE vec larger(vec a, vec b) { return pick(a > b, a, b); }
#endif

INLINE int any_lane(mask m) {
    int64_t any = 0;
    for (int l = 0; l < LANES; l++) any |= m[l];
    return any != 0;
}

INLINE double sum_lanes(vec v) {
    double s[LANES];
    store(s, v);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++) s[l] += s[l + width];
    return s[0];
}

/* exp(x) for x <= 0, within one unit in the last place; exactly 0 below `floor` (>= -708).

   x = n log 2 + r with |r| <= log(2)/2; log 2 in two parts, so that r is exact; exp(r) by the
   polynomial of degree 11 that interpolates it in the Chebyshev points (error 3e-18); 2^n by adding
   n to the exponent. Adding 1.5 * 2^52 rounds to an integer and leaves it in the low bits. */
INLINE vec exp_nonpositive(vec x, double floor) {
    const double shift = 0x1.8p52;
    mask kept = x > floor;
    x = pick(kept, x, fill(0.0));
    vec shifted = x * 0x1.71547652b82fep+0 + shift;
    vec n = shifted - shift;
    vec r = x - n * 0x1.62e42fee00000p-1;
    r = r - n * 0x1.a39ef35793c76p-33;
    vec p = fill(2.511015364692893e-08);
    p = p * r + 2.763279054211718e-07;
    p = p * r + 2.7557240604663896e-06;
    p = p * r + 2.4801485074105115e-05;
    p = p * r + 0.00019841269890340666;
    p = p * r + 0.0013888888952696516;
    p = p * r + 0.00833333333331949;
    p = p * r + 0.04166666666648666;
    p = p * r + 0.1666666666666668;
    p = p * r + 0.5000000000000019;
    p = p * r + 1.0;
    p = p * r + 1.0;
    vec scaled = (vec)((mask)p + ((mask)shifted << 52));
    return (vec)(kept & (mask)scaled);
}

/* log(x) for finite normal x > 0, within one unit in the last place.

   x = 2^e m with sqrt(1/2) <= m < sqrt(2); log m = 2 atanh(f), f = (m - 1)/(m + 1), by a polynomial
   in f^2 (error 8e-21). */
INLINE vec log_positive(vec x) {
    mask bits = (mask)x - 0x3fe6a09e667f3bcdLL; /* sqrt(1/2) */
    mask e = bits >> 52;
    vec m = (vec)((mask)x - (e << 52));
    const double shift = 0x1.8p52; /* e in the low bits of a double, and back: a conversion */
    vec n = (vec)(e + (mask)fill(shift)) - shift;
    vec f = (m - 1.0) / (m + 1.0);
    vec s = f * f;
    vec p = fill(0.06631399643974238);
    p = p * s + 0.0662434315641838;
    p = p * s + 0.07693582176325549;
    p = p * s + 0.0909088682939668;
    p = p * s + 0.11111111338969072;
    p = p * s + 0.142857142844061;
    p = p * s + 0.2000000000000376;
    p = p * s + 0.3333333333333333;
    p = p * s * f + f; /* atanh f, leading term added last */
    return n * 0x1.62e42fee00000p-1 + (2.0 * p + n * 0x1.a39ef35793c76p-33);
}

#endif

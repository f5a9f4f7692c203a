/* What the machine offers; compiled for the lowest instruction set. */
#ifndef MIXTURA_RUNTIME_H
#define MIXTURA_RUNTIME_H

#ifdef _OPENMP
#include <omp.h>
static int has_openmp(void) { return 1; }
static int openmp_max_threads(void) { return omp_get_max_threads(); }
#else
static int has_openmp(void) { return 0; }
static int openmp_max_threads(void) { return 1; }
#endif

#if defined(__x86_64__)
/* The features that tell the levels of the x86-64 psABI apart; a compiler that knows the levels by
   name would do, but older versions of Clang do not know these. */
static const char *best_instruction_set(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return "v4";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2"))
        return "v3";
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt")) return "v2";
    return "baseline";
}
#else
static const char *best_instruction_set(void) { return "baseline"; }
#endif

#endif

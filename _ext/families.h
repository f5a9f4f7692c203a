/* The rules of covariance families: covariances of largest likelihood, from scatters and weights. */
#ifndef MIXTURA_FAMILIES_H
#define MIXTURA_FAMILIES_H

#include "eigen.h"

typedef struct {
    const char *letters;
    ptrdiff_t (*scratch)(ptrdiff_t k, ptrdiff_t d); /* doubles */
    int (*rule)(ptrdiff_t k, ptrdiff_t d, const double *scatter, const double *counts,
                const double *previous, double *covariances, double *work);
} Family;

static ptrdiff_t no_scratch(ptrdiff_t k, ptrdiff_t d) { (void)k, (void)d; return 0; }

static int each_its_own(ptrdiff_t k, ptrdiff_t size, const double *scatter, const double *counts,
                        double *covariances) {
    for (ptrdiff_t j = 0; j < k; j++)
        for (ptrdiff_t a = 0; a < size; a++)
            covariances[j * size + a] = scatter[j * size + a] / counts[j];
    return 1;
}

static int equal(ptrdiff_t k, ptrdiff_t size, const double *scatter, const double *counts,
                 double *covariances) {
    double total = 0.0;
    for (ptrdiff_t j = 0; j < k; j++) total += counts[j];
    for (ptrdiff_t a = 0; a < size; a++) {
        double sum = 0.0;
        for (ptrdiff_t j = 0; j < k; j++) sum += scatter[j * size + a];
        for (ptrdiff_t j = 0; j < k; j++) covariances[j * size + a] = sum / total;
    }
    return 1;
}

#define RULE(name)                                                                             \
    static int name(ptrdiff_t k, ptrdiff_t d, const double *scatter, const double *counts,      \
                    const double *previous, double *covariances, double *work)
#define UNUSED (void)d, (void)previous, (void)work

RULE(eii) { UNUSED; return equal(k, 1, scatter, counts, covariances); }
RULE(vii) { UNUSED; return each_its_own(k, 1, scatter, counts, covariances); }
RULE(eei) { UNUSED; return equal(k, d, scatter, counts, covariances); }
RULE(vvi) { UNUSED; return each_its_own(k, d, scatter, counts, covariances); }
RULE(vvv) { UNUSED; return each_its_own(k, d * d, scatter, counts, covariances); }
RULE(eee) {
    double total = 0.0;
    UNUSED;
    for (ptrdiff_t j = 0; j < k; j++) total += counts[j];
    return each_its_own(1, d * d, scatter, &total, covariances);
}

static const Family FAMILIES[] = {
    {"EII", no_scratch, eii}, {"VII", no_scratch, vii}, {"EEI", no_scratch, eei},
    {"VVI", no_scratch, vvi}, {"EEE", no_scratch, eee}, {"VVV", no_scratch, vvv},
};
enum { N_FAMILIES = sizeof FAMILIES / sizeof *FAMILIES };

#endif

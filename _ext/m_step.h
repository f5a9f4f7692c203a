/* The M-step of maximum likelihood with a ridge: from the sums of a pass to what the next one reads.

   With N_j, X_j, S_j the weight, the weighted sum and the weighted scatter about the centre c_j, and
   g the ridge, a variance for each feature:

     (1)  w_j = N_j / sum N
     (2)  m_j = c_j + X_j / N_j
     (3)  W_j = S_j - X_j X_j^T / N_j + N_j diag(g)
     (4)  C_j = the family's rule for W and N            families.h
     (5)  U_j, inv(C_j) = U_j U_j^T                      factor.h
     (6)  log w_j - 1/2 trace(inv(C_j) diag(g))

   mixtura.updates.ridge says why (6) makes the ridge exact. A component without weight, or whose
   covariance is singular, ends the step: Python's update explains it and recovers. */
#ifndef MIXTURA_M_STEP_H
#define MIXTURA_M_STEP_H

#include "families.h"

typedef struct {
    int shape;
    ptrdiff_t k, d;
    const Family *family;
    const double *ridge; /* d, or NULL for none */
    double most_inflation;
    int (*signalled)(void); /* see watch.h */
} Maximisation;

/* About centres: what a pass has returned. */
typedef struct {
    const double *centres, *resp_sum, *resp_x, *resp_xx;
} Moments;

typedef struct {
    double *weights, *means, *covariances, *factors, *log_weights;
} Mixture;

/* numbers in an array of the shape, and for each component of it */
INLINE ptrdiff_t entries_of_one(int shape, ptrdiff_t d) {
    return shape == SPHERICAL ? 1 : shape == DIAG ? d : d * d;
}
INLINE ptrdiff_t members(const Maximisation *m) { return m->shape == TIED ? 1 : m->k; }

/* (3) for component j, added to or taken from the scatter at W, which is that of all for TIED */
static void centre_scatter(const Maximisation *m, const double *x, double N, double *W) {
    const ptrdiff_t d = m->d;
    const double *g = m->ridge;
    if (m->shape == SPHERICAL)
        for (ptrdiff_t a = 0; a < d; a++) *W += (g ? N * g[a] : 0.0) - x[a] * x[a] / N;
    else if (m->shape == DIAG)
        for (ptrdiff_t a = 0; a < d; a++) W[a] += (g ? N * g[a] : 0.0) - x[a] * x[a] / N;
    else
        for (ptrdiff_t a = 0; a < d; a++) {
            for (ptrdiff_t b = 0; b < d; b++) W[a * d + b] -= x[a] * x[b] / N;
            if (g) W[a * d + a] += N * g[a];
        }
}

/* (5) of one covariance; returns whether it is regular */
static int factorise_member(const Maximisation *m, const double *C, double *work, double *U) {
    const ptrdiff_t d = m->d, n = entries_of_one(m->shape, d);
    if (m->shape == FULL || m->shape == TIED) return factorise(C, d, m->most_inflation, work, U);
    for (ptrdiff_t a = 0; a < n; a++) {
        if (!(C[a] >= DBL_MIN && C[a] <= DBL_MAX)) return 0;
        U[a] = 1.0 / sqrt(C[a]);
    }
    return 1;
}

/* the trace of (6) for the factor of one covariance */
static double trace_with_ridge(const Maximisation *m, const double *U) {
    const ptrdiff_t d = m->d;
    const double *g = m->ridge;
    double trace = 0.0;
    if (!g) return 0.0;
    if (m->shape == SPHERICAL)
        for (ptrdiff_t a = 0; a < d; a++) trace += U[0] * U[0] * g[a];
    else if (m->shape == DIAG)
        for (ptrdiff_t a = 0; a < d; a++) trace += U[a] * U[a] * g[a];
    else
        for (ptrdiff_t a = 0; a < d; a++)
            for (ptrdiff_t b = a; b < d; b++) trace += U[a * d + b] * U[a * d + b] * g[a];
    return trace;
}

/* (6) of all components */
static void log_weights(const Maximisation *m, const double *weights, const double *factors,
                        double *out) {
    const ptrdiff_t size = entries_of_one(m->shape, m->d);
    double trace = 0.0;
    for (ptrdiff_t j = 0; j < m->k; j++) {
        if (j < members(m)) trace = trace_with_ridge(m, factors + j * size);
        out[j] = log(weights[j]) - 0.5 * trace;
    }
}

/* doubles of scratch that `m_step` asks for */
static ptrdiff_t m_step_scratch(const Maximisation *m) {
    const ptrdiff_t d = m->d, of_family = maximise_scratch(m->family, m->k, d);
    const ptrdiff_t of_factor = m->shape == FULL || m->shape == TIED ? FACTOR_SCRATCH(d) : 0;
    return members(m) * entries_of_one(m->shape, d)
           + (of_family > of_factor ? of_family : of_factor);
}

/* (1) to (6), from covariances before where the rule iterates; returns whether all components have
   parameters, else what is written means nothing; not where a signal handler raised */
static int m_step(const Maximisation *m, const Moments *s, const double *previous,
                  const Mixture *out, double *scratch) {
    const ptrdiff_t k = m->k, d = m->d, size = entries_of_one(m->shape, d), n = members(m);
    double *W = scratch, *work = scratch + n * size;
    double total = 0.0;
    for (ptrdiff_t j = 0; j < k; j++) {
        if (!(s->resp_sum[j] > 0.0)) return 0;
        total += s->resp_sum[j];
    }
    memcpy(W, s->resp_xx, n * size * sizeof *W);
    for (ptrdiff_t j = 0; j < k; j++) {
        const double N = s->resp_sum[j], *x = s->resp_x + j * d;
        out->weights[j] = N / total;
        for (ptrdiff_t a = 0; a < d; a++) out->means[j * d + a] = s->centres[j * d + a] + x[a] / N;
        centre_scatter(m, x, N, W + (n == 1 ? 0 : j) * size);
    }
    if (m->shape == SPHERICAL)
        for (ptrdiff_t j = 0; j < k; j++) W[j] /= (double)d;
    Patience patience = {.signalled = m->signalled};
    maximise(m->family, k, d, W, s->resp_sum, previous, out->covariances, work, &patience);
    if (patience.stop) return 0;
    for (ptrdiff_t j = 0; j < n; j++)
        if (!factorise_member(m, out->covariances + j * size, work, out->factors + j * size))
            return 0;
    log_weights(m, out->weights, out->factors, out->log_weights);
    return 1;
}

#endif

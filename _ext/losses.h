/* What the rows lose where one of k components is taken away, or two become one.

   With r_ij the share of component j in row i, w_i the weight of the row, x(r) = r log r, and N_j, m_j
   and S_j the weight, the mean and the scatter of a component:

     (1)  - sum_i w_i log(1 - r_ij)                            its rows are left to the others
     (2)  sum_i w_i (x(r_ij + r_il) - x(r_ij) - x(r_il))       the entropy of the shares of two
     (3)  (N D(S / N) - N_j D(S_j / N_j) - N_l D(S_l / N_l)) / 2 - x(N) + x(N_j) + x(N_l)

   where D is the log-determinant, N = N_j + N_l and S = S_j + S_l + N_j N_l / N (m_j - m_l)
   (m_j - m_l)^T. (3) is Runnalls' bound. Where all share one scatter T of weight M, its first part is

     (4)  M / 2 (D(T + N_j N_l / N (m_j - m_l) (m_j - m_l)^T) - D(T)), both over M.

   `mixtura.search.losses` says what these are for and names the source; `mixtura.reference.losses`
   has them in NumPy. (2) and (3) are the same to the bit for j, l and l, j. */
#ifndef MIXTURA_LOSSES_H
#define MIXTURA_LOSSES_H

#include "m_step.h"

#define SMALL_SHARE 1e-6 /* r + r^2 / 2 is -log(1 - r) to a relative 4e-13 */

static double times_log(double x) { return x > 0.0 ? x * log(fmax(x, DBL_MIN)) : 0.0; }

/* (1) of all components */
static void lose_components(ptrdiff_t n, ptrdiff_t k, const double *resp, const double *weight,
                            double *out) {
    memset(out, 0, k * sizeof *out);
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < k; j++) {
            const double r = resp[i * k + j];
            out[j] += weight[i]
                      * (r < SMALL_SHARE ? r * (1.0 + 0.5 * r) : -log(fmax(1.0 - r, DBL_MIN)));
        }
}

/* (2) of each component with some others; rows of which one component has all but a least share
   are left out. `scratch` has room for k numbers. */
static void add_entropies(ptrdiff_t n, ptrdiff_t k, const double *resp, const double *weight,
                          ptrdiff_t n_others, const int64_t *others, double least_share,
                          double *scratch, double *out) {
    memset(out, 0, k * n_others * sizeof *out);
    for (ptrdiff_t i = 0; i < n; i++) {
        const double *r = resp + i * k;
        double most = 0.0;
        for (ptrdiff_t j = 0; j < k; j++) most = r[j] > most ? r[j] : most;
        if (!(most < 1.0 - least_share)) continue;
        for (ptrdiff_t j = 0; j < k; j++) scratch[j] = times_log(r[j]);
        for (ptrdiff_t j = 0; j < k; j++)
            for (ptrdiff_t c = 0; c < n_others; c++) {
                const ptrdiff_t l = others[j * n_others + c];
                const double apart = scratch[j] + scratch[l];
                out[j * n_others + c] += weight[i] * (times_log(r[j] + r[l]) - apart);
            }
    }
}

/* D of a scatter over a weight; NaN where that is not regular. The scratch is that of m_step and as
   much as two arrays of one component more. */
static double log_det(const Maximisation *m, const double *scatter, double weight,
                      double *scratch) {
    const ptrdiff_t d = m->d, size = entries_of_one(m->shape, d);
    double *C = scratch, *U = scratch + size, *work = U + size, sum = 0.0;
    const double unit = m->shape == SPHERICAL ? weight * (double)d : weight;
    for (ptrdiff_t e = 0; e < size; e++) C[e] = scatter[e] / unit;
    if (!factorise_member(m, C, work, U)) return NAN;
    if (m->shape == SPHERICAL) return -2.0 * (double)d * log(U[0]);
    for (ptrdiff_t a = 0; a < d; a++) sum += log(U[m->shape == DIAG ? a : a * d + a]);
    return -2.0 * sum;
}

/* numbers of scratch that `bound_pairs` asks for */
static ptrdiff_t bound_scratch(const Maximisation *m) {
    const ptrdiff_t work = m->shape == FULL || m->shape == TIED ? FACTOR_SCRATCH(m->d) : 0;
    return 3 * entries_of_one(m->shape, m->d) + m->d + 2 * m->k + work;
}

/* (3) or (4) of pairs of components; NaN or infinite where nothing can be said. The statistics are
   about the means. */
static void bound_pairs(const Maximisation *m, const Moments *s, ptrdiff_t n_pairs,
                        const int64_t *one, const int64_t *other, double *scratch, double *out) {
    const ptrdiff_t k = m->k, d = m->d, size = entries_of_one(m->shape, d);
    const int is_tied = m->shape == TIED;
    double *alone = scratch, *x = alone + k, *apart = x + k, *S = apart + d, *rest = S + size;
    double total = 0.0;
    for (ptrdiff_t j = 0; j < k; j++) {
        total += s->resp_sum[j];
        x[j] = times_log(s->resp_sum[j]); /* rounded here, so that a sum of two has no order */
    }
    for (ptrdiff_t j = 0; j < members(m); j++) {
        const double N = is_tied ? total : s->resp_sum[j];
        alone[j] = N * log_det(m, s->resp_xx + j * size, N, rest);
    }
    for (ptrdiff_t p = 0; p < n_pairs; p++) {
        const ptrdiff_t j = one[p], l = other[p];
        const double N_j = s->resp_sum[j], N_l = s->resp_sum[l], N = N_j + N_l;
        const double between = N_j * N_l / N;
        for (ptrdiff_t a = 0; a < d; a++) apart[a] = s->centres[j * d + a] - s->centres[l * d + a];
        for (ptrdiff_t e = 0; e < size; e++)
            S[e] = s->resp_xx[e + (is_tied ? 0 : j * size)]
                   + (is_tied ? 0.0 : s->resp_xx[l * size + e]);
        if (m->shape == SPHERICAL)
            for (ptrdiff_t a = 0; a < d; a++) S[0] += between * apart[a] * apart[a];
        else if (m->shape == DIAG)
            for (ptrdiff_t a = 0; a < d; a++) S[a] += between * apart[a] * apart[a];
        else
            for (ptrdiff_t a = 0; a < d; a++)
                for (ptrdiff_t b = 0; b < d; b++) S[a * d + b] += between * apart[a] * apart[b];
        const double weight = is_tied ? total : N;
        const double before = is_tied ? alone[0] : alone[j] + alone[l];
        out[p] = 0.5 * (weight * log_det(m, S, weight, rest) - before)
                 - (times_log(N) - (x[j] + x[l]));
    }
}

#endif

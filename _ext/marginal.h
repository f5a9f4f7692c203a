/* A run: many rows that lack the same features. With o the observed features and m the others,

     (1)  B = cov_mo inv(cov_oo),   V = cov_mm - B cov_om

   for each component. Its rows are passed over as if there were no other features, under the
   marginal mixture of the observed ones; row work is that of o features. What the sums of complete
   rows would be expected to be is had at the end of the run from its own sums S:

     (2)  resp_x = [I; B] S_x,   resp_xx = [I; B] S_xx [I; B]^T + resp_sum V on the missing

   Diagonals have B = 0, and V the variances. */
#ifndef MIXTURA_MARGINAL_H
#define MIXTURA_MARGINAL_H

#include "part.h"
#include "run.h"
#include "scatter.h"

/* C (m x n) += A (m x p) B */
static void small_product(ptrdiff_t m, ptrdiff_t n, ptrdiff_t p, const double *A, View B,
                          double *C, double *panel) {
    memset(C, 0, m * n * sizeof *C);
    if (m && n && p) add_product(m, n, p, 1.0, A, p, B, 0, C, n, panel);
}

/* Factor of cov_oo, and (1), for one covariance. */
static void condition(const Pass *p, ptrdiff_t j, Part *part) {
    const ptrdiff_t d = p->d, o = part->pass.d, m = part->n_lost;
    const double *covariance = p->covariances + j * d * d;
    double *factor = part->factors + j * o * o, *slopes = part->slopes + j * m * o;
    double *rest = part->rest + j * m * m, *across = part->block, *whitened = across + m * o;
    double *panel = part->work;
    for (ptrdiff_t a = 0; a < o; a++)
        for (ptrdiff_t b = 0; b < o; b++)
            across[a * o + b] = covariance[part->kept[a] * d + part->kept[b]];
    if (o) factorise(across, o, INFINITY, part->work, factor);
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t b = 0; b < o; b++)
            across[i * o + b] = covariance[part->lost[i] * d + part->kept[b]];
    small_product(m, o, o, across, rows_of(factor, o), whitened, panel);
    small_product(m, o, o, whitened, transpose_of(factor, o), slopes, panel);
    small_product(m, m, o, whitened, transpose_of(whitened, o), rest, panel);
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t l = 0; l < m; l++)
            rest[i * m + l] = covariance[part->lost[i] * d + part->lost[l]] - rest[i * m + l];
}

/* The features that the rows of a run have, and those that they lack. */
static void split_features(const Pass *p, ptrdiff_t place, Part *part) {
    const char *row = p->X + row_at(p, place) * p->row_stride;
    ptrdiff_t o = 0, m = 0;
    for (ptrdiff_t a = 0; a < p->d; a++)
        if (isnan(element(row + a * p->column_stride, p->is_float32))) part->lost[m++] = (int32_t)a;
        else part->kept[o++] = (int32_t)a;
    part->n_lost = m;
}

/* Lays out the marginal mixture of a run. */
static void start_run(const Pass *p, Part *part) {
    const ptrdiff_t k = p->k, d = p->d;
    split_features(p, part->first, part);
    const ptrdiff_t o = d - part->n_lost;
    part->pass = sized(p, o, 0);
    if (o == d) return;
    for (ptrdiff_t j = 0; j < k; j++)
        for (ptrdiff_t a = 0; a < o; a++) {
            part->means[j * o + a] = p->means[j * d + part->kept[a]];
            if (p->shape == DIAG) part->factors[j * o + a] = p->factors[j * d + part->kept[a]];
        }
    for (ptrdiff_t j = 0; j < n_factors(p) && !is_diagonal(p); j++) condition(p, j, part);
    part->pass.means = part->means;
    if (p->shape != SPHERICAL) part->pass.factors = part->factors;
    part->pass.mixture = part->mixture;
    lay_out(&part->pass);
}

/* ---- what the sums of complete rows would be: (2) ---- */

/* Where sums stand in a slot of the pass, in doubles. */
INLINE ptrdiff_t total_x_at(const Pass *p) { return HEADER + p->k; }
INLINE ptrdiff_t total_xx_at(const Pass *p) { return total_x_at(p) + p->k * p->d; }
INLINE ptrdiff_t total_xx_size(const Pass *p) {
    const ptrdiff_t d = p->d;
    return p->shape == SPHERICAL ? p->k : p->shape == DIAG ? p->k * d : n_factors(p) * d * d;
}
INLINE ptrdiff_t observed_at(const Pass *p) { return total_xx_at(p) + total_xx_size(p); }
INLINE ptrdiff_t totals_end(const Pass *p) { return observed_at(p) + p->k * p->d; }

/* Variance of a feature that is missing. */
INLINE double lost_variance(const Pass *p, ptrdiff_t j, ptrdiff_t a) {
    if (p->step->is_distance) return 0.0;
    return p->covariances[p->shape == SPHERICAL ? j : j * p->d + a];
}

/* Component j of a diagonal: squares of the kept features, variances of the others. */
static void lift_diagonal(const Pass *p, const Part *part, ptrdiff_t j, double resp_sum,
                          double *slot) {
    const Pass *own = &part->pass;
    double *out = slot + total_xx_at(p) + (p->shape == DIAG ? j * p->d : j);
    const double *squares = part->sums + resp_xx_at(own, j);
    for (ptrdiff_t a = 0; a < own->d; a++)
        out[p->shape == DIAG ? part->kept[a] : 0] += sum_entry(own, squares + a * entry(own));
    for (ptrdiff_t i = 0; i < part->n_lost; i++)
        out[p->shape == DIAG ? part->lost[i] : 0] += resp_sum * lost_variance(p, j, part->lost[i]);
}

INLINE void add_both(double *out, ptrdiff_t d, ptrdiff_t a, ptrdiff_t b, double sum) {
    out[a * d + b] += sum;
    if (a != b) out[b * d + a] += sum;
}

/* Scatter of component j, or of all where they share one. */
static void lift_scatter(const Pass *p, const Part *part, ptrdiff_t j, double resp_sum,
                         double *slot) {
    const Pass *own = &part->pass;
    const ptrdiff_t d = p->d, o = own->d, m = part->n_lost, c = columns(own), e = entry(own);
    const double *sums = part->sums + resp_xx_at(own, j);
    const double *slopes = part->slopes + j * m * o, *rest = part->rest + j * m * m;
    double *out = slot + total_xx_at(p) + j * d * d, *kept = part->block, *lost = kept + o * o;
    for (ptrdiff_t a = 0; a < o; a++)
        for (ptrdiff_t b = 0; b <= a; b++) {
            const double sum = sum_entry(own, sums + (a * c + b) * e);
            kept[a * o + b] = kept[b * o + a] = sum;
            add_both(out, d, part->kept[a], part->kept[b], sum);
        }
    if (m == 0) return;
    small_product(m, o, o, slopes, rows_of(kept, o), lost, part->work);
    for (ptrdiff_t i = 0; i < m; i++) {
        for (ptrdiff_t a = 0; a < o; a++)
            add_both(out, d, part->lost[i], part->kept[a], lost[i * o + a]);
        for (ptrdiff_t l = 0; l <= i; l++) {
            double sum = resp_sum * rest[i * m + l];
            for (ptrdiff_t a = 0; a < o; a++) sum += lost[i * o + a] * slopes[l * o + a];
            add_both(out, d, part->lost[i], part->lost[l], sum);
        }
    }
}

/* Adds the sums of a part to the slot. */
static void lift(const Pass *p, const Part *part, double *slot) {
    const Pass *own = &part->pass;
    const ptrdiff_t d = p->d, o = own->d, m = part->n_lost;
    double total = 0.0;
    for (ptrdiff_t j = 0; j < p->k; j++) {
        const double resp_sum = sum_lanes(part->sums + resp_sum_at(j));
        double *out = slot + total_x_at(p) + j * d, *observed = slot + observed_at(p) + j * d;
        const double *slopes = part->slopes + (p->shape == TIED ? 0 : j * m * o);
        total += resp_sum;
        slot[HEADER + j] += resp_sum;
        for (ptrdiff_t a = 0; a < o; a++) {
            const double sum = sum_entry(own, part->sums + resp_x_at(own, j) + a * entry(own));
            out[part->kept[a]] += sum;
            if (!part->is_mixed) observed[part->kept[a]] += resp_sum;
            for (ptrdiff_t i = 0; i < m && !is_diagonal(p); i++)
                out[part->lost[i]] += slopes[i * o + a] * sum;
        }
        if (is_diagonal(p)) lift_diagonal(p, part, j, resp_sum, slot);
        else if (p->shape == FULL) lift_scatter(p, part, j, resp_sum, slot);
    }
    if (p->shape == TIED) lift_scatter(p, part, 0, total, slot);
}

/* ---- expected rows ---- */

/* What is expected of a missing number of row t, before shares: the mean, and slopes times z. */
static double expected_of_run(const Pass *p, const Part *part, ptrdiff_t j, ptrdiff_t i,
                              ptrdiff_t t) {
    const Pass *own = &part->pass;
    const ptrdiff_t o = own->d;
    double sum = p->means[j * p->d + part->lost[i]];
    if (is_diagonal(p)) return sum;
    const double *slopes = part->slopes + ((p->shape == TIED ? 0 : j) * part->n_lost + i) * o;
    for (ptrdiff_t a = 0; a < o; a++)
        sum += slopes[a] * (part->tile.by_feature[a * own->tile + t] - own->means[j * o + a]);
    return sum;
}

#endif

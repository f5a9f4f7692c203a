/* When accelerated iterations extrapolate, how far, and when they stop: mixtura.schedules.squarem, which
   explains it and names the source, and mixtura.schedules.plain. All that is decided from numbers
   is the same here; the loop over passes is in iterate.pxi. */
#ifndef MIXTURA_SQUAREM_H
#define MIXTURA_SQUAREM_H

#include "m_step.h"

/* Constants of the two modules, under their names. */
enum { PATIENCE = 8, N_STATISTICS = 3, CONFIRM = 2 };
static const double CAUTION = 20.0, LARGE_GAIN = 3e-4, STRETCH = 4.0, LEAST_LENGTH = 1.5;

typedef struct {
    int extrapolates;
    double tol, rounding;
    const double *scale; /* d */
} StepRule;

/* The state without the statistics since the last extrapolation. */
typedef struct {
    int n_recent, confirming;
    ptrdiff_t plain;
    double recent[3], predicted_gain, longest, slowest, gain;
} Progress;

static double aitken(const StepRule *rule, const Progress *at) {
    const int n = at->n_recent;
    const double *recent = at->recent;
    if (n < 2) return INFINITY;
    for (int i = 0; i < n; i++)
        if (!(fabs(recent[i]) <= DBL_MAX)) return INFINITY;
    const double gain = recent[n - 1] - recent[n - 2];
    const double rounding = 4.0 * rule->rounding * fmax(1.0, fabs(recent[n - 1]));
    if (-fmax(rounding, rule->tol) <= gain && gain <= rounding) return 0.0;
    if (n < 3) return INFINITY;
    const double before = recent[n - 2] - recent[n - 3];
    return 0.0 < gain && gain < before ? gain * gain / (before - gain) : INFINITY;
}

static int is_over(const StepRule *rule, const Progress *before, const Progress *after) {
    if (after->predicted_gain == 0.0) return rule->tol > 0.0;
    if (!(fmax(before->predicted_gain, after->predicted_gain) <= rule->tol)) return 0;
    const double gain = after->recent[after->n_recent - 1] - after->recent[after->n_recent - 2];
    const double rise = gain + after->predicted_gain - before->predicted_gain;
    return rise <= before->predicted_gain && after->predicted_gain + CAUTION * rise <= rule->tol;
}

/* After a plain iteration that follows a predicted end; returns whether it is one. */
static int confirmed(const StepRule *rule, const Progress *before, Progress *after) {
    if (before->confirming >= CONFIRM) {
        if (fmax(aitken(rule, after), after->predicted_gain) <= rule->tol) return 1;
        after->confirming = 0;
    } else
        after->confirming = before->confirming + 1;
    return 0;
}

/* Whether the statistics of this iteration may serve an extrapolation; counts the iteration. */
static int begin_iteration(const StepRule *rule, const Progress *before, double objective,
                           Progress *after) {
    *after = *before;
    if (before->n_recent) after->gain = objective - before->recent[before->n_recent - 1];
    after->plain++;
    return rule->extrapolates && after->plain > PATIENCE && !(after->gain > LARGE_GAIN);
}

/* With the objective that the iteration and its extrapolation end at; returns whether all is over.
   Sets `drops` where the statistics kept for an extrapolation are not needed. */
static int end_iteration(const StepRule *rule, const Progress *before, double objective,
                         Progress *after, int *drops) {
    if (after->n_recent == 3) {
        after->recent[0] = after->recent[1];
        after->recent[1] = after->recent[2];
        after->n_recent = 2;
    }
    after->recent[after->n_recent++] = objective;
    after->predicted_gain = aitken(rule, after);
    if (after->slowest != 0.0 && after->predicted_gain != 0.0)
        after->predicted_gain = after->gain > 0.0 ? after->gain * after->slowest : INFINITY;
    if (before->slowest == 0.0 || after->predicted_gain == 0.0)
        return is_over(rule, before, after);
    if (before->confirming) return confirmed(rule, before, after);
    if (after->predicted_gain <= rule->tol) after->confirming = *drops = 1;
    return 0;
}

/* ---- extrapolation steps ---- */

/* numbers of all sums, in the order of Moments */
static ptrdiff_t n_sums(const Maximisation *m) {
    return m->k + m->k * m->d + members(m) * entries_of_one(m->shape, m->d);
}

/* All sums about other centres, as one vector without units. */
static void as_vector(const Maximisation *m, const StepRule *rule, const Moments *s,
                      const double *centres, double *vector) {
    const ptrdiff_t k = m->k, d = m->d, size = entries_of_one(m->shape, d), n = members(m);
    const double *scale = rule->scale;
    double *x = vector + k, *xx = x + k * d, trace = 0.0;
    memcpy(vector, s->resp_sum, k * sizeof *vector);
    memcpy(xx, s->resp_xx, n * size * sizeof *vector);
    for (ptrdiff_t j = 0; j < k; j++) {
        const double N = s->resp_sum[j], *X = s->resp_x + j * d;
        const double *from = s->centres + j * d, *to = centres + j * d;
        double *own = xx + (n == 1 ? 0 : j) * size;
        for (ptrdiff_t a = 0; a < d; a++) {
            const double shift = from[a] - to[a], moved = 2.0 * X[a] + N * shift;
            x[j * d + a] = (X[a] + N * shift) / scale[a];
            if (m->shape == SPHERICAL) *own += moved * shift;
            else if (m->shape == DIAG) own[a] += moved * shift;
            else
                for (ptrdiff_t b = 0; b < d; b++) {
                    const double other = from[b] - to[b];
                    own[a * d + b] += 0.5 * (moved * other + (2.0 * X[b] + N * other) * shift);
                }
        }
    }
    for (ptrdiff_t a = 0; a < d; a++) trace += scale[a] * scale[a];
    for (ptrdiff_t j = 0; j < n; j++)
        for (ptrdiff_t i = 0; i < size; i++)
            xx[j * size + i] /= m->shape == SPHERICAL ? trace
                                : m->shape == DIAG    ? scale[i] * scale[i]
                                                      : scale[i / d] * scale[i % d];
}

/* |r| / |v| of three vectors */
static double slowness(ptrdiff_t n, const double *x0, const double *x1, const double *x2) {
    double unit = DBL_MIN, rr = 0.0, vv = 0.0;
    for (ptrdiff_t i = 0; i < n; i++) unit = fmax(unit, fabs(x1[i] - x0[i]));
    for (ptrdiff_t i = 0; i < n; i++) {
        const double r = (x1[i] - x0[i]) / unit, v = (x2[i] - 2.0 * x1[i] + x0[i]) / unit;
        rr += r * r;
        vv += v * v;
    }
    return sqrt(rr / fmax(vv, DBL_MIN));
}

/* Sets sums to those of a step of some length, with units again; returns whether some rows may have
   them. The sums may take the place of the last vector. */
static int extrapolate(const Maximisation *m, const StepRule *rule, double length, const double *x0,
                       const double *x1, const double *x2, double *sums) {
    const ptrdiff_t k = m->k, d = m->d, size = entries_of_one(m->shape, d), n = n_sums(m);
    const double *scale = rule->scale;
    double trace = 0.0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const double r = x1[i] - x0[i], v = x2[i] - 2.0 * x1[i] + x0[i];
        sums[i] = x0[i] + length * (2.0 * r + length * v);
    }
    for (ptrdiff_t a = 0; a < d; a++) trace += scale[a] * scale[a];
    for (ptrdiff_t j = 0; j < k; j++) {
        if (!(sums[j] > 0.0)) return 0;
        for (ptrdiff_t a = 0; a < d; a++) sums[k + j * d + a] *= scale[a];
    }
    for (ptrdiff_t i = 0; i < n - k - k * d; i++) {
        double *at = sums + k + k * d + i;
        *at *= m->shape == SPHERICAL ? trace
               : m->shape == DIAG    ? scale[i % d] * scale[i % d]
                                     : scale[i % size / d] * scale[i % d];
        if (!(fabs(*at) <= DBL_MAX)) return 0;
    }
    return 1;
}

#endif

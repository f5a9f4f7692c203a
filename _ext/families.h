/* The covariance families: how scatters become covariances, on one thread.

   A rule takes scatters W_j about the component means, k of them, and positive weights n_j, and
   writes the covariances of largest expected likelihood [1], those that make

     sum_j n_j log det C_j + tr(inv(C_j) W_j)

   least within the family. `mixtura.covariance` has the same rules in NumPy, which are the
   definition; results agree to rounding. An array has one number for each component, a diagonal of
   d or a matrix of d x d. Only EEE has one matrix for all: its scatter is the sum.

   A component whose scatter is singular gets a covariance that is singular, or NaN, and does not
   affect the others. No rule fails. It returns how many steps its iterations made, 0 for a closed
   form. `previous` are the covariances before, from which iterations begin, or NULL;
   `covariances` may be the same array.

   [1] G. Celeux, G. Govaert, "Gaussian parsimonious clustering models", Pattern Recognition 28,
       781-793, 1995. */
#ifndef MIXTURA_FAMILIES_H
#define MIXTURA_FAMILIES_H

#include "axes.h"
#include "volumes.h"

typedef int (*Rule)(ptrdiff_t k, ptrdiff_t d, const double *scatter, const double *counts,
                    const double *previous, double *covariances, double *work,
                    Patience *patience);

typedef struct {
    const char *name;   /* its letters */
    int order;          /* a component has d^order numbers */
    int is_tied;        /* one matrix serves for all components */
    int is_separate;    /* no component depends on another */
    Rule rule;
    ptrdiff_t (*scratch)(ptrdiff_t k, ptrdiff_t d); /* doubles of `work` that the rule asks for */
} Family;

/* Volume and shape vary; m numbers a component: VII, VVI, VVV */
INLINE void each_its_own(ptrdiff_t k, ptrdiff_t m, const double *scatter, const double *counts,
                         double *covariances) {
    for (ptrdiff_t j = 0; j < k; j++)
        for (ptrdiff_t i = 0; i < m; i++) covariances[j * m + i] = scatter[j * m + i] / counts[j];
}

/* Volume and shape are equal, and kept for each component: EII, EEI */
INLINE void equal(ptrdiff_t k, ptrdiff_t m, const double *scatter, const double *counts,
                  double *covariances) {
    const double weight = total_of(k, counts);
    for (ptrdiff_t i = 0; i < m; i++) {
        double sum = 0.0;
        for (ptrdiff_t j = 0; j < k; j++) sum += scatter[j * m + i];
        for (ptrdiff_t j = 0; j < k; j++) covariances[j * m + i] = sum / weight;
    }
}

/* Scatters divided by the roots of their determinants, times the mean of these. A singular one,
   whose root is zero, stays singular. */
static void of_equal_volume(ptrdiff_t k, ptrdiff_t m, const double *scatter, const double *counts,
                            const double *roots, double *covariances) {
    double weight = 0.0;
    for (ptrdiff_t j = 0; j < k; j++) weight += roots[j] > 0.0 ? counts[j] : 0.0;
    const double volume = total_of(k, roots) / (weight > DBL_MIN ? weight : DBL_MIN);
    for (ptrdiff_t j = 0; j < k; j++) {
        const int regular = roots[j] > 0.0;
        const double root = regular ? roots[j] : counts[j], times = regular ? volume : 1.0;
        for (ptrdiff_t i = 0; i < m; i++)
            covariances[j * m + i] = scatter[j * m + i] / root * times;
    }
}

/* exp(mean log), 0 where some number is not positive */
static double geometric_mean(ptrdiff_t d, const double *x) {
    double sum = 0.0;
    for (ptrdiff_t a = 0; a < d; a++) {
        if (!(x[a] > 0.0)) return 0.0;
        sum += log(x[a]);
    }
    return exp(sum / d);
}

/* Volume is equal, shape varies: EVI, with room for k roots */
INLINE void equal_volumes(ptrdiff_t k, ptrdiff_t d, const double *scatter, const double *counts,
                          double *covariances, double *roots) {
    for (ptrdiff_t j = 0; j < k; j++) roots[j] = geometric_mean(d, scatter + j * d);
    of_equal_volume(k, d, scatter, counts, roots, covariances);
}

/* Eigenvalues of each scatter, none below zero, and its axes, the columns; NaN where there are
   none */
static void own_axes(ptrdiff_t k, ptrdiff_t d, const double *scatter, double *variances,
                     double *axes, double *work) {
    for (ptrdiff_t j = 0; j < k; j++) {
        double *values = variances + j * d, *vectors = axes + j * d * d;
        const int found = eigen(scatter + j * d * d, d, work, values, vectors);
        for (ptrdiff_t a = 0; a < d; a++)
            values[a] = !found ? NAN : values[a] > 0.0 ? values[a] : 0.0;
        for (ptrdiff_t i = 0; i < d * d; i++) vectors[i] = found ? vectors[i] : NAN;
    }
}

/* The matrix with these variances along axes, the columns, exactly symmetric; NaN where the
   smallest variance is lost in the rounding of the largest. `row` has room for d. */
static void span(ptrdiff_t d, const double *axes, const double *variances, double *matrix,
                 double *row) {
    double largest = 0.0;
    int kept = 1;
    for (ptrdiff_t a = 0; a < d; a++) largest = variances[a] > largest ? variances[a] : largest;
    for (ptrdiff_t a = 0; a < d; a++) kept &= variances[a] > d * DBL_EPSILON * largest;
    for (ptrdiff_t a = 0; a < d; a++) {
        for (ptrdiff_t r = 0; r < d; r++) row[r] = variances[r] * axes[a * d + r];
        for (ptrdiff_t b = 0; b <= a; b++)
            matrix[a * d + b] = matrix[b * d + a] = kept ? dot(d, row, axes + b * d) : NAN;
    }
}

/* The rules, by their letters. Numbers of scratch: */
static ptrdiff_t no_scratch(ptrdiff_t k, ptrdiff_t d) { return 0; }
static ptrdiff_t roots_scratch(ptrdiff_t k, ptrdiff_t d) { return k; }
static ptrdiff_t factor_scratch(ptrdiff_t k, ptrdiff_t d) {
    return k + d * d + FACTOR_SCRATCH(d);
}
static ptrdiff_t axes_scratch(ptrdiff_t k, ptrdiff_t d) {
    return 2 * k * d + k * d * d + EIGEN_SCRATCH(d);
}

#define RULE(letters)                                                                              \
    static int letters(ptrdiff_t k, ptrdiff_t d, const double *scatter, const double *counts,      \
                       const double *previous, double *covariances, double *work,                  \
                       Patience *patience)

RULE(rule_EII) {
    equal(k, 1, scatter, counts, covariances);
    return 0;
}

RULE(rule_VII) {
    each_its_own(k, 1, scatter, counts, covariances);
    return 0;
}

RULE(rule_EEI) {
    equal(k, d, scatter, counts, covariances);
    return 0;
}

RULE(rule_EVI) {
    equal_volumes(k, d, scatter, counts, covariances, work);
    return 0;
}

RULE(rule_VVI) {
    each_its_own(k, d, scatter, counts, covariances);
    return 0;
}

RULE(rule_EEE) {
    const double weight = total_of(k, counts);
    each_its_own(1, d * d, scatter, &weight, covariances);
    return 0;
}

RULE(rule_EEV) {
    double *variances = work, *common = variances + k * d, *axes = common + k * d;
    double *rest = axes + k * d * d;
    own_axes(k, d, scatter, variances, axes, rest);
    equal(k, d, variances, counts, common);
    for (ptrdiff_t j = 0; j < k; j++)
        span(d, axes + j * d * d, common + j * d, covariances + j * d * d, rest);
    return 0;
}

RULE(rule_EVV) {
    double *roots = work, *factor = roots + k, *rest = factor + d * d;
    for (ptrdiff_t j = 0; j < k; j++) {
        double logs = 0.0;
        roots[j] = 0.0;
        if (!factorise(scatter + j * d * d, d, MOST_INFLATION, rest, factor)) continue;
        for (ptrdiff_t a = 0; a < d; a++) logs += log(factor[a * d + a]);
        roots[j] = exp(-2.0 * logs / d);
    }
    of_equal_volume(k, d * d, scatter, counts, roots, covariances);
    return 0;
}

RULE(rule_VVV) {
    each_its_own(k, d * d, scatter, counts, covariances);
    return 0;
}

static ptrdiff_t common_axes_scratch(ptrdiff_t k, ptrdiff_t d) {
    return 2 * k * d + k + d + common_scratch(k, d);
}

/* Orientation is equal, and shape varies, on the axes of largest likelihood for equal volumes or
   for any, and with equal volumes or any */
static int on_common_axes(ptrdiff_t k, ptrdiff_t d, const double *scatter, const double *counts,
                          const double *previous, double *covariances, double *work,
                          Patience *patience, int axes_of_equal, int equal) {
    double *along = work, *variances = along + k * d, *roots = variances + k * d;
    double *row = roots + k;
    Common c = lay_out_common(k, d, axes_of_equal, counts, row + d, patience);
    const int steps = common_axes(&c, scatter, previous);
    if (patience->stop) return steps;
    for (ptrdiff_t j = 0; j < k; j++)
        for (ptrdiff_t a = 0; a < d; a++) along[j * d + a] = c.traces[j] * c.omega[a * k + j];
    if (equal)
        equal_volumes(k, d, along, counts, variances, roots);
    else
        each_its_own(k, d, along, counts, variances);
    for (ptrdiff_t a = 0; a < d; a++) /* columns, as `span` takes them */
        for (ptrdiff_t r = 0; r < d; r++) c.best[a * d + r] = c.axes[r * d + a];
    for (ptrdiff_t j = 0; j < k; j++)
        span(d, c.best, variances + j * d, covariances + j * d * d, row);
    return steps;
}

static ptrdiff_t diagonals_scratch(ptrdiff_t k, ptrdiff_t d) {
    return 3 * k + k * d + volumes_scratch(k, d, d);
}

static ptrdiff_t matrices_scratch(ptrdiff_t k, ptrdiff_t d) {
    return 3 * k + volumes_scratch(k, d, d * d);
}

static ptrdiff_t own_axes_scratch(ptrdiff_t k, ptrdiff_t d) {
    return 2 * k * d + k * d * d + larger_of(EIGEN_SCRATCH(d), diagonals_scratch(k, d));
}

/* sums of diagonals, whose entries are `step` numbers apart; m numbers a component */
static void add_diagonals(ptrdiff_t k, ptrdiff_t d, ptrdiff_t m, ptrdiff_t step,
                          const double *matrices, double *traces) {
    for (ptrdiff_t j = 0; j < k; j++) {
        traces[j] = 0.0;
        for (ptrdiff_t a = 0; a < d; a++) traces[j] += matrices[j * m + a * step];
    }
}

/* A common shape, from m numbers for each component and covariances before of `m_before` */
static int of_common_shape(ptrdiff_t k, ptrdiff_t d, ptrdiff_t m, const double *scatter,
                           const double *counts, const double *previous, ptrdiff_t m_before,
                           double *covariances, double *work) {
    double *traces = work, *before = traces + k, *left = before + k;
    Volumes v = lay_out_volumes(k, d, m, left + k);
    add_diagonals(k, d, m, m == d ? 1 : d + 1, scatter, traces);
    if (previous) add_diagonals(k, d, m_before, m_before == d ? 1 : d + 1, previous, before);
    return with_common_shape(&v, scatter, counts, traces, previous ? before : NULL, left,
                             covariances);
}

RULE(rule_VEI) {
    double *positive = work; /* rounding may leave less than nothing */
    for (ptrdiff_t i = 0; i < k * d; i++) positive[i] = scatter[i] > 0.0 ? scatter[i] : 0.0;
    return of_common_shape(k, d, d, positive, counts, previous, d, covariances, work + k * d);
}

RULE(rule_VEE) {
    return of_common_shape(k, d, d * d, scatter, counts, previous, d * d, covariances, work);
}

RULE(rule_VEV) {
    double *variances = work, *common = variances + k * d, *axes = common + k * d;
    double *rest = axes + k * d * d;
    own_axes(k, d, scatter, variances, axes, rest);
    const int steps =
        of_common_shape(k, d, d, variances, counts, previous, d * d, common, rest);
    for (ptrdiff_t j = 0; j < k; j++)
        span(d, axes + j * d * d, common + j * d, covariances + j * d * d, rest);
    return steps;
}

RULE(rule_EVE) {
    return on_common_axes(k, d, scatter, counts, previous, covariances, work, patience, 1, 1);
}

RULE(rule_VVE) {
    return on_common_axes(k, d, scatter, counts, previous, covariances, work, patience, 0, 0);
}

RULE(rule_VVE_on_axes_of_EVE) {
    return on_common_axes(k, d, scatter, counts, previous, covariances, work, patience, 1, 0);
}

/* What it is called, its order, whether it is tied, whether it is separate, and the rule. The last
   is the alternative of VVE, on other axes than those of largest likelihood. */
static const Family FAMILIES[] = {
    {"EII", 0, 0, 0, rule_EII, no_scratch},
    {"VII", 0, 0, 1, rule_VII, no_scratch},
    {"EEI", 1, 0, 0, rule_EEI, no_scratch},
    {"VEI", 1, 0, 0, rule_VEI, diagonals_scratch},
    {"EVI", 1, 0, 0, rule_EVI, roots_scratch},
    {"VVI", 1, 0, 1, rule_VVI, no_scratch},
    {"EEE", 2, 1, 0, rule_EEE, no_scratch},
    {"VEE", 2, 0, 0, rule_VEE, matrices_scratch},
    {"EVE", 2, 0, 0, rule_EVE, common_axes_scratch},
    {"VVE", 2, 0, 0, rule_VVE, common_axes_scratch},
    {"EEV", 2, 0, 0, rule_EEV, axes_scratch},
    {"VEV", 2, 0, 0, rule_VEV, own_axes_scratch},
    {"EVV", 2, 0, 0, rule_EVV, factor_scratch},
    {"VVV", 2, 0, 1, rule_VVV, no_scratch},
    {"VVE on the axes of EVE", 2, 0, 0, rule_VVE_on_axes_of_EVE, common_axes_scratch},
};

enum { N_FAMILIES = sizeof FAMILIES / sizeof *FAMILIES };

/* The family of this name, or NULL */
static const Family *family_named(const char *name) {
    for (int i = 0; i < N_FAMILIES; i++)
        if (!strcmp(FAMILIES[i].name, name)) return FAMILIES + i;
    return NULL;
}

INLINE ptrdiff_t numbers_of_one(const Family *family, ptrdiff_t d) {
    return family->order == 0 ? 1 : family->order == 1 ? d : d * d;
}

/* doubles of `work` that `maximise` asks for */
static ptrdiff_t maximise_scratch(const Family *family, ptrdiff_t k, ptrdiff_t d) {
    return 2 * k + 2 * k * numbers_of_one(family, d) + family->scratch(k, d);
}

/* x times 2^exponent, which may be beyond the largest power that a double holds */
INLINE void scale_by_power(ptrdiff_t n, const double *x, int exponent, double *scaled) {
    const double half = ldexp(1.0, exponent / 2), rest = ldexp(1.0, exponent - exponent / 2);
    for (ptrdiff_t i = 0; i < n; i++) scaled[i] = x[i] * half * rest;
}

/* The covariances of all components, as `CovarianceFamily.update` has them: weights may be zero,
   and such components and those whose scatter is not finite get NaN. Returns the steps that were
   made, -1 where a signal handler raised.

   Weights are taken as shares, to within a power of two: in another such unit of weight, rules that
   take logarithms would round otherwise. */
static int maximise(const Family *family, ptrdiff_t k, ptrdiff_t d, const double *scatter,
                    const double *counts, const double *previous, double *covariances,
                    double *work, Patience *patience) {
    const ptrdiff_t m = numbers_of_one(family, d);
    int all = 1, exponent = 0, steps = 0;
    for (ptrdiff_t j = 0; j < k; j++) all &= counts[j] > 0.0;
    if (family->is_tied || (family->is_separate && all))
        return family->rule(k, d, scatter, counts, previous, covariances, work, patience);
    double *kept = work, *weights = kept + k, *scaled = weights + k, *found = scaled + k * m;
    const double weight = total_of(k, counts);
    if (weight <= DBL_MAX) frexp(weight, &exponent);
    ptrdiff_t present = 0; /* components that count lie one behind the other */
    for (ptrdiff_t j = 0; j < k; j++) {
        double *here = scaled + present * m;
        scale_by_power(1, counts + j, -exponent, weights + present);
        scale_by_power(m, scatter + j * m, -exponent, here);
        kept[j] = weights[present] > 0.0;
        for (ptrdiff_t i = 0; i < m; i++)
            if (!(fabs(here[i]) <= DBL_MAX)) kept[j] = 0.0;
        if (kept[j] == 0.0) continue;
        if (previous) memcpy(found + present * m, previous + j * m, m * sizeof *found);
        present++;
    }
    if (present)
        steps = family->rule(present, d, scaled, weights, previous ? found : NULL, found,
                             found + k * m, patience);
    if (patience->stop) return -1;
    for (ptrdiff_t j = 0, at = 0; j < k; j++) {
        if (kept[j] != 0.0)
            memcpy(covariances + j * m, found + m * at++, m * sizeof *found);
        else
            for (ptrdiff_t i = 0; i < m; i++) covariances[j * m + i] = NAN;
    }
    return steps;
}

#endif

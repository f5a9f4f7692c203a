/* Volumes of components that share their shape: VEI, VEE and VEV.

   Let the covariances be volume_j C, and s_j = -log volume_j. For given volumes the best C is
   M(s) / n, M(s) = sum_j exp(s_j) W_j, and what is left to be minimised is

     n log det M(s) - d sum_j n_j s_j,

   convex in s, so that Newton's method finds the one maximum of the likelihood. With
   P_j = exp(s_j) W_j inv(M), the gradient and the matrix of second derivatives, over n, are
   tr P_j - d n_j / n and diag(tr P_j) - tr P_i P_j.

   There is no maximum where a component has too few directions for its weight, as one that lies in
   a plane: the smaller its volume, the larger the likelihood. It is left out, and the others are
   solved. `mixtura.covariance.volumes` has the same in NumPy. */
#ifndef MIXTURA_VOLUMES_H
#define MIXTURA_VOLUMES_H

#include "eigen.h"

#define MOST_INFLATION (0.125 / DBL_EPSILON) /* as mixtura.shapes has it */

enum { NEWTON_STEPS = 60, NEWTON_HALVINGS = 30 }; /* at most */
#define LAST_DECREMENT 1e-13 /* per row, below which the next step is the last */
#define LONGEST_STEP 5.0     /* of a logarithm of a volume */
/* Of the logarithm of a volume, below what the component's share of the pooled scatter suggests.
   Beyond it, the volume is within the rounding error of the others. */
#define MOST_SHRUNK 28.0
#define LEAST_SCATTER 1e-14 /* of the pooled variance; below, it is rounding */
#define LEAST_RATIO 1e-12   /* of the shape to the pooled scatter in a direction; below, likewise */

/* M(s), log det M, tr P_j and tr P_i P_j; log_det is infinite where M is not regular */
typedef struct {
    double log_det, *total, *traces, *products;
} Sum;

/* The components that are left in, k of them, m numbers each: diagonals or matrices */
typedef struct {
    ptrdiff_t k, d, m;
    double *scatter, *counts; /* one behind the other */
    double *s, *there, *step, *shares, *expected, *shrunk, *sorted;
    double *relative, *matrix, *factor, *transposed, *half, *rest;
    Sum at[3]; /* here, there, and at s = 0 */
} Volumes;

INLINE double total_of(ptrdiff_t n, const double *x) {
    double total = 0.0;
    for (ptrdiff_t i = 0; i < n; i++) total += x[i];
    return total;
}

INLINE ptrdiff_t larger_of(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

/* doubles of scratch that `lay_out_volumes` asks for */
static ptrdiff_t volumes_scratch(ptrdiff_t k, ptrdiff_t d, ptrdiff_t m) {
    const ptrdiff_t most = larger_of(k, d);
    return 2 * k * m + 8 * k + 3 * (m + k + k * k) + 4 * most * most
           + larger_of(FACTOR_SCRATCH(most), d + d * d + EIGEN_SCRATCH(d));
}

static Volumes lay_out_volumes(ptrdiff_t k, ptrdiff_t d, ptrdiff_t m, double *work) {
    const ptrdiff_t most = larger_of(k, d);
    Volumes v = {.k = k, .d = d, .m = m};
    double **of_components[] = {&v.counts, &v.s,        &v.there,  &v.step,
                                &v.shares, &v.expected, &v.shrunk, &v.sorted};
    for (int i = 0; i < 8; i++, work += k) *of_components[i] = work;
    v.scatter = work, v.relative = v.scatter + k * m, work = v.relative + k * m;
    for (int i = 0; i < 3; i++, work += m + k + k * k)
        v.at[i] = (Sum){INFINITY, work, work + m, work + m + k};
    v.matrix = work, v.factor = v.matrix + most * most, v.transposed = v.factor + most * most;
    v.half = v.transposed + most * most, v.rest = v.half + most * most;
    return v;
}

/* U^T A U into `turned`, for the U whose transpose `transposed` holds */
static void whiten(Volumes *v, const double *A, double *turned) {
    const ptrdiff_t d = v->d;
    memset(v->half, 0, d * d * sizeof *v->half);
    memset(turned, 0, d * d * sizeof *turned);
    add_product(d, d, d, 1.0, v->transposed, d, rows_of(A, d), 0, v->half, d, v->rest);
    add_product(d, d, d, 1.0, v->half, d, rows_of(v->factor, d), 0, turned, d, v->rest);
}

/* U of a matrix, and its transpose; returns whether the matrix is regular */
static int factorise_twice(Volumes *v, const double *matrix) {
    const ptrdiff_t d = v->d;
    if (!factorise(matrix, d, MOST_INFLATION, v->rest, v->factor)) return 0;
    for (ptrdiff_t a = 0; a < d; a++)
        for (ptrdiff_t b = 0; b < d; b++) v->transposed[a * d + b] = v->factor[b * d + a];
    return 1;
}

/* P_j of diagonals, into `relative` */
static void look_among_diagonals(Volumes *v, Sum *sum) {
    double logs = 0.0;
    for (ptrdiff_t a = 0; a < v->d; a++) {
        if (!(sum->total[a] > 0.0 && sum->total[a] <= DBL_MAX)) return;
        logs += log(sum->total[a]);
    }
    sum->log_det = logs;
    for (ptrdiff_t j = 0; j < v->k; j++) {
        double *P = v->relative + j * v->d;
        for (ptrdiff_t a = 0; a < v->d; a++) P[a] /= sum->total[a];
        sum->traces[j] = total_of(v->d, P);
    }
}

/* U^T exp(s_j) W_j U, with inv(M) = U U^T, into `relative` */
static void look_among_matrices(Volumes *v, Sum *sum) {
    const ptrdiff_t d = v->d;
    double logs = 0.0;
    if (!factorise_twice(v, sum->total)) return;
    for (ptrdiff_t a = 0; a < d; a++) logs += log(v->factor[a * d + a]);
    sum->log_det = -2.0 * logs;
    for (ptrdiff_t j = 0; j < v->k; j++) {
        double *P = v->relative + j * d * d;
        whiten(v, P, v->matrix);
        memcpy(P, v->matrix, d * d * sizeof *P);
        sum->traces[j] = 0.0;
        for (ptrdiff_t a = 0; a < d; a++) sum->traces[j] += P[a * d + a];
    }
}

static void look_at(Volumes *v, const double *s, Sum *sum) {
    const ptrdiff_t k = v->k, m = v->m;
    sum->log_det = INFINITY;
    memset(sum->total, 0, m * sizeof *sum->total);
    for (ptrdiff_t j = 0; j < k; j++) {
        const double scale = exp(s[j]);
        for (ptrdiff_t i = 0; i < m; i++) {
            const double term = scale * v->scatter[j * m + i];
            v->relative[j * m + i] = term;
            sum->total[i] += term;
        }
    }
    if (m == v->d)
        look_among_diagonals(v, sum);
    else
        look_among_matrices(v, sum);
    if (sum->log_det == INFINITY) return;
    for (ptrdiff_t i = 0; i < k; i++)
        for (ptrdiff_t j = 0; j <= i; j++)
            sum->products[i * k + j] = sum->products[j * k + i] =
                dot(m, v->relative + i * m, v->relative + j * m);
}

static double median(ptrdiff_t n, const double *x, double *sorted) {
    for (ptrdiff_t i = 0; i < n; i++) {
        ptrdiff_t place = i;
        for (; place > 0 && sorted[place - 1] > x[i]; place--) sorted[place] = sorted[place - 1];
        sorted[place] = x[i];
    }
    return 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]);
}

static ptrdiff_t place_of_largest(ptrdiff_t n, const double *x) {
    ptrdiff_t best = 0;
    for (ptrdiff_t i = 1; i < n; i++) best = x[i] > x[best] ? i : best;
    return best;
}

/* The smallest ratio of one sum to another in any direction, relative to the largest */
static double thinnest(Volumes *v, const double *total, const double *pooled) {
    const ptrdiff_t d = v->d;
    double *ratios = v->rest, least = INFINITY, most = -INFINITY;
    if (v->m == d) {
        for (ptrdiff_t a = 0; a < d; a++) ratios[a] = total[a] / pooled[a];
    } else {
        factorise_twice(v, pooled);
        whiten(v, total, v->matrix);
        if (!eigen(v->matrix, d, ratios + d + d * d, ratios, ratios + d)) return NAN;
    }
    for (ptrdiff_t a = 0; a < d; a++) {
        least = ratios[a] < least ? ratios[a] : least;
        most = ratios[a] > most ? ratios[a] : most;
    }
    return least / most;
}

/* Newton's step from a sum into `step`; returns whether the matrix is regular, and the decrement */
static int newton_step(Volumes *v, const Sum *here, double *decrement) {
    const ptrdiff_t k = v->k;
    double *gradient = v->sorted, *along = v->there;
    for (ptrdiff_t j = 0; j < k; j++) gradient[j] = here->traces[j] - v->d * v->shares[j];
    /* Shifting all s changes nothing; the constant 1 / k makes that direction regular. */
    for (ptrdiff_t i = 0; i < k * k; i++) v->matrix[i] = 1.0 / k - here->products[i];
    for (ptrdiff_t j = 0; j < k; j++) v->matrix[j * k + j] += here->traces[j];
    if (!factorise(v->matrix, k, MOST_INFLATION, v->rest, v->factor)) return 0;
    memset(along, 0, k * sizeof *along);
    for (ptrdiff_t i = 0; i < k; i++) add_multiple(k, gradient[i], v->factor + i * k, along);
    *decrement = 0.0;
    for (ptrdiff_t i = 0; i < k; i++) {
        v->step[i] = -dot(k, v->factor + i * k, along);
        *decrement -= gradient[i] * v->step[i];
    }
    return 1;
}

/* Minimises the convex function from s; returns the component whose volume goes to zero fastest
   where there is no least value, or one where the shape has lost a direction; -1 for none */
static ptrdiff_t find_volumes(Volumes *v, int *n) {
    const ptrdiff_t k = v->k;
    Sum *here = v->at, *there = v->at + 1, *pooled = v->at + 2;
    const double most = v->s[place_of_largest(k, v->s)], weight = total_of(k, v->counts);
    memset(v->there, 0, k * sizeof *v->there);
    look_at(v, v->there, pooled);
    for (ptrdiff_t j = 0; j < k; j++) v->s[j] -= most; /* only differences count */
    look_at(v, v->s, here);
    if (k == 1 || here->log_det == INFINITY || pooled->log_det == INFINITY) return -1;
    for (ptrdiff_t j = 0; j < k; j++) {
        v->shares[j] = v->counts[j] / weight;
        const double trace = pooled->traces[j];
        v->expected[j] = log(v->shares[j] / (trace > DBL_MIN ? trace : DBL_MIN));
    }
    for (int i = 0; i < NEWTON_STEPS; i++) {
        double decrement, longest = 0.0, slope = 0.0, scale = 1.0;
        for (ptrdiff_t j = 0; j < k; j++) v->shrunk[j] = v->s[j] - v->expected[j];
        const double middle = median(k, v->shrunk, v->sorted);
        for (ptrdiff_t j = 0; j < k; j++) v->shrunk[j] -= middle;
        if (!newton_step(v, here, &decrement)) return place_of_largest(k, v->shrunk);
        if (v->shrunk[place_of_largest(k, v->shrunk)] > MOST_SHRUNK)
            return place_of_largest(k, v->shrunk);
        ++*n;
        if (!(decrement > LAST_DECREMENT)) {
            for (ptrdiff_t j = 0; j < k; j++) v->s[j] += v->step[j];
            break;
        }
        for (ptrdiff_t j = 0; j < k; j++) {
            longest = fabs(v->step[j]) > longest ? fabs(v->step[j]) : longest;
            slope += v->shares[j] * v->step[j];
        }
        scale = longest > LONGEST_STEP ? LONGEST_STEP / longest : 1.0;
        int halvings = 0;
        for (; halvings <= NEWTON_HALVINGS; halvings++, scale *= 0.5) {
            for (ptrdiff_t j = 0; j < k; j++) v->there[j] = v->s[j] + scale * v->step[j];
            look_at(v, v->there, there);
            if (here->log_det - there->log_det + v->d * scale * slope > 0.0) break;
        }
        if (halvings > NEWTON_HALVINGS) break;
        memcpy(v->s, v->there, k * sizeof *v->s);
        Sum *swapped = here;
        here = there, there = swapped;
    }
    const int is_thin = thinnest(v, here->total, pooled->total) < LEAST_RATIO;
    return is_thin ? place_of_largest(k, v->shrunk) : -1;
}

/* Takes the components that are left */
static void gather(Volumes *v, ptrdiff_t k, const double *scatter, const double *counts,
                   const double *left) {
    v->k = 0;
    for (ptrdiff_t j = 0; j < k; j++) {
        if (left[j] == 0.0) continue;
        memcpy(v->scatter + v->k * v->m, scatter + j * v->m, v->m * sizeof *scatter);
        v->counts[v->k++] = counts[j];
    }
}

/* Leaves out components without scatter beyond rounding, beside the pooled one; returns whether all
   are left */
static int leave_out_points(Volumes *v, ptrdiff_t k, const double *traces, double *left) {
    const double weight = total_of(v->k, v->counts);
    int all = 1;
    memset(v->there, 0, v->k * sizeof *v->there);
    look_at(v, v->there, v->at);
    for (ptrdiff_t j = 0, at = 0; j < k; j++) {
        if (left[j] != 0.0 && v->at->log_det < INFINITY)
            left[j] = v->at->traces[at] > LEAST_SCATTER * v->counts[at] / weight;
        at += traces[j] > 0.0;
        all &= left[j] != 0.0;
    }
    return all;
}

/* Covariances of the components that are left, in whose places `left` is not zero */
static void write_common_shape(Volumes *v, ptrdiff_t k, const double *left, double *covariances) {
    const double weight = total_of(v->k, v->counts);
    double *shape = v->at->total;
    memset(shape, 0, v->m * sizeof *shape);
    for (ptrdiff_t j = 0; j < v->k; j++)
        add_multiple(v->m, exp(v->s[j]) / weight, v->scatter + j * v->m, shape);
    for (ptrdiff_t j = 0, at = 0; j < k; j++) {
        if (left[j] == 0.0) continue;
        const double volume = exp(-v->s[at++]);
        for (ptrdiff_t i = 0; i < v->m; i++) covariances[j * v->m + i] = volume * shape[i];
    }
}

/* Covariances volume_j C: zero for a component without scatter, NaN for one whose volume has no
   limit but zero. `traces` and `before` are sums of diagonals, of the scatters and of the covariances
   before, or NULL; `left` has room for k. Returns the number of Newton's steps. */
static int with_common_shape(Volumes *v, const double *scatter, const double *counts,
                             const double *traces, const double *before, double *left,
                             double *covariances) {
    const ptrdiff_t k = v->k, m = v->m;
    int n = 0;
    memset(covariances, 0, k * m * sizeof *covariances);
    for (ptrdiff_t j = 0; j < k; j++) left[j] = traces[j] > 0.0;
    gather(v, k, scatter, counts, left);
    if (!v->k || !leave_out_points(v, k, traces, left)) before = NULL;
    for (;;) {
        gather(v, k, scatter, counts, left);
        if (!v->k) return n;
        for (ptrdiff_t j = 0, at = 0; j < k; j++)
            if (left[j] != 0.0) v->s[at++] = -log(before ? before[j] : traces[j] / counts[j]);
        const ptrdiff_t lost = find_volumes(v, &n);
        if (lost < 0) break;
        for (ptrdiff_t j = 0, at = 0; j < k; j++)
            if (left[j] != 0.0 && at++ == lost) {
                left[j] = 0.0;
                for (ptrdiff_t i = 0; i < m; i++) covariances[j * m + i] = NAN;
            }
        before = NULL;
    }
    write_common_shape(v, k, left, covariances);
    return n;
}

#endif

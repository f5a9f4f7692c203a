/* Principal axes that all components share, while their shapes differ: EVE and VVE.

   For axes D, an orthogonal matrix, let omega_ja = (D^T W_j D)_aa be the scatters along them. What
   is left to be minimised over D is

     VVE   sum_j n_j sum_a log omega_ja
     EVE   n d log sum_j root_j,   root_j = prod_a omega_ja^(1/d)

   Turning two axes a and b by an angle t keeps the mean m_j of omega_ja and omega_jb, and half
   their difference becomes g_j = delta_j cos(2 t) + e_j sin(2 t), e_j = (D^T W_j D)_ab. The
   function depends on the products x_j = omega_ja omega_jb = m_j^2 - g_j^2 alone, and is concave in them: it
   is nowhere above its tangent, which is least for the angle that maximises

     sum_j w_j g_j(t)^2,   w_j = c_j / x_j at t = 0,   c_j = n_j or root_j,

   so that no step goes up [1, 2]. The angle follows by square roots alone, from

     cos(4 t) : sin(4 t) = sum_j w_j (delta_j^2 - e_j^2) : sum_j 2 w_j delta_j e_j.

   A sweep takes one plane after the other, and is one of Jacobi's method where there is one
   component. In a sweep of EVE, c_j follows the tangent of root_j too, which is above it.

   With hundreds of features the search for axes takes seconds, so signals are checked on the way.
   Once a handler has raised, what is written means nothing.

   The rows of G are those of D^T L_j, W_j = L_j L_j^T, side by side: e_j is a product of two of
   them, and turning axes turns rows.

   [1] B. N. Flury, W. Gautschi, "An algorithm for simultaneous orthogonal transformation of several
       positive definite symmetric matrices to nearly diagonal form", SIAM Journal on Scientific and
       Statistical Computing 7, 169-184, 1986.
   [2] R. P. Browne, P. D. McNicholas, "Estimating common principal components in high dimensions",
       Advances in Data Analysis and Classification 8, 217-226, 2014. */
#ifndef MIXTURA_AXES_H
#define MIXTURA_AXES_H

#include "eigen.h"
#include "watch.h"

enum { WARM_SWEEPS = 12 };     /* at most, from the axes before: EM goes on where they end */
#define LEAST_PROGRESS 0.03    /* of what all sweeps of an update have gained: less ends it */
enum { TRIAL_SWEEPS = 5 };     /* for each axes to begin with, where none are known */
enum { COLD_SWEEPS = 200 };    /* for the best of them */
#define LEAST_GAIN 1e-14       /* of a sweep, per row; less is rounding */
#define LEAST_TURN 1e-18       /* the gain below which a plane is not turned */
#define LEAST_OMEGA DBL_EPSILON /* of the trace; a smaller variance is rounding */
enum { PLANE_WORK = 4 };       /* multiply-adds for an entry of G, in a plane */
#define SOUND 1e-10            /* ratio of eigenvalues: above, a component's own axes are tried */

typedef struct {
    ptrdiff_t k, d, stride; /* of a component's part of a row of G: whole vectors */
    int equal_volumes;
    const double *counts;
    double *G, *L;
    double *omega; /* of scatters of trace one, entry (a, j) */
    double *axes;  /* a row each */
    double *traces, *shares, *products, *best, *rest;
    Patience *patience;
} Common;

INLINE ptrdiff_t whole_vectors(ptrdiff_t d) { return (d + LANES - 1) / LANES * LANES; }

/* doubles of scratch that `lay_out_common` asks for */
static ptrdiff_t common_scratch(ptrdiff_t k, ptrdiff_t d) {
    const ptrdiff_t of_eigen = d + 2 * d * d + EIGEN_SCRATCH(d);
    return k * d * (whole_vectors(d) + d + 1) + 2 * d * d + 3 * k
           + (of_eigen > PANEL_SIZE ? of_eigen : PANEL_SIZE);
}

static Common lay_out_common(ptrdiff_t k, ptrdiff_t d, int equal_volumes, const double *counts,
                             double *work, Patience *patience) {
    Common c = {.k = k, .d = d, .stride = whole_vectors(d), .patience = patience};
    c.equal_volumes = equal_volumes, c.counts = counts;
    c.G = work, c.L = c.G + d * k * c.stride, c.omega = c.L + k * d * d;
    c.axes = c.omega + k * d, c.best = c.axes + d * d;
    c.traces = c.best + d * d, c.shares = c.traces + k, c.products = c.shares + k;
    c.rest = c.products + k;
    return c;
}

/* Rows of the eigenvectors of one matrix, in the order of falling eigenvalues; returns the ratio of
   the smallest of these to the largest, NaN where there are none */
static double axes_of(ptrdiff_t d, const double *matrix, double *axes, double *work) {
    double *values = work, *columns = values + d, *rest = columns + d * d;
    if (!eigen(matrix, d, rest, values, columns)) return NAN;
    for (ptrdiff_t r = 0; r < d; r++)
        for (ptrdiff_t a = 0; a < d; a++) axes[r * d + a] = columns[a * d + d - 1 - r];
    return values[0] / values[d - 1];
}

/* L of one scatter: Cholesky's where it is regular, from eigenvectors where it is not */
static void square_root(ptrdiff_t d, const double *matrix, double *L, double *work) {
    memset(L, 0, d * d * sizeof *L);
    if (cholesky(matrix, d, L, work)) return;
    double *values = work;
    const int found = eigen(matrix, d, values + d, values, L);
    for (ptrdiff_t i = 0; i < d * d; i++) {
        const double value = values[i % d];
        L[i] = found && value > 0.0 ? L[i] * sqrt(value) : 0.0;
    }
}

static void take_scatters(Common *c, const double *scatter) {
    const ptrdiff_t d = c->d;
    for (ptrdiff_t j = 0; j < c->k; j++) {
        const double *W = scatter + j * d * d;
        c->traces[j] = 0.0;
        for (ptrdiff_t a = 0; a < d; a++) c->traces[j] += W[a * d + a];
        square_root(d, W, c->L + j * d * d, c->rest);
    }
}

/* omega of G, without the errors of many turns */
static void measure(Common *c) {
    const ptrdiff_t k = c->k, row = k * c->stride;
    for (ptrdiff_t a = 0; a < c->d; a++)
        for (ptrdiff_t j = 0; j < k; j++) {
            const double *g = c->G + a * row + j * c->stride;
            c->omega[a * k + j] = dot(c->stride, g, g);
        }
}

/* G and omega of the axes; a component without scatter has zeros */
static void stand_on_axes(Common *c) {
    const ptrdiff_t k = c->k, d = c->d, row = k * c->stride;
    memset(c->G, 0, d * row * sizeof *c->G);
    for (ptrdiff_t j = 0; j < k; j++)
        if (c->traces[j] > 0.0)
            add_product(d, d, d, 1.0 / sqrt(c->traces[j]), c->axes, d, rows_of(c->L + j * d * d, d),
                        0, c->G + j * c->stride, row, c->rest);
    measure(c);
}

INLINE double sound(double omega) { return omega > LEAST_OMEGA ? omega : LEAST_OMEGA; }

/* The function to be minimised, per row; writes c_j, of sum one */
static double weigh(Common *c) {
    const ptrdiff_t k = c->k, d = c->d;
    double total = 0.0, value = 0.0;
    for (ptrdiff_t j = 0; j < k; j++) {
        double logs = 0.0;
        c->shares[j] = 0.0;
        if (!(c->traces[j] > 0.0)) continue;
        for (ptrdiff_t a = 0; a < d; a++) logs += log(sound(c->omega[a * k + j]));
        c->shares[j] = c->equal_volumes ? c->traces[j] * exp(logs / d) : c->counts[j];
        total += c->shares[j];
        value += c->shares[j] * logs;
    }
    for (ptrdiff_t j = 0; j < k; j++) c->shares[j] /= total > 0.0 ? total : 1.0;
    return c->equal_volumes ? d * log(total) : value / total;
}

/* Turns two axes; returns by how much the tangent falls */
static double turn_plane(Common *c, ptrdiff_t a, ptrdiff_t b) {
    const ptrdiff_t k = c->k, d = c->d, row = k * c->stride;
    double *first = c->G + a * row, *second = c->G + b * row;
    double *one = c->omega + a * k, *other = c->omega + b * k, *products = c->products;
    double p = 0.0, q = 0.0;
    for (ptrdiff_t j = 0; j < k; j++) {
        const double e = dot(c->stride, first + j * c->stride, second + j * c->stride);
        const double delta = 0.5 * (one[j] - other[j]);
        const double w = c->shares[j] / (sound(one[j]) * sound(other[j]));
        products[j] = e;
        p += w * (delta * delta - e * e);
        q += 2.0 * w * delta * e;
    }
    const double h = sqrt(p * p + q * q);
    const double gain = 0.5 * (p > 0.0 ? q * q / (h + p) : h - p);
    if (!(gain > LEAST_TURN)) return 0.0;
    double C, S; /* of twice the angle, and C is not negative */
    if (p > 0.0) {
        C = sqrt(0.5 + 0.5 * p / h);
        S = 0.5 * q / (h * C);
    } else {
        S = copysign(sqrt(0.5 - 0.5 * p / h), q);
        C = 0.5 * q / (h * S);
    }
    const double cosine = sqrt(0.5 + 0.5 * C), sine = 0.5 * S / cosine;
    rotate(row, cosine, -sine, first, second);
    rotate(d, cosine, -sine, c->axes + a * d, c->axes + b * d);
    for (ptrdiff_t j = 0; j < k; j++) {
        const double before = sound(one[j]) * sound(other[j]);
        const double mean = 0.5 * (one[j] + other[j]);
        const double g = C * 0.5 * (one[j] - other[j]) + S * products[j];
        one[j] = mean + g;
        other[j] = mean - g;
        if (c->equal_volumes)
            c->shares[j] *= 1.0 + (sound(one[j]) * sound(other[j]) / before - 1.0) / d;
    }
    return gain;
}

/* Sweeps, until one gains less than a part of what all have; returns how many there were */
static int descend(Common *c, int most, double least_progress, double *value) {
    double total = 0.0;
    int n = 0;
    *value = weigh(c);
    while (n < most) {
        n++;
        double gain = 0.0;
        for (ptrdiff_t a = 0; a < c->d; a++) {
            if (out_of_patience(c->patience, PLANE_WORK * (c->d - a) * c->k * c->stride)) return n;
            for (ptrdiff_t b = a + 1; b < c->d; b++) gain += turn_plane(c, a, b);
        }
        measure(c);
        *value = weigh(c);
        total += gain;
        if (!(gain > LEAST_GAIN && gain > least_progress * total)) break;
    }
    return n;
}

/* The weighted sum of matrices, divided by their traces. Weights are irregular, so that two axes
   with different variances hardly ever have equal variances in the sum. */
static void add_irregularly(ptrdiff_t k, ptrdiff_t d, const double *matrices, double *sum) {
    memset(sum, 0, d * d * sizeof *sum);
    for (ptrdiff_t j = 0; j < k; j++) {
        const double *matrix = matrices + j * d * d, root = sqrt(2.0) * j;
        double trace = 0.0;
        for (ptrdiff_t a = 0; a < d; a++) trace += matrix[a * d + a];
        add_multiple(d * d, (1.0 + root - floor(root)) / trace, matrix, sum);
    }
}

/* The axes, where those of the pooled scatter and of each component lead: the best of all ends */
static int search_axes(Common *c, const double *scatter) {
    const ptrdiff_t k = c->k, d = c->d;
    double value, least = INFINITY, *pooled = c->rest, *rest = c->rest + d * d;
    int n = 0;
    for (ptrdiff_t j = -1; j < k; j++) {
        if (j < 0) {
            memset(pooled, 0, d * d * sizeof *pooled);
            for (ptrdiff_t i = 0; i < k; i++)
                add_multiple(d * d, 1.0, scatter + i * d * d, pooled);
        }
        const double ratio = axes_of(d, j < 0 ? pooled : scatter + j * d * d, c->axes, rest);
        if (j >= 0 && !(ratio > SOUND)) continue;
        stand_on_axes(c);
        n += descend(c, TRIAL_SWEEPS, 0.0, &value);
        if (c->patience->stop) return n;
        if (j >= 0 && !(value < least)) continue;
        least = value;
        memcpy(c->best, c->axes, d * d * sizeof *c->best);
    }
    memcpy(c->axes, c->best, d * d * sizeof *c->axes);
    stand_on_axes(c);
    return n + descend(c, COLD_SWEEPS, 0.0, &value);
}

/* Writes axes and omega; returns the number of sweeps. From the axes of the covariances before, the
   function never ends higher. */
static int common_axes(Common *c, const double *scatter, const double *previous) {
    double value, *sum = c->rest, *rest = sum + c->d * c->d;
    take_scatters(c, scatter);
    if (!previous) return search_axes(c, scatter);
    add_irregularly(c->k, c->d, previous, sum);
    if (isnan(axes_of(c->d, sum, c->axes, rest))) return search_axes(c, scatter);
    stand_on_axes(c);
    return descend(c, WARM_SWEEPS, LEAST_PROGRESS, &value);
}

#endif

/* Eigenvalues and eigenvectors of many small symmetric matrices, on one thread.

   Householder reflections make a matrix tridiagonal, and QL iterations with implicit shifts make
   that diagonal [1]. Vectors are kept as rows, so that reflections and rotations run along rows.
   Errors are of the order of rounding in the largest eigenvalue, as LAPACK's are. A matrix is
   divided by its largest entry first, so that no square leaves the range of a double.

   [1] J. H. Wilkinson, C. Reinsch, "Linear Algebra", Handbook for Automatic Computation II,
       Springer, 1971, contributions II/2 and II/4. */
#ifndef MIXTURA_EIGEN_H
#define MIXTURA_EIGEN_H

#include "factor.h"

enum { MOST_QL_STEPS = 60 }; /* for one eigenvalue; two are usual */
#define NEGLIGIBLE 1e-280     /* a sum of squares, beside a largest entry of about one */

/* numbers of scratch that `eigen` asks for */
#define EIGEN_SCRATCH(d) (2 * (d) * (d) + 3 * (d))

INLINE void add_multiple(ptrdiff_t n, double scale, const double *x, double *y) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] += scale * x[i];
}

/* A, symmetric, becomes tridiagonal in `diagonal` and off[i] = entry (i, i - 1); the vector of
   reflection i stays in row i of A, and half its squared length in halves[i], 0 for none */
static void reflect(double *A, ptrdiff_t d, double *diagonal, double *off, double *halves) {
    double *p = diagonal; /* of which the places before i are written last */
    for (ptrdiff_t i = d - 1; i >= 1; i--) {
        double *u = A + i * d;
        const double rest = dot(i - 1, u, u), last = u[i - 1];
        halves[i] = 0.0;
        off[i] = last;
        if (i == 1 || rest < NEGLIGIBLE) continue;
        const double length = sqrt(rest + last * last);
        off[i] = last > 0.0 ? -length : length;
        const double half = rest + last * last - last * off[i];
        u[i - 1] = last - off[i];
        halves[i] = half;
        for (ptrdiff_t j = 0; j < i; j++) p[j] = dot(i, A + j * d, u) / half;
        add_multiple(i, -0.5 * dot(i, u, p) / half, u, p);
        for (ptrdiff_t j = 0; j < i; j++) {
            add_multiple(i, -p[j], u, A + j * d);
            add_multiple(i, -u[j], p, A + j * d);
        }
    }
    for (ptrdiff_t i = 0; i < d; i++) diagonal[i] = A[i * d + i];
    off[0] = 0.0;
}

/* V, whose rows are the columns of the product of all reflections */
static void multiply_reflections(const double *A, ptrdiff_t d, const double *halves, double *V) {
    memset(V, 0, d * d * sizeof *V);
    for (ptrdiff_t i = 0; i < d; i++) V[i * d + i] = 1.0;
    for (ptrdiff_t i = 2; i < d; i++) {
        if (halves[i] == 0.0) continue;
        const double *u = A + i * d;
        for (ptrdiff_t r = 0; r < i; r++)
            add_multiple(i, -dot(i, V + r * d, u) / halves[i], u, V + r * d);
    }
}

/* rows x and y become c x - s y and s x + c y */
INLINE void rotate(ptrdiff_t n, double c, double s, double *x, double *y) {
    for (ptrdiff_t i = 0; i < n; i++) {
        const double before = x[i];
        x[i] = c * before - s * y[i];
        y[i] = s * before + c * y[i];
    }
}

/* QL iterations on a tridiagonal matrix; off[i] couples i and i - 1; returns whether they end */
static int diagonalise(ptrdiff_t d, double *values, double *off, double *V) {
    for (ptrdiff_t i = 1; i < d; i++) off[i - 1] = off[i]; /* off[i] now couples i and i + 1 */
    off[d - 1] = 0.0;
    for (ptrdiff_t l = 0; l < d; l++)
        for (int step = 0;; step++) {
            ptrdiff_t m = l;
            while (m < d - 1) {
                const double size = fabs(values[m]) + fabs(values[m + 1]);
                if (fabs(off[m]) <= 0.5 * DBL_EPSILON * size) break;
                m++;
            }
            if (m == l) break;
            if (step == MOST_QL_STEPS) return 0;
            double g = (values[l + 1] - values[l]) / (2.0 * off[l]);
            const double root = hypot(g, 1.0);
            g = values[m] - values[l] + off[l] / (g + (g < 0.0 ? -root : root));
            double s = 1.0, c = 1.0, p = 0.0;
            ptrdiff_t i = m - 1;
            for (; i >= l; i--) {
                const double f = s * off[i], b = c * off[i], r = hypot(f, g);
                off[i + 1] = r;
                if (r == 0.0) { /* the matrix splits here */
                    values[i + 1] -= p;
                    off[m] = 0.0;
                    break;
                }
                s = f / r;
                c = g / r;
                g = values[i + 1] - p;
                const double t = (values[i] - g) * s + 2.0 * c * b;
                p = s * t;
                values[i + 1] = g + p;
                g = c * t - b;
                rotate(d, c, s, V + i * d, V + (i + 1) * d);
            }
            if (i >= l) continue;
            values[l] -= p;
            off[l] = g;
            off[m] = 0.0;
        }
    return 1;
}

/* eigenvalues, ascending, and eigenvectors, the columns of `axes`, of one symmetric matrix; returns
   whether there are any; `work` holds EIGEN_SCRATCH(d) doubles */
static int eigen(const double *matrix, ptrdiff_t d, double *work, double *values, double *axes) {
    double *A = work, *V = A + d * d, *found = V + d * d, *off = found + d, *halves = off + d;
    double size = 0.0;
    for (ptrdiff_t i = 0; i < d * d; i++) {
        if (!(fabs(matrix[i]) <= DBL_MAX)) return 0;
        size = fabs(matrix[i]) > size ? fabs(matrix[i]) : size;
    }
    int exponent = 0;
    frexp(size, &exponent); /* a power of two, so that scaling is exact */
    for (ptrdiff_t i = 0; i < d * d; i++) A[i] = ldexp(matrix[i], -exponent);
    reflect(A, d, found, off, halves);
    multiply_reflections(A, d, halves, V);
    if (!diagonalise(d, found, off, V)) return 0;
    for (ptrdiff_t r = 0; r < d; r++) { /* in order, by selection: d is small */
        ptrdiff_t smallest = 0;
        for (ptrdiff_t i = 1; i < d; i++) smallest = found[i] < found[smallest] ? i : smallest;
        values[r] = ldexp(found[smallest], exponent);
        for (ptrdiff_t a = 0; a < d; a++) axes[a * d + r] = V[smallest * d + a];
        found[smallest] = INFINITY;
    }
    return 1;
}

#endif

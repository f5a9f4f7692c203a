/* Agglomeration: merge two clusters at a time, always the two whose merger costs least.

   A cluster C is known by its weight n, mean m and scatter S. Two of them merge into

     (1)  n = n_i + n_j,   c = n_i n_j / n,   z = m_j - m_i
     (2)  m = m_i + z n_j / n,   S = S_i + S_j + c z z^T

   A leaf is a point of weight w, blurred by a variance r in every direction: S = w r I. Scatters of
   blurred points add up like any others, so no cluster is singular and no case is special. What is
   summed up over clusters, and what a merger adds to it, the cost:

     (3)  VVV   n log |S / n|             F(C) - F(C_i) - F(C_j), with S from (2)
     (4)  VII   n d log tr(S / n d)       the same; of the scatter only the trace is kept
     (5)  EII   tr S                      c |z|^2
     (6)  EEE   log |V|, V the sum of S   log(1 + c z^T V^-1 z)

   All costs are non-negative, because log |.| and log tr are concave. For EEE, positions are kept
   in coordinates in which V = v I, v that of the leaves, so that its cost follows from c |z|^2 as
   well; a merger adds c z z^T to V, and all positions y follow by the inverse square root of V / v,

     (7)  y -= (1 - 1 / sqrt(1 + q)) (z^T y) z / |z|^2,   q = c |z|^2 / v

   Search. Row i stands for the pairs (i, j), j > i. It keeps a lower bound of their costs and,
   while it is fresh, the j that attains it. The row with the least bound is searched again unless
   it is fresh; if it is, its pair is merged. A merger changes one cluster: rows whose partner it
   was are no longer fresh and keep their bound; every other row has one new cost to compare.
   Nothing is assumed about the costs of new clusters, so the result is that of trying all pairs
   every time.
   For EEE a merger changes all costs, but c z^T V^-1 z |V| of a pair never falls (the lemma of
   Sherman and Morrison), so its logarithm is what rows compare and bound.

   Time O(n^2 d^3) for VVV, O(n^2 d) for the others, as long as only a few rows are searched again
   for each merger, as is observed; memory O(n d^2) and O(n d): no matrix of all pairs.

   Determinism. One thread; of pairs with equal costs the first (i, j) is merged, where clusters are
   in the order of their first leaves. Lanes are clusters j, each with its own cost, so that no sum
   depends on the width of a vector; fused multiply-adds may still change a last bit between
   instruction sets.

   Sources: Banfield and Raftery 1993 for (3)-(6), after Ward 1963 for (5), Friedman and Rubin 1967
   for (6), Scott and Symons 1971 for (3); Fraley 1998 for merging by (1) and (2); the search is
   that of Muellner 2011, "Modern hierarchical, agglomerative clustering algorithms", without his
   matrix. */
#ifndef MIXTURA_HIERARCHICAL_H
#define MIXTURA_HIERARCHICAL_H

#include <float.h>
#include <stddef.h>

#include "simd.h"

enum { VVV, VII, EII, EEE };
enum { STALE = -1 };

#define PIVOTS_PER_LOG 8 /* a product of so many stays far from overflow: rows have unit spread */

typedef struct {
    ptrdiff_t n, d, terms; /* leaves; features; numbers kept of each scatter */
    ptrdiff_t stride;      /* n filled up to whole vectors */
    ptrdiff_t active;      /* clusters now, in slots 0 .. active - 1 */
    int model;
    double blur;
    double v, log_det; /* for EEE; of V, but for a constant */
    /* of each slot */
    double *weight, *value, *bound, *cost;
    double *mean;    /* d x stride */
    double *scatter; /* terms x stride; rows of the lower triangle, or the trace */
    int64_t *partner, *id;
    /* of the cluster at hand */
    double *own_mean, *own_scatter;
    double *difference; /* d vectors */
    double *triangle;   /* terms vectors */
    /* results, n - 1 of them: ids, leaves first, mergers after them; what each merger added */
    int64_t *merges;
    double *losses;
} Tree;

static ptrdiff_t lay_out(Tree *t, double *block) {
    const ptrdiff_t n = t->n, d = t->d;
    t->terms = t->model == VVV ? d * (d + 1) / 2 : t->model == VII;
    t->stride = (n + LANES - 1) / LANES * LANES;
    double *at = block;
    t->difference = at, at += d * LANES;
    t->triangle = at, at += t->terms * LANES;
    t->weight = at, at += t->stride;
    t->value = at, at += t->stride;
    t->bound = at, at += t->stride;
    t->cost = at, at += t->stride;
    t->mean = at, at += d * t->stride;
    t->scatter = at, at += t->terms * t->stride;
    t->partner = (int64_t *)at, at += t->stride;
    t->id = (int64_t *)at, at += t->stride;
    t->own_mean = at, at += d;
    t->own_scatter = at, at += t->terms;
    return at - block; /* doubles needed */
}

/* ---- the costs of merging one cluster with LANES others ---- */

/* log |A| of LANES matrices, of which the lower triangles are destroyed. No pivot of A >= r I is
   below r but by rounding. */
INLINE vec log_determinant(ptrdiff_t d, double *A, double r) {
    vec product = fill(1.0), sum = fill(0.0);
    double *row_p = A; /* row p begins at element p (p + 1) / 2 */
    for (ptrdiff_t p = 0; p < d; row_p += ++p * LANES) {
        const vec pivot = larger(load(row_p + p * LANES), fill(r));
        product *= pivot;
        if (p % PIVOTS_PER_LOG == PIVOTS_PER_LOG - 1) {
            sum += log_positive(product);
            product = fill(1.0);
        }
        const vec inverse = 1.0 / pivot;
        double *row_a = row_p;
        for (ptrdiff_t a = p + 1; a < d; a++) {
            row_a += a * LANES;
            const vec factor = load(row_a + p * LANES) * inverse;
            const double *row_b = row_p;
            for (ptrdiff_t b = p + 1; b <= a; b++) {
                row_b += b * LANES;
                store(row_a + b * LANES,
                      load(row_a + b * LANES) - factor * load(row_b + p * LANES));
            }
        }
    }
    return sum + log_positive(product);
}

/* F of (3) and (4), where S = own S + S_j + share z z^T, for slots j .. j + LANES */
INLINE vec value_of(const Tree *t, ptrdiff_t j, vec weight, vec share, vec squared) {
    const ptrdiff_t d = t->d;
    if (t->model == VII) {
        const vec trace = load(t->scatter + j) + t->own_scatter[0] + share * squared;
        const vec terms = weight * (double)d; /* of the trace */
        return terms * log_positive(trace / terms);
    }
    const vec inverse = 1.0 / weight;
    ptrdiff_t term = 0;
    for (ptrdiff_t a = 0; a < d; a++) {
        const vec scaled = share * load(t->difference + a * LANES);
        for (ptrdiff_t b = 0; b <= a; b++, term++) {
            vec s = load(t->scatter + term * t->stride + j) + t->own_scatter[term];
            s += scaled * load(t->difference + b * LANES);
            store(t->triangle + term * LANES, s * inverse);
        }
    }
    return weight * log_determinant(d, t->triangle, t->blur);
}

/* Writes into `cost` what merging slot i with each slot of [from, to) would cost. */
static void costs_of(Tree *t, ptrdiff_t i, ptrdiff_t from, ptrdiff_t to) {
    for (ptrdiff_t a = 0; a < t->d; a++) t->own_mean[a] = t->mean[a * t->stride + i];
    for (ptrdiff_t s = 0; s < t->terms; s++) t->own_scatter[s] = t->scatter[s * t->stride + i];
    for (ptrdiff_t j = from / LANES * LANES; j < to; j += LANES) {
        const vec weight = load(t->weight + j) + t->weight[i];
        const vec share = load(t->weight + j) * t->weight[i] / weight;
        vec squared = fill(0.0);
        for (ptrdiff_t a = 0; a < t->d; a++) {
            const vec z = load(t->mean + a * t->stride + j) - t->own_mean[a];
            store(t->difference + a * LANES, z);
            squared += z * z;
        }
        vec cost = share * squared;
        if (t->model == EEE)
            cost = log_positive(larger(cost, fill(DBL_MIN))) + t->log_det;
        else if (t->model != EII)
            cost = value_of(t, j, weight, share, squared) - load(t->value + j) - t->value[i];
        store(t->cost + j, cost);
    }
}

/* F of the cluster in slot i as it is */
static double own_value(Tree *t, ptrdiff_t i) {
    const double n = t->weight[i];
    const double terms = n * (double)t->d;
    if (t->model == VII) {
        const vec value = terms * log_positive(fill(t->scatter[i] / terms));
        return value[0];
    }
    for (ptrdiff_t s = 0; s < t->terms; s++)
        store(t->triangle + s * LANES, fill(t->scatter[s * t->stride + i] / n));
    const vec value = n * log_determinant(t->d, t->triangle, t->blur);
    return value[0];
}

/* ---- the search ---- */

static void search_row(Tree *t, ptrdiff_t i) {
    costs_of(t, i, i + 1, t->active);
    t->bound[i] = INFINITY; /* the last row, which has no pairs, keeps it */
    for (ptrdiff_t j = i + 1; j < t->active; j++)
        if (t->cost[j] < t->bound[i]) {
            t->bound[i] = t->cost[j];
            t->partner[i] = j;
        }
}

static ptrdiff_t least_row(const Tree *t) {
    ptrdiff_t least = 0;
    for (ptrdiff_t i = 1; i < t->active; i++)
        if (t->bound[i] < t->bound[least]) least = i;
    return least;
}

static void close_gap(Tree *t, ptrdiff_t b) {
    const size_t size = (size_t)(t->active - b - 1) * sizeof(double);
    double *of_slots[] = {t->weight, t->value, t->bound, (double *)t->partner, (double *)t->id};
    for (size_t s = 0; s < sizeof of_slots / sizeof *of_slots; s++)
        memmove(of_slots[s] + b, of_slots[s] + b + 1, size);
    for (ptrdiff_t s = 0; s < t->d; s++)
        memmove(t->mean + s * t->stride + b, t->mean + s * t->stride + b + 1, size);
    for (ptrdiff_t s = 0; s < t->terms; s++)
        memmove(t->scatter + s * t->stride + b, t->scatter + s * t->stride + b + 1, size);
    t->active--;
}

/* Applies equation (7) to all clusters; z is in own_mean. */
static void stretch(Tree *t, double q, double squared) {
    const double factor = (1.0 - 1.0 / sqrt(1.0 + q)) / squared;
    for (ptrdiff_t j = 0; j < t->active; j += LANES) {
        vec along = fill(0.0);
        for (ptrdiff_t a = 0; a < t->d; a++)
            along += t->own_mean[a] * load(t->mean + a * t->stride + j);
        along *= factor;
        for (ptrdiff_t a = 0; a < t->d; a++) {
            double *y = t->mean + a * t->stride + j;
            store(y, load(y) - along * t->own_mean[a]);
        }
    }
}

/* Merges slot b into slot a < b, equations (1) and (2), and closes the gap. */
static void merge(Tree *t, ptrdiff_t a, ptrdiff_t b) {
    const ptrdiff_t stride = t->stride, done = t->n - t->active;
    const double n = t->weight[a] + t->weight[b], share = t->weight[a] * t->weight[b] / n;
    double *z = t->own_mean, squared = 0.0;
    for (ptrdiff_t f = 0; f < t->d; f++) {
        z[f] = t->mean[f * stride + b] - t->mean[f * stride + a];
        squared += z[f] * z[f];
        t->mean[f * stride + a] += z[f] * (t->weight[b] / n);
    }
    for (ptrdiff_t s = 0; s < t->terms; s++)
        t->scatter[s * stride + a] += t->scatter[s * stride + b];
    if (t->model == VII) t->scatter[a] += share * squared;
    if (t->model == VVV)
        for (ptrdiff_t f = 0, s = 0; f < t->d; f++)
            for (ptrdiff_t g = 0; g <= f; g++, s++)
                t->scatter[s * stride + a] += share * z[f] * z[g];
    const double before = t->value[a] + t->value[b];
    t->weight[a] = n;

    const int64_t one = t->id[a], other = t->id[b];
    t->merges[2 * done] = one < other ? one : other;
    t->merges[2 * done + 1] = one < other ? other : one;
    t->id[a] = t->n + done;
    for (ptrdiff_t i = 0; i < t->active; i++) {
        if (t->partner[i] == a || t->partner[i] == b || t->model == EEE) t->partner[i] = STALE;
        if (t->partner[i] > b) t->partner[i]--;
    }
    t->bound[a] = -INFINITY;
    t->partner[a] = STALE;
    close_gap(t, b);

    if (t->model == EEE) {
        const double q = share * squared / t->v;
        t->losses[done] = log1p(q);
        t->log_det += t->losses[done];
        if (squared > 0.0) stretch(t, q, squared);
    } else if (t->model == EII) {
        t->losses[done] = share * squared;
    } else {
        t->value[a] = own_value(t, a);
        t->losses[done] = t->value[a] - before;
    }
}

/* Rows before a have one pair that is new. */
static void compare_with(Tree *t, ptrdiff_t a) {
    costs_of(t, a, 0, a);
    for (ptrdiff_t i = 0; i < a; i++)
        if (t->cost[i] < t->bound[i]) {
            t->bound[i] = t->cost[i];
            t->partner[i] = a;
        } else if (t->cost[i] == t->bound[i] && t->partner[i] > a)
            t->partner[i] = a;
}

/* ---- the doors ---- */

/* Makes every point a cluster of its own; no row is fresh. */
static void plant(Tree *t, const double *X, const double *weight) {
    t->active = t->n;
    t->v = t->log_det = 0.0;
    for (ptrdiff_t i = 0; i < t->n; i++) t->v += weight[i] * t->blur;
    for (ptrdiff_t i = 0; i < t->stride; i++) {
        const int real_one = i < t->n;
        t->weight[i] = real_one ? weight[i] : 1.0; /* fills the last vector */
        t->id[i] = i;
        t->partner[i] = STALE;
        t->bound[i] = -INFINITY;
        for (ptrdiff_t a = 0; a < t->d; a++)
            t->mean[a * t->stride + i] = real_one ? X[i * t->d + a] : 0.0;
        const double blurred = t->weight[i] * t->blur;
        if (t->model == VII) t->scatter[i] = t->d * blurred;
        if (t->model == VVV)
            for (ptrdiff_t f = 0, s = 0; f < t->d; f++)
                for (ptrdiff_t g = 0; g <= f; g++, s++)
                    t->scatter[s * t->stride + i] = f == g ? blurred : 0.0;
        t->value[i] = t->terms ? own_value(t, i) : 0.0;
    }
}

/* Merges until one cluster is left or about `budget` multiply-adds are spent; returns whether there
   is more to do. */
static int advance(Tree *t, double budget) {
    const double pair = (double)t->terms * (double)(t->d + 6) / 3.0 + (double)t->d + 20.0;
    while (t->active > 1 && budget > 0.0) {
        const ptrdiff_t i = least_row(t);
        if (t->partner[i] == STALE) {
            search_row(t, i);
        } else {
            merge(t, i, t->partner[i]);
            compare_with(t, i);
        }
        budget -= (double)t->active * pair;
    }
    return t->active > 1;
}

#endif

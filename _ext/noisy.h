/* The E-steps for rows with noise of their own (Bovy, Hogg and Roweis 2011).

   What is observed of a row x is w = R x + noise, with noise of a known covariance N; R and N are
   the row's own, and R may be the identity. With C_j the covariance of component j, and A_j its
   root, C_j = A_j A_j^T, lower triangular:

     (1)  S = R C_j R^T + N = L D L^T,   y = L^-1 (w - R m_j)
     (2)  l_j = log weight_j - b/2 (y^T D^-1 y + log det D + m log 2 pi)
     (3)  M = L^-1 R A_j,   h = M^T D^-1 y,   K = M^T D^-1 M
     (4)  resp_sum_j += r_j,   resp_h_j += r_j h,   resp_hh_j += r_j (h h^T - K)

   L has ones on its diagonal, so that no roots are taken. m numbers are observed of a row, and b is
   1 but in annealing. Shares r_j are those of posterior.h or hard.h. A h is what is expected of
   x - m_j, and A (I - K) A^T its covariance, so that

     (5)  resp_x_j = A resp_h_j,   resp_xx_j = A (resp_sum_j I + resp_hh_j) A^T

   are the expected sums of true rows. They are formed once a pass. The further sum is
   -sum_ij w_i s_ij log s_ij of the shares s = r / w.

   Only S is inverted: C and N may be singular where their sum is not. Sums are taken in units of
   A, so nothing is lost where a component is narrow in some direction, and rounding in (4) is
   relative to the component. A row for which S is not positive definite has zero density. A root of
   a singular C has zero columns.

   Lanes are rows: the matrices of LANES rows are factorised together. What a tile knows of its rows
   lies group by group, each entry a vector. Three cases:

     axes       C and N are diagonal: d numbers instead of matrices, and no factor
     matrices   R is the identity: M is a lower triangle; unrolled for each d up to UNROLLED
     projected  M is m x d

   A tile is factorised for all components to score it, and again for those that have a share of it
   to add it up: with several components, most shares are zero. Where few rows have a share, these
   are put side by side first. That costs less memory than keeping k triangles of each row.

   Memory beyond pass.h, in doubles: each thread has m (m+1)/2 + m numbers of each row of a tile,
   m d more where projected, 2 d in the case of axes; and as much again for rows put side by side.

   J. Bovy, D. W. Hogg, S. T. Roweis, "Extreme deconvolution: inferring complete distribution
   functions from noisy, heterogeneous and incomplete observations", Annals of Applied Statistics 5,
   1657-1677, 2011, section 3. */
#ifndef MIXTURA_NOISY_H
#define MIXTURA_NOISY_H

#include "hard.h"
#include "soft.h"

enum { UNROLLED = 12 };

typedef uint64_t natural __attribute__((vector_size(VECTOR_BYTES)));

/* Whether a pivot is one of a positive definite matrix: its reciprocal has to be finite too. */
INLINE mask is_sound(vec pivot) { return (pivot >= REAL_MIN) & (pivot <= REAL_MAX); }

INLINE ptrdiff_t triangle(ptrdiff_t d) { return d * (d + 1) / 2; }
INLINE ptrdiff_t at(ptrdiff_t a, ptrdiff_t b) { return a * (a + 1) / 2 + b; } /* b <= a */

INLINE int has_axes(const Pass *p) {
    return is_diagonal(p) && p->noise->kind != FULL && !p->noise->is_projected;
}
/* numbers of a component's covariance, and of its root */
INLINE ptrdiff_t covariance_size(const Pass *p) { return has_axes(p) ? p->d : triangle(p->d); }
/* numbers of a row's noise */
INLINE ptrdiff_t noise_size(const Pass *p) {
    return has_axes(p) ? p->d : triangle(p->noise->n_observed);
}
/* numbers of a row beside its noise: w alone, or w and R */
INLINE ptrdiff_t row_size(const Pass *p) {
    const ptrdiff_t m = p->noise->n_observed;
    return p->noise->is_projected ? m * (1 + p->d) : m;
}
/* resp_hh of a component */
INLINE ptrdiff_t spread_size(const Pass *p) { return is_diagonal(p) ? p->d : triangle(p->d); }

/* ---- memory, after that of tile.h ---- */

typedef struct {
    real *covariances, *roots;    /* k, as covariance_size says */
} NoisyMixture;

typedef struct {
    real *rows;                   /* w, then R, then N: groups of (row_size + noise_size) vectors */
    real *packed, *packed_resp;   /* the same for the rows that a component has a share of */
    vec *sums;                    /* resp_h, then resp_hh */
    vec *work;                    /* factors of one group */
} NoisyScratch;

static ptrdiff_t place_noisy_mixture(const Pass *p, char *base, NoisyMixture *n) {
    char *next = base;
    n->covariances = take(&next, p->k * covariance_size(p), sizeof(real));
    n->roots = take(&next, p->k * covariance_size(p), sizeof(real));
    return next - base;
}

INLINE ptrdiff_t work_size(const Pass *p) {
    const ptrdiff_t d = p->d, m = p->noise->n_observed;
    if (has_axes(p)) return 0;
    return triangle(m) + 2 * m + d + (p->noise->is_projected ? 2 * m * d : triangle(d));
}

static ptrdiff_t place_noisy_scratch(const Pass *p, char *base, NoisyScratch *n) {
    char *next = base;
    const ptrdiff_t each = row_size(p) + noise_size(p);
    n->rows = take(&next, p->tile * each, sizeof(real));
    n->packed = take(&next, p->tile * each, sizeof(real));
    n->packed_resp = take(&next, p->tile, sizeof(real));
    n->sums = take(&next, p->d + spread_size(p), sizeof(vec));
    n->work = take(&next, work_size(p), sizeof(vec));
    return next - base;
}

static ptrdiff_t noisy_mixture_size(const Pass *p) {
    NoisyMixture n;
    return place_noisy_mixture(p, NULL, &n);
}

static ptrdiff_t noisy_scratch_size(const Pass *p) {
    NoisyScratch n;
    return place_noisy_scratch(p, NULL, &n);
}

/* ---- the components ---- */

/* Element (a, b) of a component's covariance. */
INLINE double covariance_at(const Pass *p, ptrdiff_t j, ptrdiff_t a, ptrdiff_t b) {
    const double *C = p->noise->covariances;
    const ptrdiff_t d = p->d;
    switch (p->shape) {
    case FULL: return C[(j * d + a) * d + b];
    case TIED: return C[a * d + b];
    case DIAG: return a == b ? C[j * d + a] : 0.0;
    default: return a == b ? C[j] : 0.0;
    }
}

/* A of a packed triangle C; a column whose pivot is lost in rounding is zero. */
static void take_root(ptrdiff_t d, const real *C, real *A) {
    for (ptrdiff_t a = 0; a < d; a++)
        for (ptrdiff_t b = 0; b <= a; b++) {
            real rest = C[at(a, b)];
            for (ptrdiff_t c = 0; c < b; c++) rest -= A[at(a, c)] * A[at(b, c)];
            if (a > b) A[at(a, b)] = A[at(b, b)] > 0 ? rest / A[at(b, b)] : 0;
            else A[at(a, a)] = rest > 4 * REAL_EPSILON * C[at(a, a)] ? sqrt(rest) : 0;
        }
}

static void lay_out_noisy(const Pass *p, Tile *s) {
    const ptrdiff_t d = p->d, size = covariance_size(p);
    NoisyMixture n;
    lay_out_shares(p, s);
    place_noisy_mixture(p, s->more_mixture, &n);
    for (ptrdiff_t j = 0; j < p->k; j++) {
        real *C = n.covariances + j * size, *A = n.roots + j * size;
        for (ptrdiff_t a = 0; a < d; a++)
            if (has_axes(p)) {
                C[a] = covariance_at(p, j, a, a);
                A[a] = C[a] > 0 ? sqrt(C[a]) : 0;
            } else
                for (ptrdiff_t b = 0; b <= a; b++) C[at(a, b)] = covariance_at(p, j, a, b);
        if (!has_axes(p)) take_root(d, C, A);
    }
}

/* ---- the rows: a group is LANES of them ---- */

INLINE real *group_of(const Pass *p, real *rows, ptrdiff_t t) {
    return rows + t * (row_size(p) + noise_size(p));
}

INLINE void copy_noise(const int kind, const int axes, ptrdiff_t m, const double *noise,
                       real *lane) {
    for (ptrdiff_t a = 0; a < m; a++)
        for (ptrdiff_t b = axes ? a : 0; b <= a; b++, lane += LANES)
            *lane = kind == FULL ? noise[a * m + b] : a != b ? 0 : kind == DIAG ? noise[a] : *noise;
}

/* Writes w, R and N of one row into its lane; without weight, numbers that do no harm. */
INLINE void gather_noisy_row(const int kind, const int axes, const Pass *p, const Tile *s,
                             ptrdiff_t t, real *lane) {
    static const double unit = 1.0;
    const Noise *n = p->noise;
    const ptrdiff_t d = p->d, m = n->n_observed, row = s->start + t;
    const int there = s->weight[t] > 0;
    if (!n->is_projected)
        for (ptrdiff_t a = 0; a < m; a++, lane += LANES) *lane = s->by_feature[a * p->tile + t];
    else {
        const double *observed = n->observed + row * m, *R = n->projection + row * m * d;
        for (ptrdiff_t a = 0; a < m; a++, lane += LANES) *lane = there ? observed[a] : 0;
        for (ptrdiff_t c = 0; c < m * d; c++, lane += LANES) *lane = there ? R[c] : 0;
    }
    if (there) copy_noise(kind, axes, m, (const double *)(n->noise + row * n->row_stride), lane);
    else copy_noise(SPHERICAL, axes, m, &unit, lane);
}

INLINE void gather_noisy_of(const int kind, const int axes, const Pass *p, const Tile *s,
                            real *rows) {
    for (ptrdiff_t t = 0; t < s->padded; t += LANES)
        for (ptrdiff_t l = 0; l < LANES; l++)
            gather_noisy_row(kind, axes, p, s, t + l, group_of(p, rows, t) + l);
}

static void gather_noisy(const Pass *p, const Tile *s, real *rows) {
    const int kind = p->noise->kind;
    if (kind == FULL) gather_noisy_of(FULL, 0, p, s, rows);
    else if (kind == DIAG && has_axes(p)) gather_noisy_of(DIAG, 1, p, s, rows);
    else if (kind == DIAG) gather_noisy_of(DIAG, 0, p, s, rows);
    else if (has_axes(p)) gather_noisy_of(SPHERICAL, 1, p, s, rows);
    else gather_noisy_of(SPHERICAL, 0, p, s, rows);
}

/* ---- a product of many positive numbers, of which the logarithm is wanted ---- */

typedef struct { vec mantissa; mask exponent; } Product;

INLINE Product one(void) { return (Product){fill(1), {0}}; }

INLINE void multiply_by(vec x, Product *product) {
    const natural bits = (natural)(x * product->mantissa);
    product->exponent += (mask)(bits >> FRACTION_BITS) - 1023;
    product->mantissa = (vec)((bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL);
}

INLINE vec log_of(const Product *product) {
    const vec n = (vec)(product->exponent + (mask)fill(ROUNDER)) - ROUNDER;
    return n * LOG2_HIGH + (log_positive(product->mantissa) + n * LOG2_LOW);
}

/* ---- equation (1) for a group ---- */

typedef struct {
    vec *L;       /* triangle, with 1 / D on its diagonal */
    vec *y;       /* m */
    vec distance; /* y^T D^-1 y */
    mask regular;
    Product det; /* of S */
} Factor;

/* Row a of L and of y from row a of S, which is in its place, and z_a. */
INLINE void factorise_row(ptrdiff_t a, vec z, Factor *f) {
    vec *row = f->L + at(a, 0), pivot = row[a];
    for (ptrdiff_t b = 1; b < a; b++) /* L D first */
        for (ptrdiff_t c = 0; c < b; c++) row[b] -= row[c] * f->L[at(b, c)];
    for (ptrdiff_t b = 0; b < a; b++) {
        const vec l = row[b] * f->L[at(b, b)];
        pivot -= row[b] * l;
        z -= l * f->y[b];
        row[b] = l;
    }
    const mask sound = is_sound(pivot);
    pivot = pick(sound, pivot, fill(1));
    f->regular &= sound;
    multiply_by(pivot, &f->det);
    row[a] = 1 / pivot;
    f->y[a] = z;
    f->distance += z * z * row[a];
}

INLINE void begin_factor(vec *L, vec *y, Factor *f) {
    f->L = L, f->y = y;
    f->distance = fill(0);
    f->regular = ~(mask){0};
    f->det = one();
}

INLINE void factorise_group(ptrdiff_t d, const real *C, const real *mean, const real *group,
                            Factor *f) {
    const real *noise = group + d * LANES;
    for (ptrdiff_t a = 0; a < d; a++) {
        for (ptrdiff_t b = 0; b <= a; b++)
            f->L[at(a, b)] = load(noise + at(a, b) * LANES) + C[at(a, b)];
        factorise_row(a, load(group + a * LANES) - mean[a], f);
    }
}

/* The same with R: T = R A comes first, m x d, and S = T T^T + N. */
INLINE void factorise_projected(ptrdiff_t d, ptrdiff_t m, const real *A, const real *mean,
                                const real *group, vec *T, Factor *f) {
    const real *R = group + m * LANES, *noise = R + m * d * LANES;
    for (ptrdiff_t a = 0; a < m; a++) {
        vec z = load(group + a * LANES);
        for (ptrdiff_t c = 0; c < d; c++) {
            vec sum = fill(0);
            for (ptrdiff_t e = c; e < d; e++) sum += load(R + (a * d + e) * LANES) * A[at(e, c)];
            T[a * d + c] = sum;
            z -= load(R + (a * d + c) * LANES) * mean[c];
        }
        for (ptrdiff_t b = 0; b <= a; b++) {
            vec sum = load(noise + at(a, b) * LANES);
            for (ptrdiff_t c = 0; c < d; c++) sum += T[a * d + c] * T[b * d + c];
            f->L[at(a, b)] = sum;
        }
        factorise_row(a, z, f);
    }
}

/* ---- equation (2) ---- */

INLINE void store_noisy_score(const Pass *p, ptrdiff_t j, const Factor *f, real *out) {
    const vec near = (vec)(f->regular & (f->distance <= REAL_MAX));
    const vec l = -0.5 * (f->distance + log_of(&f->det) + p->noise->n_observed * LOG_2_PI);
    const vec score = p->noise->power * l + p->log_weights[j];
    store(out, pick((mask)near, score, fill(-INFINITY)));
}

INLINE void score_axes(const Pass *p, ptrdiff_t j, const real *C, const real *mean,
                       const real *rows, ptrdiff_t padded, real *out) {
    const ptrdiff_t d = p->d;
    for (ptrdiff_t t = 0; t < padded; t += LANES, rows += 2 * d * LANES) {
        Factor f;
        begin_factor(NULL, NULL, &f);
        for (ptrdiff_t a = 0; a < d; a++) {
            vec total = load(rows + (d + a) * LANES) + C[a];
            const vec z = load(rows + a * LANES) - mean[a];
            const mask sound = is_sound(total);
            total = pick(sound, total, fill(1));
            f.regular &= sound;
            f.distance += z * (z / total);
            multiply_by(total, &f.det);
        }
        store_noisy_score(p, j, &f, out + t);
    }
}

INLINE void score_groups(ptrdiff_t d, const Pass *p, ptrdiff_t j, const real *C, const real *mean,
                         const real *rows, ptrdiff_t padded, vec *L, vec *y, real *out) {
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        Factor f;
        begin_factor(L, y, &f);
        factorise_group(d, C, mean, rows + t * (d + triangle(d)), &f);
        store_noisy_score(p, j, &f, out + t);
    }
}

/* the same for d known to the compiler */
#define SCORE_GROUPS(D)                                                                   \
    ALONE void score_groups_##D(const Pass *p, ptrdiff_t j, const real *C, const real *mean, \
                                const real *rows, ptrdiff_t padded, real *out) {             \
        vec L[triangle_of(D)], y[D];                                                         \
        score_groups(D, p, j, C, mean, rows, padded, L, y, out);                             \
    }
#define triangle_of(D) ((D) * ((D) + 1) / 2)
#ifdef __SANITIZE_ADDRESS__ /* where compiling the others takes many minutes */
#define EACH_UNROLLED(DO) DO(1) DO(2)
#else
#define EACH_UNROLLED(DO) \
    DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12)
#endif
EACH_UNROLLED(SCORE_GROUPS)

ALONE void score_projected(const Pass *p, ptrdiff_t j, const real *A, const real *mean,
                           const NoisyScratch *n, ptrdiff_t padded, real *out) {
    const ptrdiff_t d = p->d, m = p->noise->n_observed;
    vec *L = n->work, *y = L + triangle(m), *T = y + 2 * m + d;
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        Factor f;
        begin_factor(L, y, &f);
        factorise_projected(d, m, A, mean, group_of(p, n->rows, t), T, &f);
        store_noisy_score(p, j, &f, out + t);
    }
}

static void score_noisy(const Pass *p, ptrdiff_t first, Tile *s) {
    const ptrdiff_t d = p->d, size = covariance_size(p);
    NoisyMixture n;
    NoisyScratch work;
    place_noisy_mixture(p, s->more_mixture, &n);
    place_noisy_scratch(p, s->more_scratch, &work);
    gather_noisy(p, s, work.rows);
    for (ptrdiff_t j = first; j < p->k; j++) {
        const real *C = n.covariances + j * size, *mean = s->means + j * p->dp;
        real *out = s->resp + j * p->tile;
        if (p->noise->is_projected) {
            score_projected(p, j, n.roots + j * size, mean, &work, s->padded, out);
            continue;
        }
        if (has_axes(p)) {
            score_axes(p, j, C, mean, work.rows, s->padded, out);
            continue;
        }
        switch (d) {
#define SCORE_CASE(D) \
    case D: score_groups_##D(p, j, C, mean, work.rows, s->padded, out); break;
            EACH_UNROLLED(SCORE_CASE)
        default:
            score_groups(d, p, j, C, mean, work.rows, s->padded, work.work,
                         work.work + triangle(d), out);
        }
    }
}

/* ---- shares, and their entropy ---- */

static void complete_tile(const Pass *p, const Tile *s);

static void share_noisy_soft(const Pass *p, Tile *s) {
    if (wants(p, COMPLETED)) {
        normalise(1, p, UNDERFLOWS, s);
        complete_tile(p, s);
        return;
    }
    share_by_posterior(p, s);
    s->entropy = wants(p, SUMS) ? entropy_of(p, s) : 0.0;
}

static void share_noisy_hard(const Pass *p, Tile *s) {
    share_to_most_probable(p, s);
    s->entropy = 0.0;
}

/* ---- equations (3) and (4) ---- */

INLINE void add_noisy_axes(const Pass *p, const real *C, const real *A, const real *mean,
                     const real *group, vec r, vec *sums) {
    const ptrdiff_t d = p->d;
    for (ptrdiff_t a = 0; a < d; a++) {
        const vec total = load(group + (d + a) * LANES) + C[a];
        const vec inverse = 1 / pick(is_sound(total), total, fill(1));
        const vec h = (load(group + a * LANES) - mean[a]) * inverse * A[a];
        sums[a] += r * h;
        sums[d + a] += r * (h * h - inverse * C[a]);
    }
}

/* M, a lower triangle, and h */
INLINE void whiten_group(ptrdiff_t d, const real *A, const Factor *f, vec *M, vec *h) {
    for (ptrdiff_t c = 0; c < d; c++) {
        vec sum = fill(0);
        for (ptrdiff_t a = c; a < d; a++) {
            vec rest = fill(A[at(a, c)]);
            for (ptrdiff_t b = c; b < a; b++) rest -= f->L[at(a, b)] * M[at(b, c)];
            M[at(a, c)] = rest;
            sum += rest * (f->y[a] * f->L[at(a, a)]);
        }
        h[c] = sum;
    }
}

/* y, which is no longer needed, holds a column of D^-1 M */
INLINE void add_group(const int cross, ptrdiff_t d, const Factor *f, const vec *M, const vec *h,
                      vec r, vec *sums) {
    vec *spread = sums + d, *column = f->y;
    for (ptrdiff_t a = 0; a < d; a++) {
        sums[a] += r * h[a];
        for (ptrdiff_t c = a; c < d; c++) column[c] = M[at(c, a)] * f->L[at(c, c)];
        for (ptrdiff_t b = cross ? 0 : a; b <= a; b++) {
            vec sum = h[a] * h[b];
            for (ptrdiff_t c = a; c < d; c++) sum -= column[c] * M[at(c, b)];
            spread[cross ? at(a, b) : a] += r * sum;
        }
    }
}

INLINE void add_groups(const int cross, ptrdiff_t d, const real *C, const real *A,
                       const real *mean, const real *rows, const real *resp, ptrdiff_t padded,
                       vec *L, vec *y, vec *M, vec *h, vec *sums) {
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        const vec r = load(resp + t);
        if (!any_lane(r > 0)) continue;
        Factor f;
        begin_factor(L, y, &f);
        factorise_group(d, C, mean, rows + t * (d + triangle(d)), &f);
        whiten_group(d, A, &f, M, h);
        add_group(cross, d, &f, M, h, r, sums);
    }
}

#define ADD_GROUPS(D)                                                                       \
    ALONE void add_groups_##D(const int cross, const real *C, const real *A, const real *mean, \
                              const real *rows, const real *resp, ptrdiff_t padded, vec *sums) { \
        vec L[triangle_of(D)], M[triangle_of(D)], y[D], h[D];                                  \
        if (cross) add_groups(1, D, C, A, mean, rows, resp, padded, L, y, M, h, sums);         \
        else add_groups(0, D, C, A, mean, rows, resp, padded, L, y, M, h, sums);               \
    }
EACH_UNROLLED(ADD_GROUPS)

/* M = L^-1 T in the place of T, and h */
INLINE void whiten_projected(ptrdiff_t d, ptrdiff_t m, const Factor *f, vec *T, vec *h) {
    for (ptrdiff_t c = 0; c < d; c++) h[c] = fill(0);
    for (ptrdiff_t a = 0; a < m; a++)
        for (ptrdiff_t c = 0; c < d; c++) {
            vec rest = T[a * d + c];
            for (ptrdiff_t b = 0; b < a; b++) rest -= f->L[at(a, b)] * T[b * d + c];
            T[a * d + c] = rest;
            h[c] += rest * (f->y[a] * f->L[at(a, a)]);
        }
}

ALONE void add_projected(const Pass *p, const real *A, const real *mean, const NoisyScratch *n,
                         const real *resp, ptrdiff_t padded, vec *sums) {
    const ptrdiff_t d = p->d, m = p->noise->n_observed;
    const int cross = !is_diagonal(p);
    vec *L = n->work, *y = L + triangle(m), *h = y + 2 * m, *T = h + d;
    for (ptrdiff_t t = 0; t < padded; t += LANES) {
        const vec r = load(resp + t);
        if (!any_lane(r > 0)) continue;
        Factor f;
        begin_factor(L, y, &f);
        factorise_projected(d, m, A, mean, group_of(p, n->rows, t), T, &f);
        whiten_projected(d, m, &f, T, h);
        for (ptrdiff_t a = 0; a < d; a++) {
            sums[a] += r * h[a];
            for (ptrdiff_t b = cross ? 0 : a; b <= a; b++) {
                vec sum = h[a] * h[b];
                for (ptrdiff_t c = 0; c < m; c++)
                    sum -= T[c * d + a] * f.L[at(c, c)] * T[c * d + b];
                sums[d + (cross ? at(a, b) : a)] += r * sum;
            }
        }
    }
}

/* Whether putting the rows with a share side by side takes less than what it saves. */
INLINE int noisy_are_few(const Pass *p, ptrdiff_t count, ptrdiff_t rows) {
    const ptrdiff_t d = p->d, each = row_size(p) + noise_size(p);
    const ptrdiff_t products = has_axes(p) ? 12 * d : d * d * d / 2 + 20 * d;
    return (rows - count) * products > LANES * (rows + 2 * count * each);
}

/* Copies them; returns their number, filled up to whole groups with copies of the first. */
static ptrdiff_t pack_noisy(const Pass *p, const Tile *s, const real *resp, ptrdiff_t count,
                            const NoisyScratch *n) {
    const ptrdiff_t each = row_size(p) + noise_size(p), padded = round_up(count, LANES);
    list_active(resp, s->padded, s->active, n->packed_resp);
    for (ptrdiff_t q = 0; q < padded; q++) {
        const ptrdiff_t t = s->active[q < count ? q : 0];
        const real *from = n->rows + t / LANES * LANES * each + t % LANES;
        real *to = n->packed + q / LANES * LANES * each + q % LANES;
        for (ptrdiff_t i = 0; i < each; i++) to[i * LANES] = from[i * LANES];
        if (q >= count) n->packed_resp[q] = 0;
    }
    return padded;
}

/* Adds the sums of a tile to those of the slot. */
INLINE void add_sums(const Pass *p, ptrdiff_t n, const vec *sums, double *slot) {
    for (ptrdiff_t i = 0; i < n; i++) {
        double lanes[LANES];
        memcpy(lanes, sums + i, sizeof lanes);
        if (p->narrow) add_lanes_to(slot + i * KEPT_LANES, sums[i]);
        else slot[i] += sum_lanes(lanes);
    }
}

static void add_noisy(const Pass *p, Tile *s, double *slot) {
    const ptrdiff_t d = p->d, size = covariance_size(p);
    const int cross = !is_diagonal(p);
    NoisyMixture n;
    NoisyScratch work;
    place_noisy_mixture(p, s->more_mixture, &n);
    place_noisy_scratch(p, s->more_scratch, &work);
    slot[ENTROPY] += s->entropy;
    for (ptrdiff_t j = 0; j < p->k; j++) {
        const real *C = n.covariances + j * size, *A = n.roots + j * size;
        const real *mean = s->means + j * p->dp, *rows = work.rows, *resp = s->resp + j * p->tile;
        const ptrdiff_t count = add_active(resp, s->padded, slot + resp_sum_at(j));
        ptrdiff_t padded = s->padded;
        if (count == 0) continue;
        memset(work.sums, 0, (d + spread_size(p)) * sizeof(vec));
        if (!p->noise->is_projected && noisy_are_few(p, count, s->rows)) {
            padded = pack_noisy(p, s, resp, count, &work);
            rows = work.packed, resp = work.packed_resp;
        }
        if (p->noise->is_projected)
            add_projected(p, A, mean, &work, resp, padded, work.sums);
        else if (has_axes(p))
            for (ptrdiff_t t = 0; t < padded; t += LANES)
                add_noisy_axes(p, C, A, mean, rows + 2 * t * d, load(resp + t), work.sums);
        else
            switch (d) {
#define ADD_CASE(D) \
    case D: add_groups_##D(cross, C, A, mean, rows, resp, padded, work.sums); break;
                EACH_UNROLLED(ADD_CASE)
            default: {
                vec *L = work.work, *y = L + triangle(d), *h = y + d, *M = h + d;
                if (cross)
                    add_groups(1, d, C, A, mean, rows, resp, padded, L, y, M, h, work.sums);
                else
                    add_groups(0, d, C, A, mean, rows, resp, padded, L, y, M, h, work.sums);
            }
            }
        add_sums(p, d, work.sums, slot + resp_x_at(p, j));
        add_sums(p, spread_size(p), work.sums + d,
                 slot + resp_xx_at(p, p->shape == TIED ? 0 : j));
    }
}

/* ---- expected true rows ---- */

/* Writes sum_j s_j (m_j + A h_j) of each row; every row has the weight one here. */
static void complete_tile(const Pass *p, const Tile *s) {
    const ptrdiff_t d = p->d, m = p->noise->n_observed, size = covariance_size(p);
    NoisyMixture n;
    NoisyScratch work;
    place_noisy_mixture(p, s->more_mixture, &n);
    place_noisy_scratch(p, s->more_scratch, &work);
    for (ptrdiff_t t = 0; t < s->padded; t += LANES) {
        const real *group = group_of(p, work.rows, t);
        vec *expected = work.sums, *h = work.sums + d; /* spread_size is d or more */
        for (ptrdiff_t a = 0; a < d; a++) expected[a] = fill(0);
        for (ptrdiff_t j = 0; j < p->k; j++) {
            const real *C = n.covariances + j * size, *A = n.roots + j * size;
            const real *mean = s->means + j * p->dp;
            const vec r = load(s->resp + j * p->tile + t);
            vec *L = work.work, *y = L + triangle(m), *T = y + 2 * m + d;
            Factor f;
            if (!any_lane(r > 0)) continue;
            if (has_axes(p)) {
                for (ptrdiff_t a = 0; a < d; a++) {
                    const vec total = load(group + (d + a) * LANES) + C[a];
                    const vec z = load(group + a * LANES) - mean[a];
                    const vec gain = C[a] / pick(is_sound(total), total, fill(1));
                    expected[a] += r * (mean[a] + gain * z);
                }
                continue;
            }
            begin_factor(L, y, &f);
            if (p->noise->is_projected) {
                factorise_projected(d, m, A, mean, group, T, &f);
                whiten_projected(d, m, &f, T, h);
            } else {
                factorise_group(d, C, mean, group, &f);
                whiten_group(d, A, &f, T, h);
            }
            for (ptrdiff_t a = 0; a < d; a++) {
                vec moved = fill(mean[a]);
                for (ptrdiff_t b = 0; b <= a; b++) moved += A[at(a, b)] * h[b];
                expected[a] += r * moved;
            }
        }
        for (ptrdiff_t l = 0; l < LANES && t + l < s->rows; l++)
            for (ptrdiff_t a = 0; a < d; a++)
                *completed_at(p, s->start + t + l, a) = expected[a][l];
    }
}

/* ---- equation (5) ---- */

static ptrdiff_t noisy_spread_size(const Pass *p) { return spread_size(p) * entry(p); }

static void reduce_noisy(const Pass *p, const double *slot, Sums *sums) {
    const ptrdiff_t k = p->k, d = p->d, e = entry(p), size = covariance_size(p);
    const int diagonal = is_diagonal(p), axes = has_axes(p);
    Tile s;
    NoisyMixture n;
    place_mixture(p, p->mixture, &s);
    place_noisy_mixture(p, s.more_mixture, &n);
    sums->entropy = slot[ENTROPY];
    for (ptrdiff_t j = 0; j < k; j++) {
        const double *h = slot + resp_x_at(p, j);
        const real *A = n.roots + j * size;
        for (ptrdiff_t a = 0; a < d; a++) {
            double sum = 0.0;
            if (axes) sum = A[a] * sum_entry(p, h + a * e);
            else
                for (ptrdiff_t b = 0; b <= a; b++) sum += A[at(a, b)] * sum_entry(p, h + b * e);
            sums->resp_x[j * d + a] = sum;
        }
    }
    for (ptrdiff_t j = 0; j < (p->shape == TIED ? 1 : k); j++) {
        const double *hh = slot + resp_xx_at(p, j);
        const real *A = n.roots + j * size;
        double *out = sums->resp_xx + j * (p->shape == SPHERICAL ? 1 : diagonal ? d : d * d);
        double resp_sum = sums->resp_sum[j];
        for (ptrdiff_t i = 1; p->shape == TIED && i < k; i++) resp_sum += sums->resp_sum[i];
        for (ptrdiff_t a = 0; diagonal && a < d; a++) {
            const double root = A[axes ? a : at(a, a)];
            const double xx = root * root * (resp_sum + sum_entry(p, hh + a * e));
            if (p->shape == DIAG) out[a] = xx;
            else *out += xx;
        }
        if (diagonal) continue;
        /* (A Q) A^T, Q = resp_sum I + resp_hh, row by row */
        for (ptrdiff_t a = 0; a < d; a++)
            for (ptrdiff_t b = 0; b < d; b++) {
                double sum = 0.0;
                for (ptrdiff_t c = 0; c <= a; c++) {
                    const double q = sum_entry(p, hh + (c > b ? at(c, b) : at(b, c)) * e);
                    sum += A[at(a, c)] * (q + (b == c ? resp_sum : 0.0));
                }
                out[a * d + b] = sum;
            }
        for (ptrdiff_t a = 0; a < d; a++) /* column b is needed for columns up to b alone */
            for (ptrdiff_t b = d; b-- > 0;) {
                double sum = 0.0;
                for (ptrdiff_t c = 0; c <= b; c++) sum += out[a * d + c] * A[at(b, c)];
                out[a * d + b] = sum;
            }
        for (ptrdiff_t a = 0; a < d; a++)
            for (ptrdiff_t b = 0; b < a; b++) out[b * d + a] = out[a * d + b];
    }
}

#define NOISY_STEP(NAME, SHARE)                                                      \
    {                                                                                \
        .name = NAME, .by_row = NEVER, .keeps_scores = 1, .margin = MARGIN,          \
        .more_mixture = noisy_mixture_size, .more_scratch = noisy_scratch_size,      \
        .scatter_size = noisy_spread_size, .lay_out = lay_out_noisy,                 \
        .score = score_noisy, .share = SHARE, .add = add_noisy, .reduce = reduce_noisy, \
    }
static const Step noisy_soft = NOISY_STEP("noisy_soft", share_noisy_soft);
static const Step noisy_hard = NOISY_STEP("noisy_hard", share_noisy_hard);

#endif

/* Mixed rows: each lacks features of its own. Lanes are rows.

   With z = x - mean, 0 on the missing features m, and A = (U^T)_m the columns of U^T that belong to
   these, an A = Q R by modified Gram-Schmidt, the last feature first, gives all that is needed:

     (1)  c = Q^T y,  y = U^T z     the observed quadratic form is |y - Q c|^2
     (2)  E[z_m] = -inv(R) c
     (3)  log det cov_oo = log det cov + 2 sum log R_ii
     (4)  V = inv(R) inv(R)^T       what the scatter of the completed row lacks

   No covariance is factorised for a row. Products with P = U U^T would take less arithmetic, and
   twice the digits: they square the condition number, which A and U do not (A. Bjorck, "Numerical
   methods for least squares problems", 1996, section 2.4). U is triangular, so that the column of
   feature a begins at row a. Rows in the lanes of a vector lack as many features, or few more: the
   rest of their columns are zero.

   With diagonals, missing features add nothing to the distance and their constant is taken off. */
#ifndef MIXTURA_HOLES_H
#define MIXTURA_HOLES_H

#include "density.h"
#include "part.h"
#include "scatter.h"

/* ---- what all threads share ---- */

static void lay_out_shared(const Pass *p, const Shared *shared) {
    const ptrdiff_t d = p->d, dp = p->dp;
    for (ptrdiff_t j = 0; j < p->k && is_diagonal(p); j++)
        for (ptrdiff_t a = 0; a < d; a++)
            shared->log_constants[j * d + a] =
                p->step->is_distance ? 0.0
                : log(p->factors[p->shape == SPHERICAL ? j : j * d + a]) - 0.5 * LOG_2_PI;
    if (is_diagonal(p)) return;
    memset(shared->rows_of_U, 0, n_factors(p) * (d + 1) * dp * sizeof(double));
    for (ptrdiff_t j = 0; j < n_factors(p); j++)
        for (ptrdiff_t a = 0; a < d; a++)
            for (ptrdiff_t b = a; b < d; b++)
                shared->rows_of_U[(j * (d + 1) + a) * dp + b] = p->factors[(j * d + a) * d + b];
}

/* ---- few columns of ROWS lanes ---- */

/* Takes q off `count` columns from row `first` to d; keeps the products in `ratios`. */
INLINE void project_of(const int count, ptrdiff_t first, ptrdiff_t d, ptrdiff_t size,
                       const real *q, real *columns, real *ratios) {
    vec dot[2][GROUP] = {{{0}}};
    for (ptrdiff_t b = first; b < d; b++)
        for (int g = 0; g < GROUP; g++) {
            const vec q_b = load(q + b * ROWS + g * LANES);
            for (int c = 0; c < count; c++)
                dot[c][g] += q_b * load(columns + c * size + b * ROWS + g * LANES);
        }
    for (int c = 0; c < count; c++)
        for (int g = 0; g < GROUP; g++) store(ratios + c * ROWS + g * LANES, dot[c][g]);
    for (ptrdiff_t b = first; b < d; b++)
        for (int g = 0; g < GROUP; g++) {
            const vec q_b = load(q + b * ROWS + g * LANES);
            for (int c = 0; c < count; c++) {
                real *at = columns + c * size + b * ROWS + g * LANES;
                store(at, load(at) - dot[c][g] * q_b);
            }
        }
}

ALONE void project(ptrdiff_t count, ptrdiff_t first, ptrdiff_t d, ptrdiff_t size, const real *q,
                   real *columns, real *ratios) {
    ptrdiff_t c = 0;
    for (; c + 2 <= count; c += 2)
        project_of(2, first, d, size, q, columns + c * size, ratios + c * ROWS);
    if (c < count) project_of(1, first, d, size, q, columns + c * size, ratios + c * ROWS);
}

/* Brings the rows of U in that the ROWS rows from t on lack at place i: a column, by row of it. */
static void fetch_column(const Pass *p, const Part *part, const double *rows_of_U, ptrdiff_t i,
                         ptrdiff_t t, ptrdiff_t first, real *column) {
    const int32_t *lacking = part->lacking + i * p->tile + t;
    for (ptrdiff_t b = first / LANES * LANES; b < p->d; b += LANES)
        for (int g = 0; g < GROUP; g++) {
            vec v[LANES];
            for (int l = 0; l < LANES; l++)
                v[l] = load(rows_of_U + lacking[g * LANES + l] * p->dp + b);
            transpose(v);
            for (int l = 0; l < LANES; l++) store(column + (b + l) * ROWS + g * LANES, v[l]);
        }
}

/* Divides a column by its length; that of a row that lacks no more features counts as 1. */
static void normalise_column(ptrdiff_t first, ptrdiff_t d, real *column, real *length,
                             real *log_length) {
    for (int g = 0; g < GROUP; g++) {
        vec sum = {0};
        for (ptrdiff_t b = first; b < d; b++) {
            const vec x = load(column + b * ROWS + g * LANES);
            sum += x * x;
        }
        sum = pick(sum > 0, sum, fill(1));
        vec root;
        for (int l = 0; l < LANES; l++) root[l] = sqrt(sum[l]);
        const vec inverse = 1 / root;
        for (ptrdiff_t b = first; b < d; b++)
            store(column + b * ROWS + g * LANES, load(column + b * ROWS + g * LANES) * inverse);
        store(length + g * LANES, inverse);
        store(log_length + g * LANES, load(log_length + g * LANES) + log_positive(sum) / 2);
    }
}

/* inv(R) in the place after R, both m x m by place; `lengths` holds the reciprocal diagonal */
static void invert_ratios(ptrdiff_t m, const real *lengths, const real *R, real *inverse) {
    for (ptrdiff_t l = 0; l < m; l++)
        for (int g = 0; g < ROWS; g += LANES) {
            const vec last = load(lengths + l * ROWS + g);
            store(inverse + (l * m + l) * ROWS + g, last);
            for (ptrdiff_t i = 0; i < l; i++) {
                vec sum = {0};
                for (ptrdiff_t s = i; s < l; s++)
                    sum += load(inverse + (i * m + s) * ROWS + g)
                           * load(R + (s * m + l) * ROWS + g);
                store(inverse + (i * m + l) * ROWS + g, -sum * last);
            }
        }
}

/* ---- one component ---- */

/* Where the columns of the ROWS rows from t on begin: the first one of the lanes. */
static void find_firsts(const Pass *p, Part *part, ptrdiff_t m, ptrdiff_t t) {
    int32_t lowest = (int32_t)p->d;
    for (ptrdiff_t i = 0; i < m; i++) {
        const int32_t *lacking = part->lacking + i * p->tile + t;
        int32_t first = lacking[0];
        for (int l = 1; l < ROWS; l++) first = lacking[l] < first ? lacking[l] : first;
        part->firsts[i] = first;
        lowest = first < lowest ? first : lowest;
    }
    part->firsts[m] = lowest;
}

/* Q, R and (4), of the ROWS rows from t on */
static void decompose(const Pass *p, const Part *part, const double *rows_of_U, ptrdiff_t m,
                      ptrdiff_t t, real *spread) {
    const ptrdiff_t d = p->d, size = p->dp * ROWS;
    real *inverse = part->ratios + m * m * ROWS;
    real *logs = part->lengths + p->most_missing * ROWS;
    memset(logs, 0, ROWS * sizeof(real));
    for (ptrdiff_t i = 0; i < m; i++)
        fetch_column(p, part, rows_of_U, i, t, part->firsts[m], part->columns + i * size);
    for (ptrdiff_t i = 0; i < m; i++) {
        const ptrdiff_t first = part->firsts[i];
        real *q = part->columns + i * size;
        normalise_column(first, d, q, part->lengths + i * ROWS, logs);
        project(m - i - 1, first, d, size, q, q + size, part->ratios + (i * m + i + 1) * ROWS);
    }
    invert_ratios(m, part->lengths, part->ratios, inverse);
    if (!wants(p, SUMS)) return;
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t l = i; l < m; l++)
            for (int g = 0; g < ROWS; g += LANES) {
                vec sum = {0};
                for (ptrdiff_t s = l; s < m; s++)
                    sum += load(inverse + (i * m + s) * ROWS + g)
                           * load(inverse + (l * m + s) * ROWS + g);
                store(spread + (pairs(l) + i) * p->tile + t + g, sum);
            }
}

INLINE void subtract_mean_of_observed(const Pass *p, const real *x, const real *mean, real *z) {
    for (ptrdiff_t a = 0; a < p->d; a++)
        for (int g = 0; g < GROUP; g++) {
            const vec x_a = load(x + a * p->tile + g * LANES);
            store(z + a * ROWS + g * LANES, pick(x_a == x_a, x_a - mean[a], fill(0)));
        }
}

ALONE void multiply_triangle(ptrdiff_t d, const real *panel, const real *z, real *y) {
    ptrdiff_t b = 0;
    for (; b + OUTPUTS <= d; b += OUTPUTS) {
        store_rows(OUTPUTS, b + OUTPUTS, panel, z, y + b * ROWS, ROWS);
        panel += (b + OUTPUTS) * OUTPUTS;
    }
    switch (d - b) {
    case 1: store_rows(1, d, panel, z, y + b * ROWS, ROWS); break;
    case 2: store_rows(2, d, panel, z, y + b * ROWS, ROWS); break;
    case 3: store_rows(3, d, panel, z, y + b * ROWS, ROWS); break;
    }
}

/* (1) to (3) for component j and the ROWS rows from t on, the first of which lacks m features */
static void solve(const Pass *p, Part *part, ptrdiff_t j, ptrdiff_t m, ptrdiff_t t) {
    Tile *s = &part->tile;
    const ptrdiff_t d = p->d, size = p->dp * ROWS, most = p->most_missing;
    real *y = part->columns + m * size, *c = s->difference;
    const real *inverse = part->ratios + m * m * ROWS, *logs = part->lengths + most * ROWS;
    subtract_mean_of_observed(p, s->by_feature + t, s->means + j * p->dp, s->difference);
    multiply_triangle(d, s->panels + (p->shape == FULL ? j * panel_size(d) : 0), s->difference, y);
    for (ptrdiff_t i = 0; i < m; i++)
        project(1, part->firsts[i], d, size, part->columns + i * size, y, c + i * ROWS);
    vec distance[GROUP] = {{0}};
    for (ptrdiff_t b = 0; b < d; b++)
        for (int g = 0; g < GROUP; g++) {
            const vec y_b = load(y + b * ROWS + g * LANES);
            distance[g] += y_b * y_b;
        }
    real *out = s->resp + j * p->tile + t;
    store_log_density(out, s->constants[j], distance);
    for (int g = 0; g < ROWS; g += LANES) {
        vec lacks;
        for (int l = 0; l < LANES; l++) lacks[l] = part->lacks[t + g + l];
        store(out + g, load(out + g) + (lacks * (LOG_2_PI / 2) - load(logs + g)));
    }
    for (ptrdiff_t i = 0; i < m; i++)
        for (int g = 0; g < ROWS; g += LANES) {
            vec sum = {0};
            for (ptrdiff_t l = i; l < m; l++)
                sum -= load(inverse + (i * m + l) * ROWS + g) * load(c + l * ROWS + g);
            store(part->expected + (j * most + i) * p->tile + t + g, sum);
        }
}

/* The same with diagonals. */
static void solve_axes(const Pass *p, const Part *part, const double *log_constants, ptrdiff_t j,
                       ptrdiff_t t) {
    const Tile *s = &part->tile;
    const ptrdiff_t d = p->d;
    const real *mean = s->means + j * p->dp, *scale = s->scales + (p->shape == DIAG ? j * d : j);
    vec distance[GROUP] = {{0}}, lost[GROUP] = {{0}};
    for (ptrdiff_t a = 0; a < d; a++)
        for (int g = 0; g < GROUP; g++) {
            const vec x = load(s->by_feature + a * p->tile + t + g * LANES);
            const vec y = pick(x == x, (x - mean[a]) * scale[p->shape == DIAG ? a : 0], fill(0));
            distance[g] += y * y;
            lost[g] += pick(x == x, fill(0), fill(log_constants[j * d + a]));
        }
    real *out = s->resp + j * p->tile + t;
    store_log_density(out, s->constants[j], distance);
    for (int g = 0; g < GROUP; g++)
        store(out + g * LANES, load(out + g * LANES) - lost[g]);
}

/* l_j of a tile of mixed rows, and what add_mixed needs */
static void score_mixed(const Pass *p, const Shared *shared, Part *part) {
    const ptrdiff_t k = p->k, block = (p->d + 1) * p->dp;
    Tile *s = &part->tile;
    for (ptrdiff_t t = 0; t < s->padded; t += ROWS) {
        ptrdiff_t m = 0;
        for (int l = 0; l < ROWS; l++) m = part->lacks[t + l] > m ? part->lacks[t + l] : m;
        if (!is_diagonal(p)) find_firsts(p, part, m, t);
        for (ptrdiff_t j = 0; j < k; j++) {
            if (is_diagonal(p)) {
                solve_axes(p, part, shared->log_constants, j, t);
                continue;
            }
            if (p->shape == FULL || j == 0)
                decompose(p, part, shared->rows_of_U + j * block, m, t,
                          part->spread + j * pairs(p->most_missing) * p->tile);
            solve(p, part, j, m, t);
        }
    }
}

/* ---- sums ---- */

/* z of the completed rows that component j has a share of, and r z, side by side; and their sum */
static void pack_completed(const Pass *p, Part *part, ptrdiff_t j, ptrdiff_t n, double *resp_x) {
    Tile *s = &part->tile;
    const ptrdiff_t dp = p->dp, stride = row_stride(p), tile = p->tile, most = p->most_missing;
    const real *mean = s->row_means + j * dp, *r = s->resp + j * tile;
    for (ptrdiff_t q = 0; q < n; q++) {
        const ptrdiff_t t = s->active[q];
        real *z = s->z + q * stride, *rz = s->rz + q * stride;
        for (ptrdiff_t a = 0; a < dp; a += LANES) {
            const vec x = load(s->by_row + t * stride + a);
            store(z + a, pick(x == x, x - load(mean + a), fill(0)));
        }
        for (ptrdiff_t i = 0; i < part->lacks[t]; i++)
            z[part->lacking[i * tile + t]] = part->expected[(j * most + i) * tile + t];
        for (ptrdiff_t a = 0; a < dp; a += LANES) store(rz + a, r[t] * load(z + a));
    }
    for (ptrdiff_t a = 0; a < dp; a += LANES) {
        vec sum = {0};
        for (ptrdiff_t q = 0; q < n; q++) sum += load(s->rz + q * stride + a);
        add_to(resp_x + a, sum);
    }
}

/* Adds r V of row t to the scatter. */
INLINE void add_spread(const Pass *p, const Part *part, const double *spread, double r,
                       ptrdiff_t t, double *resp_xx) {
    const int32_t *lacking = part->lacking + t;
    for (ptrdiff_t l = 0; l < part->lacks[t]; l++)
        for (ptrdiff_t i = 0; i <= l; i++) /* a lower triangle: the last feature is first */
            resp_xx[lacking[i * p->tile] * p->dp + lacking[l * p->tile]] +=
                r * spread[(pairs(l) + i) * p->tile + t];
}

/* With diagonals, and the weight of the rows in which each feature is observed. */
static void add_axes(const Pass *p, const Part *part, ptrdiff_t j) {
    const Tile *s = &part->tile;
    const real *mean = s->means + j * p->dp, *r = s->resp + j * p->tile;
    double *resp_x = part->sums + resp_x_at(p, j), *resp_xx = part->sums + resp_xx_at(p, j);
    double *observed = part->sums + slot_end(p) + j * p->d * LANES;
    for (ptrdiff_t a = 0; a < p->d; a++) {
        vec first = {0}, second = {0}, seen = {0};
        for (ptrdiff_t t = 0; t < s->padded; t += LANES) {
            const vec x = load(s->by_feature + a * p->tile + t);
            const vec r_t = pick(x == x, load(r + t), fill(0));
            const vec z = pick(x == x, x - mean[a], fill(0)), rz = r_t * z;
            seen += r_t;
            first += rz;
            second += rz * z;
        }
        add_to(observed + a * LANES, seen);
        add_lanes_to(resp_x + a * KEPT_LANES, first);
        add_lanes_to(resp_xx + a * KEPT_LANES, second);
    }
}

/* the sums of a tile of mixed rows that are shared out */
static void add_mixed(const Pass *p, Part *part) {
    Tile *s = &part->tile;
    double *sums = part->sums;
    for (ptrdiff_t j = 0; j < p->k; j++) {
        const real *r = s->resp + j * p->tile;
        const ptrdiff_t n = add_active(r, s->padded, sums + resp_sum_at(j));
        if (n == 0) continue;
        if (is_diagonal(p)) {
            add_axes(p, part, j);
            continue;
        }
        double *resp_xx = sums + resp_xx_at(p, p->shape == TIED ? 0 : j);
        list_active(r, s->padded, s->active, s->rz);
        pack_completed(p, part, j, n, sums + resp_x_at(p, j));
        scatter_wide(p, s->rz, s->z, n, resp_xx);
        const double *spread = part->spread + j * pairs(p->most_missing) * p->tile;
        for (ptrdiff_t q = 0; p->shape == FULL && q < n; q++)
            add_spread(p, part, spread, r[s->active[q]], s->active[q], resp_xx);
    }
    for (ptrdiff_t t = 0; p->shape == TIED && t < s->rows; t++) {
        double r = 0.0; /* what the row counts for in all */
        for (ptrdiff_t j = 0; j < p->k; j++) r += s->resp[j * p->tile + t];
        add_spread(p, part, part->spread, r, t, sums + resp_xx_at(p, 0));
    }
}

#endif

/* Groups of rows that lie close together where a mixture has low densities.

   Each of m rows and its nearest neighbours are a group of so many rows. With w the weight of a row
   and p its density under the mixture, W and v the weight of a group and its variance in each of d
   features about its first row, in units of the features, a group gains

     (1)  W (log W - u - d / 2 log(2 pi e v)) - sum w log p

   by a round component that is there for it alone; u is the log of the weight of all rows and of the
   units. v is at least that of rounding. The best groups are taken of which no two have a row in
   common. O(m^2 d), without cancellation. `mixtura.reference.dense` is the same in NumPy. */
#ifndef MIXTURA_DENSE_H
#define MIXTURA_DENSE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    ptrdiff_t m, d, size; /* size: rows of a group, m at most */
    const double *columns; /* d columns of m numbers */
    const double *weight, *log_prob;
    double unit, least_variance;
} Sparse;

/* Write the nearest rows to row i, itself first, then by distance and place; return the gain (1).
   `squares` has room for m numbers, `nearest` for `size`. */
static double group_about(const Sparse *s, ptrdiff_t i, int64_t *near, double *squares,
                          double *nearest) {
    const ptrdiff_t m = s->m;
    double weight = 0.0, spread = 0.0, log_prob = 0.0;
    ptrdiff_t n = 1;
    for (ptrdiff_t t = 0; t < m; t++) squares[t] = 0.0;
    for (ptrdiff_t a = 0; a < s->d; a++) {
        const double *column = s->columns + a * m, at = column[i];
        for (ptrdiff_t t = 0; t < m; t++) squares[t] += (column[t] - at) * (column[t] - at);
    }
    near[0] = i, nearest[0] = -1.0;
    for (ptrdiff_t t = 0; t < m; t++) {
        const double square = squares[t];
        if (t == i || (n == s->size && !(square < nearest[n - 1]))) continue;
        ptrdiff_t place = n < s->size ? n++ : n - 1;
        for (; place > 1 && square < nearest[place - 1]; place--)
            nearest[place] = nearest[place - 1], near[place] = near[place - 1];
        nearest[place] = square, near[place] = t;
    }
    for (ptrdiff_t g = 0; g < n; g++) {
        const double w = s->weight[near[g]];
        weight += w;
        log_prob += w * s->log_prob[near[g]];
        if (g > 0) spread += w * nearest[g];
    }
    const double variance = fmax(spread / ((double)s->d * weight), s->least_variance);
    const double height = log(weight) - s->unit - 0.5 * s->d * log(2.0 * M_PI * M_E * variance);
    return weight * height - log_prob;
}

/* Whether a group has none of the rows that were taken. */
static int is_apart(ptrdiff_t size, const int64_t *near, const unsigned char *taken) {
    for (ptrdiff_t g = 0; g < size; g++)
        if (taken[near[g]]) return 0;
    return 1;
}

/* Take the groups that gain most, of equal ones the first; return how many. `near` has `size` rows
   for each group, of which no more is read once its gain is -infinity. */
static int take_groups(const Sparse *s, int n_groups, const int64_t *near, double *gains,
                       unsigned char *taken, int64_t *groups, double *of_groups) {
    int n = 0;
    while (n < n_groups) {
        ptrdiff_t best = 0;
        for (ptrdiff_t i = 1; i < s->m; i++)
            if (gains[i] > gains[best]) best = i;
        if (s->m == 0 || !(gains[best] > 0.0)) break;
        const int64_t *rows = near + best * s->size;
        if (is_apart(s->size, rows, taken)) {
            for (ptrdiff_t g = 0; g < s->size; g++) {
                taken[rows[g]] = 1;
                groups[n * s->size + g] = rows[g];
            }
            of_groups[n++] = gains[best];
        }
        gains[best] = -INFINITY;
    }
    return n;
}

#endif

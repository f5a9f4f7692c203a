/* Responsibilities or labels that are given, in place of an E-step. */
#ifndef MIXTURA_GIVEN_H
#define MIXTURA_GIVEN_H

#include "mixture.h"
#include "scatter.h"

static void copy_resp(const Pass *p, ptrdiff_t first, Tile *s) {
    for (ptrdiff_t j = first; j < p->k; j++) {
        real *out = s->resp + j * p->tile;
        const char *at = p->given_resp + j * p->resp_column_stride + s->start * p->resp_row_stride;
        for (ptrdiff_t t = 0; t < s->rows; t++)
            out[t] = s->weight[t] * (real)*(const double *)(at + t * p->resp_row_stride);
        for (ptrdiff_t t = s->rows; t < s->padded; t++) out[t] = 0;
    }
}

static void copy_labels(const Pass *p, ptrdiff_t first, Tile *s) {
    const int64_t *label = p->given_labels + s->start;
    for (ptrdiff_t j = first; j < p->k; j++) {
        real *out = s->resp + j * p->tile;
        for (ptrdiff_t t = 0; t < s->rows; t++) out[t] = label[t] == j ? s->weight[t] : 0;
        for (ptrdiff_t t = s->rows; t < s->padded; t++) out[t] = 0;
    }
}

static void keep_shares(const Pass *p, Tile *s) { (void)p, (void)s; }

static const Step given_resp = {
    .name = "given_resp",
    .by_row = FOR_WIDE_SUMS,
    .keeps_scores = 1,
    .scatter_size = moments_size,
    .lay_out = lay_out_means_only,
    .score = copy_resp,
    .share = keep_shares,
    .add = add_moments,
    .reduce = reduce_moments,
};

static const Step given_labels = {
    .name = "given_labels",
    .by_row = FOR_WIDE_SUMS,
    .keeps_scores = 1,
    .scatter_size = moments_size,
    .lay_out = lay_out_means_only,
    .score = copy_labels,
    .share = keep_shares,
    .add = add_moments,
    .reduce = reduce_moments,
};

#endif

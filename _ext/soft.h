/* The E-step of EM: rows are shared out by posterior probabilities, (3) and (4) of pass.h. */
#ifndef MIXTURA_SOFT_H
#define MIXTURA_SOFT_H

#include "density.h"
#include "mixture.h"
#include "posterior.h"
#include "scatter.h"

static void share_by_posterior(const Pass *p, Tile *s) {
    if (wants(p, LABELS)) find_labels(p, s);
    if (wants(p, SUMS)) normalise(1, p, (real)-p->margin, s);
    else if (wants(p, RESP)) normalise(1, p, UNDERFLOWS, s);
    else if (wants(p, LOG_PROB)) normalise(0, p, UNDERFLOWS, s);
}

static const Step soft = {
    .name = "soft",
    .by_row = FOR_WIDE_SUMS,
    .keeps_scores = 1,
    .first = MARGIN,
    .margin = MARGIN,
    .scatter_size = moments_size,
    .lay_out = lay_out_mixture,
    .score = score_densities,
    .share = share_by_posterior,
    .add = add_moments,
    .reduce = reduce_moments,
    .least_best = least_best_density,
};

#endif

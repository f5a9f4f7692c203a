/* The E-step of classification EM: each row belongs altogether to its most probable component,

     r_j = w where l_j is the largest (the first of equal ones), 0 elsewhere,

   and the log-likelihood is the weighted sum of the largest l_j. A row at zero density under every
   component belongs to the heaviest one.

   Celeux and Govaert, "A classification EM algorithm for clustering and two stochastic versions",
   Computational Statistics & Data Analysis 14, 315-332, 1992. */
#ifndef MIXTURA_HARD_H
#define MIXTURA_HARD_H

#include "density.h"
#include "mixture.h"
#include "posterior.h"
#include "scatter.h"

static void share_to_most_probable(const Pass *p, Tile *s) {
    double total[LANES] = {0};
    find_labels(p, s);
    for (ptrdiff_t t = 0; t < s->padded; t += LANES) {
        const vec w = load(s->weight + t);
        mask label;
        memcpy(&label, s->label + t, sizeof label);
        for (ptrdiff_t q = 0; q < s->listed; q++)
            store(s->resp + q * p->tile + t, pick(label == (whole)s->component[q], w, fill(0)));
        add_to(total, pick(w > 0, w * load(s->log_prob + t), fill(0)));
    }
    s->log_likelihood = sum_lanes(total);
}

static const Step hard = {
    .name = "hard",
    .by_row = FOR_WIDE_SUMS,
    .keeps_scores = 1,
    .first = MARGIN,
    .margin = 1.0, /* more than the rounding of l, so that bounds change no label */
    .scatter_size = moments_size,
    .lay_out = lay_out_mixture,
    .score = score_densities,
    .share = share_to_most_probable,
    .add = add_moments,
    .reduce = reduce_moments,
    .least_best = least_best_density,
};

#endif

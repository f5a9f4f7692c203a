/* Parameters of clusters that are only guesses: `Rows.guess` makes them of labels.

   Sums are taken about one point, then about the means that follow. So the scatter loses no digits
   where clusters are far from the point. Then each component borrows rows that scatter as all do
   about their means, a share q of an average component:

     (1)  S_j' = N_j / (N_j + b) (S_j + b S / N),   S = sum_j S_j,  N = sum_j N_j,  b = q N / k

   and the M-step follows (m_step.h). A tied scatter is pooled already. */
#ifndef MIXTURA_GUESS_H
#define MIXTURA_GUESS_H

#include "m_step.h"

/* (1); `lent` has room for one component */
static void shrink_to_pooled(const Maximisation *m, double share, const double *resp_sum,
                             double *resp_xx, double *lent) {
    const ptrdiff_t size = entries_of_one(m->shape, m->d);
    double total = 0.0;
    if (m->shape == TIED) return;
    for (ptrdiff_t j = 0; j < m->k; j++) total += resp_sum[j];
    const double weight = share * total / (double)m->k;
    for (ptrdiff_t i = 0; i < size; i++) {
        double sum = 0.0;
        for (ptrdiff_t j = 0; j < m->k; j++) sum += resp_xx[j * size + i];
        lent[i] = weight * (sum / total);
    }
    for (ptrdiff_t j = 0; j < m->k; j++) {
        const double kept = resp_sum[j] / (resp_sum[j] + weight);
        double *scatter = resp_xx + j * size;
        for (ptrdiff_t i = 0; i < size; i++) scatter[i] = (scatter[i] + lent[i]) * kept;
    }
}

#endif

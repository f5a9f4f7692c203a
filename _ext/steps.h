/* The E-steps. To add one, write its header and name it in both lists. */
#ifndef MIXTURA_STEPS_H
#define MIXTURA_STEPS_H

#include "given.h"
#include "hard.h"
#include "nearest.h"
#ifndef SINGLE
#include "noisy.h"
#endif
#include "seeds.h"
#include "soft.h"

static const Step *const STEPS[] = {
    &soft, &hard, &nearest, &seeds, &given_resp, &given_labels,
#ifndef SINGLE
    &noisy_soft, &noisy_hard, /* of doubles alone */
#endif
};

#endif

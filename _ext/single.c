/* The pass in single precision: tiles of rows in float, sums in double. */
#define SINGLE
#include "gaussian.h"

const Lanes single_lanes = {LANES, cut, lay_out_mixture, run_slot, reduce_slots};

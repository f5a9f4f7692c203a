/* The pass in double precision. */
#include "gaussian.h"

const Lanes double_lanes = {LANES, cut, lay_out_mixture, run_slot, reduce_slots};

/* The pass in single precision: tiles of rows in float, sums in double. */
#define SINGLE
#include "run.h"

const Precision single_precision = PRECISION;

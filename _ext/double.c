/* The pass in double precision. */
#include "run.h"

const Precision double_precision = PRECISION;

/* The pass in double precision, over whole rows and over incomplete ones. */
#include "incomplete.h"
#include "run.h"

const Precision double_precision = PRECISION;
const Precision incomplete_rows = INCOMPLETE;

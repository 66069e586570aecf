#pragma once

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Scalar product, summed in an order that depends on the size alone.
double dot(const double* a, const double* b, Index size);

/// Divides a row by its norm; a row of zeros stays zero.
void normalise(const double* row, Index size, double* out);

}  // namespace lpr_fast

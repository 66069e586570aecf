#pragma once

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Scalar product, summed in an order that the size alone fixes.
double dot(const double* a, const double* b, Index size);

/// A row divided by its norm; a row of zeros stays one.
void normalise(const double* row, Index size, double* out);

}  // namespace lpr_fast

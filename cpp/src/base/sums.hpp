#pragma once

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Sum of a column, with what rounding takes from it added at the end (Neumaier, Z. Angew. Math. Mech. 54, 39, 1974):
/// the error does not grow with the number of rows.
double column_sum(ConstMatrixView matrix, Index column);

}  // namespace lpr_fast

#pragma once

#include <vector>

#include "linear_algebra.hpp"

namespace lpr_fast {

/// Upper-triangular R, diagonal >= 0, with R^T R = sum of B^T B over the blocks B: a Householder QR of the stacked
/// rows.
///
/// The rows are first put in order of decreasing norm (ties keep their order). Without that, rows whose norms span many
/// orders of magnitude lose the small ones' digits; with it, every row keeps its own relative accuracy (Higham,
/// Accuracy and Stability of Numerical Algorithms, 2nd edition, section 19.4).
///
/// @param blocks   together at least columns.size() rows
/// @param columns  the columns of the blocks to take, in this order
RowMatrix triangularize(const std::vector<ConstMatrixView>& blocks, const std::vector<Index>& columns, int n_threads);

/// The same for all columns in their own order.
RowMatrix triangularize(const std::vector<ConstMatrixView>& blocks, int n_threads);

}  // namespace lpr_fast

#pragma once

#include <vector>

#include "base/matrices.hpp"

namespace lpr_fast {

/// Further rows of a root, for columns that the Cholesky so far could not tell from rounding.
struct SmallPivots {
    std::vector<Index> pivots;  ///< in the order of their elimination
    RowMatrix root;             ///< (pivots.size(), size)
};

/// Columns whose residual is less than a Cholesky's own rounding, but more than that of the matrix's entries.
///
/// Residuals are computed anew with twice the digits, which leaves in them the rounding of the entries alone: with v
/// the combination of columns that nearly vanishes, one for the column itself, residual = v^T A v, entries that are off
/// by one unit in the last place move it by at most eps |v|^T |A| |v|, and typically by eps sqrt(sum_ij v_i^2 A_ij^2
/// v_j^2), of which eight are allowed for. A column is a pivot if its residual is above the smaller of the two.
///
/// @param matrix     symmetric, with a diagonal near one
/// @param pivots     columns that were eliminated
/// @param root       (pivots.size(), size), root^T root = matrix on these columns
/// @param residuals  what the elimination left on the diagonal, with its rounding
SmallPivots small_pivots(
    const Matrix& matrix, const std::vector<Index>& pivots, const RowMatrix& root, const Vector& residuals,
    int n_threads
);

/// How much the elimination's own rounding may leave of a column that is a combination of pivots.
/// @param triangle  the columns of the root that belong to the pivots
double rounding_of_elimination(
    const Matrix& matrix, const std::vector<Index>& pivots, const RowMatrix& root, const RowMatrix& triangle,
    Index column
);

}  // namespace lpr_fast

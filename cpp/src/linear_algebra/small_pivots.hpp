#pragma once

#include <vector>

#include "base/matrices.hpp"

namespace lpr_fast {

/// More rows of a root, for columns that the Cholesky factorisation could not distinguish from rounding.
struct SmallPivots {
    std::vector<Index> pivots;  ///< in the order of their elimination
    RowMatrix root;             ///< (pivots.size(), size)
};

/// Finds columns whose residual is less than the rounding of the Cholesky factorisation, but more than that of the
/// entries of the matrix.
///
/// Residuals v^T A v are computed again in doubled precision, so that they contain the rounding of the entries alone.
/// v is the combination of columns that nearly vanishes, with coefficient 1 for the column itself. If entries are wrong
/// by one unit in the last place, the residual changes by at most eps |v|^T |A| |v|, and typically by
/// eps sqrt(sum_ij v_i^2 A_ij^2 v_j^2). A column is a pivot if its residual is above the bound or above eight times the
/// typical change, whichever is smaller.
///
/// @param matrix     symmetric, with a diagonal near one
/// @param pivots     columns that were eliminated
/// @param root       (pivots.size(), size), root^T root = matrix on these columns
/// @param residuals  diagonal after the elimination, including rounding
SmallPivots small_pivots(
    const Matrix& matrix, const std::vector<Index>& pivots, const RowMatrix& root, const Vector& residuals,
    int n_threads
);

/// Likely residual, by rounding of the elimination, of a column that is a combination of pivots.
/// @param triangle  columns of the root that belong to the pivots
double rounding_of_elimination(
    const Matrix& matrix, const std::vector<Index>& pivots, const RowMatrix& root, const RowMatrix& triangle,
    Index column
);

}  // namespace lpr_fast

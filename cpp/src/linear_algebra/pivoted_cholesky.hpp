#pragma once

#include <vector>

#include "base/matrices.hpp"

namespace lpr_fast {

/// A square root of a positive semidefinite matrix, and which of its columns are linearly independent to rounding.
struct PivotedCholesky {
    std::vector<Index> pivots;     ///< independent columns, in the order of their elimination
    std::vector<Index> redundant;  ///< other columns: to rounding, combinations of the pivots
    RowMatrix root;                ///< (pivots.size(), size): root^T root = A to rounding

    /// Upper-triangular U with U^T U = A on the pivots; column j of U belongs to column pivots[j] of A.
    RowMatrix triangle() const;
};

/// Cholesky with complete pivoting (Higham, Analysis of the Cholesky decomposition of a semi-definite matrix, 1990),
/// of the matrix scaled to a diagonal near one. When the largest residual falls to size * eps times the largest
/// diagonal element of the scaled matrix, the remaining residuals are computed more accurately (small_pivots.hpp).
/// Columns whose residual is within the rounding of the entries are redundant.
///
/// @param matrix  symmetric and finite
/// @throws NotPositiveDefinite  if the matrix has a negative eigenvalue beyond rounding, or is zero
PivotedCholesky pivoted_cholesky(const Matrix& matrix, int n_threads);

}  // namespace lpr_fast

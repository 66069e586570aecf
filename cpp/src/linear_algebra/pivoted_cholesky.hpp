#pragma once

#include <vector>

#include "base/matrices.hpp"

namespace lpr_fast {

/// A square root of a positive semidefinite matrix, and which of its columns are independent beyond rounding.
struct PivotedCholesky {
    std::vector<Index> pivots;     ///< independent columns, in the order of their elimination
    std::vector<Index> redundant;  ///< the others: to rounding, combinations of the pivots
    RowMatrix root;                ///< (pivots.size(), size): root^T root = A to rounding

    /// Upper-triangular U with U^T U = A on the pivots; column j stands for column pivots[j].
    RowMatrix triangle() const;
};

/// Cholesky with complete pivoting (Higham, Analysis of the Cholesky decomposition of a semi-definite matrix, 1990),
/// of the matrix scaled to a diagonal near one. When the largest residual falls to size * eps times the largest
/// diagonal at the start, what is left is computed more accurately (small_pivots.hpp), and dropped where rounding of
/// the entries explains it.
///
/// @param matrix  symmetric and finite
/// @throws NotPositiveDefinite  when what is left then is not rounding but a negative eigenvalue
PivotedCholesky pivoted_cholesky(const Matrix& matrix, int n_threads);

}  // namespace lpr_fast

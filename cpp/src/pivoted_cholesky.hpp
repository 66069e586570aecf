#pragma once

#include <vector>

#include "linear_algebra.hpp"

namespace lpr_fast {

/// A square root of a positive semidefinite matrix on its independent columns.
struct PivotedCholesky {
    std::vector<Index> kept;  ///< pivot columns, ascending; the others depend on them to rounding
    RowMatrix root;           ///< (kept.size(), kept.size()): root^T root = A[kept, kept]
};

/// Cholesky with complete pivoting (Higham, Analysis of the Cholesky decomposition of a semi-definite matrix, 1990),
/// of the matrix scaled to a diagonal near one, stopped when the largest residual diagonal falls to size * eps times
/// the largest one at the start.
///
/// @param matrix  symmetric and finite
/// @throws NotPositiveDefinite  when what is left then is not rounding but a negative eigenvalue
PivotedCholesky pivoted_cholesky(const Matrix& matrix, int n_threads);

}  // namespace lpr_fast

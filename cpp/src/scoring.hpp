#pragma once

#include <vector>

#include "linear_algebra.hpp"

namespace lpr_fast {

/// |R^-T phi|^2 for every row of phi, of which the columns that R stands for count.
///
/// Rows are taken in tiles of one width, the last one padded with zeros, so that a row's bits depend on R and on the
/// row alone. Memory: one tile per thread.
void score_quadratic_forms(
    const RowMatrix& triangle, const std::vector<Index>& columns, ConstMatrixView phi, VectorView out, int n_threads
);

/// (R^-T a) . (R^-T b) for every pair of rows.
void score_covariance(
    const RowMatrix& triangle, const std::vector<Index>& columns, ConstMatrixView phi_a, ConstMatrixView phi_b,
    MatrixView out, int n_threads
);

}  // namespace lpr_fast

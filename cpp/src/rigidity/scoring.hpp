#pragma once

#include <vector>

#include "base/matrices.hpp"
#include "linear_algebra/tiles.hpp"

namespace lpr_fast {

/// |R^-T phi|^2 for every row of phi, of which the columns that R stands for count.
///
/// Rows become columns of strips, of which each goes through the same instructions whatever stands beside it, so that a
/// row's bits depend on R and on the row alone. Memory: one tile per thread.
void score_quadratic_forms(
    const PackedFactor& factor, Workspaces& workspaces, ConstMatrixView phi, VectorView out, int n_threads
);

/// The same for `count` columns of strips of `depth` rows, with the workspace's room for what a factor needs.
void sum_squares(
    const PackedFactor& factor, const double* strips, Index depth, Index count, Workspace& workspace, double* out
);

/// (R^-T a) . (R^-T b) for every pair of rows.
void score_covariance(
    const RowMatrix& triangle, const std::vector<Index>& columns, ConstMatrixView phi_a, ConstMatrixView phi_b,
    MatrixView out, int n_threads
);

}  // namespace lpr_fast

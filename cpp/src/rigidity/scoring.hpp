#pragma once

#include "rigidity/factor_state.hpp"

namespace lpr_fast {

/// Throws InvalidInput unless a variance can be multiplied by that.
void check_scale(double scale);

/// Throws InvalidInput unless those that are wanted have room for so many rows.
void check_forms(const FactorState& factor, const FormScores& scores, Index n_rows);

/// What follows from |R^-T phi|^2 for every row of phi, of which the columns that R stands for count.
///
/// Rows become columns of strips, of which each goes through the same instructions whatever stands beside it, so that a
/// row's bits depend on R and on the row alone. Memory: one tile per thread.
void score_forms(const FactorState& factor, ConstMatrixView phi, const FormScores& scores, int n_threads);

/// The same for `count` columns of strips of `depth` rows, with the workspace's room for what a factor needs; scores
/// begin at `first`.
void score_strips(
    const FactorState& factor, const double* strips, Index depth, Index count, Workspace& workspace,
    const FormScores& scores, Index first
);

/// R^-T phi for `count` columns of strips of `depth` rows: strips of packed(factor).padded_size() rows in the
/// workspace's room for work, if they are to be kept.
/// @return |R^-T phi|^2 of every column
const double* solve_strips(
    const FactorState& factor, const double* strips, Index depth, Index count, Workspace& workspace,
    PackedFactor::Solution solution
);

/// Takes what the factor holds off the columns that solve_strips() kept, all that is along its directions.
/// @return f_held of every column, beside the squares that solve_strips() gave
const double* take_off_held(const FactorState& factor, Index count, Workspace& workspace);

/// The entries that the factor takes of one column of strips.
void take_column(const FactorState& factor, const double* strips, Index depth, Index column, Eigen::Ref<Vector> phi);

/// scale * (R^-T a) . (R^-T b) for every pair of rows.
void score_covariance(
    const FactorState& factor, ConstMatrixView phi_a, ConstMatrixView phi_b, double scale, MatrixView out, int n_threads
);

}  // namespace lpr_fast

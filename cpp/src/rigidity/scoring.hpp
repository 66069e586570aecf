#pragma once

#include "rigidity/factor_state.hpp"

namespace lpr_fast {

/// Throws InvalidInput unless the scale of variances is finite and positive.
void check_scale(double scale);

/// Throws InvalidInput unless the outputs have n_rows numbers, and the factor holds rows if lpr_held is requested.
void check_forms(const FactorState& factor, const FormScores& scores, Index n_rows);

/// Scores each row of phi by |R^-T phi|^2, from the columns of phi that R has.
///
/// Rows become columns of strips. Each column goes through the same instructions, so the bits of a row depend on R and
/// the row alone. Memory: one tile for each thread.
void score_forms(const FactorState& factor, ConstMatrixView phi, const FormScores& scores, int n_threads);

/// Scores `count` columns of strips of `depth` rows, and writes the scores from row `first` on.
void score_strips(
    const FactorState& factor, const double* strips, Index depth, Index count, Workspace& workspace,
    const FormScores& scores, Index first
);

/// Solves R^T z = phi for `count` columns of strips of `depth` rows. With Solution::kept, z is left in workspace.work,
/// as strips of packed(factor).padded_size() rows.
/// @return |z|^2 of each column
const double* solve_strips(
    const FactorState& factor, const double* strips, Index depth, Index count, Workspace& workspace,
    PackedFactor::Solution solution
);

/// Removes the components along the held directions from the columns that solve_strips() kept.
/// @return f_held of each column; the squares that solve_strips() returned stay valid
const double* remove_held(const FactorState& factor, Index count, Workspace& workspace);

/// Copies the entries of one column of strips for the columns of R.
void take_column(const FactorState& factor, const double* strips, Index depth, Index column, Eigen::Ref<Vector> phi);

/// Computes scale * (R^-T a) . (R^-T b) for each pair of rows.
void score_covariance(
    const FactorState& factor, ConstMatrixView phi_a, ConstMatrixView phi_b, double scale, MatrixView out, int n_threads
);

}  // namespace lpr_fast

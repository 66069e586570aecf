#pragma once

#include <vector>

#include "base/matrices.hpp"

namespace lpr_fast {

/// R^T R = A^T A for chosen columns of a matrix A, in an order of its own.
struct Triangle {
    RowMatrix r;                 ///< upper triangular, diagonal >= 0
    std::vector<Index> columns;  ///< column j of r stands for column columns[j] of A
    RowMatrix targets;           ///< the rows of Q^T times the target columns that belong to r
    RowMatrix rest;              ///< upper triangular, diagonal >= 0: rest^T rest = T^T T of all other rows T of them;
                                 ///< of one target the norm of what R cannot reach

    /// R and the targets with their columns back in their places among `n_columns`, zero elsewhere: rows that can be
    /// stacked again.
    RowMatrix rows(Index n_columns) const;
};

/// Householder QR of the stacked rows of all blocks.
///
/// The rows are put in order of decreasing norm, and columns are pivoted. Together that keeps every row's own relative
/// accuracy, however much the norms of rows differ; either alone does not (A. J. Cox and N. J. Higham, Stability of
/// Householder QR factorization for weighted least squares problems, 1998; Higham, Accuracy and Stability of Numerical
/// Algorithms, 2nd edition, section 19.4). Pivots are chosen within panels of the columns of largest norm, and are at
/// least half as large as the largest candidate outside the panel.
///
/// @param first      columns to eliminate first
/// @param last       columns to eliminate after all of these
/// @param n_targets  so many last columns of the blocks are rotated along with the rows, but neither eliminated nor
///                   looked at: R has the same bits whatever they hold
Triangle triangularize(
    const std::vector<ConstMatrixView>& blocks, std::vector<Index> first, const std::vector<Index>& last, int n_threads,
    Index n_targets = 0
);

/// The same for all columns but the targets.
Triangle triangularize(const std::vector<ConstMatrixView>& blocks, int n_threads, Index n_targets = 0);

/// 0, 1, ..., size - 1.
std::vector<Index> all_columns(Index size);

}  // namespace lpr_fast

#pragma once

#include <vector>

#include "base/matrices.hpp"

namespace lpr_fast {

/// R^T R = A^T A for chosen columns of a matrix A, in the order of elimination.
struct Triangle {
    RowMatrix r;                 ///< upper triangular, diagonal >= 0
    std::vector<Index> columns;  ///< column j of r belongs to column columns[j] of A
    RowMatrix targets;           ///< the rows of Q^T times the targets that belong to r
    RowMatrix rest;              ///< upper triangular, diagonal >= 0: rest^T rest = T^T T for all other rows T of Q^T
                                 ///< times the targets; for one target, the norm of the least-squares residual

    /// R and the targets as rows of `n_columns` columns in the order of A, zero elsewhere. They can be stacked with
    /// other rows.
    RowMatrix rows(Index n_columns) const;
};

/// Householder QR of the stacked rows of all blocks.
///
/// Rows are sorted by decreasing norm, and columns are pivoted. Together, these keep the relative accuracy of every
/// row, however much the norms of rows differ; either alone does not (A. J. Cox and N. J. Higham, Stability of
/// Householder QR factorization for weighted least squares problems, 1998; Higham, Accuracy and Stability of Numerical
/// Algorithms, 2nd edition, section 19.4). Pivots are chosen within panels of the columns of largest norm, and are at
/// least half as large as the largest candidate outside the panel.
///
/// @param first      columns to eliminate first
/// @param last       columns to eliminate after all of `first`
/// @param n_targets  number of targets, the last columns of the blocks: they are multiplied by Q^T, but not eliminated,
///                   and do not change the bits of R
Triangle triangularize(
    const std::vector<ConstMatrixView>& blocks, std::vector<Index> first, const std::vector<Index>& last, int n_threads,
    Index n_targets = 0
);

/// As above, for all columns except the targets.
Triangle triangularize(const std::vector<ConstMatrixView>& blocks, int n_threads, Index n_targets = 0);

/// 0, 1, ..., size - 1.
std::vector<Index> all_columns(Index size);

}  // namespace lpr_fast

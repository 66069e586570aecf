#pragma once

#include <optional>
#include <vector>

#include "base/matrices.hpp"
#include "linear_algebra/pivoted_cholesky.hpp"

namespace lpr_fast {

/// Coordinates in which the prior is the identity ("known"), and coordinates of its null space ("unknown").
///
/// Let U be the root of the prior, p its independent columns and r the redundant ones. The weights are c = T b + N g,
/// where U T = I and U N = 0. A row x has the coordinates x T = U_p^-T x_p and x N = x_r - U_r^T U_p^-T x_p.
class Whitening {
public:
    /// @param columns  the columns of a row that are used
    Whitening(std::vector<Index> columns, std::optional<ConstMatrixView> prior, int n_threads);

    /// Numbers of known and unknown coordinates.
    Index n_known() const { return static_cast<Index>(pivots_.size()); }
    Index n_unknown() const { return static_cast<Index>(redundant_.size()); }

    /// Coordinates of rows [first, first + count), as columns: the known ones above the unknown ones.
    Matrix coordinates(ConstMatrixView rows, Index first, Index count) const;

    /// Bound of the rounding error in the norm of an unknown coordinate over some rows.
    double rounding(ConstMatrixView rows, Index unknown) const;

private:
    std::vector<Index> pivots_;
    std::vector<Index> redundant_;
    RowMatrix triangle_;  ///< U_p, empty for the identity
    Matrix others_;       ///< U_r
};

}  // namespace lpr_fast

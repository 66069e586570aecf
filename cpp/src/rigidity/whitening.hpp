#pragma once

#include <optional>
#include <vector>

#include "base/matrices.hpp"
#include "linear_algebra/pivoted_cholesky.hpp"

namespace lpr_fast {

/// Coordinates of weights in which the prior is the identity, and those that it does not know.
///
/// With U the root of the prior, on its independent columns p, and the others r: c = T b + N g, where U T = I and
/// U N = 0. A row x has the coordinates x T = U_p^-T x_p and x N = x_r - U_r^T U_p^-T x_p.
class Whitening {
public:
    /// @param columns  the columns of a row that count
    Whitening(std::vector<Index> columns, std::optional<ConstMatrixView> prior, int n_threads);

    /// Number of coordinates that the prior knows, and of the others.
    Index n_known() const { return static_cast<Index>(pivots_.size()); }
    Index n_unknown() const { return static_cast<Index>(redundant_.size()); }

    /// Coordinates of rows [first, first + count), as columns: those that the prior knows, and below them the others.
    Matrix coordinates(ConstMatrixView rows, Index first, Index count) const;

    /// What rounding may leave of an unknown coordinate of rows that do not know it either, relative to their entries.
    double rounding(ConstMatrixView rows, Index unknown) const;

private:
    std::vector<Index> pivots_;
    std::vector<Index> redundant_;
    RowMatrix triangle_;  ///< U_p, empty for the identity
    Matrix others_;       ///< U_r
};

}  // namespace lpr_fast

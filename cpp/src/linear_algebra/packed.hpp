#pragma once

#include <algorithm>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/matrices.hpp"
#include "hot/kernels.hpp"

namespace lpr_fast {

/// Columns of B in a tile, those of a few strips: a block of them stays in the second-level cache.
Index tile_columns();

/// A matrix that many columns will be multiplied by, in panels as the innermost loops take them.
class PackedRows {
public:
    explicit PackedRows(ConstMatrixView rows);

    /// The transposed of what was packed.
    PackedRows transposed() const;

    Index rows() const { return rows_; }
    Index depth() const { return depth_; }
    /// Rows and some of zeros, to fill the last panel.
    Index padded_rows() const { return padded_rows_; }

    /// Part of the product rows * X for the block of columns that begins at `first`, a multiple of block_depth:
    /// assigned for the first block, added for the others.
    /// @param strips  those rows of X, strips of block_size(first) * lanes
    /// @param out     strips of padded_rows() * lanes
    void multiply_block(Index first, const double* strips, Index n_columns, double* out) const;
    Index block_size(Index first) const { return std::min(block_depth, depth_ - first); }

private:
    PackedRows(Index rows, Index depth);

    /// Packs element(row, column).
    template <typename Element>
    void pack(const Element& element);
    double element(Index row, Index column) const;

    Index rows_;
    Index depth_;
    Index padded_rows_;
    AlignedBuffer panels_;
};

/// R^T in a form that solves many columns at once: forward substitution in blocks.
class PackedFactor {
public:
    PackedFactor(const RowMatrix& triangle, const std::vector<Index>& columns);

    /// Column j of R stands for column columns()[j] of phi.
    const std::vector<Index>& columns() const { return columns_; }
    Index size() const { return static_cast<Index>(columns_.size()); }
    /// Size and some rows of zeros, to fill the last panel.
    Index padded_size() const { return padded_size_; }

    /// Whether R^-T phi itself is wanted too.
    enum class Solution { lost, kept };

    /// squares[l] = |R^-T phi_l|^2 for every column of the strips.
    /// @param work   phi, strips of padded_size() * lanes; takes R^-T phi, or is destroyed
    /// @param block  room for strips of block_depth * lanes
    void sum_squares(double* work, Index n_columns, double* block, double* squares, Solution solution) const;

private:
    Index padded_size_;
    std::vector<Index> columns_;
    AlignedBuffer panels_;
};

}  // namespace lpr_fast

#pragma once

#include <algorithm>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/matrices.hpp"
#include "hot/kernels.hpp"

namespace lpr_fast {

/// Largest number of columns of B in a tile, a few strips: a block of them stays in the second-level cache.
Index tile_columns();

/// A matrix for products with many columns, packed in panels for the innermost loops.
class PackedRows {
public:
    explicit PackedRows(ConstMatrixView rows);

    /// The transposed matrix, packed.
    PackedRows transposed() const;

    Index rows() const { return rows_; }
    Index depth() const { return depth_; }
    /// rows(), and rows of zeros that fill the last panel.
    Index padded_rows() const { return padded_rows_; }

    /// Contribution to the product with X of the block of columns that begins at `first`, a multiple of block_depth:
    /// the first block assigns to `out`, the others add.
    /// @param strips  the rows of X that belong to this block, strips of block_size(first) * lanes
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

/// R^T, packed for forward substitution of many columns at once, in blocks.
class PackedFactor {
public:
    PackedFactor(const RowMatrix& triangle, const std::vector<Index>& columns);

    /// Column j of R belongs to column columns()[j] of phi.
    const std::vector<Index>& columns() const { return columns_; }
    Index size() const { return static_cast<Index>(columns_.size()); }
    /// size(), and rows of zeros that fill the last panel.
    Index padded_size() const { return padded_size_; }

    /// Whether R^-T phi itself is kept.
    enum class Solution { lost, kept };

    /// squares[l] = |R^-T phi_l|^2 for every column of the strips.
    /// @param work   phi, strips of padded_size() * lanes; replaced by R^-T phi if it is kept, otherwise destroyed
    /// @param block  memory for strips of block_depth * lanes
    void sum_squares(double* work, Index n_columns, double* block, double* squares, Solution solution) const;

private:
    Index padded_size_;
    std::vector<Index> columns_;
    AlignedBuffer panels_;
};

}  // namespace lpr_fast

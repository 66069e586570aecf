#pragma once

#include <vector>

#include "base/byte_stream.hpp"
#include "base/matrices.hpp"

namespace lpr_fast {

/// sum of L^T L over leaves L of leaf_rows() rows each, as factors of size rows, never squared.
///
/// The factor of 2^k consecutive leaves has level k; two of equal level are reduced to one of the next. A chain
/// R <- QR[R; leaf] instead of this tree rounds the whole sum once for every leaf: with 20,000 rows on 8 columns
/// its error was 40 times what one ulp of the rows does, the tree's 3 times (docs/explanation/accuracy.md).
class SquareRootSum {
public:
    /// @param n_targets  so many columns stand behind the first `size` ones, see triangularize()
    SquareRootSum(Index size, Index n_targets) : size_(size), n_targets_(n_targets) {}

    Index leaf_rows() const;

    /// Adds one full leaf, the logarithms of whose weights have this sum.
    void fold(ConstMatrixView leaf, double log_weights, int n_threads);

    /// Adds the leaves of another sum, not of this object itself, taken to come after these.
    void merge(const SquareRootSum& other, int n_threads);

    /// Blocks of rows whose squares add up to the sum.
    std::vector<ConstMatrixView> blocks() const;

    /// Norm of what the factors of the leaves cannot reach of the one target.
    double rest() const;

    /// Sum of the logarithms of the weights of all rows in it.
    double log_weights() const;

    /// Whether the sum has the shape that so many leaves leave behind.
    bool could_hold(Index n_leaves) const;

    void write(ByteWriter& bytes) const;
    void read(ByteReader& bytes);

private:
    struct Node {
        Index level;
        RowMatrix rows;  ///< (size, width): a triangular factor with its columns in their original order, and targets
        double rest;     ///< norm of what stood below these rows in the target's column
        double log_weights;  ///< sum of the logarithms of the rows' weights
    };

    Index width() const { return size_ + n_targets_; }
    void insert(Node node, int n_threads);

    Index size_;
    Index n_targets_;
    std::vector<Node> nodes_;  ///< levels strictly decreasing
};

}  // namespace lpr_fast

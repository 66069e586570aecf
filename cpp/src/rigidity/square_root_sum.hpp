#pragma once

#include <vector>

#include "base/byte_stream.hpp"
#include "base/matrices.hpp"

namespace lpr_fast {

/// Square root of the sum of L^T L over leaves L of leaf_rows() rows each, as triangular factors. The sum itself is
/// never formed.
///
/// The factor of 2^k consecutive leaves has level k; two factors of equal level are reduced to one of the next level. A
/// chain R <- QR[R; leaf] instead of this tree would round the whole sum once for each leaf: with 20,000 rows of 8
/// columns, its error was 40 times the error that one ulp of the rows causes, that of the tree 3 times
/// (docs/explanation/accuracy.md).
class SquareRootSum {
public:
    /// @param n_targets  number of target columns behind the first `size` columns, see triangularize()
    SquareRootSum(Index size, Index n_targets) : size_(size), n_targets_(n_targets) {}

    Index leaf_rows() const;

    /// Adds one full leaf. `log_weights` is the sum of the logarithms of its weights.
    void fold(ConstMatrixView leaf, double log_weights, int n_threads);

    /// Adds the leaves of another sum behind those of this one. `other` must not be this object.
    void merge(const SquareRootSum& other, int n_threads);

    /// The factors: blocks of rows whose squares add up to the sum.
    std::vector<ConstMatrixView> blocks() const;

    /// Norm of the part of the targets that the factors do not contain.
    double rest() const;

    /// Sum of the logarithms of the weights of all added rows.
    double log_weights() const;

    /// Whether this can be the sum of `n_leaves` leaves.
    bool could_hold(Index n_leaves) const;

    void write(ByteWriter& bytes) const;
    void read(ByteReader& bytes);

private:
    struct Node {
        Index level;
        RowMatrix rows;      ///< (size, width): a triangular factor with its columns in the original order, and targets
        double rest;         ///< norm of the part of the targets that QR leaves below these rows
        double log_weights;  ///< sum of the logarithms of the weights of its rows
    };

    Index width() const { return size_ + n_targets_; }
    void insert(Node node, int n_threads);

    Index size_;
    Index n_targets_;
    std::vector<Node> nodes_;  ///< levels strictly decreasing
};

}  // namespace lpr_fast

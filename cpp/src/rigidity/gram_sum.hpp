#pragma once

#include "base/byte_stream.hpp"
#include "base/matrices.hpp"
#include "linear_algebra/packed.hpp"

namespace lpr_fast {

/// The Gram matrix: sum of L^T L over leaves L of leaf_rows() rows each.
class GramSum {
public:
    /// @param n_targets  number of target columns behind the first `size` columns; their products are summed, too
    GramSum(Index size, Index n_targets) : size_(size), width_(size + n_targets) {}

    /// Some blocks of the product, so that adding a leaf to the sum takes little time beside its product.
    Index leaf_rows() const { return 8 * block_depth; }

    /// Adds one leaf. `log_weights` is the sum of the logarithms of its weights.
    void fold(ConstMatrixView leaf, double log_weights, int n_threads);

    /// Adds the leaves of another sum.
    void merge(const GramSum& other, int n_threads);

    /// Lower triangle of the sum, with the products of targets in its last rows. Empty if no leaf was added.
    const Matrix& lower() const { return lower_; }

    /// Sum of the logarithms of the weights of all added rows.
    double log_weights() const { return log_weights_; }

    /// Whether this can be the sum of `n_leaves` leaves.
    bool could_hold(Index n_leaves) const { return (lower_.size() == 0) == (n_leaves == 0); }

    void write(ByteWriter& bytes) const;
    void read(ByteReader& bytes);

private:
    void add(const Matrix& term, int n_threads);

    Index size_;
    Index width_;
    double log_weights_ = 0.0;
    Matrix lower_;
    Matrix lost_;  ///< rounding errors of lower_ so far (Kahan): the error does not grow with the number of leaves
};

}  // namespace lpr_fast

#pragma once

#include "base/byte_stream.hpp"
#include "base/matrices.hpp"
#include "linear_algebra/packed.hpp"

namespace lpr_fast {

/// sum of L^T L over leaves L of leaf_rows() rows each, formed as it stands.
class GramSum {
public:
    /// @param n_targets  so many columns stand behind the first `size` ones; products with them are formed as well
    GramSum(Index size, Index n_targets) : size_(size), width_(size + n_targets) {}

    /// Some blocks of rows as the product takes them: adding up leaves should cost little beside it.
    Index leaf_rows() const { return 8 * block_depth; }

    /// Adds one leaf, the logarithms of whose weights have this sum.
    void fold(ConstMatrixView leaf, double log_weights, int n_threads);

    /// Adds the leaves of another sum.
    void merge(const GramSum& other, int n_threads);

    /// The sum, lower triangle, products with targets in its last rows; empty when nothing was added.
    const Matrix& lower() const { return lower_; }

    /// Sum of the logarithms of the weights of all rows in it.
    double log_weights() const { return log_weights_; }

    /// Whether the sum has the shape that so many leaves leave behind.
    bool could_hold(Index n_leaves) const { return (lower_.size() == 0) == (n_leaves == 0); }

    void write(ByteWriter& bytes) const;
    void read(ByteReader& bytes);

private:
    void add(const Matrix& term, int n_threads);

    Index size_;
    Index width_;
    double log_weights_ = 0.0;
    Matrix lower_;
    Matrix lost_;  ///< what rounding took from lower_ so far (Kahan): the error does not grow with the number of leaves
};

}  // namespace lpr_fast

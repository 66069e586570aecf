#pragma once

#include "byte_stream.hpp"
#include "linear_algebra.hpp"

namespace lpr_fast {

/// sum of L^T L over leaves L of leaf_rows() rows each, formed as it stands.
class GramSum {
public:
    explicit GramSum(Index size) : size_(size) {}

    Index leaf_rows() const { return 512; }

    /// Adds one leaf.
    void fold(ConstMatrixView leaf, int n_threads);

    /// Adds the leaves of another sum.
    void merge(const GramSum& other, int n_threads);

    /// The sum, lower triangle; empty when nothing was added.
    const Matrix& lower() const { return lower_; }

    void write(ByteWriter& bytes) const;
    void read(ByteReader& bytes);

private:
    Index size_;
    Matrix lower_;
};

}  // namespace lpr_fast

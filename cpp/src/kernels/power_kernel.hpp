#pragma once

#include "rigidity/factor_state.hpp"

#include "linear_algebra/packed.hpp"
#include "linear_algebra/tiles.hpp"

namespace lpr_fast {

/// (x . x_m)^zeta with a packed active set.
class PowerKernel {
public:
    /// @throws InvalidInput  for an empty or non-finite active set and a zeta that is not positive and finite
    PowerKernel(ConstMatrixView active, double zeta);

    Index size() const { return active_.rows(); }
    Index n_features() const { return active_.depth(); }
    /// Rows of the strips that evaluate() leaves: size() and some that hold nothing of use.
    Index padded_size() const { return active_.padded_rows(); }

    /// Throws InvalidInput unless features have as many columns as the active set.
    void check_features(ConstMatrixView features) const;

    /// Kernels of rows [first, first + count) of the features, as columns of strips in workspace.kernels.
    void evaluate(ConstMatrixView features, Index first, Index count, Workspace& workspace) const;

    /// The same, and strips of the slopes zeta s^(zeta - 1) of kernels of scalar products s. Where zeta is not an
    /// integer and s not positive, a kernel counts as constant.
    void evaluate(
        ConstMatrixView features, Index first, Index count, Workspace& workspace, AlignedBuffer& slopes
    ) const;

    /// The active set transposed, (n_features, size), for the way from kernels back to features.
    const PackedRows& transposed() const;

private:
    /// Scalar products with rows [first, first + count), as columns of strips in workspace.kernels.
    void multiply(ConstMatrixView features, Index first, Index count, Workspace& workspace) const;

    /// Powers of all strips, whose first column belongs to row `first`.
    void raise(Index first, Index count, Workspace& workspace) const;

    /// Powers of the scalar products in a strip, whose first column belongs to row `first`.
    void raise(const Strip& strip, Index first) const;

    /// Slopes of scalar products in a strip, in place.
    void slope(const Strip& strip) const;

    PackedRows active_;
    double zeta_;
    mutable MadeOnce<PackedRows> transposed_;
};

}  // namespace lpr_fast

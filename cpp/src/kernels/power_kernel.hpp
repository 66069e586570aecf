#pragma once

#include "rigidity/factor_state.hpp"

#include "linear_algebra/packed.hpp"
#include "linear_algebra/tiles.hpp"

namespace lpr_fast {

/// Kernels (x . x_m)^zeta with a packed active set x_m.
class PowerKernel {
public:
    /// @throws InvalidInput  if the active set is empty or not finite, or zeta is not positive and finite
    PowerKernel(ConstMatrixView active, double zeta);

    Index size() const { return active_.rows(); }
    Index n_features() const { return active_.depth(); }
    /// Rows of the strips that evaluate() writes: size(), and some that only fill the last panel.
    Index padded_size() const { return active_.padded_rows(); }

    /// @throws InvalidInput  unless features have as many columns as the active set
    void check_features(ConstMatrixView features) const;

    /// Kernels of rows [first, first + count) of the features, as columns of strips in workspace.kernels.
    void evaluate(ConstMatrixView features, Index first, Index count, Workspace& workspace) const;

    /// As above; also writes strips of the slopes zeta s^(zeta - 1), where s are the scalar products. If zeta is not an
    /// integer and s is not positive, the slope is 0.
    void evaluate(
        ConstMatrixView features, Index first, Index count, Workspace& workspace, AlignedBuffer& slopes
    ) const;

    /// The transposed active set, (n_features, size), for the backward pass from kernels to features.
    const PackedRows& transposed() const;

private:
    /// Scalar products of rows [first, first + count) of the features, as columns of strips in workspace.kernels.
    void multiply(ConstMatrixView features, Index first, Index count, Workspace& workspace) const;

    /// Raises scalar products in all strips to the power zeta; row `first` is the first column.
    void raise(Index first, Index count, Workspace& workspace) const;

    /// Raises scalar products in one strip to the power zeta; row `first` is its first column.
    void raise(const Strip& strip, Index first) const;

    /// Replaces the scalar products in a strip by slopes.
    void slope(const Strip& strip) const;

    PackedRows active_;
    double zeta_;
    mutable MadeOnce<PackedRows> transposed_;
};

}  // namespace lpr_fast

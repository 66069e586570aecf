#pragma once

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

private:
    /// Powers of the scalar products in a strip, whose first column belongs to row `first`.
    void raise(const Strip& strip, Index first) const;

    PackedRows active_;
    double zeta_;
};

}  // namespace lpr_fast

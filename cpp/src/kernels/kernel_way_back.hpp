#pragma once

#include "kernels/power_kernel.hpp"

namespace lpr_fast {

/// Derivatives of a function f of every column with respect to its kernels: df/dk_m for column l of strip s is
/// values[m * row + s * strip + l * lane].
struct KernelDerivatives {
    const double* values;
    Index row, strip, lane;

    /// The same derivatives for all columns, such as the weights of a model.
    static KernelDerivatives of_all(const double* weights) { return {weights, 1, 0, 0}; }

    /// Derivatives in columns of strips of `depth` rows.
    static KernelDerivatives in_strips(const double* strips, Index depth) {
        return {strips, hot_kernels().lanes, depth * hot_kernels().lanes, 1};
    }
};

/// The backward pass from kernels to features for one tile of columns, and its scratch memory.
struct KernelWayBack {
    AlignedBuffer slopes;  ///< of kernels, as PowerKernel::evaluate writes them
    AlignedBuffer block;   ///< derivatives with respect to a block of scalar products
    AlignedBuffer pulled;  ///< derivatives with respect to features, in strips

    /// Derivatives of f with respect to normalised features.
    /// @param out  (count, D)
    void go(const PowerKernel& kernel, const KernelDerivatives& derivatives, Index count, MatrixView out);
};

}  // namespace lpr_fast

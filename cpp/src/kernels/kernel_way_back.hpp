#pragma once

#include "kernels/power_kernel.hpp"

namespace lpr_fast {

/// Derivatives of some f of every column with respect to kernels: that by kernel m of column l of strip s is
/// values[m * row + s * strip + l * lane].
struct KernelDerivatives {
    const double* values;
    Index row, strip, lane;

    /// The same for all columns.
    static KernelDerivatives of_all(const double* weights) { return {weights, 1, 0, 0}; }

    /// As columns of strips of `depth` rows.
    static KernelDerivatives in_strips(const double* strips, Index depth) {
        return {strips, hot_kernels().lanes, depth * hot_kernels().lanes, 1};
    }
};

/// Room for one tile of columns on its way from kernels back to features.
struct KernelWayBack {
    AlignedBuffer slopes;  ///< of kernels, as PowerKernel::evaluate leaves them
    AlignedBuffer block;   ///< derivatives with respect to some scalar products
    AlignedBuffer pulled;  ///< derivatives with respect to features, in strips

    /// Derivatives of f with respect to normalised features.
    /// @param out  (count, D)
    void go(const PowerKernel& kernel, const KernelDerivatives& derivatives, Index count, MatrixView out);
};

}  // namespace lpr_fast

#include "kernels/kernel_way_back.hpp"

namespace lpr_fast {

void KernelWayBack::go(const PowerKernel& kernel, const KernelDerivatives& derivatives, Index count, MatrixView out) {
    const PackedRows& active = kernel.transposed();
    const Index lanes = hot_kernels().lanes;
    block.reserve(block_depth * tile_columns());
    pulled.reserve(active.padded_rows() * tile_columns());
    for (Index first = 0; first < kernel.size(); first += block_depth) {
        const Index depth = active.block_size(first);
        double* target = block.data();
        for (Index s = 0; s < tile_count(count, lanes); ++s) {
            const double* slope = slopes.data() + (s * kernel.padded_size() + first) * lanes;
            const double* given = derivatives.values + s * derivatives.strip + first * derivatives.row;
            for (Index m = 0; m < depth; ++m, slope += lanes, target += lanes, given += derivatives.row)
                for (Index l = 0; l < lanes; ++l) target[l] = slope[l] * given[l * derivatives.lane];
        }
        active.multiply_block(first, block.data(), count, pulled.data());
    }
    for (Index i = 0; i < count; ++i) {
        const double* column = pulled.data() + i / lanes * active.padded_rows() * lanes + i % lanes;
        for (Index k = 0; k < out.cols; ++k) out.row(i)[k] = column[k * lanes];
    }
}

}  // namespace lpr_fast

#include "linear_algebra/symmetric_product.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/parallel.hpp"
#include "hot/instruction_set.hpp"
#include "linear_algebra/packed.hpp"

namespace lpr_fast {
namespace {

std::vector<std::pair<Index, Index>> lower_tiles(Index size) {
    std::vector<std::pair<Index, Index>> tiles;
    for (Index i = 0; i < size; i += product_tile) {
        for (Index j = 0; j <= i; j += product_tile) tiles.emplace_back(i, j);
    }
    return tiles;
}

/// Packs columns in groups of `width` for blocks of block_depth rows; columns of zeros fill the last tile. Element (k,
/// j) of the block of `depth` rows that begins at row `first` is at first * padded + j / width * width * depth + k *
/// width + j % width, where `padded` is the number of columns in whole tiles.
AlignedBuffer grouped_columns(const Eigen::Ref<const RowMatrix>& rows, Index width, int n_threads) {
    const Index padded = tile_count(rows.cols(), product_tile) * product_tile;
    AlignedBuffer groups(padded * rows.rows());
    parallel_for_each(padded / width, n_threads, [&](Index group) {
        const Index first = group * width;
        const Index count = std::clamp<Index>(rows.cols() - first, 0, width);
        for (Index block = 0; block < rows.rows(); block += block_depth) {
            const Index depth = std::min(block_depth, rows.rows() - block);
            double* target = groups.data() + block * padded + first * depth;
            for (Index k = block; k < block + depth; ++k) {
                for (Index j = 0; j < count; ++j) target[j] = rows(k, first + j);
                std::fill(target + count, target + width, 0.0);
                target += width;
            }
        }
    });
    return groups;
}

}  // namespace

void add_symmetric_product(
    Eigen::Ref<Matrix> sum, double scale, const Eigen::Ref<const RowMatrix>& rows, int n_threads
) {
    if (rows.rows() == 0) return;
    const HotKernels& kernels = hot_kernels();
    const Index size = sum.cols();
    const int n_used = threads_for(rows.size() * size / 2, n_threads);
    const AlignedBuffer panels = grouped_columns(rows, kernels.panel_rows, n_used);
    const AlignedBuffer strips = grouped_columns(rows, kernels.lanes, n_used);
    const Index padded = tile_count(size, product_tile) * product_tile;
    const auto tiles = lower_tiles(size);
    parallel_for(static_cast<Index>(tiles.size()), n_used, [&]() -> Worker {
        const auto out = std::make_shared<AlignedBuffer>(product_tile * product_tile);
        return [&, out](Index task) {
            const auto [i, j] = tiles[static_cast<std::size_t>(task)];
            const Index stride = product_tile * kernels.lanes;
            for (Index first = 0; first < rows.rows(); first += block_depth) {
                const Index depth = std::min(block_depth, rows.rows() - first);
                (first == 0 ? kernels.assign_product : kernels.add_product)(
                    {panels.data() + first * padded + i * depth, product_tile / kernels.panel_rows, depth,
                     strips.data() + first * padded + j * depth, depth * kernels.lanes, out->data(), stride,
                     product_tile}
                );
            }
            for (Index c = 0; c < std::min(product_tile, size - j); ++c) {
                const double* column = out->data() + c / kernels.lanes * stride + c % kernels.lanes;
                for (Index r = 0; r < std::min(product_tile, size - i); ++r) {
                    sum(i + r, j + c) += scale * column[r * kernels.lanes];
                }
            }
        };
    });
}

}  // namespace lpr_fast

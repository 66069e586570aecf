#include "symmetric_product.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "parallel.hpp"

namespace lpr_fast {
namespace {

constexpr Index tile_width = 128;

std::vector<std::pair<Index, Index>> lower_tiles(Index size) {
    std::vector<std::pair<Index, Index>> tiles;
    for (Index i = 0; i < size; i += tile_width) {
        for (Index j = 0; j <= i; j += tile_width) tiles.emplace_back(i, j);
    }
    return tiles;
}

}  // namespace

void add_symmetric_product(
    Eigen::Ref<Matrix> sum, double scale, const Eigen::Ref<const RowMatrix>& rows, int n_threads
) {
    const Index size = sum.cols();
    const auto width = [&](Index first) { return std::min(tile_width, size - first); };
    const auto tiles = lower_tiles(size);
    parallel_for_each(static_cast<Index>(tiles.size()), n_threads, [&](Index task) {
        const auto [i, j] = tiles[static_cast<std::size_t>(task)];
        sum.block(i, j, width(i), width(j)).noalias() +=
            scale * (rows.middleCols(i, width(i)).transpose() * rows.middleCols(j, width(j)));
    });
}

}  // namespace lpr_fast

#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/parallel.hpp"
#include "base/pool.hpp"
#include "hot/instruction_set.hpp"
#include "linear_algebra/packed.hpp"

namespace lpr_fast {

/// Scratch memory of a scorer for one tile of columns.
struct Workspace {
    AlignedBuffer input;    ///< features or phi
    AlignedBuffer kernels;  ///< kernel values
    AlignedBuffer work;     ///< the columns of phi that a factor has
    AlignedBuffer block;    ///< a solved block
    AlignedBuffer squares;  ///< one number for each column
};

using Workspaces = Pool<Workspace>;

/// Calls work(workspace, first, count) for tiles that cover n_rows rows, on several threads if there are several tiles.
/// Results must not depend on the width of the tiles.
template <typename Scratch, typename Work>
void for_each_tile(Index n_rows, int n_threads, Pool<Scratch>& workspaces, const Work& work) {
    const Index lanes = hot_kernels().lanes;
    // The same number of tiles for each thread, none wider than tile_columns().
    const Index share = std::max<Index>(1, tile_count(n_rows, n_threads));
    const Index width = tile_count(tile_count(share, tile_count(share, tile_columns())), lanes) * lanes;
    const auto run = [&](Index tile) {
        auto lease = workspaces.take();
        work(*lease, tile * width, std::min(width, n_rows - tile * width));
    };
    parallel_for_each(tile_count(n_rows, width), n_threads, std::cref(run));
}

/// Writes entries [column, column + depth) of rows [first, first + count) as columns of strips: element (k, l) of strip
/// s is entry column + k of row first + s * lanes + l. Columns beyond the last row are zero in the vector that holds
/// that row, and not written elsewhere.
/// @throws InvalidInput  for NaN, infinity and entries above 1e140, naming the row
void load_strips(
    const char* name, ConstMatrixView rows, Index first, Index count, Index column, Index depth, double* strips
);

/// Copies the rows `columns` of strips of from_depth * lanes to strips of to_depth * lanes, whose other rows are zero.
void select_rows(
    const double* strips, Index from_depth, const std::vector<Index>& columns, Index to_depth, Index n_strips,
    double* selected
);

}  // namespace lpr_fast

#pragma once

#include <algorithm>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/at.hpp"
#include "base/parallel.hpp"
#include "hot/instruction_set.hpp"

namespace lpr_fast {

/// Rows in the panels of the innermost loops, filled row by row, and the output row of each. Their memory is reused.
struct Panels {
    Index count = 0;
    AlignedBuffer values;
    std::vector<ScatteredRow> rows;

    Index n_panels() const { return tile_count(count, hot_kernels().panel_rows); }
    /// Number of rows, including those that pad the last panel.
    Index n_rows() const { return n_panels() * hot_kernels().panel_rows; }

    /// Allocates `count` rows; rows that pad the last panel are zero.
    void make_room(Index depth) {
        values.reserve(n_rows() * depth);
        rows.assign(at(n_rows()), {nullptr, 0, 0.0});
        const Index whole = count / hot_kernels().panel_rows * hot_kernels().panel_rows;
        std::fill_n(values.data() + whole * depth, (n_rows() - whole) * depth, 0.0);
    }

    void put(Index row, const double* from, Index depth) {
        const Index panel_rows = hot_kernels().panel_rows;
        double* to = values.data() + row / panel_rows * panel_rows * depth + row % panel_rows;
        for (Index k = 0; k < depth; ++k) to[k * panel_rows] = from[k];
    }
};

}  // namespace lpr_fast

#include "linear_algebra/tiles.hpp"

#include <algorithm>

#include "base/checks.hpp"

namespace lpr_fast {

void load_strips(
    const char* name, ConstMatrixView rows, Index first, Index count, Index column, Index depth, double* strips
) {
    const Index lanes = hot_kernels().lanes;
    for (Index s = 0; s < tile_count(count, lanes); ++s) {
        double* strip = strips + s * depth * lanes;
        const Index n_columns = std::min(lanes, count - s * lanes);
        for (Index l = 0; l < tile_count(n_columns, hot_kernels().width) * hot_kernels().width; ++l) {
            const Index i = s * lanes + l;
            if (i < count) {
                const double* row = rows.row(first + i) + column;
                for (Index k = 0; k < depth; ++k) strip[k * lanes + l] = row[k];
            } else {
                for (Index k = 0; k < depth; ++k) strip[k * lanes + l] = 0.0;
            }
        }
        // Checked in lanes, where it is cheapest; the row is searched for only after a failure.
        if (hot_kernels().are_within({strip, depth, n_columns}, largest_entry)) continue;
        for (Index i = first + s * lanes; i < first + count; ++i) check_environment(name, rows.row(i), rows.cols, i);
    }
}

void select_rows(
    const double* strips, Index from_depth, const std::vector<Index>& columns, Index to_depth, Index n_strips,
    double* selected
) {
    const Index lanes = hot_kernels().lanes;
    const auto n_columns = static_cast<Index>(columns.size());
    for (Index s = 0; s < n_strips; ++s) {
        const double* strip = strips + s * from_depth * lanes;
        double* target = selected + s * to_depth * lanes;
        for (const Index column : columns) {
            std::copy_n(strip + column * lanes, lanes, target);
            target += lanes;
        }
        std::fill_n(target, (to_depth - n_columns) * lanes, 0.0);
    }
}

}  // namespace lpr_fast

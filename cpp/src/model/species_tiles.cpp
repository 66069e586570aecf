#include "model/species_tiles.hpp"

#include <algorithm>

#include "base/checks.hpp"
#include "kernels/rows.hpp"

namespace lpr_fast {

void gather(const ModelState& state, ConstMatrixView features, const Index* rows, Index count, SpeciesTile& tile) {
    const Index size = features.cols;
    const Index stride = gathered_columns(state.info);
    tile.features.reserve(tile_columns() * stride);
    for (Index i = 0; i < count; ++i) {
        const double* row = features.row(rows[i]);
        check_environment("features", row, size, rows[i]);
        double* target = tile.features.data() + i * stride;
        if (state.info.has_constants) *target++ = 1.0;
        if (state.info.has_residual) {
            normalise(row, size, target);
        } else {
            std::copy_n(row, size, target);
        }
    }
}

}  // namespace lpr_fast

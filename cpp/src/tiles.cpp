#include "tiles.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "checks.hpp"
#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

void check_row(const char* name, const double* row, Index size, Index number) {
    const auto entries = Eigen::Map<const Eigen::ArrayXd>(row, size);
    if ((entries.abs() <= largest_entry).all()) return;
    throw InvalidInput(
        std::string(name) + " row " + std::to_string(number) +
        " holds NaN, infinity or an entry above 1e140; remove or recompute that environment."
    );
}

}  // namespace

void load_strips(const char* name, ConstMatrixView rows, Index first, Index count, double* strips) {
    const Index lanes = hot_kernels().lanes;
    for (Index s = 0; s < tile_count(count, lanes); ++s) {
        double* strip = strips + s * rows.cols * lanes;
        for (Index l = 0; l < lanes; ++l) {
            const Index i = s * lanes + l;
            if (i < count) {
                const double* row = rows.row(first + i);
                check_row(name, row, rows.cols, first + i);
                for (Index k = 0; k < rows.cols; ++k) strip[k * lanes + l] = row[k];
            } else {
                for (Index k = 0; k < rows.cols; ++k) strip[k * lanes + l] = 0.0;
            }
        }
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

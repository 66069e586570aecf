#include "linear_algebra/packed.hpp"

#include <algorithm>

#include "base/parallel.hpp"
#include "hot/instruction_set.hpp"

namespace lpr_fast {
namespace {

// More columns would not fit the second-level cache; with fewer, panels are read from memory more often.
constexpr Index largest_tile = 192;

Index padded_to_panels(Index rows) {
    const Index panel_rows = hot_kernels().panel_rows;
    return tile_count(rows, panel_rows) * panel_rows;
}

/// Size of the panels of a triangular block with padded_rows rows: panel p has depth (p + 1) * panel_rows.
Index triangular_panels(Index padded_rows) {
    const Index n_panels = padded_rows / hot_kernels().panel_rows;
    return n_panels * (n_panels + 1) / 2 * hot_kernels().panel_rows * hot_kernels().panel_rows;
}

/// Writes element(i, k) for rows [first, first + panel_rows) and k < depth as a panel.
/// @returns the end of the panel
template <typename Element>
double* write_panel(double* panel, Index first, Index depth, const Element& element) {
    const Index panel_rows = hot_kernels().panel_rows;
    for (Index k = 0; k < depth; ++k) {
        for (Index r = 0; r < panel_rows; ++r) *panel++ = element(first + r, k);
    }
    return panel;
}

}  // namespace

Index tile_columns() {
    return std::max<Index>(1, largest_tile / hot_kernels().lanes) * hot_kernels().lanes;
}

PackedRows::PackedRows(Index rows, Index depth)
    : rows_(rows), depth_(depth), padded_rows_(padded_to_panels(rows)), panels_(padded_rows_ * depth) {}

PackedRows::PackedRows(ConstMatrixView rows) : PackedRows(rows.rows, rows.cols) {
    pack([&](Index i, Index k) { return rows.row(i)[k]; });
}

PackedRows PackedRows::transposed() const {
    PackedRows other(depth_, rows_);
    other.pack([&](Index i, Index k) { return element(k, i); });
    return other;
}

template <typename Element>
void PackedRows::pack(const Element& element) {
    double* panel = panels_.data();
    for (Index first = 0; first < depth_; first += block_depth) {
        const auto padded = [&](Index i, Index k) { return i < rows_ ? element(i, first + k) : 0.0; };
        for (Index i = 0; i < padded_rows_; i += hot_kernels().panel_rows) {
            panel = write_panel(panel, i, block_size(first), padded);
        }
    }
}

double PackedRows::element(Index row, Index column) const {
    const Index panel_rows = hot_kernels().panel_rows;
    const Index first = column / block_depth * block_depth;
    const double* block = panels_.data() + first * padded_rows_;
    const double* panel = block + row / panel_rows * panel_rows * block_size(first);
    return panel[(column - first) * panel_rows + row % panel_rows];
}

void PackedRows::multiply_block(Index first, const double* strips, Index n_columns, double* out) const {
    const HotKernels& kernels = hot_kernels();
    const Index depth = block_size(first);
    const PackedProduct product{
        panels_.data() + first * padded_rows_,
        padded_rows_ / kernels.panel_rows,
        depth,
        strips,
        depth * kernels.lanes,
        out,
        padded_rows_ * kernels.lanes,
        n_columns,
    };
    (first == 0 ? kernels.assign_product : kernels.add_product)(product);
}

PackedFactor::PackedFactor(const RowMatrix& triangle, const std::vector<Index>& columns)
    : padded_size_(padded_to_panels(triangle.cols())), columns_(columns) {
    const Index size = triangle.cols();
    const Index panel_rows = hot_kernels().panel_rows;
    Index total = 0;
    for (Index first = 0; first < padded_size_; first += block_depth) {
        const Index depth = std::min(block_depth, padded_size_ - first);
        total += triangular_panels(depth) + (padded_size_ - first - depth) * depth;
    }
    panels_.reserve(total);
    double* panel = panels_.data();
    for (Index first = 0; first < padded_size_; first += block_depth) {
        const Index depth = std::min(block_depth, padded_size_ - first);
        const Index width = std::min(depth, size - first);
        const auto of_diagonal_block = [&](Index i, Index k) {
            if (i >= width || k > i) return 0.0;
            return k < i ? triangle(first + k, first + i) : 1.0 / triangle(first + i, first + i);
        };
        for (Index i = 0; i < depth; i += panel_rows) panel = write_panel(panel, i, i + panel_rows, of_diagonal_block);
        const auto of_triangle = [&](Index i, Index k) { return i < size ? triangle(first + k, i) : 0.0; };
        for (Index i = first + depth; i < padded_size_; i += panel_rows) {
            panel = write_panel(panel, i, depth, of_triangle);
        }
    }
}

void PackedFactor::sum_squares(double* work, Index n_columns, double* block, double* squares, Solution solution) const {
    const HotKernels& kernels = hot_kernels();
    const Index work_stride = padded_size_ * kernels.lanes;
    const Index block_stride = block_depth * kernels.lanes;
    std::fill(squares, squares + tile_count(n_columns, kernels.lanes) * kernels.lanes, 0.0);
    const double* panel = panels_.data();
    for (Index first = 0; first < padded_size_; first += block_depth) {
        const Index depth = std::min(block_depth, padded_size_ - first);
        const Index below = padded_size_ - first - depth;
        kernels.triangular_solve(
            {panel, depth / kernels.panel_rows, depth, work + first * kernels.lanes, work_stride, block, block_stride,
             n_columns},
            squares
        );
        panel += triangular_panels(depth);
        kernels.subtract_product(
            {panel, below / kernels.panel_rows, depth, block, block_stride, work + (first + depth) * kernels.lanes,
             work_stride, n_columns}
        );
        panel += below * depth;
        if (solution == Solution::lost) continue;
        for (Index s = 0; s < tile_count(n_columns, kernels.lanes); ++s) {
            std::copy_n(
                block + s * block_stride, depth * kernels.lanes, work + s * work_stride + first * kernels.lanes
            );
        }
    }
}

}  // namespace lpr_fast

#include "rigidity/scoring.hpp"

#include <algorithm>

#include "base/checks.hpp"
#include "base/parallel.hpp"

namespace lpr_fast {
namespace {

constexpr Index tile_rows = 64;

// Rows of phi_b whose R^-T phi are held at once: enough to make solving phi_a again for each such part cheap.
constexpr Index part_rows = 16 * tile_rows;

/// The columns that R stands for, of rows [first, first + tile_rows) of phi as columns of `tile`; missing rows are
/// zero.
void load_tile(
    const char* name, ConstMatrixView phi, Index first, const std::vector<Index>& columns, Eigen::Ref<Matrix> tile
) {
    const Index count = std::min(tile_rows, phi.rows - first);
    for (Index t = 0; t < count; ++t) {
        const double* row = phi.row(first + t);
        check_environment(name, row, phi.cols, first + t);
        for (Index j = 0; j < tile.rows(); ++j) tile(j, t) = row[columns[static_cast<std::size_t>(j)]];
    }
    tile.rightCols(tile_rows - count).setZero();
}

void solve_tile(const RowMatrix& triangle, Eigen::Ref<Matrix> tile) {
    transposed_triangle(triangle).solveInPlace(tile);
}

/// R^-T phi for rows [first, first + n_tiles * tile_rows), as columns.
Matrix solve_rows(
    const char* name, const RowMatrix& triangle, const std::vector<Index>& columns, ConstMatrixView phi, Index first,
    Index n_tiles, int n_threads
) {
    Matrix solved(triangle.cols(), n_tiles * tile_rows);
    parallel_for_each(n_tiles, n_threads, [&](Index task) {
        auto tile = solved.middleCols(task * tile_rows, tile_rows);
        load_tile(name, phi, first + task * tile_rows, columns, tile);
        solve_tile(triangle, tile);
    });
    return solved;
}

/// Writes products of one solved tile of phi_a with all solved rows of a part of phi_b.
void write_products(const Matrix& tile_a, const Matrix& solved_b, Index first_a, Index first_b, MatrixView out) {
    const Index rows_a = std::min(tile_rows, out.rows - first_a);
    for (Index tile = 0; tile < solved_b.cols(); tile += tile_rows) {
        const Index column = first_b + tile;
        const Index rows_b = std::min(tile_rows, out.cols - column);
        const Matrix products = tile_a.transpose() * solved_b.middleCols(tile, tile_rows);
        for (Index i = 0; i < rows_a; ++i) {
            for (Index j = 0; j < rows_b; ++j) out.row(first_a + i)[column + j] = products(i, j);
        }
    }
}

}  // namespace

void score_quadratic_forms(
    const PackedFactor& factor, Workspaces& workspaces, ConstMatrixView phi, VectorView out, int n_threads
) {
    for_each_tile(phi.rows, n_threads, workspaces, [&](Workspace& workspace, Index first, Index count) {
        workspace.input.reserve(phi.cols * tile_columns());
        load_strips("phi", phi, first, count, 0, phi.cols, workspace.input.data());
        sum_squares(factor, workspace.input.data(), phi.cols, count, workspace, out.data + first);
    });
}

void sum_squares(
    const PackedFactor& factor, const double* strips, Index depth, Index count, Workspace& workspace, double* out
) {
    const Index n_strips = tile_count(count, hot_kernels().lanes);
    workspace.work.reserve(factor.padded_size() * tile_columns());
    workspace.block.reserve(block_depth * tile_columns());
    workspace.squares.reserve(tile_columns());
    select_rows(strips, depth, factor.columns(), factor.padded_size(), n_strips, workspace.work.data());
    factor.sum_squares(workspace.work.data(), count, workspace.block.data(), workspace.squares.data());
    std::copy_n(workspace.squares.data(), count, out);
}

void score_covariance(
    const RowMatrix& triangle, const std::vector<Index>& columns, ConstMatrixView phi_a, ConstMatrixView phi_b,
    MatrixView out, int n_threads
) {
    const bool is_same = phi_a.data == phi_b.data && phi_a.rows == phi_b.rows && phi_a.stride == phi_b.stride;
    const char* name_b = is_same ? "phi_a" : "phi_b";
    for (Index first_b = 0; first_b < phi_b.rows; first_b += part_rows) {
        const Index n_tiles = tile_count(std::min(part_rows, phi_b.rows - first_b), tile_rows);
        const Matrix solved_b = solve_rows(name_b, triangle, columns, phi_b, first_b, n_tiles, n_threads);
        parallel_for(tile_count(phi_a.rows, tile_rows), n_threads, [&]() -> Worker {
            return [&, tile = Matrix(triangle.cols(), tile_rows)](Index task) mutable {
                const Index first_a = task * tile_rows;
                const Index within_part = first_a - first_b;
                if (is_same && within_part >= 0 && within_part < solved_b.cols()) {
                    tile = solved_b.middleCols(within_part, tile_rows);
                } else {
                    load_tile("phi_a", phi_a, first_a, columns, tile);
                    solve_tile(triangle, tile);
                }
                write_products(tile, solved_b, first_a, first_b, out);
            };
        });
    }
}

}  // namespace lpr_fast

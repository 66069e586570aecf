#include "scoring.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "lpr_fast/error.hpp"
#include "parallel.hpp"

namespace lpr_fast {
namespace {

constexpr Index tile_rows = 64;

// Rows of phi_b whose R^-T phi are held at once: enough to make solving phi_a again for each such part cheap.
constexpr Index part_rows = 16 * tile_rows;

Index tiles_for(Index n_rows) {
    return (n_rows + tile_rows - 1) / tile_rows;
}

[[noreturn]] void refuse_row(const char* name, Index row) {
    throw InvalidInput(
        std::string(name) + " row " + std::to_string(row) +
        " holds NaN or infinity; every entry must be finite: remove or recompute that environment."
    );
}

/// The kept columns of rows [first, first + tile_rows) of phi as columns of `tile`; missing rows are zero.
void load_tile(
    const char* name, ConstMatrixView phi, Index first, const std::vector<Index>& kept, Eigen::Ref<Matrix> tile
) {
    const Index count = std::min(tile_rows, phi.rows - first);
    for (Index t = 0; t < count; ++t) {
        const double* row = phi.row(first + t);
        const auto all = Eigen::Map<const Eigen::ArrayXd>(row, phi.cols);
        if (!all.isFinite().all()) refuse_row(name, first + t);
        for (Index j = 0; j < tile.rows(); ++j) tile(j, t) = row[kept[static_cast<std::size_t>(j)]];
    }
    tile.rightCols(tile_rows - count).setZero();
}

void solve_tile(const RowMatrix& triangle, Eigen::Ref<Matrix> tile) {
    transposed_triangle(triangle).solveInPlace(tile);
}

/// R^-T phi for rows [first, first + n_tiles * tile_rows), as columns.
Matrix solve_rows(
    const RowMatrix& triangle, const std::vector<Index>& kept, ConstMatrixView phi, Index first, Index n_tiles,
    int n_threads
) {
    Matrix solved(triangle.cols(), n_tiles * tile_rows);
    parallel_for_each(n_tiles, n_threads, [&](Index task) {
        auto tile = solved.middleCols(task * tile_rows, tile_rows);
        load_tile("phi_b", phi, first + task * tile_rows, kept, tile);
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
    const RowMatrix& triangle, const std::vector<Index>& kept, ConstMatrixView phi, double* out, int n_threads
) {
    parallel_for(tiles_for(phi.rows), n_threads, [&]() -> Worker {
        return [&, tile = Matrix(triangle.cols(), tile_rows)](Index task) mutable {
            const Index first = task * tile_rows;
            load_tile("phi", phi, first, kept, tile);
            solve_tile(triangle, tile);
            const Index count = std::min(tile_rows, phi.rows - first);
            for (Index t = 0; t < count; ++t) out[first + t] = tile.col(t).squaredNorm();
        };
    });
}

void score_covariance(
    const RowMatrix& triangle, const std::vector<Index>& kept, ConstMatrixView phi_a, ConstMatrixView phi_b,
    MatrixView out, int n_threads
) {
    for (Index first_b = 0; first_b < phi_b.rows; first_b += part_rows) {
        const Index n_tiles = tiles_for(std::min(part_rows, phi_b.rows - first_b));
        const Matrix solved_b = solve_rows(triangle, kept, phi_b, first_b, n_tiles, n_threads);
        parallel_for(tiles_for(phi_a.rows), n_threads, [&]() -> Worker {
            return [&, tile = Matrix(triangle.cols(), tile_rows)](Index task) mutable {
                load_tile("phi_a", phi_a, task * tile_rows, kept, tile);
                solve_tile(triangle, tile);
                write_products(tile, solved_b, task * tile_rows, first_b, out);
            };
        });
    }
}

}  // namespace lpr_fast

#include "rigidity/scoring.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include "base/at.hpp"
#include "base/checks.hpp"
#include "base/parallel.hpp"
#include "lpr_fast/error.hpp"
#include "rigidity/quadratic_form.hpp"

namespace lpr_fast {
namespace {

constexpr Index tile_rows = 64;

// Rows of phi_b whose R^-T phi are in memory at once. Each such part solves phi_a again; with this many rows, that is
// cheap.
constexpr Index part_rows = 16 * tile_rows;

/// Solved rows as columns: column j times 2^exponents[j].
struct SolvedRows {
    Matrix columns;
    std::vector<int> exponents;

    SolvedRows(Index size, Index count) : columns(size, count), exponents(at(count), 0) {}
};

// Products of entries between these limits neither over- nor underflow.
constexpr double smallest_factor = 0x1p-240;
constexpr double largest_factor = 0x1p240;

/// take_exponent(), if the largest entry is beyond these limits.
int exponent_beyond_range(Eigen::Ref<Vector> column) {
    const double largest = column.cwiseAbs().maxCoeff();
    return largest >= smallest_factor && largest <= largest_factor ? 0 : take_exponent(column);
}

/// R^-T phi for rows [first, first + tile_rows) of phi, as columns from `to` on; zero behind the last row.
void solve_tile(
    const char* name, const FactorState& factor, ConstMatrixView phi, Index first, SolvedRows& solved, Index to
) {
    const Index count = std::min(tile_rows, phi.rows - first);
    auto tile = solved.columns.middleCols(to, tile_rows);
    for (Index t = 0; t < count; ++t) {
        const double* row = phi.row(first + t);
        check_environment(name, row, phi.cols, first + t);
        for (Index j = 0; j < tile.rows(); ++j) tile(j, t) = row[factor.columns[at(j)]];
        solved.exponents[at(to + t)] = exponent_beyond_range(tile.col(t));
    }
    tile.rightCols(tile_rows - count).setZero();
    transposed_triangle(factor.triangle).solveInPlace(tile);
    for (Index t = 0; t < count; ++t) solved.exponents[at(to + t)] += exponent_beyond_range(tile.col(t));
}

/// R^-T phi for rows [first, first + n_tiles * tile_rows).
SolvedRows solve_rows(
    const char* name, const FactorState& factor, ConstMatrixView phi, Index first, Index n_tiles, int n_threads
) {
    SolvedRows solved(factor.triangle.cols(), n_tiles * tile_rows);
    parallel_for_each(n_tiles, n_threads, [&](Index task) {
        solve_tile(name, factor, phi, first + task * tile_rows, solved, task * tile_rows);
    });
    return solved;
}

/// Writes the products of the tile that begins at column `from` of `a` with all solved rows of a part of phi_b.
void write_products(
    const SolvedRows& a, Index from, const SolvedRows& b, double scale, Index first_a, Index first_b, MatrixView out
) {
    const Index rows_a = std::min(tile_rows, out.rows - first_a);
    const auto tile_a = a.columns.middleCols(from, tile_rows);
    for (Index tile = 0; tile < b.columns.cols(); tile += tile_rows) {
        const Index column = first_b + tile;
        const Index rows_b = std::min(tile_rows, out.cols - column);
        const Matrix products = tile_a.transpose() * b.columns.middleCols(tile, tile_rows);
        for (Index i = 0; i < rows_a; ++i) {
            for (Index j = 0; j < rows_b; ++j) {
                const int exponent = a.exponents[at(from + i)] + b.exponents[at(tile + j)];
                out.row(first_a + i)[column + j] = QuadraticForm{products(i, j), exponent}.times(scale);
            }
        }
    }
}

void write_forms(const QuadraticForms& forms, const FormScores& scores, Index row) {
    if (scores.lpr.data != nullptr) scores.lpr.data[row] = forms.plain.lpr();
    if (scores.variance.data != nullptr) scores.variance.data[row] = forms.plain.times(scores.scale);
    if (scores.lpr_held.data != nullptr) scores.lpr_held.data[row] = forms.held.lpr();
}

/// form_beyond_range() of one column of strips. `room` is scratch memory for its entries.
QuadraticForms form_of_column(
    const FactorState& factor, const double* strips, Index depth, Index column, double* room
) {
    Eigen::Map<Vector> phi(room, factor.triangle.cols());
    take_column(factor, strips, depth, column, phi);
    return form_beyond_range(factor, phi);
}

void check_held(const FactorState& factor, const FormScores& scores, Index n_rows) {
    if (scores.lpr_held.data == nullptr) return;
    check_output("lpr_held", {scores.lpr_held.data, 1, scores.lpr_held.size}, 1, n_rows);
    if (!factor.held) {
        throw InvalidInput("nothing is held, so there is no lpr_held; give the factor rows to hold first (holding).");
    }
}

}  // namespace

void check_scale(double scale) {
    if (scale > 0.0 && std::isfinite(scale)) return;
    std::ostringstream message;
    message << "the scale of variances is " << scale << "; it must be finite and positive.";
    throw InvalidInput(message.str());
}

void check_forms(const FactorState& factor, const FormScores& scores, Index n_rows) {
    check_held(factor, scores, n_rows);
    if (scores.lpr.data != nullptr) check_output("lpr", {scores.lpr.data, 1, scores.lpr.size}, 1, n_rows);
    if (scores.variance.data == nullptr) return;
    check_output("variance", {scores.variance.data, 1, scores.variance.size}, 1, n_rows);
    check_scale(scores.scale);
}

const double* solve_strips(
    const FactorState& factor, const double* strips, Index depth, Index count, Workspace& workspace,
    PackedFactor::Solution solution
) {
    const PackedFactor& panels = packed(factor);
    const Index n_strips = tile_count(count, hot_kernels().lanes);
    workspace.work.reserve(panels.padded_size() * tile_columns());
    workspace.block.reserve(block_depth * tile_columns());
    workspace.squares.reserve(2 * tile_columns());
    select_rows(strips, depth, panels.columns(), panels.padded_size(), n_strips, workspace.work.data());
    panels.sum_squares(workspace.work.data(), count, workspace.block.data(), workspace.squares.data(), solution);
    return workspace.squares.data();
}

const double* remove_held(const FactorState& factor, Index count, Workspace& workspace) {
    const HotKernels& kernels = hot_kernels();
    const Held& held = *factor.held;
    const Index depth = packed(factor).padded_size();
    double* squares = workspace.squares.data() + tile_columns();
    for (Index s = 0; s < tile_count(count, kernels.lanes); ++s) {
        const Strip solved{
            workspace.work.data() + s * depth * kernels.lanes, held.directions.cols(),
            std::min(kernels.lanes, count - s * kernels.lanes)
        };
        kernels.square_held(
            solved, {held.directions.data(), held.directions.rows(), held.left.data()}, squares + s * kernels.lanes
        );
    }
    return squares;
}

void take_column(const FactorState& factor, const double* strips, Index depth, Index column, Eigen::Ref<Vector> phi) {
    const Index lanes = hot_kernels().lanes;
    const double* entries = strips + column / lanes * depth * lanes + column % lanes;
    for (Index j = 0; j < phi.size(); ++j) phi(j) = entries[factor.columns[at(j)] * lanes];
}

void score_forms(const FactorState& factor, ConstMatrixView phi, const FormScores& scores, int n_threads) {
    for_each_tile(phi.rows, n_threads, *factor.workspaces, [&](Workspace& workspace, Index first, Index count) {
        workspace.input.reserve(phi.cols * tile_columns());
        load_strips("phi", phi, first, count, 0, phi.cols, workspace.input.data());
        score_strips(factor, workspace.input.data(), phi.cols, count, workspace, scores, first);
    });
}

void score_strips(
    const FactorState& factor, const double* strips, Index depth, Index count, Workspace& workspace,
    const FormScores& scores, Index first
) {
    const bool wants_held = scores.lpr_held.data != nullptr;
    if (scores.lpr.data == nullptr && scores.variance.data == nullptr && !wants_held) return;
    const auto keep = wants_held ? PackedFactor::Solution::kept : PackedFactor::Solution::lost;
    const double* plain = solve_strips(factor, strips, depth, count, workspace, keep);
    const double* held = wants_held ? remove_held(factor, count, workspace) : plain;
    for (Index i = 0; i < count; ++i) {
        QuadraticForms forms{{plain[i], 0}, {beyond_rounding(held[i], plain[i]), 0}};
        if (!is_ordinary(plain[i])) forms = form_of_column(factor, strips, depth, i, workspace.work.data());
        write_forms(forms, scores, first + i);
    }
}

void score_covariance(
    const FactorState& factor, ConstMatrixView phi_a, ConstMatrixView phi_b, double scale, MatrixView out, int n_threads
) {
    const bool is_same = phi_a.data == phi_b.data && phi_a.rows == phi_b.rows && phi_a.stride == phi_b.stride;
    const char* name_b = is_same ? "phi_a" : "phi_b";
    for (Index first_b = 0; first_b < phi_b.rows; first_b += part_rows) {
        const Index n_tiles = tile_count(std::min(part_rows, phi_b.rows - first_b), tile_rows);
        const SolvedRows solved_b = solve_rows(name_b, factor, phi_b, first_b, n_tiles, n_threads);
        parallel_for(tile_count(phi_a.rows, tile_rows), n_threads, [&]() -> Worker {
            return [&, own = SolvedRows(factor.triangle.cols(), tile_rows)](Index task) mutable {
                const Index first_a = task * tile_rows;
                const Index within_part = first_a - first_b;
                if (is_same && within_part >= 0 && within_part < solved_b.columns.cols()) {
                    write_products(solved_b, within_part, solved_b, scale, first_a, first_b, out);
                } else {
                    solve_tile("phi_a", factor, phi_a, first_a, own, 0);
                    write_products(own, 0, solved_b, scale, first_a, first_b, out);
                }
            };
        });
    }
}

}  // namespace lpr_fast

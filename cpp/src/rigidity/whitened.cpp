#include "rigidity/whitened.hpp"

#include <algorithm>
#include <cmath>

#include "lpr_fast/error.hpp"
#include "rigidity/quadratic_form.hpp"
#include "rigidity/scoring.hpp"

namespace lpr_fast {
namespace {

/// Copies a column of solved strips to a row.
void write_row(const double* strips, Index depth, Index column, Index size, double* row) {
    const Index lanes = hot_kernels().lanes;
    const double* entries = strips + column / lanes * depth * lanes + column % lanes;
    for (Index j = 0; j < size; ++j) row[j] = entries[j * lanes];
}

/// Solves and writes a row whose form is not ordinary.
void write_row_beyond_range(const FactorState& factor, Eigen::Ref<Vector> phi, Freedom freedom, double* row) {
    const int exponent = solve_beyond_range(factor, phi);
    const double plain = phi.squaredNorm();
    if (freedom == Freedom::held && beyond_rounding(square_held(*factor.held, phi), plain) == 0.0) phi.setZero();
    for (Index j = 0; j < phi.size(); ++j) row[j] = std::ldexp(phi(j), exponent);
}

}  // namespace

void check_freedom(const FactorState& factor, Freedom freedom) {
    if (freedom == Freedom::whole) return;
    if (!factor.held) {
        throw InvalidInput(
            "nothing is held, so there are no held variances; give the factor rows to hold first (holding)."
        );
    }
    if (factor.held->rows.rows() == 0) {
        throw InvalidInput(
            "a restricted factor cannot whiten rows with held rows fixed; give rows of phi to the whole factor."
        );
    }
}

void write_whitened(const FactorState& factor, ConstMatrixView phi, Freedom freedom, MatrixView out, int n_threads) {
    const Index depth = packed(factor).padded_size();
    for_each_tile(phi.rows, n_threads, *factor.workspaces, [&](Workspace& workspace, Index first, Index count) {
        workspace.input.reserve(phi.cols * tile_columns());
        const double* strips = workspace.input.data();
        load_strips("phi", phi, first, count, 0, phi.cols, workspace.input.data());
        const double* plain = solve_strips(factor, strips, phi.cols, count, workspace, PackedFactor::Solution::kept);
        const double* left = freedom == Freedom::held ? remove_held(factor, count, workspace) : plain;
        for (Index i = 0; i < count; ++i) {
            double* row = out.row(first + i);
            if (!is_ordinary(plain[i])) {
                Vector own(out.cols);
                take_column(factor, strips, phi.cols, i, own);
                write_row_beyond_range(factor, own, freedom, row);
            } else if (beyond_rounding(left[i], plain[i]) == 0.0) {
                std::fill_n(row, out.cols, 0.0);
            } else {
                write_row(workspace.work.data(), depth, i, out.cols, row);
            }
        }
    });
}

}  // namespace lpr_fast

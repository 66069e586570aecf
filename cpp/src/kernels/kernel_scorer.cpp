#include "lpr_fast/kernel_scorer.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/checks.hpp"
#include "kernels/kernel_scorer_state.hpp"
#include "lpr_fast/error.hpp"
#include "lpr_fast/kernels.hpp"
#include "rigidity/scoring.hpp"

namespace lpr_fast {
namespace {

void check_part(const char* name, Index size, Index expected) {
    if (size == expected) return;
    throw InvalidInput(
        std::string(name) + " has size " + std::to_string(size) + ", but the active set has size " +
        std::to_string(expected) + "; give both from the same model."
    );
}

void check_wanted(const char* name, VectorView out, Index n_rows, bool available, const std::string& needed) {
    if (out.data == nullptr) return;
    check_output(name, {out.data, 1, out.size}, 1, n_rows);
    if (available) return;
    throw InvalidInput(
        std::string(name) + " cannot be scored: the scorer was made without " + needed + "; make it with " + needed +
        ", or give no array for " + name + "."
    );
}

/// Columns of strips as rows of a matrix.
void write_rows(const PowerKernel& kernel, const double* strips, Index first, Index count, MatrixView out) {
    const Index lanes = hot_kernels().lanes;
    for (Index i = 0; i < count; ++i) {
        const double* column = strips + i / lanes * kernel.padded_size() * lanes + i % lanes;
        double* row = out.row(first + i);
        for (Index m = 0; m < kernel.size(); ++m) row[m] = column[m * lanes];
    }
}

void write_kernels(
    const PowerKernel& kernel, ConstMatrixView features, MatrixView out, Workspaces& workspaces, int n_threads
) {
    kernel.check_features(features);
    check_output("out", out, features.rows, kernel.size());
    const int threads = resolve_threads(n_threads);
    for_each_tile(features.rows, threads, workspaces, [&](Workspace& workspace, Index first, Index count) {
        kernel.evaluate(features, first, count, workspace);
        write_rows(kernel, workspace.kernels.data(), first, count, out);
    });
}

}  // namespace

void write_energies(
    const PowerKernel& kernel, const double* weights, Workspace& workspace, Index count, double* energies, Index stride
) {
    const HotKernels& kernels = hot_kernels();
    workspace.squares.reserve(tile_columns());
    double* sums = workspace.squares.data();
    for (Index s = 0; s < tile_count(count, kernels.lanes); ++s) {
        const Index n_columns = std::min(kernels.lanes, count - s * kernels.lanes);
        double* strip = workspace.kernels.data() + s * kernel.padded_size() * kernels.lanes;
        kernels.weighted_sum({strip, kernel.size(), n_columns}, weights, sums);
        for (Index l = 0; l < n_columns; ++l) energies[(s * kernels.lanes + l) * stride] = sums[l];
    }
}

KernelScorer::KernelScorer(
    ConstMatrixView active, double zeta, const HessianFactor& factor, const std::optional<HessianFactor>& prior,
    std::optional<ConstVectorView> weights, std::optional<ConstMatrixView> members
) {
    auto state = std::make_shared<KernelScorerState>(active, zeta, factor, prior);
    check_part("the factor", factor.size(), state->kernel.size());
    if (prior) check_part("the factor of the prior", prior->size(), state->kernel.size());
    if (weights) {
        check_part("the list of weights", weights->size, state->kernel.size());
        check_finite("weights", {weights->data, 1, weights->size});
        state->weights.assign(weights->data, weights->data + weights->size);
    }
    if (members) {
        check_part("the weights of a member", members->cols, state->kernel.size());
        check_finite("weights of members", *members);
        state->members = as_matrix(*members);
    }
    state_ = std::move(state);
}

void KernelScorer::score(ConstMatrixView features, const KernelScores& scores, int n_threads) const {
    const KernelScorerState& state = *state_;
    state.kernel.check_features(features);
    check_forms(state.factor.state(), scores.forms, features.rows);
    check_wanted("explained", scores.explained, features.rows, state.prior.has_value(), "a prior");
    check_wanted("energies", scores.energies, features.rows, !state.weights.empty(), "weights");
    const MatrixView of_members = scores.member_energies;
    if (of_members.data != nullptr) check_output("member_energies", of_members, features.rows, state.members.rows());
    const int threads = resolve_threads(n_threads);
    for_each_tile(features.rows, threads, state.workspaces, [&](Workspace& workspace, Index first, Index count) {
        state.kernel.evaluate(features, first, count, workspace);
        const double* strips = workspace.kernels.data();
        const Index depth = state.kernel.padded_size();
        score_strips(state.factor.state(), strips, depth, count, workspace, scores.forms, first);
        if (scores.explained.data != nullptr) {
            score_strips(state.prior->state(), strips, depth, count, workspace, {{}, scores.explained}, first);
        }
        if (scores.energies.data != nullptr) {
            write_energies(state.kernel, state.weights.data(), workspace, count, scores.energies.data + first, 1);
        }
        if (of_members.data == nullptr) return;
        for (Index k = 0; k < of_members.cols; ++k) {
            const double* weights = state.members.row(k).data();
            write_energies(state.kernel, weights, workspace, count, of_members.row(first) + k, of_members.stride);
        }
    });
}

void KernelScorer::phi(ConstMatrixView features, MatrixView out, int n_threads) const {
    write_kernels(state_->kernel, features, out, state_->workspaces, n_threads);
}

void kernel_rows(ConstMatrixView features, ConstMatrixView active, double zeta, MatrixView out, int n_threads) {
    Workspaces workspaces;
    write_kernels(PowerKernel(active, zeta), features, out, workspaces, n_threads);
}

}  // namespace lpr_fast

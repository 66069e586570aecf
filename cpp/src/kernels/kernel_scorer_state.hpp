#pragma once

#include <optional>
#include <vector>

#include "kernels/power_kernel.hpp"
#include "lpr_fast/kernel_scorer.hpp"
#include "rigidity/factor_state.hpp"

namespace lpr_fast {

/// What a KernelScorer holds.
struct KernelScorerState {
    PowerKernel kernel;
    HessianFactor factor;
    std::optional<HessianFactor> prior;  ///< none: nothing is said to be explained
    std::vector<double> weights;         ///< none: no energies
    RowMatrix members;                   ///< (K, M), weights of members; none: K = 0
    mutable Workspaces workspaces;

    KernelScorerState(
        ConstMatrixView active, double zeta, HessianFactor of_hessian, std::optional<HessianFactor> of_prior
    )
        : kernel(active, zeta), factor(std::move(of_hessian)), prior(std::move(of_prior)) {}
};

/// phi^T weights of every column that the kernel left in a workspace: energies[i * stride] for column i.
void write_energies(
    const PowerKernel& kernel, const double* weights, Workspace& workspace, Index count, double* energies, Index stride
);

}  // namespace lpr_fast

#pragma once

#include <optional>
#include <vector>

#include "kernels/power_kernel.hpp"
#include "lpr_fast/kernel_scorer.hpp"
#include "rigidity/factor_state.hpp"

namespace lpr_fast {

/// Data of a KernelScorer.
struct KernelScorerState {
    PowerKernel kernel;
    HessianFactor factor;
    std::optional<HessianFactor> prior;  ///< needed for `explained`
    std::vector<double> weights;         ///< (M,), needed for energies; may be empty
    RowMatrix members;                   ///< (K, M), weights of committee members; K may be 0
    mutable Workspaces workspaces;

    KernelScorerState(
        ConstMatrixView active, double zeta, HessianFactor of_hessian, std::optional<HessianFactor> of_prior
    )
        : kernel(active, zeta), factor(std::move(of_hessian)), prior(std::move(of_prior)) {}
};

/// energies[i * stride] = phi_i^T weights for every column phi_i that PowerKernel::evaluate wrote to a workspace.
void write_energies(
    const PowerKernel& kernel, const double* weights, Workspace& workspace, Index count, double* energies, Index stride
);

}  // namespace lpr_fast

#pragma once

#include <vector>

#include "lpr_fast/soap.hpp"
#include "lpr_fast/structure.hpp"
#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// The active set of a kernel model: rows of normalised features, those of each centre species following one another.
struct ActiveEnvironments {
    ConstMatrixView features;  ///< (M, D)
    std::vector<Index> first;  ///< row where each species of the descriptor begins, and M
    double zeta = 1.0;
};

/// How gradients of kernels are computed: by derivatives of all features, which are then multiplied by the active set,
/// or by the way back from every active environment to positions.
enum class GradientRoute { cheaper, features, positions };

/// Rows of forces: minus the derivatives of sum_i (x_i . x_m)^zeta with respect to positions, with x = p / |p|, for the
/// active environments m and the centers i of their species. The bits do not depend on the number of threads.
///
/// Where zeta is not an integer and a scalar product not positive, its kernel counts as constant.
/// @param forces  (3 n_atoms, M): x, y, z of each atom, of those that are no centers too
/// @param virial  (9, M): minus the derivatives with respect to strain, row by row; not wanted without data
/// @param route   for tests; by default what takes fewer multiplications
/// @throws InvalidInput  for descriptors that are not differentiable (see Soap::gradient), NaN, atoms at the same
/// place, and shapes that do not fit
void kernel_gradients(
    const Soap& soap, const Structure& structure, const ActiveEnvironments& active, MatrixView forces,
    MatrixView virial = {}, int n_threads = 0, GradientRoute route = GradientRoute::cheaper
);

}  // namespace lpr_fast

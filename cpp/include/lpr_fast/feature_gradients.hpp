#pragma once

#include "lpr_fast/soap.hpp"
#include "lpr_fast/structure.hpp"
#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Rows of forces of a linear model: minus the derivatives of the sum of the features over the centers of each species,
/// with respect to positions. The bits do not depend on the number of threads.
///
/// @param forces  (3 n_atoms, S D): x, y, z of each atom, of those that are no centers too; a block of D columns for
/// each species of the descriptor
/// @param virial  (9, S D): minus the derivatives with respect to strain, row by row; not wanted without data
/// @throws InvalidInput  for descriptors that are not differentiable (see Soap::gradient), and shapes that do not fit
void feature_gradients(
    const Soap& soap, const Structure& structure, MatrixView forces, MatrixView virial = {}, int n_threads = 0
);

}  // namespace lpr_fast

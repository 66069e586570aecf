#pragma once

#include "lpr_fast/second_moments.hpp"
#include "rigidity/factor_state.hpp"

namespace lpr_fast {

/// Throws InvalidInput unless the factor can take off what is held, where that is wanted.
void check_freedom(const FactorState& factor, Freedom freedom);

/// R^-T phi for every row of phi, with what is held taken off where that is wanted. The bits of a row depend on the
/// factor and on itself alone.
/// @param out  (phi.rows, columns of R)
void write_whitened(const FactorState& factor, ConstMatrixView phi, Freedom freedom, MatrixView out, int n_threads);

}  // namespace lpr_fast

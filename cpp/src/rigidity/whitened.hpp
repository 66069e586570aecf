#pragma once

#include "lpr_fast/second_moments.hpp"
#include "rigidity/factor_state.hpp"

namespace lpr_fast {

/// Throws InvalidInput for Freedom::held with a factor that holds nothing or was restricted.
void check_freedom(const FactorState& factor, Freedom freedom);

/// Computes R^-T phi for each row of phi; with Freedom::held, without its components along the held directions. The
/// bits of a row depend on the factor and the row alone.
/// @param out  (phi.rows, columns of R)
void write_whitened(const FactorState& factor, ConstMatrixView phi, Freedom freedom, MatrixView out, int n_threads);

}  // namespace lpr_fast

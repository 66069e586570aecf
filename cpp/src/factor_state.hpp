#pragma once

#include <limits>
#include <vector>

#include "linear_algebra.hpp"

namespace lpr_fast {

/// What a HessianFactor holds.
struct FactorState {
    Index size = 0;
    std::vector<Index> kept;  ///< ascending
    RowMatrix triangle;       ///< R on the kept columns
    double condition = 0.0;
    double error_estimate = std::numeric_limits<double>::quiet_NaN();
};

}  // namespace lpr_fast

#pragma once

#include <limits>
#include <memory>
#include <vector>

#include "linear_algebra.hpp"
#include "lpr_fast/hessian_factor.hpp"
#include "packed.hpp"
#include "tiles.hpp"

namespace lpr_fast {

/// What a HessianFactor holds.
struct FactorState {
    Index size = 0;
    std::vector<Index> columns;  ///< column j of the triangle stands for column columns[j] of phi
    RowMatrix triangle;          ///< R
    double condition = 0.0;
    double error_estimate = std::numeric_limits<double>::quiet_NaN();
    std::shared_ptr<const PackedFactor> packed = nullptr;  ///< R for scoring; made by make_factor()
    std::shared_ptr<Workspaces> workspaces = nullptr;      ///< of scoring
};

/// The one way to a factor: computes the condition number unless it is given, and packs R for scoring.
/// @throws InvalidInput  when R is not finite with a positive diagonal: numbers over- or underflowed
HessianFactor make_factor(FactorState state);

}  // namespace lpr_fast

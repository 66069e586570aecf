#pragma once

#include <optional>
#include <vector>

#include "lpr_fast/hessian_accumulator.hpp"

namespace lpr_fast {

/// Adds the same rows to labelled accumulators of one size, each with its own targets and weights. Rows of weight zero
/// are left out. Each thread takes one accumulator. After an exception the accumulators must not be used any more.
/// @param targets, weights  (number of accumulators, rows.rows)
void add_to_each(
    std::vector<HessianAccumulator>& members, ConstMatrixView rows, ConstMatrixView targets, ConstMatrixView weights,
    int n_threads
);

/// Computes the weights of fit() for each of several labelled accumulators of Method::qr, with the same bits. The root
/// of the prior is computed once, and each thread takes one accumulator. Throws as fit().
std::vector<std::vector<double>> fit_each(
    const std::vector<HessianAccumulator>& members, double regularizer, std::optional<ConstMatrixView> prior,
    int n_threads
);

}  // namespace lpr_fast

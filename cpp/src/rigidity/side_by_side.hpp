#pragma once

#include <optional>
#include <vector>

#include "lpr_fast/hessian_accumulator.hpp"

namespace lpr_fast {

/// Adds rows to labelled accumulators of one size, each with targets and weights of its own; rows whose weight is zero
/// are left out. Threads take one accumulator each. When it throws, the accumulators are of no use any more.
/// @param targets, weights  (number of accumulators, rows.rows)
void add_to_each(
    std::vector<HessianAccumulator>& members, ConstMatrixView rows, ConstMatrixView targets, ConstMatrixView weights,
    int n_threads
);

/// The weights that fit() gives for each of several labelled accumulators of Method::qr: the same bits. The root of the
/// prior is taken once, and threads take one accumulator each.
/// @throws  what fit() throws
std::vector<std::vector<double>> fit_each(
    const std::vector<HessianAccumulator>& members, double regularizer, std::optional<ConstMatrixView> prior,
    int n_threads
);

}  // namespace lpr_fast

#pragma once

#include "base/matrices.hpp"

namespace lpr_fast {

/// Lower triangle of sum <- sum + scale * B^T B, in square tiles on n_threads threads. The upper triangle is undefined
/// afterwards. The order of summation of every element depends on the shapes alone.
/// @param rows  B, (any, sum.cols())
void add_symmetric_product(
    Eigen::Ref<Matrix> sum, double scale, const Eigen::Ref<const RowMatrix>& rows, int n_threads
);

}  // namespace lpr_fast

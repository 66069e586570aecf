#pragma once

#include "base/matrices.hpp"

namespace lpr_fast {

/// Lower triangle of sum <- sum + scale * B^T B, in square tiles on all threads. The upper triangle is not to be read
/// afterwards. Every element is summed in an order fixed by the shapes alone.
/// @param rows  B, of shape (any, sum.cols())
void add_symmetric_product(
    Eigen::Ref<Matrix> sum, double scale, const Eigen::Ref<const RowMatrix>& rows, int n_threads
);

}  // namespace lpr_fast

#pragma once

#include <variant>
#include <vector>

#include "lpr_fast/hessian_accumulator.hpp"
#include "rigidity/gram_sum.hpp"
#include "rigidity/square_root_sum.hpp"

namespace lpr_fast {

/// State of a HessianAccumulator: the sum of full leaves, and the pending rows of the next leaf.
struct AccumulatorState {
    Index size = 0;
    Index n_targets = 0;  ///< number of target columns behind the first `size` columns: 1 for labelled rows
    Index n_rows = 0;
    Index n_weighted = 0;                     ///< rows whose weight is not zero
    std::vector<double> pending;              ///< row-major, already multiplied by sqrt(weight)
    std::vector<double> pending_log_weights;  ///< zero for rows of weight zero
    std::variant<SquareRootSum, GramSum> sum;
    bool is_lost = false;  ///< a change failed half-way, so this is neither the old state nor the new one

    Index width() const { return size + n_targets; }

    ConstMatrixView pending_rows() const {
        return {pending.data(), static_cast<Index>(pending.size()) / width(), width()};
    }
};

}  // namespace lpr_fast

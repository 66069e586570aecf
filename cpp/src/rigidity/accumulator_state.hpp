#pragma once

#include <variant>
#include <vector>

#include "lpr_fast/hessian_accumulator.hpp"
#include "rigidity/gram_sum.hpp"
#include "rigidity/square_root_sum.hpp"

namespace lpr_fast {

/// What a HessianAccumulator holds: sums of full leaves, and the rows that wait for the next one to fill.
struct AccumulatorState {
    Index size = 0;
    Index n_targets = 0;  ///< columns that stand behind the first `size` ones: one for labelled rows
    Index n_rows = 0;
    Index n_weighted = 0;                     ///< rows whose weight is not zero
    std::vector<double> pending;              ///< row-major, already multiplied by sqrt(weight)
    std::vector<double> pending_log_weights;  ///< zero where the weight is
    std::variant<SquareRootSum, GramSum> sum;
    bool is_lost = false;  ///< a change was interrupted: what is here is neither the old state nor the new one

    Index width() const { return size + n_targets; }

    ConstMatrixView pending_rows() const {
        return {pending.data(), static_cast<Index>(pending.size()) / width(), width()};
    }
};

}  // namespace lpr_fast

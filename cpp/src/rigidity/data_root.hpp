#pragma once

#include "base/matrices.hpp"
#include "rigidity/accumulator_state.hpp"

namespace lpr_fast {

/// Training rows as a square root: rows^T rows is the sum of w x x^T, with x a row and its targets behind it, up to
/// what no weights reach of them.
struct DataRoot {
    RowMatrix rows;  ///< (size, width)
    double rest;     ///< norm of what is left of the one target; zero without targets
};

DataRoot data_root(const AccumulatorState& accumulated, int n_threads);

}  // namespace lpr_fast

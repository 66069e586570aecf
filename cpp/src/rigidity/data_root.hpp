#pragma once

#include "base/matrices.hpp"
#include "rigidity/accumulator_state.hpp"

namespace lpr_fast {

/// Square root of the training part of the Hessian: rows^T rows is the sum of w x x^T over training rows x with their
/// targets as last columns, except for `rest`^2, which belongs to the target column alone.
struct DataRoot {
    RowMatrix rows;  ///< (size, width)
    double rest;     ///< norm of the part of the targets that no weights can fit; zero without targets
};

/// Computes the square root, by QR or from the eigenvectors of the Gram matrix.
DataRoot data_root(const AccumulatorState& accumulated, int n_threads);

}  // namespace lpr_fast

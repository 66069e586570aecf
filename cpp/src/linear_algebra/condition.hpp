#pragma once

#include <functional>

#include "base/matrices.hpp"

namespace lpr_fast {

/// Replaces its argument by the product of an operator with it.
using Product = std::function<void(Vector&)>;

/// Largest singular value of an operator, by power iteration from a fixed start: a lower bound that is within a few per
/// cent for the spectra met here.
double largest_singular_value(Index size, const Product& apply, const Product& apply_transposed);

/// Estimate of the 2-norm condition number of an upper-triangular matrix.
double condition_number(const RowMatrix& triangle);

/// Estimate of the largest relative error that rounding H and its Cholesky factor R^T R = H leaves in phi^T H^-1 phi.
///
/// Rounding moves H_ij by about eps sqrt(H_ii H_jj), with random sign. With z = H^-1 phi that moves phi^T z by
/// eps * sum_i H_ii z_i^2, to first order. Its largest ratio to phi^T z over all phi is eps / lambda_min(D^-1/2 H
/// D^-1/2), D = diag(H); four times that, and a little, is returned. It is often far above the error of phi like the
/// training set's, never far below (docs/explanation/accuracy.md).
///
/// @param diagonal  of H
double cholesky_error_estimate(const RowMatrix& triangle, const Vector& diagonal);

}  // namespace lpr_fast

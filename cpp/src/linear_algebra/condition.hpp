#pragma once

#include <functional>

#include "base/matrices.hpp"

namespace lpr_fast {

/// Applies an operator to a vector in place.
using Product = std::function<void(Vector&)>;

/// Largest singular value of an operator, by power iteration from a fixed start: a lower bound, and for the spectra in
/// use an estimate to a few per cent.
double largest_singular_value(Index size, const Product& apply, const Product& apply_transposed);

/// Estimate of the 2-norm condition number of an upper-triangular matrix.
double condition_number(const RowMatrix& triangle);

/// Estimate of the largest relative error that rounding H and its Cholesky factor R^T R = H leaves in phi^T H^-1 phi.
///
/// Rounding changes H_ij by about eps sqrt(H_ii H_jj), with random sign. To first order, this changes phi^T z, with
/// z = H^-1 phi, by eps * sum_i H_ii z_i^2. The largest ratio of this change to phi^T z over all phi is
/// eps / lambda_min(D^-1/2 H D^-1/2), D = diag(H). The estimate is four times this ratio, plus 8 eps. It is often far
/// above the error for phi that resemble the training set, and never far below (docs/explanation/accuracy.md).
///
/// @param triangle  R
/// @param diagonal  diagonal of H
double cholesky_error_estimate(const RowMatrix& triangle, const Vector& diagonal);

}  // namespace lpr_fast

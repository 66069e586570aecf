#pragma once

#include <vector>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Computes (x . a)^zeta for each row x of features and each row a of active: rows phi of a sparse kernel model. The
/// bits of a row depend on x and the active set alone, neither on other rows nor on the number of threads.
///
/// If zeta is not an integer, scalar products must not be negative, as those of normalised power spectra; negative
/// rounding errors count as zero.
/// @param features  (n, D); n = 0 is allowed
/// @param active    (M, D), M >= 1
/// @param zeta      > 0
/// @param out       (n, M)
/// @throws InvalidInput  for NaN and infinity (naming the row), wrong shapes, and a scalar product below -1e-10 if zeta
/// is not an integer
void kernel_rows(ConstMatrixView features, ConstMatrixView active, double zeta, MatrixView out, int n_threads = 0);

/// Divides each row by its norm; rows of zeros stay zero. The bits of a row depend on the row alone, so fitting and
/// scoring use the same numbers.
/// @param features  (n, D)
/// @param out       (n, D); may be the array of the features
/// @throws InvalidInput  for NaN, infinity and entries above 1e140, naming the row
void normalised_rows(ConstMatrixView features, MatrixView out, int n_threads = 0);

/// Farthest-point sampling: starts with row `first` and adds the row whose smallest Euclidean distance from the chosen
/// rows is largest (of several such rows the first), until there are `count` rows or no row is farther than
/// `tolerance`.
/// @param points     (n, D)
/// @param count      number of rows to choose, >= 1
/// @param first      index of the first row
/// @param tolerance  >= 0
/// @return indices of the chosen rows, in the order of their choice
/// @throws InvalidInput  for a `first` outside [0, n), a count below 1, NaN and infinity (naming the row)
std::vector<Index> farthest_points(
    ConstMatrixView points, Index count, Index first, double tolerance, int n_threads = 0
);

}  // namespace lpr_fast

#pragma once

#include <vector>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// (x . a)^zeta for every row x of features and a of active: rows phi of a sparse kernel model. The bits of a row
/// depend on x and on the active set alone, not on the rows beside it nor on the number of threads.
///
/// A zeta that is not an integer is for normalised features whose scalar products are not negative, as those of power
/// spectra are; negative rounding is taken for zero.
/// @param features  (n, D); n = 0 is allowed
/// @param active    (M, D), M >= 1
/// @param zeta      > 0
/// @param out       (n, M)
/// @throws InvalidInput  for NaN and infinity (naming the row), shapes that do not fit, and a negative scalar product
/// below -1e-10 where zeta is not an integer
void kernel_rows(ConstMatrixView features, ConstMatrixView active, double zeta, MatrixView out, int n_threads = 0);

/// Rows divided by their norms; rows of zeros stay zeros. The bits of a row depend on the row alone: fitting and
/// scoring see the same.
/// @param features  (n, D)
/// @param out       (n, D); may be the features themselves
/// @throws InvalidInput  for NaN, infinity and entries above 1e140, naming the row
void normalised_rows(ConstMatrixView features, MatrixView out, int n_threads = 0);

/// Farthest-point sampling: rows of `points`, the first one given, each next one the farthest (by Euclidean distance)
/// from all those before it; of several the first. Stops early when no row is farther than `tolerance`.
/// @param count  number of rows wanted, 1 <= count
/// @throws InvalidInput  for a `first` that is no row, and for NaN and infinity (naming the row)
std::vector<Index> farthest_points(
    ConstMatrixView points, Index count, Index first, double tolerance, int n_threads = 0
);

}  // namespace lpr_fast

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/matrices.hpp"

namespace lpr_fast {

// The squares of larger entries, of which H is made, would overflow.
inline constexpr double largest_entry = 1e140;

/// Largest model size: H of a larger model would take petabytes.
inline constexpr Index max_size = Index{1} << 24;

/// Atomic numbers for a message: "8, 14, 31".
std::string listed(const std::vector<int>& species);

/// Throws InvalidInput unless 1 <= value <= max_size.
void check_size(Index value);

/// Throws InvalidInput for negative sizes, a stride below the number of columns, or no data.
void check_view(const char* name, ConstMatrixView matrix);

/// As check_view; also throws InvalidInput unless the matrix has `columns` columns.
void check_columns(const char* name, ConstMatrixView matrix, Index columns);

/// Throws InvalidInput for NaN, infinity and entries above 1e140, naming the row.
void check_finite(const char* name, ConstMatrixView matrix);

/// Throws InvalidInput for NaN, infinity and entries above 1e140 in the row of an environment, naming the row.
void check_environment(const char* name, const double* row, Index size, Index number);

/// Throws InvalidInput unless an output has the shape of the result.
void check_output(const char* name, ConstMatrixView matrix, Index rows, Index columns);

/// Throws InvalidInput for NaN, infinity, negative weights and rows whose square overflows, naming the row.
/// @param n_rows_before  rows added in earlier calls, so that the message can also number the row among all added
void check_rows(ConstMatrixView rows, std::optional<ConstVectorView> weights, Index n_rows_before);

/// Throws InvalidInput unless there is one finite target for each row, naming the row.
void check_targets(ConstVectorView targets, Index n_rows, Index n_rows_before);

/// (A + A^T) / 2 of a square, finite matrix that is symmetric to 1e-6 of its largest entry.
/// @throws InvalidInput  for any other matrix, naming the entry
Matrix checked_symmetric(const char* name, ConstMatrixView matrix);

/// Throws InvalidInput unless `columns` is a non-empty list of different numbers in [0, size).
void check_distinct_columns(const std::vector<Index>& columns, Index size);

}  // namespace lpr_fast

#pragma once

#include <vector>

#include "linear_algebra.hpp"

namespace lpr_fast {

/// Throws InvalidInput unless `value` is at least one.
void check_size(Index value);

/// Throws InvalidInput unless the matrix has `columns` columns.
void check_columns(const char* name, ConstMatrixView matrix, Index columns);

/// Throws InvalidInput for NaN, infinity, negative weights and rows whose square overflows, naming the row.
/// @param n_rows_before  rows added earlier, so that the message can count from the first of all
void check_rows(ConstMatrixView rows, ConstVectorView weights, Index n_rows_before);

/// (A + A^T) / 2 of a square, finite matrix that is symmetric to rounding.
/// @throws InvalidInput  otherwise, naming the entry
Matrix checked_symmetric(const char* name, ConstMatrixView matrix);

/// Throws InvalidInput unless `columns` is a non-empty list of different numbers in [0, size).
void check_distinct_columns(const std::vector<Index>& columns, Index size);

}  // namespace lpr_fast

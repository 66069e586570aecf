#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// What stands in a column of text: a chemical symbol, a real number, or something that is not looked at.
enum class Column { symbol, real, other };

/// Texts of so many bytes are cut into pieces, which several threads read.
inline constexpr Index large_text = Index{1} << 18;

/// Reads lines of words, one line for each atom, as extended XYZ has them.
///
/// Only what nobody can understand in another way is read: ASCII, words between spaces and tabs, symbols in any case,
/// decimal numbers, which are rounded correctly.
/// @param columns  one for each word of a line
/// @param numbers  for each line and each symbol in it, the atomic number
/// @param reals    one row for each line, one column for each real
/// @returns whether the text is one of `reals.rows` such lines; if not, what the outputs hold has no meaning
/// @throws InvalidInput  unless `reals` has the columns that it should have, and for negative n_threads
bool read_atom_lines(
    std::string_view text, const std::vector<Column>& columns, std::int64_t* numbers, MatrixView reals, int n_threads
);

}  // namespace lpr_fast

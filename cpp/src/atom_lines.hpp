#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Content of a column of text: a chemical symbol, a real number, or anything else, which is skipped.
enum class Column { symbol, real, other };

/// Texts are cut into pieces of about this many bytes, which several threads read.
inline constexpr Index large_text = Index{1} << 18;

/// Reads lines of words, one line for each atom, as in extended XYZ.
///
/// Only unambiguous text is read: printable ASCII, words between spaces and tabs, symbols in any case, and decimal
/// numbers, which are rounded correctly.
/// @param columns  one for each word of a line
/// @param numbers  for each line and each symbol in it, the atomic number
/// @param reals    one row for each line, one column for each real number in it
/// @returns whether the text consists of `reals.rows` such lines; if not, the contents of the outputs are undefined
/// @throws InvalidInput  if `reals` has a wrong number of columns, and for negative n_threads
bool read_atom_lines(
    std::string_view text, const std::vector<Column>& columns, std::int64_t* numbers, MatrixView reals, int n_threads
);

}  // namespace lpr_fast

#pragma once

#include <string>

namespace lpr_fast {

/// Atomic number of a chemical symbol; 0 for other words.
int atomic_number(const std::string& symbol);

/// Chemical symbol of an atomic number; the number as text if there is no symbol.
std::string symbol_of(int atomic_number);

}  // namespace lpr_fast

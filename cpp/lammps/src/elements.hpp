#pragma once

#include <string>

namespace lpr_fast {

/// Atomic number of a chemical symbol; 0 if it is none.
int atomic_number(const std::string& symbol);

/// Chemical symbol of an atomic number; the number itself where there is none.
std::string symbol_of(int atomic_number);

}  // namespace lpr_fast

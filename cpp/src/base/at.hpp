#pragma once

#include <cstddef>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// An index as containers of the standard library take it.
inline std::size_t at(Index i) {
    return static_cast<std::size_t>(i);
}

}  // namespace lpr_fast

#pragma once

#include <string>

namespace lpr_fast {

/// Throws InvalidInput for hypers that nobody can mean, some of which make featomic hang or end the process. The same
/// rules as in python/lpr_fast/descriptors/_hypers.py.
/// @param hypers  of featomic's SOAP power spectrum, as JSON
void check_hypers(const std::string& hypers);

}  // namespace lpr_fast

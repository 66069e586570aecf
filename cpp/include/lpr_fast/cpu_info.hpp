#pragma once

#include <string>
#include <vector>

namespace lpr_fast {

/// The instruction sets of this processor and this build.
struct CpuInfo {
    /// The one in use: "x86-64", "x86-64-v3" (AVX2, FMA), "x86-64-v4" (AVX-512), or "baseline" on other processors. It
    /// is the best one available, unless the environment variable LPR_FAST_INSTRUCTION_SET names another.
    std::string instruction_set;
    /// All that both the processor and the build have, the best last.
    std::vector<std::string> available;
};

/// The instruction set in use, and all available ones.
/// @throws InvalidInput  if LPR_FAST_INSTRUCTION_SET names one that is not available
CpuInfo cpu_info();

}  // namespace lpr_fast

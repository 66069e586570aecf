#pragma once

#include <string>
#include <vector>

namespace lpr_fast {

/// What the innermost loops run on.
struct CpuInfo {
    /// In use: "x86-64", "x86-64-v3" (AVX2, FMA), "x86-64-v4" (AVX-512), or "baseline" on other processors. The best
    /// that the processor has, unless the environment variable LPR_FAST_INSTRUCTION_SET names another.
    std::string instruction_set;
    /// All that this processor and this build have, the best last.
    std::vector<std::string> available;
};

/// @throws InvalidInput  when LPR_FAST_INSTRUCTION_SET names something that is not available
CpuInfo cpu_info();

}  // namespace lpr_fast

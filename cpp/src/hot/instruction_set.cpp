#include "hot/instruction_set.hpp"

#include <cstdlib>
#include <string>

#include "lpr_fast/cpu_info.hpp"
#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

constexpr const char* variable = "LPR_FAST_INSTRUCTION_SET";

/// Tables that this processor can run, slowest first.
std::vector<const HotKernels*> usable_kernels() {
    std::vector<const HotKernels*> usable{&hot_kernels_baseline};
#if defined(LPR_FAST_HAS_X86_LEVELS)
    __builtin_cpu_init();
    const bool has_v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                        __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    const bool has_v4 = has_v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl");
    if (has_v3) usable.push_back(&hot_kernels_v3);
    if (has_v4) usable.push_back(&hot_kernels_v4);
#endif
    return usable;
}

const HotKernels& chosen_kernels() {
    const std::vector<const HotKernels*> usable = usable_kernels();
    const char* forced = std::getenv(variable);
    if (forced == nullptr || *forced == '\0') return *usable.back();
    std::string names;
    for (const HotKernels* kernels : usable) {
        if (std::string(forced) == kernels->instruction_set) return *kernels;
        names += (names.empty() ? "" : ", ") + std::string(kernels->instruction_set);
    }
    throw InvalidInput(
        std::string(variable) + " is '" + forced + "', but this processor and this build have " + names +
        "; choose one of these, or unset it."
    );
}

}  // namespace

const HotKernels& hot_kernels() {
    static const HotKernels& kernels = chosen_kernels();
    return kernels;
}

CpuInfo cpu_info() {
    CpuInfo info;
    info.instruction_set = hot_kernels().instruction_set;
    for (const HotKernels* kernels : usable_kernels()) info.available.emplace_back(kernels->instruction_set);
    return info;
}

}  // namespace lpr_fast

#pragma once

#include "hot/kernels.hpp"

namespace lpr_fast {

/// The innermost loops for this processor: those of its best instruction set, or of the one that
/// LPR_FAST_INSTRUCTION_SET names. They stay the same within a process.
/// @throws InvalidInput  when the variable names an instruction set that this processor or this build does not have
const HotKernels& hot_kernels();

}  // namespace lpr_fast

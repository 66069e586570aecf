#pragma once

#include "lpr_fast/model.hpp"
#include "lpr_fast/model_parts.hpp"
#include "model/json_text.hpp"

namespace lpr_fast {

/// Checks the optional sections that scoring does not need; docs/reference/model_file.md lists them.
/// @throws InvalidInput  for a section that does not fit the model
void check_sections(const Json& facts, const ModelParts& parts, const ModelInfo& info);

}  // namespace lpr_fast

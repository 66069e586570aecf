#pragma once

#include "lpr_fast/model.hpp"
#include "lpr_fast/model_parts.hpp"
#include "model/json_text.hpp"

namespace lpr_fast {

/// Checks the sections that a model may have beside what scoring needs; docs/reference/model_file.md lists them.
/// @throws InvalidInput  for one that is there and does not fit the model
void check_sections(const Json& facts, const ModelParts& parts, const ModelInfo& info);

}  // namespace lpr_fast

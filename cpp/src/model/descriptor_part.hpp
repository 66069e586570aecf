#pragma once

#include <optional>
#include <string>

#include "lpr_fast/model_parts.hpp"
#include "lpr_fast/radial_table.hpp"
#include "model/json_text.hpp"

namespace lpr_fast {

/// What turns structures into features, as far as a model says it.
struct DescriptorPart {
    std::string kind;    ///< "soap", "array" or "external"; empty where nothing is known
    std::string hypers;  ///< of featomic's SOAP power spectrum, as JSON ("soap")
    std::string name;  ///< of the array with the features ("array"), or of what describes atoms elsewhere ("external")
    std::optional<RadialTable> table;
};

/// @param facts  the entry "descriptor" of the model's text
/// @throws InvalidInput  for facts and arrays that do not belong together
DescriptorPart read_descriptor(const Json& facts, const ModelParts& parts);

}  // namespace lpr_fast

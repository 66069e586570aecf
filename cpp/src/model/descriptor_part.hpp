#pragma once

#include <optional>
#include <string>

#include "lpr_fast/model_parts.hpp"
#include "lpr_fast/radial_table.hpp"
#include "model/json_text.hpp"

namespace lpr_fast {

/// What a model file says about its descriptor.
struct DescriptorPart {
    std::string kind;    ///< "soap", "array" or "external"; empty if unknown
    std::string hypers;  ///< of featomic's SOAP power spectrum, as JSON ("soap")
    std::string name;    ///< of the array that holds the features ("array"), or of the external descriptor ("external")
    std::optional<RadialTable> table;  ///< ("soap"); none in files of version 1
};

/// @param facts  the entry "descriptor" of the model's text
/// @throws InvalidInput  for an unknown kind, and for facts and arrays that do not fit each other
DescriptorPart read_descriptor(const Json& facts, const ModelParts& parts);

}  // namespace lpr_fast

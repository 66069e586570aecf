#pragma once

// The only door to nlohmann-json. The build renames its namespace (see CMakeLists.txt), so that a host program may
// bring one of its own.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#if NLOHMANN_JSON_VERSION_MAJOR != 3 || NLOHMANN_JSON_VERSION_MINOR < 10
#error "lpr_fast needs nlohmann-json 3.10 or newer, below 4"
#endif

namespace lpr_fast {

using Json = nlohmann::json;

/// A JSON text of which little is believed yet: numbers beyond float64 and deep nesting are refused.
/// @param keys  takes the keys of the outermost object, in the order of the text
/// @throws InvalidInput  saying no more than what is wrong, for the caller knows where the text comes from
Json parse_json(const char* first, const char* last, std::vector<std::string>* keys = nullptr);

}  // namespace lpr_fast

#pragma once

// The only file that includes nlohmann-json. The build renames its namespace (see CMakeLists.txt), so that a host
// program may use another version.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#if NLOHMANN_JSON_VERSION_MAJOR != 3 || NLOHMANN_JSON_VERSION_MINOR < 10
#error "lpr_fast needs nlohmann-json >= 3.10 and < 4"
#endif

namespace lpr_fast {

using Json = nlohmann::json;

/// Parses JSON of unknown origin.
/// @param keys  receives the keys of the outermost object, in the order of the text
/// @throws InvalidInput  for invalid JSON, numbers beyond float64 and deep nesting; the message is a phrase, to which
/// the caller adds the origin of the text
Json parse_json(const char* first, const char* last, std::vector<std::string>* keys = nullptr);

}  // namespace lpr_fast

#include "model/json_text.hpp"

#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

// Writing JSON recurses once per level; model files have fewer than ten levels.
constexpr int deepest = 200;

}  // namespace

Json parse_json(const char* first, const char* last, std::vector<std::string>* keys) {
    const auto observe = [keys](int depth, Json::parse_event_t event, const Json& value) {
        if (depth > deepest) throw InvalidInput("JSON is nested too deeply");
        if (keys != nullptr && depth == 1 && event == Json::parse_event_t::key)
            keys->push_back(value.get<std::string>());
        return true;
    };
    try {
        return Json::parse(first, last, observe);
    } catch (const Json::parse_error& error) {
        throw InvalidInput("invalid JSON at byte " + std::to_string(error.byte));
    } catch (const Json::exception&) {
        throw InvalidInput("JSON has a number beyond float64");
    }
}

}  // namespace lpr_fast

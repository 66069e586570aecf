#include "model/json_text.hpp"

#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

// Writing a text calls itself for every level; model files have fewer than ten.
constexpr int deepest = 200;

}  // namespace

Json parse_json(const char* first, const char* last, std::vector<std::string>* keys) {
    const auto observe = [keys](int depth, Json::parse_event_t event, const Json& value) {
        if (depth > deepest) throw InvalidInput("JSON nested too deeply");
        if (keys != nullptr && depth == 1 && event == Json::parse_event_t::key)
            keys->push_back(value.get<std::string>());
        return true;
    };
    try {
        return Json::parse(first, last, observe);
    } catch (const Json::parse_error& error) {
        throw InvalidInput("no JSON from byte " + std::to_string(error.byte) + " on");
    } catch (const Json::exception&) {
        throw InvalidInput("JSON with a number that float64 cannot hold");
    }
}

}  // namespace lpr_fast

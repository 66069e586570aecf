#include "hypers.hpp"

#include "json_text.hpp"
#include "lpr_fast/error.hpp"

namespace lpr_fast {

namespace {

constexpr double smallest_length = 1e-3;
constexpr double largest_length = 1000.0;
constexpr double largest_order = 100.0;

[[noreturn]] void refuse(const std::string& what) {
    throw InvalidInput("the model's hypers cannot be used: " + what + "; fit the model again.");
}

void check_number(const std::string& name, const Json& value) {
    if (name == "radius" || name == "width") {
        if (!value.is_number() || !(value.get<double>() >= smallest_length && value.get<double>() <= largest_length))
            refuse(name + " is " + value.dump() + " and must be a length from 0.001 to 1000");
    } else if (name == "max_radial" || name == "max_angular") {
        if (!value.is_number_integer() || !(value.get<double>() >= 0.0 && value.get<double>() <= largest_order))
            refuse(name + " is " + value.dump() + " and must be an integer from 0 to 100");
    }
}

void check_numbers(const Json& entry) {
    for (const auto& [name, value] : entry.items()) {
        if (entry.is_object()) check_number(name, value);
        if (value.is_structured()) check_numbers(value);
    }
}

}  // namespace

void check_hypers(const std::string& hypers) {
    const Json entries = parse_json(hypers.data(), hypers.data() + hypers.size());
    for (const char* const name : {"cutoff", "density", "basis"})
        if (!entries.is_object() || !entries.contains(name)) refuse("there is no " + std::string(name));
    if (entries.size() > 3) refuse("there is more than cutoff, density and basis");
    if (!entries.at("cutoff").is_object() || !entries.at("cutoff").contains("radius"))
        refuse("the cutoff has no radius");
    check_numbers(entries);
}

}  // namespace lpr_fast

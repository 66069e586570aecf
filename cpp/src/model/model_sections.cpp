#include "model/model_sections.hpp"

#include <string>

#include "base/checks.hpp"
#include "model/model_entries.hpp"

namespace lpr_fast {
namespace {

void check_data(const Json& facts, const ModelParts& parts, const ModelInfo& info) {
    if (facts.count("data") == 0) return;
    const Json& data = facts.at("data");
    as_not_negative(data.at("n_rows"), "n_rows");
    as_number(data.at("sum_log_weights"), "sum_log_weights");
    if (info.has_energies) as_not_negative(data.at("rest_norm"), "rest_norm");
    finite_matrix(parts, "data.triangle", info.size, info.size);
    const auto columns = indices(parts, "data.columns");
    check_distinct_columns(columns, info.size);
    if (static_cast<Index>(columns.size()) != info.size) refuse_parts("data.columns does not name every column");
}

void check_order(const ModelParts& parts, const ModelInfo& info) {
    if (!has_array(parts, "active.order")) return;
    const auto order = indices(parts, "active.order");
    check_distinct_columns(order, info.size);
    if (static_cast<Index>(order.size()) != info.size) refuse_parts("active.order does not name every environment");
}

void check_numbers(const Json& facts, const char* section) {
    if (facts.count(section) == 0) return;
    const Json& entries = facts.at(section);
    if (!entries.is_object()) refuse_parts(std::string(section) + " is not a dictionary");
    for (const auto& [name, value] : entries.items()) as_number(value, in_quotes(name) + " of " + section);
}

/// The standard deviation of a kind of label is null if the fit had no such labels.
void check_noise(const Json& facts) {
    if (facts.count("noise") == 0) return;
    const Json& noise = facts.at("noise");
    if (!noise.is_object()) refuse_parts("noise is not a dictionary");
    for (const auto& [name, value] : noise.items())
        if (!value.is_null()) as_positive(value, in_quotes(name) + " of noise");
}

}  // namespace

void check_sections(const Json& facts, const ModelParts& parts, const ModelInfo& info) {
    check_data(facts, parts, info);
    check_order(parts, info);
    check_numbers(facts, "calibration");
    check_noise(facts);
}

}  // namespace lpr_fast

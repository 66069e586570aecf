#include <functional>
#include <limits>

#include "check.hpp"
#include "forged_parts.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

namespace test_forged_models {
namespace {

void collect_pointers(const OrderedJson& json, const std::string& here, std::vector<std::string>& pointers) {
    pointers.push_back(here);
    for (const auto& [key, value] : json.items()) {
        if (json.is_structured()) collect_pointers(value, here + "/" + key, pointers);
    }
}

const std::vector<OrderedJson>& wrong_values() {
    static const std::vector<OrderedJson> values{
        nullptr,
        true,
        -1,
        0,
        1,
        7,
        2.5,
        1e308,
        -1e-300,
        1UL << 24,
        1UL << 53,
        std::numeric_limits<std::int64_t>::max(),
        std::numeric_limits<std::int64_t>::min(),
        std::numeric_limits<std::uint64_t>::max(),
        "text",
        "",
        OrderedJson::array(),
        OrderedJson::object(),
        {1, 2},
        {{"a", 1}},
        {nullptr, {{"b", {1, {2}}}}},
    };
    return values;
}

/// The text of a JSON value before and after the one at a pointer.
struct Around {
    std::string before;
    std::string after;

    Around(OrderedJson json, const std::string& pointer) {
        const std::string mark = "what is replaced";
        json[OrderedJson::json_pointer(pointer)] = mark;
        const std::string text = json.dump();
        const std::string quoted = '"' + mark + '"';
        const std::size_t place = text.find(quoted);
        before = text.substr(0, place);
        after = text.substr(place + quoted.size());
    }

    std::string with(const std::string& value) const { return before + value + after; }
};

std::string without(OrderedJson json, const OrderedJson::json_pointer& pointer) {
    OrderedJson& parent = json[pointer.parent_pointer()];
    if (parent.is_object()) {
        parent.erase(pointer.back());
    } else {
        parent.erase(std::stoul(pointer.back()));
    }
    return json.dump();
}

/// Calls with each text that differs in one entry, which is replaced or removed.
void for_each_mutation(const OrderedJson& json, const std::function<void(const std::string&)>& call) {
    std::vector<std::string> pointers;
    collect_pointers(json, "", pointers);
    for (const std::string& text : pointers) {
        const OrderedJson::json_pointer pointer(text);
        const Around around(json, text);
        for (const OrderedJson& value : wrong_values()) {
            if (json[pointer] != value) call(around.with(value.dump()));
        }
        if (!text.empty()) call(without(json, pointer));
    }
}

/// Loads and scores a file, or checks that it is refused in one sentence; returns whether it was refused.
bool is_refused(const std::string& content) {
    try {
        const Model model = model_of(content);
        if (model.info().n_features > 1000) return false;
        const Array features(2, model.info().n_features);
        const std::vector<int> species(2, model.info().species.back());
        double out[score_columns.size()][2];
        Scores scores;
        for (std::size_t k = 0; k < score_columns.size(); ++k)
            if (score_columns[k].is_given(model.info())) scores.*(score_columns[k].view) = {out[k], 2};
        model.score(features.view(), species.data(), scores, 1);
        return false;
    } catch (const InvalidInput& error) {
        check_one_sentence(error.what());
        return true;
    }
}

void every_entry_can_be_anything() {
    for (const std::string& name : all_names()) {
        const Parts parts(name);
        for_each_mutation(parts.header, [&](const std::string& header) {
            if (!is_refused(forged(header, parts.arrays))) {
                report(false, name.c_str(), 0, "a forged header was accepted: " + header);
            }
        });
        const Around facts(parts.header, "/__metadata__/model");
        int n_refused = 0;
        for_each_mutation(parts.facts, [&](const std::string& text) {
            if (is_refused(forged(facts.with(OrderedJson(text).dump()), parts.arrays))) ++n_refused;
        });
        CHECK(n_refused > 300);
    }
}

const Tests tests("forged_models", [] { run("every entry can be anything", every_entry_can_be_anything); });

}  // namespace
}  // namespace test_forged_models

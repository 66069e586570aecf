#include <limits>

#include "check.hpp"
#include "forged_parts.hpp"

using namespace lpr_fast;
using namespace lpr_fast::testing;

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

/// All texts that differ from a text in one entry, which is replaced or removed.
std::vector<OrderedJson> mutations(const OrderedJson& json) {
    std::vector<std::string> pointers;
    collect_pointers(json, "", pointers);
    std::vector<OrderedJson> all;
    for (const std::string& text : pointers) {
        const OrderedJson::json_pointer pointer(text);
        for (const OrderedJson& value : wrong_values()) {
            if (json[pointer] == value) continue;
            all.push_back(json);
            all.back()[pointer] = value;
        }
        if (text.empty()) continue;
        all.push_back(json);
        OrderedJson& parent = all.back()[pointer.parent_pointer()];
        if (parent.is_object()) {
            parent.erase(pointer.back());
        } else {
            parent.erase(std::stoul(pointer.back()));
        }
    }
    return all;
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
        for (const OrderedJson& header : mutations(parts.header)) {
            const std::string content = forged(header.dump(), parts.arrays);
            const bool is_refused_header = is_refused(content);
            report(is_refused_header, name.c_str(), 0, "a forged header was accepted: " + header.dump());
        }
        int n_refused = 0;
        for (const OrderedJson& facts : mutations(parts.facts)) {
            if (is_refused(parts.with_facts(facts.dump()))) ++n_refused;
        }
        CHECK(n_refused > 300);
    }
}

}  // namespace

int main() {
    run("every entry can be anything", every_entry_can_be_anything);
    return failures == 0 ? 0 : 1;
}

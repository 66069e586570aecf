#include "arguments.hpp"

#include <algorithm>

#include "elements.hpp"
#include "lpr_fast/error.hpp"

namespace lpr_fast {

namespace {

bool is_keyword(const std::string& word) {
    return word == "quantity" || word == "features";
}

int parse_element(const std::string& word) {
    if (word == "NULL") return 0;
    const int number = atomic_number(word);
    if (number == 0)
        throw InvalidInput(
            "'" + word +
            "' is no chemical element; give the element of each atom type, such as Si, or NULL for types "
            "to leave out."
        );
    return number;
}

/// Names of the quantities for which `is_one` is true, separated by commas and "and".
template <typename IsOne>
std::string names_of(const IsOne& is_one) {
    std::vector<std::string> names;
    for (const ScoreColumn& column : score_columns)
        if (is_one(column)) names.emplace_back(column.name);
    std::string list = names.front();
    for (std::size_t k = 1; k < names.size(); ++k) list += (k + 1 < names.size() ? ", " : " and ") + names[k];
    return list;
}

std::size_t parse_quantity(const std::string& word) {
    for (std::size_t k = 0; k < score_columns.size(); ++k)
        if (word == score_columns[k].name) return k;
    const auto any = [](const ScoreColumn&) { return true; };
    throw InvalidInput("'" + word + "' is no quantity; choose from " + names_of(any) + ".");
}

std::string parse_compute(const std::string& word) {
    if (word.size() < 3 || word.compare(0, 2, "c_") != 0)
        throw InvalidInput("features is '" + word + "'; give a compute of per-atom features as c_ID.");
    return word.substr(2);
}

std::string symbols(const std::vector<int>& species) {
    std::string names;
    for (const int s : species) names += (names.empty() ? "" : ", ") + symbol_of(s);
    return names;
}

}  // namespace

Arguments parse_arguments(const std::vector<std::string>& words, int n_types) {
    if (n_types < 1) throw InvalidInput("there are no atom types yet; create or read the box before this compute.");
    if (words.empty()) throw InvalidInput("the model file is missing; write it after lpr/atom.");
    Arguments arguments;
    arguments.model = words.front();
    auto word = words.begin() + 1;
    for (; word != words.end() && !is_keyword(*word); ++word) arguments.species.push_back(parse_element(*word));
    if (arguments.species.size() != static_cast<std::size_t>(n_types))
        throw InvalidInput(
            "there are " + std::to_string(arguments.species.size()) + " elements for " + std::to_string(n_types) +
            " atom types; write one element, or NULL, for each type after the model file."
        );
    while (word != words.end()) {
        const std::string keyword = *word++;
        const auto first = word;
        while (word != words.end() && !is_keyword(*word)) ++word;
        if (first == word) throw InvalidInput("nothing follows '" + keyword + "'; give its value.");
        if (keyword == "quantity") {
            arguments.quantities.clear();
            std::transform(first, word, std::back_inserter(arguments.quantities), parse_quantity);
        } else {
            if (word - first > 1) throw InvalidInput("features takes one compute; give it as c_ID.");
            arguments.features = parse_compute(*first);
        }
    }
    if (arguments.quantities.empty()) arguments.quantities.push_back(0);
    return arguments;
}

void check_arguments(const Arguments& arguments, const ModelInfo& model) {
    for (const int s : arguments.species)
        if (s != 0 && !std::binary_search(model.species.begin(), model.species.end(), s))
            throw InvalidInput(
                "the model does not know " + symbol_of(s) + ", only " + symbols(model.species) +
                "; write NULL for types to leave out."
            );
    const auto is_given = [&](const ScoreColumn& column) { return column.is_given(model); };
    for (const std::size_t k : arguments.quantities) {
        const ScoreColumn& wanted = score_columns[k];
        if (is_given(wanted)) continue;
        throw InvalidInput(
            std::string(wanted.name) + " cannot be scored: " + wanted.why_not + "; choose from " + names_of(is_given) +
            "."
        );
    }
    const bool describes_atoms = model.descriptor == "soap";
    if (!describes_atoms && arguments.features.empty())
        throw InvalidInput("the model needs features of another compute; add 'features c_ID'.");
    if (describes_atoms && !arguments.features.empty())
        throw InvalidInput("the model computes its own features, SOAP power spectra; leave 'features c_ID' out.");
}

}  // namespace lpr_fast

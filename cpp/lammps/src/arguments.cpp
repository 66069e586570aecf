#include "arguments.hpp"

#include <algorithm>
#include <array>

#include "elements.hpp"
#include "lpr_fast/error.hpp"

namespace lpr_fast {

namespace {

constexpr std::array<const char*, 4> quantity_names{"lpr", "variance", "residual", "local_energy"};

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
            "that are left out."
        );
    return number;
}

Quantity parse_quantity(const std::string& word) {
    const auto found = std::find(quantity_names.begin(), quantity_names.end(), word);
    if (found == quantity_names.end())
        throw InvalidInput("'" + word + "' is no quantity; choose among lpr, variance, residual and local_energy.");
    return static_cast<Quantity>(found - quantity_names.begin());
}

std::string parse_compute(const std::string& word) {
    if (word.size() < 3 || word.compare(0, 2, "c_") != 0)
        throw InvalidInput("features is '" + word + "'; give a compute with per-atom features as c_ID.");
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
    if (arguments.quantities.empty()) arguments.quantities.push_back(Quantity::lpr);
    return arguments;
}

void check_arguments(const Arguments& arguments, const ModelInfo& model) {
    for (const int s : arguments.species)
        if (s != 0 && !std::binary_search(model.species.begin(), model.species.end(), s))
            throw InvalidInput(
                "the model does not know " + symbol_of(s) + ", only " + symbols(model.species) +
                "; write NULL for types that it is not to see."
            );
    const auto wants = [&](Quantity quantity) {
        return std::count(arguments.quantities.begin(), arguments.quantities.end(), quantity) > 0;
    };
    if (wants(Quantity::residual) && !model.has_residual)
        throw InvalidInput("the model is linear and has no residual; choose among lpr, variance and local_energy.");
    if (wants(Quantity::local_energy) && !model.has_energies)
        throw InvalidInput("the model was fitted without energies; choose among lpr, variance and residual.");
    const bool describes_atoms = model.descriptor == "soap";
    if (!describes_atoms && arguments.features.empty())
        throw InvalidInput("the model was fitted to features that it cannot compute itself; add 'features c_ID'.");
    if (describes_atoms && !arguments.features.empty())
        throw InvalidInput("the model describes atoms itself, by SOAP power spectra; leave 'features c_ID' out.");
}

}  // namespace lpr_fast

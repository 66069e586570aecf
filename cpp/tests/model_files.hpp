#pragma once

// The model files in tests/data, and their scores by NumPy (tools/cpp_models.py).

#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "lpr_fast/score_columns.hpp"
#include "problems.hpp"

namespace lpr_fast::testing {

inline const std::vector<std::string> model_names{"one_species", "two_species", "no_energies",
                                                  "linear",      "held",        "constants"};

/// Models that have a file of version 1, too, in the folder v1.
inline const std::vector<std::string> old_model_names{"one_species", "two_species", "no_energies", "linear"};

inline std::vector<std::string> all_names() {
    std::vector<std::string> names = model_names;
    for (const std::string& name : old_model_names) names.push_back("v1/" + name);
    return names;
}

inline std::string data_file(const std::string& name) {
    return std::string(LPR_FAST_TEST_DATA) + "/" + name;
}

inline std::string read_bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

struct Environments {
    Array features;
    std::vector<int> species;
    std::vector<std::vector<double>> expected;  ///< score_columns of each environment; NaN for scores that it lacks
};

/// Environments of five features.
inline Environments read_environments(const std::string& model_name) {
    constexpr Index n_features = 5;
    std::istringstream text(read_bytes(data_file(model_name + ".txt")));
    Environments environments{Array(0, n_features), {}, {}};
    std::string line;
    std::getline(text, line);  // the header
    while (std::getline(text, line)) {
        std::istringstream words(line);
        std::vector<double> numbers;
        for (std::string word; words >> word;) numbers.push_back(std::stod(word));
        if (numbers.size() != 1 + n_features + score_columns.size())
            throw std::runtime_error("expected a species, features and scores in: " + line);
        environments.species.push_back(static_cast<int>(numbers[0]));
        const auto scores = numbers.begin() + 1 + n_features;
        environments.features.values.insert(environments.features.values.end(), numbers.begin() + 1, scores);
        environments.expected.emplace_back(scores, numbers.end());
        ++environments.features.rows;
    }
    return environments;
}

}  // namespace lpr_fast::testing

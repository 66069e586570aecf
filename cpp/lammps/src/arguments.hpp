#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lpr_fast/score_columns.hpp"

namespace lpr_fast {

/// What stands in the input script after `compute ID group lpr/atom`.
struct Arguments {
    std::string model;
    std::vector<int> species;             ///< atomic number of each type; 0 for types that are neither scored nor seen
    std::vector<std::size_t> quantities;  ///< at least one, places in score_columns
    std::string features;  ///< compute that gives the features; empty if the model describes atoms itself
};

/// @throws InvalidInput  in one sentence
Arguments parse_arguments(const std::vector<std::string>& words, int n_types);

/// @throws InvalidInput  unless the model knows the species, has the quantities, and the features come from where it
/// takes them
void check_arguments(const Arguments& arguments, const ModelInfo& model);

}  // namespace lpr_fast

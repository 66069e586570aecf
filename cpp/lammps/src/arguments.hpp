#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lpr_fast/score_columns.hpp"

namespace lpr_fast {

/// The arguments in the input script after `compute ID group lpr/atom`.
struct Arguments {
    std::string model;                    ///< model file
    std::vector<int> species;             ///< atomic number of each type; 0 for types that are left out
    std::vector<std::size_t> quantities;  ///< at least one index in score_columns
    std::string features;                 ///< ID of the compute of the features; empty if the model computes its own
};

/// Reads the arguments.
/// @param n_types  number of atom types
/// @throws InvalidInput  for arguments that are missing or have no meaning
Arguments parse_arguments(const std::vector<std::string>& words, int n_types);

/// @throws InvalidInput  if the model does not know a species, does not have a quantity, or a compute of features is
/// missing or not needed
void check_arguments(const Arguments& arguments, const ModelInfo& model);

}  // namespace lpr_fast

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "aligned_buffer.hpp"
#include "lpr_fast/hessian_factor.hpp"
#include "lpr_fast/kernel_scorer.hpp"
#include "lpr_fast/model.hpp"
#include "model_file.hpp"
#include "pool.hpp"

namespace lpr_fast {

/// What scores environments of one centre species: a scorer for kernels, the factor for linear models, neither where
/// the species has no active environments.
struct SpeciesPart {
    Index first_column = 0;  ///< of phi and of the weights
    double baseline = 0.0;   ///< energy of an atom
    std::optional<KernelScorer> scorer;
    std::optional<HessianFactor> factor;
};

/// Room for a tile of environments of one species.
struct SpeciesTile {
    AlignedBuffer features;
    AlignedBuffer forms;
    AlignedBuffer explained;
    AlignedBuffer energies;
};

/// What a Model holds.
struct ModelState {
    ModelInfo info;
    HessianFactor factor;
    std::vector<double> weights;      ///< none: no energies
    std::vector<SpeciesPart> parts;   ///< one for each of info.species
    mutable Pool<SpeciesTile> tiles;  ///< of scoring
    mutable Pool<std::vector<Index>> row_lists;

    ModelState(ModelInfo facts, HessianFactor whole) : info(std::move(facts)), factor(std::move(whole)) {}
};

/// The model that arrays and text of a file describe.
/// @throws InvalidInput  saying which part is missing or does not fit the others; Json::exception for entries of the
/// wrong type
std::shared_ptr<const ModelState> assemble_model(const ModelFile& file);

}  // namespace lpr_fast

#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/pool.hpp"
#include "kernels/kernel_way_back.hpp"
#include "lpr_fast/hessian_factor.hpp"
#include "lpr_fast/kernel_scorer.hpp"
#include "lpr_fast/model.hpp"
#include "lpr_fast/model_parts.hpp"
#include "model/descriptor_part.hpp"
#include "model/reference.hpp"
#include "rigidity/form_gradient.hpp"

namespace lpr_fast {

using Factors = std::map<std::string, HessianFactor>;

/// What scores environments of one centre species: a scorer for kernels, the factor for linear models, neither where
/// the species has no active environments.
struct SpeciesPart {
    Index first_column = 0;  ///< of phi and of the weights
    Index width = 0;         ///< columns of phi
    double baseline = 0.0;   ///< energy of an atom
    std::optional<KernelScorer> scorer;
    std::optional<HessianFactor> factor;
    std::optional<SpeciesReference> reference;
};

/// Room for a tile of environments of one species.
struct SpeciesTile {
    AlignedBuffer features;
    AlignedBuffer phi;
    AlignedBuffer lpr;
    AlignedBuffer lpr_held;
    AlignedBuffer variance;
    AlignedBuffer explained;
    AlignedBuffer energies;
    AlignedBuffer member_energies;

    // Of derivatives alone.
    Workspace workspace;
    FormGradients forms;
    KernelWayBack way;
    AlignedBuffer derivatives;  ///< with respect to normalised features
};

/// Numbers of an environment in a tile: its features, behind a one if the model has constants.
inline Index gathered_columns(const ModelInfo& info) {
    return info.n_features + (info.has_constants ? 1 : 0);
}

/// What a Model holds.
struct ModelState {
    ModelInfo info;
    DescriptorPart descriptor;
    Factors factors;                                ///< "hessian", and those of the species
    std::vector<std::vector<std::uint8_t>> memory;  ///< of the arrays that do not belong to factors
    ModelParts parts;                               ///< views of memory and factors
    ConstVectorView weights;                        ///< none: no energies
    ConstMatrixView members;                        ///< (K, M), none: no committee
    ConstMatrixView active;                         ///< kernel models
    std::vector<SpeciesPart> species;               ///< one for each of info.species
    mutable Pool<SpeciesTile> tiles;                ///< of scoring
    mutable Pool<std::vector<Index>> row_lists;
};

/// The model that parts describe.
/// @throws InvalidInput  saying which part is missing or does not fit the others; Json::exception for entries of the
/// wrong type
std::shared_ptr<const ModelState> assemble_model(const ModelParts& parts);

}  // namespace lpr_fast

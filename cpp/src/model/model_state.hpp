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

/// The part of a model for one centre species: a scorer in kernel models, a factor in linear models, neither if the
/// species has no active environments.
struct SpeciesPart {
    Index first_column = 0;  ///< first of its columns of phi and of its weights
    Index width = 0;         ///< columns of phi
    double baseline = 0.0;   ///< energy of an atom
    std::optional<KernelScorer> scorer;
    std::optional<HessianFactor> factor;
    std::optional<SpeciesReference> reference;
};

/// Scratch memory for a tile of environments of one species.
struct SpeciesTile {
    AlignedBuffer features;
    AlignedBuffer phi;
    AlignedBuffer lpr;
    AlignedBuffer lpr_held;
    AlignedBuffer variance;
    AlignedBuffer explained;
    AlignedBuffer energies;
    AlignedBuffer member_energies;

    // For derivatives only.
    Workspace workspace;
    FormGradients forms;
    KernelWayBack way;
    AlignedBuffer derivatives;  ///< with respect to normalised features
};

/// Numbers of an environment in a tile: its features, after a 1 if the model has constants.
inline Index gathered_columns(const ModelInfo& info) {
    return info.n_features + (info.has_constants ? 1 : 0);
}

/// Data of a Model.
struct ModelState {
    ModelInfo info;
    DescriptorPart descriptor;
    Factors factors;                                ///< "hessian"; of species Z "hessian.Z" and, for kernels, "prior.Z"
    std::vector<std::vector<std::uint8_t>> memory;  ///< arrays that do not belong to factors
    ModelParts parts;                               ///< views of memory and factors
    ConstVectorView weights;                        ///< (M,); empty if the model has no energies
    ConstMatrixView members;                        ///< (K, M); empty if the model is not a committee
    ConstMatrixView active;                         ///< (M, D); empty in linear models
    std::vector<SpeciesPart> species;               ///< one for each of info.species
    mutable Pool<SpeciesTile> tiles;
    mutable Pool<std::vector<Index>> row_lists;
};

/// Makes a model from its parts.
/// @throws InvalidInput  if a part does not fit the others, naming it
/// @throws Json::exception  if an entry of the text is missing or has the wrong type
std::shared_ptr<const ModelState> assemble_model(const ModelParts& parts);

}  // namespace lpr_fast

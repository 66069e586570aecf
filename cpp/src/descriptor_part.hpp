#pragma once

#include <optional>
#include <string>
#include <vector>

#include "json_text.hpp"
#include "lpr_fast/model_parts.hpp"
#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Radial integrals of a SOAP power spectrum, as polynomials of degree 5 on the cells between edges.
struct RadialTablePart {
    double cutoff = 0.0;
    std::vector<int> angular;          ///< angular channels, ascending
    std::vector<Index> n_radial;       ///< radial functions of each
    double error = 0.0;                ///< largest, of the polynomials
    double scatter = 0.0;              ///< of what was sampled
    std::vector<double> edges;         ///< (n_cells + 1,), ascending
    std::vector<double> coefficients;  ///< (n_cells * 6, K), with K the sum of n_radial
    std::vector<double> center;        ///< (n_radial of channel 0,), of the atom in the centre
};

/// What turns structures into features, as far as a model says it.
struct DescriptorPart {
    std::string kind;    ///< "soap" or "array"; empty where nothing is known
    std::string hypers;  ///< of featomic's SOAP power spectrum, as JSON ("soap")
    std::string name;    ///< of the array with the features ("array")
    std::optional<RadialTablePart> table;
};

/// @param facts  the entry "descriptor" of the model's text
/// @throws InvalidInput  for facts and arrays that do not belong together
DescriptorPart read_descriptor(const Json& facts, const ModelParts& parts);

}  // namespace lpr_fast

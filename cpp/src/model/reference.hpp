#pragma once

#include <string>
#include <vector>

#include "lpr_fast/model.hpp"
#include "lpr_fast/model_parts.hpp"
#include "model/json_text.hpp"

namespace lpr_fast {

/// A histogram of the scores of environments, which are not negative. A bin contains all numbers that differ in their
/// last 42 bits only: its width is at most a thousandth of these numbers. Zero and infinity have their own bins.
class Distribution {
public:
    /// @param bins     ascending
    /// @param counts   cumulative: number of environments in each bin and all bins before it
    /// @param name     name for messages
    Distribution(std::vector<Index> bins, std::vector<Index> counts, const std::string& name);

    /// Percentage of environments below a value. Environments in the bin of the value count as evenly spread over it.
    double percent_below(double value) const;

    /// Lower and upper end of the bin that contains the given percentile.
    double low_end(double percent) const;
    double high_end(double percent) const;

private:
    std::size_t bin_of(double percent) const;

    std::vector<Index> bins_;
    std::vector<Index> counts_;
};

/// How training environments of one species score, and the limits of verdicts that follow from it.
struct SpeciesReference {
    Distribution rigidity;
    double loose_below;   ///< limit of the rigidity
    double unlike_above;  ///< limit of the residual; infinite for models without residuals

    Verdict verdict(double lpr, double residual) const;
};

/// One reference for each species; empty if the model has no reference.
/// @throws InvalidInput  for an entry that does not fit the model
std::vector<SpeciesReference> read_references(const Json& facts, const ModelParts& parts, const ModelInfo& info);

}  // namespace lpr_fast

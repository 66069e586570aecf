#pragma once

#include <string>
#include <vector>

#include "lpr_fast/model.hpp"
#include "lpr_fast/model_parts.hpp"
#include "model/json_text.hpp"

namespace lpr_fast {

/// How many environments have which score, none of which is negative. A bin holds the numbers whose bits agree but for
/// the last 42: it is at most a thousandth of them wide. Zero and infinity have bins of their own.
class Distribution {
public:
    /// @param bins     ascending
    /// @param counts   environments in each bin and those before it
    /// @param name     what messages call it
    Distribution(std::vector<Index> bins, std::vector<Index> counts, const std::string& name);

    /// Percent of the environments below a value; within its bin they count as spread evenly.
    double percent_below(double value) const;

    /// Ends of the bin that the value belongs to below which so many percent lie.
    double low_end(double percent) const;
    double high_end(double percent) const;

private:
    std::size_t bin_of(double percent) const;

    std::vector<Index> bins_;
    std::vector<Index> counts_;
};

/// What the training environments of one species say of an environment.
struct SpeciesReference {
    Distribution rigidity;
    double loose_below;   ///< rigidity
    double unlike_above;  ///< residual; infinite for models that have none

    Verdict verdict(double lpr, double residual) const;
};

/// One for each species, or none.
/// @throws InvalidInput  for an entry that is there and does not fit the model
std::vector<SpeciesReference> read_references(const Json& facts, const ModelParts& parts, const ModelInfo& info);

}  // namespace lpr_fast

#pragma once

#include <functional>

#include "base/aligned_buffer.hpp"
#include "soap/environment.hpp"
#include "soap/wanted_rows.hpp"

namespace lpr_fast {

struct SoapState;

/// Derivatives of all features of a center with respect to positions of atoms and strain. Its memory is reused.
class FeatureJacobian {
public:
    /// Takes row `row` of a group. The columns of the group are contiguous in `values`.
    using Use = std::function<void(Index group, Index row, const double* values)>;

    /// Calls `use` for all wanted rows. Their order is not specified.
    void write(
        const SoapState& soap, const std::vector<RowGroup>& groups, const Environment& environment,
        const WantedRows& wanted, const Use& use
    );

private:
    void add_shared(
        const SoapState& soap, const RowGroup& group, const Environment& environment, const WantedRows& wanted,
        Index species
    );
    void sum_shared(const SoapState& soap, const Environment& environment, const WantedRows& wanted, Index species);
    Index merge_images(const SoapState& soap, const Environment& environment, const WantedRows& wanted, Index species);
    void write_row(
        const SoapState& soap, const Environment& environment, Index species, const double* change, double* out
    );
    void write_folded(const SoapState& soap, const double* expansion, const double* change, double* out);

    AlignedBuffer changes_;  ///< derivatives of an expansion, for each neighbour of one species and each component
    AlignedBuffer sums_;     ///< sums of these for each row of the first group
    AlignedBuffer shared_;   ///< rows of the first group
    AlignedBuffer row_, scratch_, plain_;
};

}  // namespace lpr_fast

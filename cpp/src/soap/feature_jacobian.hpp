#pragma once

#include "base/aligned_buffer.hpp"
#include "soap/environment.hpp"

namespace lpr_fast {

struct SoapState;

/// Derivatives of all features of a center with respect to the vectors to its neighbours. Keeps its memory.
class FeatureJacobian {
public:
    /// @param out  (environment.count(), 3, D)
    void write(const SoapState& soap, const Environment& environment, double* out);

private:
    void write_row(
        const SoapState& soap, const Environment& environment, Index species, const double* change, double* out
    );
    void write_folded(const SoapState& soap, const double* expansion, const double* change, double* out);

    AlignedBuffer changes_, scratch_, plain_;
};

}  // namespace lpr_fast

#include "soap/feature_jacobian.hpp"

#include <algorithm>
#include <cmath>

#include "base/at.hpp"
#include "soap/soap_state.hpp"

namespace lpr_fast {
namespace {}  // namespace

void FeatureJacobian::write(const SoapState& soap, const Environment& environment, double* out) {
    const PackedBasis& packed = soap.packed;
    scratch_.reserve(packed.gradient_scratch_size());
    plain_.reserve(packed.n_plain());
    for (Index s = 0; s < soap.n_species(); ++s) {
        const SoapNeighbours neighbours = environment.neighbours(s);
        changes_.reserve(3 * neighbours.count * packed.expansion_size());
        hot_soap_gradient().jacobian(
            packed.basis(), neighbours, environment.kept.data() + environment.first_kept[at(s)], scratch_.data(),
            changes_.data()
        );
        for (Index row = 0; row < 3 * neighbours.count; ++row, out += soap.n_features())
            write_row(soap, environment, s, changes_.data() + row * packed.expansion_size(), out);
    }
}

/// Features are products of two expansions, of which one species' changes.
void FeatureJacobian::write_row(
    const SoapState& soap, const Environment& environment, Index species, const double* change, double* out
) {
    const Index size = soap.packed.expansion_size();
    const double* expansions = environment.expansions.data();
    std::size_t pair = 0;
    for (Index a = 0; a < soap.n_species(); ++a)
        for (Index b = a; b < soap.n_species(); ++b, ++pair) {
            double* of_pair = out + soap.columns[pair];
            const bool is_changed = a == species || b == species;
            if (!is_changed || environment.is_empty[at(a)] || environment.is_empty[at(b)]) {
                std::fill_n(of_pair, soap.columns[pair + 1] - soap.columns[pair], 0.0);
            } else if (a == b) {
                write_folded(soap, expansions + a * size, change, of_pair);
            } else {
                const double* first = a == species ? change : expansions + a * size;
                const double* second = b == species ? change : expansions + b * size;
                hot_soap().spectrum(soap.packed.basis(), {first, second, false, of_pair});
            }
        }
}

/// Of one species both expansions change: (n1, n2) as with a species of its own, and (n2, n1).
void FeatureJacobian::write_folded(const SoapState& soap, const double* expansion, const double* change, double* out) {
    const SoapBasis& basis = soap.packed.basis();
    hot_soap().spectrum(basis, {change, expansion, false, plain_.data()});
    const double* plain = plain_.data();
    for (Index d = 0; d < basis.n_degrees; ++d) {
        const Index n = basis.degrees[d].n_radial;
        for (Index n1 = 0; n1 < n; ++n1) {
            // A square has no factor sqrt(2), but twice its root as derivative.
            *out++ = std::sqrt(2.0) * plain[n1 * n + n1];
            for (Index n2 = n1 + 1; n2 < n; ++n2) *out++ = plain[n1 * n + n2] + plain[n2 * n + n1];
        }
        plain += n * n;
    }
}

}  // namespace lpr_fast

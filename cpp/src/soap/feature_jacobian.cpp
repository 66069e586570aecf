#include "soap/feature_jacobian.hpp"

#include <algorithm>
#include <cmath>

#include "base/at.hpp"
#include "soap/soap_state.hpp"

namespace lpr_fast {
namespace {

void add(double factor, const double* change, Index size, double* sum) {
    for (Index i = 0; i < size; ++i) sum[i] += factor * change[i];
}

/// Adds the contribution of one neighbour to the six components of strain, symmetrised: xx, yy, zz, yz, xz, xy.
void add_strain(const Vector3& d, const double* change, Index size, double* sums) {
    const double *x = change, *y = change + size, *z = change + 2 * size;
    add(d[0], x, size, sums);
    add(d[1], y, size, sums + size);
    add(d[2], z, size, sums + 2 * size);
    double *yz = sums + 3 * size, *xz = sums + 4 * size, *xy = sums + 5 * size;
    for (Index i = 0; i < size; ++i) {
        yz[i] += 0.5 * (d[1] * z[i] + d[2] * y[i]);
        xz[i] += 0.5 * (d[0] * z[i] + d[2] * x[i]);
        xy[i] += 0.5 * (d[0] * y[i] + d[1] * x[i]);
    }
}

}  // namespace

void FeatureJacobian::write(
    const SoapState& soap, const std::vector<RowGroup>& groups, const Environment& environment,
    const WantedRows& wanted, const Use& use
) {
    const PackedBasis& packed = soap.packed;
    const Index n_shared = wanted.count(0), size = packed.expansion_size();
    scratch_.reserve(packed.gradient_scratch_size());
    plain_.reserve(packed.n_plain());
    row_.reserve(soap.n_features());
    shared_.reserve(n_shared * soap.n_features());
    std::fill_n(shared_.data(), n_shared * soap.n_features(), 0.0);
    for (Index s = 0; s < soap.n_species(); ++s) {
        const SoapNeighbours neighbours = environment.neighbours(s);
        if (neighbours.count == 0 || wanted.count(0) + wanted.count(1 + s) == 0) continue;
        changes_.reserve(3 * neighbours.count * size);
        hot_soap_gradient().jacobian(
            packed.basis(), neighbours, environment.kept.data() + environment.first_kept[at(s)], scratch_.data(),
            changes_.data()
        );
        if (n_shared > 0) add_shared(soap, groups[at(1 + s)], environment, wanted, s);
        const Index n_rows = merge_images(soap, environment, wanted, s);
        for (Index row = 0; row < n_rows; ++row) {
            write_row(soap, environment, s, changes_.data() + row * size, row_.data());
            use(1 + s, row, row_.data());
        }
    }
    for (Index row = 0; row < n_shared; ++row) use(0, row, shared_.data() + row * soap.n_features());
}

/// Adds the contribution of the neighbours of one species to the rows of the first group.
void FeatureJacobian::add_shared(
    const SoapState& soap, const RowGroup& group, const Environment& environment, const WantedRows& wanted,
    Index species
) {
    sum_shared(soap, environment, wanted, species);
    for (Index row = 0; row < wanted.count(0); ++row) {
        write_row(soap, environment, species, sums_.data() + row * soap.packed.expansion_size(), row_.data());
        const double* values = row_.data();
        for (const ProductSegment& segment : group.segments) {
            add(1.0, values, segment.count, shared_.data() + row * soap.n_features() + segment.first);
            values += segment.count;
        }
    }
}

void FeatureJacobian::sum_shared(
    const SoapState& soap, const Environment& environment, const WantedRows& wanted, Index species
) {
    const Index size = soap.packed.expansion_size();
    sums_.reserve(wanted.count(0) * size);
    std::fill_n(sums_.data(), wanted.count(0) * size, 0.0);
    const Index first = environment.first[at(species)], last = environment.first[at(species + 1)];
    double* of_strain = sums_.data() + (wanted.has_center() ? 3 * size : 0);
    for (Index j = first; j < last; ++j) {
        const double* change = changes_.data() + 3 * (j - first) * size;
        if (wanted.has_center() && environment.atoms[at(j)] != environment.center)
            add(-1.0, change, 3 * size, sums_.data());
        if (wanted.has_strain()) add_strain(environment.vector(j), change, size, of_strain);
    }
}

/// Sums the changes over the images of each wanted atom; returns the number of rows.
Index FeatureJacobian::merge_images(
    const SoapState& soap, const Environment& environment, const WantedRows& wanted, Index species
) {
    const Index size = 3 * soap.packed.expansion_size();
    const Index first = environment.first[at(species)], last = environment.first[at(species + 1)];
    Index count = 0;
    for (Index j = first; j < last; ++j) {
        const Index place = wanted.place(j);
        if (place < 0) continue;
        const double* change = changes_.data() + (j - first) * size;
        double* sum = changes_.data() + place * size;
        if (place < count) {
            add(1.0, change, size, sum);
        } else {
            if (sum != change) std::copy_n(change, size, sum);
            ++count;
        }
    }
    return 3 * count;
}

/// Writes a row of feature derivatives: features are products of two expansions, and the change is that of the
/// expansion of one species.
void FeatureJacobian::write_row(
    const SoapState& soap, const Environment& environment, Index species, const double* change, double* out
) {
    const Index size = soap.packed.expansion_size();
    const double* expansions = environment.expansions.data();
    std::size_t pair = 0;
    for (Index a = 0; a < soap.n_species(); ++a)
        for (Index b = a; b < soap.n_species(); ++b, ++pair) {
            if (a != species && b != species) continue;
            const Index count = soap.columns[pair + 1] - soap.columns[pair];
            if (environment.is_empty[at(a)] || environment.is_empty[at(b)]) {
                std::fill_n(out, count, 0.0);
            } else if (a == b) {
                write_folded(soap, expansions + a * size, change, out);
            } else {
                const double* first = a == species ? change : expansions + a * size;
                const double* second = b == species ? change : expansions + b * size;
                hot_soap().spectrum(soap.packed.basis(), {first, second, false, out});
            }
            out += count;
        }
}

/// The pair of a species with itself: both expansions change, so the terms (n1, n2) and (n2, n1) are added.
void FeatureJacobian::write_folded(const SoapState& soap, const double* expansion, const double* change, double* out) {
    const SoapBasis& basis = soap.packed.basis();
    hot_soap().spectrum(basis, {change, expansion, false, plain_.data()});
    const double* plain = plain_.data();
    for (Index d = 0; d < basis.n_degrees; ++d) {
        const Index n = basis.degrees[d].n_radial;
        for (Index n1 = 0; n1 < n; ++n1) {
            // The products have the factor sqrt(2) of two species; the derivative of a square has the factor 2.
            *out++ = std::sqrt(2.0) * plain[n1 * n + n1];
            for (Index n2 = n1 + 1; n2 < n; ++n2) *out++ = plain[n1 * n + n2] + plain[n2 * n + n1];
        }
        plain += n * n;
    }
}

}  // namespace lpr_fast

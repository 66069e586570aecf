#include "soap/environment.hpp"

#include <algorithm>
#include <string>

#include "base/at.hpp"
#include "lpr_fast/error.hpp"
#include "soap/soap_state.hpp"

namespace lpr_fast {

Vector3 Environment::vector(Index neighbour) const {
    return {x[at(neighbour)], y[at(neighbour)], z[at(neighbour)]};
}

SoapNeighbours Environment::neighbours(Index of_species) const {
    const Index begin = first[at(of_species)];
    return {x.data() + begin, y.data() + begin, z.data() + begin, first[at(of_species + 1)] - begin};
}

SoapNeighbours Environment::all_neighbours() const {
    return {x.data(), y.data(), z.data(), count()};
}

void Environment::copy_neighbours(
    const SoapState& soap, const Surroundings& selected, const StructureState& structure
) {
    for (auto* values : {&x, &y, &z}) values->clear();
    atoms.clear();
    first.assign(1, 0);
    for (Index s = 0; s < soap.n_species(); ++s) {
        const SoapNeighbours from = selected.neighbours(s);
        x.insert(x.end(), from.x, from.x + from.count);
        y.insert(y.end(), from.y, from.y + from.count);
        z.insert(z.end(), from.z, from.z + from.count);
        const std::int32_t* places = selected.places(s);
        for (Index j = 0; j < from.count; ++j) atoms.push_back(structure.atom[at(places[j])]);
        first.push_back(first.back() + from.count);
    }
}

void Environment::take(
    const SoapState& soap, const Surroundings& selected, const StructureState& structure, Index place
) {
    center = structure.atom[at(place)];
    species = structure.species[at(place)];
    copy_neighbours(soap, selected, structure);
    const PackedBasis& packed = soap.packed;
    first_kept.assign(1, 0);
    for (Index s = 0; s < soap.n_species(); ++s)
        first_kept.push_back(first_kept.back() + packed.kept_size(neighbours(s).count));
    kept.reserve(first_kept.back());
    expansions.reserve(soap.n_species() * packed.expansion_size());
    is_empty.assign(at(soap.n_species()), 1);
    for (Index s = 0; s < soap.n_species(); ++s) {
        if (neighbours(s).count == 0 && species != s) continue;
        double* expansion = expansions.data() + s * packed.expansion_size();
        std::fill_n(expansion, packed.expansion_size(), 0.0);
        hot_soap_gradient().expand(packed.basis(), neighbours(s), kept.data() + first_kept[at(s)], expansion);
        if (species == s) packed.add_center(expansion);
        is_empty[at(s)] = 0;
    }
}

void WayBack::pull_spectra(const SoapState& soap, const Environment& environment, const double* derivatives) {
    const Index size = soap.packed.expansion_size(), n_species = soap.n_species();
    const double* expansions = environment.expansions.data();
    gradients_.reserve(n_species * size);
    std::fill_n(gradients_.data(), n_species * size, 0.0);
    std::size_t pair = 0;
    for (Index a = 0; a < n_species; ++a)
        for (Index b = a; b < n_species; ++b, ++pair) {
            if (environment.is_empty[at(a)] || environment.is_empty[at(b)]) continue;
            const SoapPairGradient of_pair{
                expansions + a * size,        expansions + b * size,       a == b, derivatives + soap.columns[pair],
                gradients_.data() + a * size, gradients_.data() + b * size
            };
            hot_soap_gradient().spectrum(soap.packed.basis(), of_pair);
        }
}

void WayBack::go(const SoapState& soap, const Environment& environment, const double* derivatives) {
    const PackedBasis& packed = soap.packed;
    pull_spectra(soap, environment, derivatives);
    scratch_.reserve(packed.gradient_scratch_size());
    for (auto* values : {&x_, &y_, &z_}) values->resize(at(environment.count() + hot_soap().width));
    for (Index s = 0; s < soap.n_species(); ++s) {
        const SoapNeighbours neighbours = environment.neighbours(s);
        if (neighbours.count == 0) continue;
        const Index first = environment.first[at(s)];
        hot_soap_gradient().density(
            packed.basis(), neighbours, environment.kept.data() + environment.first_kept[at(s)],
            gradients_.data() + s * packed.expansion_size(), scratch_.data(),
            {x_.data() + first, y_.data() + first, z_.data() + first}
        );
    }
}

void WayBack::add_strain(const Environment& environment, double* strain) {
    hot_soap_gradient().add_strain(environment.all_neighbours(), {x_.data(), y_.data(), z_.data()}, strain);
}

void check_differentiable(const SoapState& soap) {
    if (soap.packed.has_step())
        throw InvalidInput(
            "the cutoff of the descriptor is a step, at which features jump and have no gradient; use a smooth one, "
            "such as ShiftedCosine."
        );
    if (soap.packed.has_no_center())
        throw InvalidInput(
            "centers do not contribute to their own density (center_atom_weight is 0, or there is no l = 0), so "
            "features may vanish, and then have no gradient; use another center_atom_weight, and l = 0."
        );
}

}  // namespace lpr_fast

#include "soap/way_back.hpp"

#include <algorithm>

#include "lpr_fast/error.hpp"
#include "soap/soap_state.hpp"

namespace lpr_fast {
namespace {

std::size_t at(Index i) {
    return static_cast<std::size_t>(i);
}

}  // namespace

Vector3& TouchedAtoms::operator[](std::int32_t atom) {
    std::size_t& slot = slots_[at(atom)];
    if (slot >= atoms_.size() || atoms_[slot] != atom) {
        slot = atoms_.size();
        atoms_.push_back(atom);
        gradient_.push_back({});
    }
    return gradient_[slot];
}

void WayBack::expand(const SoapState& soap, const StructureState& structure, Index place) {
    const PackedBasis& packed = soap.packed;
    const Index size = packed.expansion_size();
    n_species_ = soap.n_species();
    structure_ = &structure;
    place_ = place;
    is_empty_.assign(at(n_species_), 1);
    first_kept_.assign(1, 0);
    for (Index s = 0; s < n_species_; ++s)
        first_kept_.push_back(first_kept_.back() + packed.kept_size(surroundings.neighbours(s).count));
    kept_.reserve(first_kept_.back());
    expansions_.reserve(n_species_ * size);
    for (Index s = 0; s < n_species_; ++s) {
        const SoapNeighbours neighbours = surroundings.neighbours(s);
        const bool is_own = structure.species[at(place)] == s;
        if (neighbours.count == 0 && !is_own) continue;
        double* expansion = expansions_.data() + s * size;
        std::fill_n(expansion, size, 0.0);
        hot_soap_gradient().expand(packed.basis(), neighbours, kept_.data() + first_kept_[at(s)], expansion);
        if (is_own) packed.add_center(expansion);
        is_empty_[at(s)] = 0;
    }
}

void WayBack::pull_spectra(const SoapState& soap, const double* derivatives) {
    const PackedBasis& packed = soap.packed;
    const Index size = packed.expansion_size();
    gradients_.reserve(n_species_ * size);
    std::fill_n(gradients_.data(), n_species_ * size, 0.0);
    std::size_t pair = 0;
    for (Index a = 0; a < n_species_; ++a)
        for (Index b = a; b < n_species_; ++b, ++pair) {
            if (is_empty_[at(a)] || is_empty_[at(b)]) continue;
            const SoapPairGradient of_pair{
                expansions_.data() + a * size,    expansions_.data() + b * size, a == b,
                derivatives + soap.columns[pair], gradients_.data() + a * size,  gradients_.data() + b * size,
            };
            hot_soap_gradient().spectrum(packed.basis(), of_pair);
        }
}

void WayBack::pull(const SoapState& soap, const double* derivatives) {
    pull_spectra(soap, derivatives);
    const PackedBasis& packed = soap.packed;
    scratch_.reserve(packed.gradient_scratch_size());
    first_neighbour_.assign(1, 0);
    for (Index s = 0; s < n_species_; ++s)
        first_neighbour_.push_back(first_neighbour_.back() + surroundings.neighbours(s).count);
    for (auto* values : {&x_, &y_, &z_}) values->resize(at(first_neighbour_.back() + hot_soap().width));
    for (Index s = 0; s < n_species_; ++s) {
        const SoapNeighbours neighbours = surroundings.neighbours(s);
        if (neighbours.count == 0) continue;
        const auto first = at(first_neighbour_[at(s)]);
        hot_soap_gradient().density(
            packed.basis(), neighbours, kept_.data() + first_kept_[at(s)],
            gradients_.data() + s * packed.expansion_size(), scratch_.data(),
            {x_.data() + first, y_.data() + first, z_.data() + first}
        );
    }
}

void WayBack::add_to(TouchedAtoms& touched, Strain* strain) const {
    Vector3 of_center{};
    for (Index s = 0; s < n_species_; ++s) {
        const SoapNeighbours neighbours = surroundings.neighbours(s);
        const std::int32_t* places = surroundings.places(s);
        for (Index j = 0; j < neighbours.count; ++j) {
            const auto from = at(first_neighbour_[at(s)] + j);
            const Vector3 gradient = {x_[from], y_[from], z_[from]};
            Vector3& of_neighbour = touched[structure_->atom[at(places[j])]];
            for (std::size_t k = 0; k < 3; ++k) of_neighbour[k] += gradient[k], of_center[k] -= gradient[k];
            if (strain == nullptr) continue;
            const Vector3 vector = {neighbours.x[j], neighbours.y[j], neighbours.z[j]};
            for (std::size_t k = 0; k < 9; ++k) (*strain)[k] += vector[k / 3] * gradient[k % 3];
        }
    }
    Vector3& center = touched[structure_->atom[at(place_)]];
    for (std::size_t k = 0; k < 3; ++k) center[k] += of_center[k];
}

void check_differentiable(const SoapState& soap) {
    if (soap.packed.has_step())
        throw InvalidInput(
            "the cutoff of the descriptor is a step, where features jump and have no gradient; use a smooth one, such "
            "as ShiftedCosine."
        );
    if (soap.packed.has_no_center())
        throw InvalidInput(
            "an atom adds nothing to its own density (center_atom_weight is 0, or there is no l = 0), so that features "
            "may vanish and have no direction and no gradient; use another center_atom_weight, and l = 0."
        );
}

}  // namespace lpr_fast

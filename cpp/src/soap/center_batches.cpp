#include "soap/center_batches.hpp"

#include <algorithm>
#include <numeric>
#include <string>

#include "base/at.hpp"
#include "base/checks.hpp"
#include "base/parallel.hpp"
#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

// The Jacobians of a batch, for centers of about 64 neighbours, have about this many numbers. They are in memory at the
// same time.
constexpr Index numbers_together = Index{1} << 22;
constexpr Index fewest_centers = 4, most_centers = 128;

// Approximate number of multiplications for the expansion around a center.
constexpr Index products_of_center = Index{1} << 19;

Index centers_of_batch(const SoapState& soap) {
    return std::clamp(numbers_together / (192 * soap.n_features()), fewest_centers, most_centers);
}

/// Whether a center, one of its neighbours, or strain is wanted.
bool is_seen(
    const Surroundings& surroundings, Index n_species, const StructureState& structure, Index place,
    const WantedAtoms& wanted
) {
    if (wanted.with_strain || wanted.has(structure.atom[at(place)])) return true;
    for (Index s = 0; s < n_species; ++s) {
        const std::int32_t* places = surroundings.places(s);
        for (Index j = 0; j < surroundings.neighbours(s).count; ++j)
            if (wanted.has(structure.atom[at(places[j])])) return true;
    }
    return false;
}

WantedAtoms wanted_atoms(const GradientRows& out, const Structure& structure) {
    WantedAtoms wanted{std::vector<Index>(at(structure.n_atoms()), -1), 0, out.virials.data != nullptr};
    if (out.forces.data == nullptr) return wanted;
    if (out.atoms == nullptr) {
        std::iota(wanted.place.begin(), wanted.place.end(), Index{0});
        wanted.count = structure.n_atoms();
        return wanted;
    }
    for (const Index atom : *out.atoms) {
        if (atom < 0 || atom >= structure.n_atoms() || wanted.has(atom))
            throw InvalidInput(
                "rows of forces of atom " + std::to_string(atom) + " were asked for twice, or in a structure of " +
                std::to_string(structure.n_atoms()) + " atoms; give indices of atoms from 0, each once."
            );
        wanted.place[at(atom)] = wanted.count++;
    }
    return wanted;
}

void clear(MatrixView rows) {
    for (Index i = 0; i < rows.rows; ++i) std::fill_n(rows.row(i), rows.cols, 0.0);
}

}  // namespace

RowTargets::RowTargets(const GradientRows& out, const Structure& structure, Index n_columns)
    : forces_(out.forces.data == nullptr ? MatrixView{} : out.forces),
      virials_(out.virials.data == nullptr ? MatrixView{} : out.virials),
      wanted_(wanted_atoms(out, structure)) {
    if (out.forces.data != nullptr) check_output("forces", forces_, 3 * wanted_.count, n_columns);
    if (wanted_.with_strain) check_output("virials", virials_, 6, n_columns);
    clear(forces_);
    clear(virials_);
}

CenterBatches::CenterBatches(
    const SoapState& soap, const Structure& structure, const WantedAtoms& wanted, int n_threads
)
    : soap_(soap),
      structure_(structure),
      wanted_(wanted),
      n_threads_(n_threads),
      centers_(centers_of(soap, {{&structure}})),
      batch_(at(centers_of_batch(soap))) {}

void CenterBatches::for_each(const std::function<void(const std::vector<const DifferentiatedCenter*>&)>& use) {
    const auto n = static_cast<Index>(centers_.size()), together = static_cast<Index>(batch_.size());
    std::vector<const DifferentiatedCenter*> seen;
    for (Index first = 0; first < n; first += together) {
        const Index count = std::min(together, n - first);
        const int n_threads = threads_for(count * products_of_center, n_threads_);
        parallel_for_each(count, n_threads, [&](Index i) { prepare(centers_[at(first + i)], batch_[at(i)]); });
        seen.clear();
        for (Index i = 0; i < count; ++i)
            if (batch_[at(i)].is_seen) seen.push_back(&batch_[at(i)]);
        if (!seen.empty()) use(seen);
    }
}

void CenterBatches::prepare(const Center& center, DifferentiatedCenter& prepared) {
    auto lease = room_.take();
    Surroundings& surroundings = *lease;
    for_each_center(
        {{&structure_}}, soap_.n_species(), &center, 1, surroundings, [&](const Center&, const StructureState& state) {
            prepared.is_seen = state.species[at(center.place)] < soap_.n_species() &&
                               is_seen(surroundings, soap_.n_species(), state, center.place, wanted_);
            if (!prepared.is_seen) return;
            prepared.environment.take(soap_, surroundings, state, center.place);
            prepared.wanted.choose(prepared.environment, wanted_);
        }
    );
}

}  // namespace lpr_fast

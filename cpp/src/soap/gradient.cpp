#include <algorithm>
#include <cmath>
#include <string>

#include "base/at.hpp"
#include "base/checks.hpp"
#include "base/parallel.hpp"
#include "lpr_fast/error.hpp"
#include "lpr_fast/soap.hpp"
#include "soap/soap_state.hpp"

namespace lpr_fast {
namespace {

// Centers that are taken together: their sums are added to the others' in order, whatever threads do.
constexpr Index centers_together = 64;

/// What some centers add to the gradient.
struct Share {
    std::vector<std::int32_t> atoms;
    std::vector<Vector3> gradient;
    std::array<double, 9> strain{};  ///< derivatives with respect to a strain
};

void add(const Environment& environment, const WayBack& way, TouchedAtoms& touched) {
    Vector3 of_center{};
    for (Index j = 0; j < environment.count(); ++j) {
        const Vector3 gradient = way.gradient(j);
        Vector3& of_neighbour = touched[environment.atoms[at(j)]];
        for (std::size_t k = 0; k < 3; ++k) of_neighbour[k] += gradient[k], of_center[k] -= gradient[k];
    }
    Vector3& center = touched[environment.center];
    for (std::size_t k = 0; k < 3; ++k) center[k] += of_center[k];
}

Share share_of(
    const SoapState& soap, const Structure& structure, const Center* centers, Index count, ConstMatrixView derivatives,
    bool with_strain
) {
    auto lease = soap.gradient_workspaces.take();
    GradientWorkspace& work = *lease;
    work.touched.clear();
    work.touched.make_room(structure.n_atoms());
    Share share;
    for_each_center(
        {{&structure}}, soap.n_species(), centers, count, work.surroundings,
        [&](const Center& center, const StructureState& state) {
            if (state.species[at(center.place)] == soap.n_species()) return;
            work.environment.take(soap, work.surroundings, state, center.place);
            work.way.go(soap, work.environment, derivatives.row(center.row));
            add(work.environment, work.way, work.touched);
            if (with_strain) work.way.add_strain(work.environment, share.strain.data());
        }
    );
    share.atoms = work.touched.atoms();
    share.gradient = work.touched.gradient();
    return share;
}

bool all_finite(const std::vector<Share>& shares) {
    for (const Share& share : shares)
        for (const Vector3& gradient : share.gradient)
            for (const double value : gradient)
                if (!std::isfinite(value)) return false;
    return true;
}

void subtract(const std::vector<Share>& shares, MatrixView forces, MatrixView virial) {
    for (Index i = 0; i < forces.rows; ++i) std::fill_n(forces.row(i), 3, 0.0);
    for (Index i = 0; i < virial.rows; ++i) std::fill_n(virial.row(i), 3, 0.0);
    for (const Share& share : shares) {
        for (std::size_t i = 0; i < share.atoms.size(); ++i)
            for (std::size_t k = 0; k < 3; ++k) forces.row(share.atoms[i])[k] -= share.gradient[i][k];
        for (Index k = 0; k < 3 * virial.rows; ++k) virial.row(k / 3)[k % 3] -= share.strain[at(k)];
    }
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

void Soap::gradient(
    const Structure& structure, ConstMatrixView derivatives, MatrixView forces, MatrixView virial, int n_threads
) const {
    const SoapState& soap = *state_;
    check_way_back(soap);
    check_columns("derivatives", derivatives, n_features());
    if (derivatives.rows != structure.n_centers())
        throw InvalidInput(
            "there are derivatives of " + std::to_string(derivatives.rows) + " centers, and the structure has " +
            std::to_string(structure.n_centers()) + "; give one row for each."
        );
    check_output("forces", forces, structure.n_atoms(), 3);
    if (virial.data != nullptr) check_output("virial", virial, 3, 3);
    const std::vector<Center> centers = centers_of(soap, {{&structure}});
    const auto count = static_cast<Index>(centers.size());
    std::vector<Share> shares(at(tile_count(count, centers_together)));
    parallel_for_each(static_cast<Index>(shares.size()), n_threads, [&](Index task) {
        const Index first = task * centers_together, last = std::min(first + centers_together, count);
        shares[at(task)] =
            share_of(soap, structure, centers.data() + first, last - first, derivatives, virial.data != nullptr);
    });
    // Only then there can be something wrong with the derivatives, of which there are many.
    if (!all_finite(shares)) check_finite("derivatives", derivatives);
    subtract(shares, forces, virial);
}

}  // namespace lpr_fast

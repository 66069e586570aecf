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

// Largest number of centers that a thread takes at a time.
constexpr Index most_together = 96;

void add_to_share(
    const SoapState& soap, const Structure& structure, const Center* centers, Index count, ConstMatrixView derivatives,
    bool with_strain, GradientWorkspace& work, ForceShare& share
) {
    for_each_center(
        {{&structure}}, soap.n_species(), centers, count, work.surroundings,
        [&](const Center& center, const StructureState& state) {
            if (state.species[at(center.place)] == soap.n_species()) return;
            work.environment.take(soap, work.surroundings, state, center.place);
            work.way.go(soap, work.environment, derivatives.row(center.row));
            share.add(work.environment, work.way, 0, with_strain, work.slots);
        }
    );
}

bool all_finite(ConstMatrixView forces) {
    for (Index i = 0; i < forces.rows; ++i)
        for (Index k = 0; k < forces.cols; ++k)
            if (!std::isfinite(forces.row(i)[k])) return false;
    return true;
}

}  // namespace

void Soap::gradient(
    const Structure& structure, ConstMatrixView derivatives, MatrixView forces, MatrixView virial, int n_threads
) const {
    const SoapState& soap = *state_;
    check_differentiable(soap);
    check_columns("derivatives", derivatives, n_features());
    if (derivatives.rows != structure.n_centers())
        throw InvalidInput(
            "there are derivatives of " + std::to_string(derivatives.rows) + " centers, and the structure has " +
            std::to_string(structure.n_centers()) + "; give one row for each center."
        );
    check_output("forces", forces, structure.n_atoms(), 3);
    if (virial.data != nullptr) check_output("virial", virial, 3, 3);
    const std::vector<Center> centers = centers_of(soap, {{&structure}});
    const auto count = static_cast<Index>(centers.size());
    ForceSum sum(forces, virial, 1);
    sum.collect(count, most_together, n_threads, [&](Index first, Index n, ForceShare* shares) {
        auto lease = soap.gradient_workspaces.take();
        for (Index i = 0; i < n; ++i) {
            const Index begin = (first + i) * centers_of_share, end = std::min(begin + centers_of_share, count);
            add_to_share(
                soap, structure, centers.data() + begin, end - begin, derivatives, sum.with_strain(), *lease, shares[i]
            );
        }
    });
    // The derivatives are many, so they are only checked if a force is not finite.
    if (!all_finite(forces)) check_finite("derivatives", derivatives);
}

}  // namespace lpr_fast

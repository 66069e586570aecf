#include "lpr_fast/feature_gradients.hpp"

#include <algorithm>
#include <vector>

#include "base/at.hpp"
#include "base/checks.hpp"
#include "base/parallel.hpp"
#include "soap/feature_jacobian.hpp"
#include "soap/soap_state.hpp"

namespace lpr_fast {
namespace {

// Centers whose jacobians are in memory at the same time.
constexpr Index centers_together = 16;

struct Prepared {
    Environment environment;
    bool is_known = false;
    AlignedBuffer jacobian;  ///< (count, 3, D)
};

struct Scratch {
    Surroundings surroundings;
    FeatureJacobian jacobian;
};

void subtract(const double* change, Index n, double factor, double* row) {
    for (Index m = 0; m < n; ++m) row[m] -= factor * change[m];
}

void scatter(const Prepared& prepared, Index n_features, MatrixView forces, MatrixView virial) {
    const Environment& environment = prepared.environment;
    const Index column = environment.species * n_features;
    double* of_center = forces.row(3 * environment.center) + column;
    for (Index j = 0; j < environment.count(); ++j) {
        const Vector3 vector = environment.vector(j);
        for (Index k = 0; k < 3; ++k) {
            const double* change = prepared.jacobian.data() + (3 * j + k) * n_features;
            subtract(change, n_features, 1.0, forces.row(3 * environment.atoms[at(j)] + k) + column);
            subtract(change, n_features, -1.0, of_center + k * forces.stride);
            for (Index i = 0; i < virial.rows / 3; ++i)
                subtract(change, n_features, vector[at(i)], virial.row(3 * i + k) + column);
        }
    }
}

}  // namespace

void feature_gradients(
    const Soap& soap, const Structure& structure, MatrixView forces, MatrixView virial, int n_threads
) {
    const SoapState& state = soap.state();
    check_way_back(state);
    const Index n_columns = state.n_species() * state.n_features();
    check_output("forces", forces, 3 * structure.n_atoms(), n_columns);
    if (virial.data != nullptr) check_output("virial", virial, 9, n_columns);
    for (Index i = 0; i < forces.rows; ++i) std::fill_n(forces.row(i), n_columns, 0.0);
    for (Index i = 0; i < virial.rows; ++i) std::fill_n(virial.row(i), n_columns, 0.0);
    const std::vector<Center> centers = centers_of(state, {{&structure}});
    const auto n = static_cast<Index>(centers.size());
    std::vector<Prepared> batch(at(centers_together));
    Pool<Scratch> room;
    for (Index begin = 0; begin < n; begin += centers_together) {
        const Index count = std::min(centers_together, n - begin);
        parallel_for_each(count, n_threads, [&](Index task) {
            auto lease = room.take();
            Scratch& scratch = *lease;
            for_each_center(
                {{&structure}}, state.n_species(), centers.data() + begin + task, 1, scratch.surroundings,
                [&](const Center& center, const StructureState& atoms) {
                    Prepared& prepared = batch[at(task)];
                    prepared.is_known = atoms.species[at(center.place)] < state.n_species();
                    if (!prepared.is_known) return;
                    prepared.environment.take(state, scratch.surroundings, atoms, center.place);
                    prepared.jacobian.reserve(3 * prepared.environment.count() * state.n_features());
                    scratch.jacobian.write(state, prepared.environment, prepared.jacobian.data());
                }
            );
        });
        for (Index i = 0; i < count; ++i)
            if (batch[at(i)].is_known) scatter(batch[at(i)], state.n_features(), forces, virial);
    }
}

}  // namespace lpr_fast

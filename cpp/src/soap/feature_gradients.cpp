#include <algorithm>

#include "base/at.hpp"
#include "base/checks.hpp"
#include "base/parallel.hpp"
#include "lpr_fast/gradient_rows.hpp"
#include "soap/center_batches.hpp"

namespace lpr_fast {
namespace {

// The rows of the output are divided into this many tasks.
constexpr Index n_parts = 16;

/// One row of derivatives of the features of a center.
struct CenterRow {
    Index species;         ///< of the center
    Index group;           ///< see row_groups()
    Index target;          ///< row of the output
    const double* values;  ///< the columns of the group, contiguous
};

/// Rows of one center. Their memory is reused.
struct CenterRows {
    AlignedBuffer values;
    std::vector<CenterRow> rows;
};

class FeatureGradients {
public:
    FeatureGradients(const SoapState& soap, const RowTargets& targets, int n_threads)
        : soap_(soap), groups_(row_groups(soap)), targets_(targets), n_threads_(n_threads) {}

    void add(const std::vector<const DifferentiatedCenter*>& centers) {
        const auto n = static_cast<Index>(centers.size());
        rows_.resize(std::max(rows_.size(), centers.size()));
        parallel_for_each(n, n_threads_, [&](Index i) { differentiate(*centers[at(i)], rows_[at(i)]); });
        parallel_for_each(n_parts, n_threads_, [&](Index part) {
            const Index first = part * targets_.count() / n_parts, last = (part + 1) * targets_.count() / n_parts;
            for (Index i = 0; i < n; ++i)
                for (const CenterRow& row : rows_[at(i)].rows)
                    if (first <= row.target && row.target < last) subtract(row);
        });
    }

private:
    void differentiate(const DifferentiatedCenter& center, CenterRows& found) {
        auto lease = room_.take();
        Index size = 0;
        for (std::size_t g = 0; g < groups_.size(); ++g)
            size += center.wanted.count(static_cast<Index>(g)) * groups_[g].depth;
        found.values.reserve(size);
        found.rows.clear();
        double* to = found.values.data();
        (*lease).jacobian.write(
            soap_, groups_, center.environment, center.wanted, [&](Index group, Index row, const double* values) {
                const Index target = center.wanted.target(group, row, targets_.wanted());
                found.rows.push_back({center.environment.species, group, target, to});
                to = std::copy_n(values, groups_[at(group)].depth, to);
            }
        );
    }

    void subtract(const CenterRow& row) const {
        double* out = targets_.row(row.target) + row.species * soap_.n_features();
        const double* values = row.values;
        for (const ProductSegment& segment : groups_[at(row.group)].segments)
            for (Index k = segment.first; k < segment.first + segment.count; ++k) out[k] -= *values++;
    }

    const SoapState& soap_;
    const std::vector<RowGroup> groups_;
    const RowTargets& targets_;
    const int n_threads_;
    std::vector<CenterRows> rows_;
    Pool<JacobianWorkspace> room_;
};

}  // namespace

void feature_gradients(const Soap& soap, const Structure& structure, const GradientRows& out, int n_threads) {
    const SoapState& state = soap.state();
    check_differentiable(state);
    const RowTargets targets(out, structure, state.n_species() * state.n_features());
    FeatureGradients gradients(state, targets, n_threads);
    CenterBatches(state, structure, targets.wanted(), n_threads).for_each([&](const auto& centers) {
        gradients.add(centers);
    });
}

namespace {

/// Centers of known species within the cutoff of an atom, with the atom itself; ascending.
std::vector<Index> centers_around(const SoapState& soap, const Structure& structure, Index atom) {
    std::vector<Index> found{atom};
    for (const Neighbour& neighbour : structure.neighbours(atom)) found.push_back(neighbour.atom);
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    const StructureState& state = structure.state();
    const auto is_none = [&](Index i) {
        return i >= structure.n_centers() || state.species[at(state.place[at(i)])] == soap.n_species();
    };
    found.erase(std::remove_if(found.begin(), found.end(), is_none), found.end());
    return found;
}

}  // namespace

FeatureJacobians feature_jacobians(const Soap& soap, const Structure& structure, Index atom) {
    const SoapState& state = soap.state();
    check_differentiable(state);
    const std::vector<RowGroup> groups = row_groups(state);
    const Index n_features = state.n_features();
    FeatureJacobians found{centers_around(state, structure, atom), {}};
    WantedAtoms wanted{std::vector<Index>(at(structure.n_atoms()), -1), 1, false};
    wanted.place[at(atom)] = 0;
    found.values.resize(found.centers.size() * at(3 * n_features));
    const std::vector<Center> centers = centers_of(state, {{&structure, 0, -1, &found.centers}});
    JacobianWorkspace work;
    DifferentiatedCenter each;
    for_each_center(
        {{&structure}}, state.n_species(), centers.data(), static_cast<Index>(centers.size()), work.surroundings,
        [&](const Center& center, const StructureState& atoms) {
            each.environment.take(state, work.surroundings, atoms, center.place);
            each.wanted.choose(each.environment, wanted);
            work.jacobian.write(
                state, groups, each.environment, each.wanted, [&](Index group, Index row, const double* values) {
                    double* out = found.values.data() + (3 * center.row + row) * n_features;
                    for (const ProductSegment& segment : groups[at(group)].segments)
                        std::copy_n(values, segment.count, out + segment.first), values += segment.count;
                }
            );
        }
    );
    return found;
}

}  // namespace lpr_fast

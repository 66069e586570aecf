#pragma once

#include <vector>

#include "base/aligned_buffer.hpp"
#include "base/pool.hpp"
#include "soap/environment.hpp"
#include "soap/force_sum.hpp"
#include "soap/packed_basis.hpp"
#include "soap/surroundings.hpp"

namespace lpr_fast {

/// Scratch memory for the features of one environment.
struct SoapWorkspace {
    Surroundings surroundings;
    AlignedBuffer scratch;
    AlignedBuffer expansions;  ///< one for each species
    std::vector<char> is_empty;
};

/// Scratch memory for gradients with respect to positions.
struct GradientWorkspace {
    Surroundings surroundings;
    Environment environment;
    WayBack way;
    AtomSlots slots;
};

/// State of a Soap.
struct SoapState {
    SoapState(const RadialTable& table, std::vector<int> known);

    PackedBasis packed;
    std::vector<int> species;
    std::vector<Index> columns;  ///< first column of each pair a <= b of species, and the number of columns
    mutable Pool<SoapWorkspace> workspaces;
    mutable Pool<GradientWorkspace> gradient_workspaces;

    Index n_species() const { return static_cast<Index>(species.size()); }
    Index n_features() const { return columns.back(); }
};

/// The centers of all parts, sorted by part and by place in the order of the bins.
/// @throws InvalidInput  for structures made for other species or another cutoff, and centers that do not exist
std::vector<Center> centers_of(const SoapState& soap, const std::vector<Part>& parts);

/// Calls use(center, structure) for each of some sorted centers. Before each call, its neighbours are selected in
/// `surroundings`.
template <typename Use>
void for_each_center(
    const std::vector<Part>& parts, Index n_species, const Center* centers, Index count, Surroundings& surroundings,
    const Use& use
);

/// Calls use(center, workspace) for each of some sorted centers, with its expansions in the workspace.
template <typename Use>
void for_each_environment(
    const SoapState& soap, const std::vector<Part>& parts, const Center* centers, Index count, SoapWorkspace& workspace,
    const Use& use
);

/// Expands the density around a center whose neighbours are selected.
void expand(const SoapState& soap, const StructureState& structure, Index place, SoapWorkspace& workspace);

/// Computes the features of a center.
/// @param expansions  of the density of each species; ignored if is_empty
/// @param features    (D,)
void write_features(
    const SoapState& soap, const double* expansions, const std::vector<char>& is_empty, double* features
);

template <typename Use>
void for_each_center(
    const std::vector<Part>& parts, Index n_species, const Center* centers, Index count, Surroundings& surroundings,
    const Use& use
) {
    for (Index first = 0; first < count;) {
        const StructureState& structure = parts[static_cast<std::size_t>(centers[first].part)].structure->state();
        const Index bin = structure.bin_of(centers[first].place);
        const Index end = structure.begin[static_cast<std::size_t>(bin) + 1];
        Index last = first + 1;
        while (last < count && centers[last].part == centers[first].part && centers[last].place < end) ++last;
        surroundings.gather(structure, n_species, bin, centers + first, last - first);
        for (; first < last; ++first) {
            surroundings.select(structure, centers[first].place);
            use(centers[first], structure);
        }
    }
}

template <typename Use>
void for_each_environment(
    const SoapState& soap, const std::vector<Part>& parts, const Center* centers, Index count, SoapWorkspace& workspace,
    const Use& use
) {
    for_each_center(
        parts, soap.n_species(), centers, count, workspace.surroundings,
        [&](const Center& center, const StructureState& structure) {
            expand(soap, structure, center.place, workspace);
            use(center, workspace);
        }
    );
}

}  // namespace lpr_fast

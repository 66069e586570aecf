#pragma once

#include <vector>

#include "aligned_buffer.hpp"
#include "pool.hpp"
#include "soap/packed_basis.hpp"
#include "soap/surroundings.hpp"

namespace lpr_fast {

/// Room for one environment on its way to features.
struct SoapWorkspace {
    Surroundings surroundings;
    AlignedBuffer scratch;
    AlignedBuffer expansions;  ///< one for each species
    std::vector<char> is_empty;
};

/// What a Soap holds.
struct SoapState {
    SoapState(const RadialTable& table, std::vector<int> known);

    PackedBasis packed;
    std::vector<int> species;
    std::vector<Index> columns;  ///< first column of each pair a <= b of species, and their number
    mutable Pool<SoapWorkspace> workspaces;

    Index n_species() const { return static_cast<Index>(species.size()); }
    Index n_features() const { return columns.back(); }
};

/// The wanted centers of all parts, sorted by part and by place in the order of the bins.
/// @throws InvalidInput  for parts that name centers which do not exist
std::vector<Center> centers_of(const std::vector<Part>& parts);

/// Calls use(center, workspace) for some centers, sorted, with the expansions of each in the workspace.
template <typename Use>
void for_each_environment(
    const SoapState& soap, const std::vector<Part>& parts, const Center* centers, Index count, SoapWorkspace& workspace,
    const Use& use
);

/// Expands the density around a center that was gathered for.
void expand(const SoapState& soap, const StructureState& structure, Index place, SoapWorkspace& workspace);

/// Features of the center that was expanded last.
void write_features(const SoapState& soap, const SoapWorkspace& workspace, double* features);

template <typename Use>
void for_each_environment(
    const SoapState& soap, const std::vector<Part>& parts, const Center* centers, Index count, SoapWorkspace& workspace,
    const Use& use
) {
    for (Index first = 0; first < count;) {
        const StructureState& structure = parts[static_cast<std::size_t>(centers[first].part)].structure->state();
        const Index bin = structure.bin_of(centers[first].place);
        const Index end = structure.begin[static_cast<std::size_t>(bin) + 1];
        Index last = first + 1;
        while (last < count && centers[last].part == centers[first].part && centers[last].place < end) ++last;
        workspace.surroundings.gather(structure, soap.n_species(), bin, centers + first, last - first);
        for (; first < last; ++first) {
            expand(soap, structure, centers[first].place, workspace);
            use(centers[first], workspace);
        }
    }
}

}  // namespace lpr_fast

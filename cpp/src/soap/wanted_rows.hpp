#pragma once

#include <cstdint>
#include <vector>

#include "hot/kernels.hpp"
#include "soap/environment.hpp"

namespace lpr_fast {

/// The atoms with respect to whose positions derivatives are wanted, and whether those to strain are.
struct WantedAtoms {
    std::vector<Index> place;  ///< for each atom of the structure, its index among the wanted atoms, or -1
    Index count;               ///< number of wanted atoms
    bool with_strain;

    bool has(Index atom) const { return place[static_cast<std::size_t>(atom)] >= 0; }
};

/// The columns of features in which rows of a group may differ from zero. In a row, the segments are contiguous.
struct RowGroup {
    std::vector<ProductSegment> segments;
    Index depth = 0;  ///< number of columns in all segments
};

/// Groups of rows of a center. The first group has all columns: derivatives with respect to the center and to strain.
/// The others, one for each species, have the pairs with that species: derivatives with respect to its neighbours.
std::vector<RowGroup> row_groups(const SoapState& soap);

/// The derivatives of an environment that are wanted: with respect to three components of the center, three of each
/// neighbour (all images of an atom together), and six of strain. Its memory is reused.
class WantedRows {
public:
    void choose(const Environment& environment, const WantedAtoms& wanted);

    bool has_center() const { return has_center_; }
    bool has_strain() const { return has_strain_; }

    /// Number of rows of a group.
    Index count(Index group) const;

    /// Row of the output: 3 place + k for component k of a wanted atom; behind all atoms, six rows for strain.
    Index target(Index group, Index row, const WantedAtoms& wanted) const;

    /// Index of a neighbour's atom among the wanted ones of its species, or -1.
    Index place(Index neighbour) const { return place_[static_cast<std::size_t>(neighbour)]; }

private:
    bool has_center_ = false;
    bool has_strain_ = false;
    std::int32_t center_ = 0;
    std::vector<std::int32_t> atoms_;  ///< wanted atoms, sorted by species
    std::vector<Index> first_;         ///< first atom of each species, and the number of all
    std::vector<Index> place_;         ///< for each neighbour, see place()
};

}  // namespace lpr_fast

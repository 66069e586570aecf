#pragma once

#include <cstdint>
#include <vector>

#include "hot/kernels.hpp"
#include "soap/environment.hpp"

namespace lpr_fast {

/// Atoms of a structure that are wanted, and whether strain is.
struct WantedAtoms {
    std::vector<Index> place;  ///< of every atom of the structure among those that are wanted, or -1
    Index count;               ///< of those that are wanted
    bool with_strain;

    bool has(Index atom) const { return place[static_cast<std::size_t>(atom)] >= 0; }
};

/// Columns of features that some rows may have, in segments that lie close together in a row.
struct RowGroup {
    std::vector<ProductSegment> segments;
    Index depth = 0;  ///< of all segments
};

/// Groups of rows of a center: those that have all columns, namely its own and those of strain, and of each species
/// those of the neighbours, which vanish in all pairs without it.
std::vector<RowGroup> row_groups(const SoapState& soap);

/// What of an environment is differentiated: with respect to three components of the center and of every atom that is
/// wanted, images of which are the same atom, and to six of the strain. Keeps its memory.
class WantedRows {
public:
    void choose(const Environment& environment, const WantedAtoms& wanted);

    bool has_center() const { return has_center_; }
    bool has_strain() const { return has_strain_; }

    /// Rows of a group.
    Index count(Index group) const;

    /// Where a row belongs: to component k of a wanted atom, 3 place + k; behind these, to one of six of strain.
    Index target(Index group, Index row, const WantedAtoms& wanted) const;

    /// Place of a neighbour's atom among those of its species, or -1.
    Index place(Index neighbour) const { return place_[static_cast<std::size_t>(neighbour)]; }

private:
    bool has_center_ = false;
    bool has_strain_ = false;
    std::int32_t center_ = 0;
    std::vector<std::int32_t> atoms_;  ///< species by species
    std::vector<Index> first_;         ///< of each species, and the number of all
    std::vector<Index> place_;
};

}  // namespace lpr_fast

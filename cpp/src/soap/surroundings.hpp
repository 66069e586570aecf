#pragma once

#include <cstdint>
#include <vector>

#include "hot/soap.hpp"
#include "soap/structure_state.hpp"

namespace lpr_fast {

/// A center that is wanted, by its place among the sorted atoms of a part's structure, and the row that belongs to it.
struct Center {
    std::int32_t part;
    std::int32_t place;
    Index row;
};

/// Atoms near some centers of one bin, and of these the neighbours of one of them; species by species, in an order that
/// depends on the structure alone. Keeps its memory.
class Surroundings {
public:
    /// Finds everything that may be within the cutoff of some centers, which are in the same bin.
    void gather(const StructureState& structure, Index n_species, Index bin, const Center* centers, Index count);

    /// Of what was gathered, selects the neighbours of one of the centers.
    void select(const StructureState& structure, Index place);

    /// Neighbours of the species at that place in the list of those that are known.
    SoapNeighbours neighbours(Index species) const;
    /// Their places among the sorted atoms.
    const std::int32_t* places(Index species) const {
        return place_.data() + begin_[static_cast<std::size_t>(species)];
    }

    /// Whether one of the neighbours, or the center itself, is of no species that is known.
    bool sees_unknown() const { return sees_unknown_; }

private:
    /// Points of one species, shifted by whole vectors of the cell where they are images.
    struct Candidates {
        std::vector<double> x, y, z;
        std::vector<std::int32_t> place;
        std::size_t count = 0;

        void make_room(std::size_t more);
        /// The points, filled up to whole vectors with some that are far away.
        SoapPoints padded();
    };

    Index n_species() const { return static_cast<Index>(candidates_.size()) - 1; }

    std::vector<Candidates> candidates_;  ///< of each species, and of all unknown ones together
    std::vector<SoapPoints> points_;
    std::vector<double> squares_;  ///< of distances of atoms from the box around the centers
    std::vector<double> x_, y_, z_;
    std::vector<std::int32_t> place_;
    std::vector<Index> begin_;  ///< of each species among the neighbours, and their number
    bool sees_unknown_ = false;
};

}  // namespace lpr_fast

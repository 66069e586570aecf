#pragma once

#include <cstdint>
#include <vector>

#include "hot/soap.hpp"
#include "soap/structure_state.hpp"

namespace lpr_fast {

/// A center to describe.
struct Center {
    std::int32_t part;   ///< index of its part
    std::int32_t place;  ///< index among the sorted atoms of the structure
    Index row;           ///< row of the output
};

/// Finds the neighbours of centers: first the atoms near several centers of one bin, then the neighbours of one of
/// them. They are sorted by species; their order depends on the structure alone. Its memory is reused.
class Surroundings {
public:
    /// Finds all atoms that may be within the cutoff of some centers of the same bin.
    void gather(const StructureState& structure, Index n_species, Index bin, const Center* centers, Index count);

    /// Selects the neighbours of one of the centers from the gathered atoms.
    void select(const StructureState& structure, Index place);

    /// Neighbours of a species, given by its index in the list of known species.
    SoapNeighbours neighbours(Index species) const;
    /// Their indices among the sorted atoms.
    const std::int32_t* places(Index species) const {
        return place_.data() + begin_[static_cast<std::size_t>(species)];
    }

    /// Whether the center or one of its neighbours is of an unknown species.
    bool sees_unknown() const { return sees_unknown_; }

private:
    /// Gathered atoms of one species; periodic images are shifted by lattice vectors.
    struct Candidates {
        std::vector<double> x, y, z;
        std::vector<std::int32_t> place;
        std::size_t count = 0;

        void make_room(std::size_t more);
        /// The points, padded to whole vectors with points that are far away.
        SoapPoints padded();
    };

    Index n_species() const { return static_cast<Index>(candidates_.size()) - 1; }

    std::vector<Candidates> candidates_;  ///< of each known species, and of all unknown species together
    std::vector<SoapPoints> points_;
    std::vector<double> squares_;  ///< squared distances of atoms from the box around the centers
    std::vector<double> x_, y_, z_;
    std::vector<std::int32_t> place_;
    std::vector<Index> begin_;  ///< first neighbour of each species, and of unknown species
    bool sees_unknown_ = false;
};

}  // namespace lpr_fast

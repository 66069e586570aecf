#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Atoms and their cell. The first n_centers atoms are centers, whose environments are described; the others are
/// neighbours only (ghost atoms, halos).
struct Configuration {
    ConstMatrixView positions{};     ///< (n_atoms, 3), in the unit of the model's cutoff (usually Angstrom)
    const int* species = nullptr;    ///< (n_atoms,) atomic numbers
    Index n_centers = 0;             ///< from 1 to n_atoms, which describes all; 0 only without atoms
    std::array<double, 9> cell{};    ///< (3, 3), the rows are the cell vectors; used along periodic directions
    std::array<bool, 3> periodic{};  ///< along which cell vectors; all false for a cluster, or atoms with their ghosts
};

/// An atom, or a periodic image of one, within the cutoff of a center.
struct Neighbour {
    Index atom;                    ///< its index
    std::array<double, 3> vector;  ///< from the center to the neighbour, in the unit of positions
};

struct StructureState;

/// A configuration that was checked and sorted into bins as wide as the cutoff. The neighbours of any atom are found in
/// constant time. It keeps its own copy of the arrays, is immutable and is cheap to copy.
class Structure {
public:
    /// @param atoms    n_atoms atoms, of which n_centers are centers
    /// @param species  atomic numbers that the descriptor knows, ascending; atoms of other species are unknown to it
    /// @param cutoff   radius of an environment, in the unit of positions
    /// @param name     name of the structure in error messages
    /// @throws InvalidInput  for positions and cells that are not finite, positions too large for the resolution of
    /// float64, cells without a volume, cells with too many atoms within a cutoff to be meant, atoms without centers,
    /// and wrong shapes
    Structure(
        const Configuration& atoms, const std::vector<int>& species, double cutoff,
        const std::string& name = "the structure"
    );

    Index n_atoms() const;
    Index n_centers() const;

    /// Indices of the centers in the order of the bins: consecutive centers are close to each other.
    std::vector<Index> order() const;

    /// Atoms and periodic images of all species within the cutoff of an atom.
    /// @throws InvalidInput  for an index outside [0, n_atoms)
    std::vector<Neighbour> neighbours(Index atom) const;

    /// Internal.
    const StructureState& state() const { return *state_; }

private:
    std::shared_ptr<const StructureState> state_;
};

}  // namespace lpr_fast

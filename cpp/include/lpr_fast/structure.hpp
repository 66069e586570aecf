#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

/// Atoms, of which the first n_centers are described; the others are neighbours alone (ghost atoms, halos).
struct Configuration {
    ConstMatrixView positions{};     ///< (n_atoms, 3), in the unit of the model's cutoff (usually Angstrom)
    const int* species = nullptr;    ///< (n_atoms,), atomic numbers
    Index n_centers = 0;             ///< at most n_atoms, which describes all; 0 describes none
    std::array<double, 9> cell{};    ///< three vectors, row by row; used where periodic
    std::array<bool, 3> periodic{};  ///< along which vectors; all false for a cluster, or atoms with their ghosts
};

/// An atom or image within the cutoff of another one.
struct Neighbour {
    Index atom;                    ///< its number
    std::array<double, 3> vector;  ///< from the other one to it
};

struct StructureState;

/// A configuration that was checked and sorted into bins as wide as the cutoff, so that the neighbours of any atom are
/// found in constant time. Independent of the arrays that it was made from, immutable, and cheap to copy.
class Structure {
public:
    /// @param species  atomic numbers that a descriptor knows, ascending; other atoms are kept apart
    /// @param cutoff   atoms farther apart do not see each other
    /// @param name     what error messages call it
    /// @throws InvalidInput  for positions and cells that are not finite, positions that float64 does not resolve,
    /// cells that span no volume or are so dense that nobody can mean them, and shapes that do not fit
    Structure(
        const Configuration& atoms, const std::vector<int>& species, double cutoff,
        const std::string& name = "the structure"
    );

    Index n_atoms() const;
    Index n_centers() const;

    /// Numbers of the centers in the order of the bins: those that follow one another are near each other.
    std::vector<Index> order() const;

    /// Atoms and images within the cutoff of an atom, whatever their species.
    /// @throws InvalidInput  for an atom that does not exist
    std::vector<Neighbour> neighbours(Index atom) const;

    /// For the library's own use.
    const StructureState& state() const { return *state_; }

private:
    std::shared_ptr<const StructureState> state_;
};

}  // namespace lpr_fast

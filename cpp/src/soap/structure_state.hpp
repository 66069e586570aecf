#pragma once

#include <cstdint>
#include <vector>

#include "lpr_fast/structure.hpp"
#include "soap/lattice.hpp"

namespace lpr_fast {

/// No two atoms are nearer to each other: files with six decimals put atoms that coincide so near.
inline constexpr double same_place = 1e-4;

/// A bin of space: how many bins from the first one along each vector.
using Bin = std::array<Index, 3>;

/// Atoms sorted by their bins. Periodic atoms are moved into the cell by whole vectors.
struct StructureState {
    Lattice lattice;
    double cutoff = 0.0;
    Index n_centers = 0;
    std::string name;
    std::vector<int> known;  ///< species, ascending

    // Sorted by bin, and by number within a bin; behind the last one there is room for a vector of any instruction set.
    std::vector<double> x, y, z;
    std::vector<std::int32_t> species;  ///< place in the list of known species, and behind all of them what is unknown
    std::vector<std::int32_t> atom;     ///< number in the configuration
    std::vector<int> number;            ///< atomic number; 0 is a site without an element, which nobody sees

    std::vector<std::int32_t> place;  ///< of each atom of the configuration among the sorted ones

    std::vector<Bin> bins;     ///< those that hold atoms, in lexical order
    std::vector<Index> begin;  ///< of each of them among the sorted atoms, and the number of all atoms
    Bin n_bins{};
    double bin_volume = 0.0;
    Bin reach{};  ///< bins along each vector within which all neighbours are

    Index n_atoms() const { return static_cast<Index>(atom.size()); }
    bool is_center(Index sorted) const { return atom[static_cast<std::size_t>(sorted)] < n_centers; }
    Vector3 position(Index sorted) const {
        const auto i = static_cast<std::size_t>(sorted);
        return {x[i], y[i], z[i]};
    }
    /// Number of the bin in which a sorted atom is.
    Index bin_of(Index sorted) const;
};

/// Calls use(first, last, shift) for all sorted atoms, moved by a shift of whole vectors, that may be within the cutoff
/// of an atom in a bin: ranges of atoms in an order that depends on the structure alone.
template <typename Use>
void for_each_range(const StructureState& state, const Bin& bin, const Use& use);

/// What along one vector is near a bin: bins, and by how many vectors their atoms are moved.
struct Stretch {
    Index first, last, image;
};
std::vector<Stretch> stretches(const StructureState& state, const Bin& bin, std::size_t k);

/// Bins with atoms in the row (i, j, first ... last): their numbers, from the first to behind the last.
std::pair<Index, Index> row_of_bins(const StructureState& state, Index i, Index j, Index first, Index last);

template <typename Use>
void for_each_range(const StructureState& state, const Bin& bin, const Use& use) {
    const std::vector<Stretch> along[3] = {
        stretches(state, bin, 0), stretches(state, bin, 1), stretches(state, bin, 2)
    };
    for (const Stretch& a : along[0])
        for (Index i = a.first; i <= a.last; ++i)
            for (const Stretch& b : along[1])
                for (Index j = b.first; j <= b.last; ++j)
                    for (const Stretch& c : along[2]) {
                        const auto [first, last] = row_of_bins(state, i, j, c.first, c.last);
                        if (first == last) continue;
                        const auto begin = state.begin[static_cast<std::size_t>(first)];
                        const auto end = state.begin[static_cast<std::size_t>(last)];
                        use(begin, end, state.lattice.shift({a.image, b.image, c.image}));
                    }
}

}  // namespace lpr_fast

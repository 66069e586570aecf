#pragma once

#include <cstdint>
#include <vector>

#include "lpr_fast/structure.hpp"
#include "soap/lattice.hpp"

namespace lpr_fast {

/// Two atoms that are closer count as being at the same position. In files with six decimals, coinciding atoms are.
inline constexpr double same_place = 1e-4;

/// A bin of space: its index along each vector.
using Bin = std::array<Index, 3>;

/// State of a Structure: atoms sorted by bins. Along periodic vectors, atoms are moved into the cell.
struct StructureState {
    Lattice lattice;
    double cutoff = 0.0;
    Index n_centers = 0;
    std::string name;
    std::vector<int> known;  ///< species, ascending

    // Sorted by bin, and by index within a bin. The arrays are padded for vector loads of any instruction set.
    std::vector<double> x, y, z;
    std::vector<std::int32_t> species;  ///< index in the list of known species; its size for unknown species
    std::vector<std::int32_t> atom;     ///< index in the configuration
    std::vector<int> number;            ///< atomic number; 0 is a site, which is no neighbour

    std::vector<std::int32_t> place;  ///< for each atom of the configuration, its index among the sorted atoms

    std::vector<Bin> bins;     ///< bins that contain atoms, in lexicographic order
    std::vector<Index> begin;  ///< first sorted atom of each such bin, and the number of all atoms
    Bin n_bins{};
    double bin_volume = 0.0;
    Bin reach{};  ///< all neighbours are at most this many bins away along each vector

    Index n_atoms() const { return static_cast<Index>(atom.size()); }
    bool is_center(Index sorted) const { return atom[static_cast<std::size_t>(sorted)] < n_centers; }
    Vector3 position(Index sorted) const {
        const auto i = static_cast<std::size_t>(sorted);
        return {x[i], y[i], z[i]};
    }
    /// Index of the bin of a sorted atom.
    Index bin_of(Index sorted) const;
};

/// Calls use(first, last, shift) for ranges of sorted atoms that, moved by a lattice vector, may be within the cutoff
/// of an atom in a bin. The order of the ranges depends on the structure alone.
template <typename Use>
void for_each_range(const StructureState& state, const Bin& bin, const Use& use);

/// Bins within reach of a bin along one vector, and the number of vectors by which their atoms are moved.
struct Stretch {
    Index first, last, image;
};
std::vector<Stretch> stretches(const StructureState& state, const Bin& bin, std::size_t k);

/// Range of indices of the bins with atoms in the row (i, j, first ... last); the second index is behind the last bin.
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

#pragma once

#include <cstdint>
#include <vector>

#include "cluster.hpp"
#include "lattice.hpp"

namespace lpr_fast {

/// Cuts a configuration into clusters of nearby centers with the halos that their environments need.
///
/// How it is cut depends on the atoms alone. Memory is kept from one configuration to the next.
class Cut {
public:
    /// @param species  atomic numbers that are seen, ascending; other atoms do not exist
    /// @throws InvalidInput  for configurations that cannot be described
    void prepare(const Configuration& atoms, const std::vector<int>& species, double cutoff);

    Index n_pieces() const { return static_cast<Index>(piece_begin_.size()) - 1; }
    Index n_centers(Index piece) const { return piece_begin_[at(piece) + 1] - piece_begin_[at(piece)]; }

    /// The centers of a piece, followed by the other atoms within the cutoff of their box.
    void gather(Index piece, Cluster& cluster) const;

private:
    static std::size_t at(Index i) { return static_cast<std::size_t>(i); }

    void read_atoms(const Configuration& atoms, const std::vector<int>& species);
    void split_centers();
    void split(Index begin, Index end);
    std::size_t longest_axis(Index begin, Index end) const;
    void sort_into_bins();
    Index bin_of(std::size_t atom, std::size_t axis) const;
    void gather_bin(Index piece, std::size_t bin, const std::array<Index, 3>& image, Cluster& cluster) const;

    struct Box {
        Vector3 low, high;
    };
    Box box_of(const std::vector<Vector3>& points, Index begin, Index end) const;
    double distance_squared(const Box& box, const Vector3& position) const;

    Lattice lattice_;
    double cutoff_ = 0.0;
    Index n_centers_ = 0;  // the first of the atoms that are seen
    std::vector<Vector3> positions_;
    std::vector<Vector3> coordinates_;
    std::vector<int32_t> species_;
    std::vector<Index> rows_;         // numbers of the atoms in the configuration
    std::vector<Index> centers_;      // piece by piece
    std::vector<Index> piece_begin_;  // in centers_, and its size
    std::vector<Index> piece_of_;     // of each center
    Vector3 bin_origin_{};
    Vector3 bins_per_unit_{};
    std::array<Index, 3> n_bins_{};
    std::vector<Index> bin_begin_;
    std::vector<Index> binned_;
};

}  // namespace lpr_fast

#pragma once

#include <cstdint>
#include <featomic.hpp>
#include <vector>

#include "lattice.hpp"

namespace lpr_fast {

/// Some centers with all atoms within the cutoff of them, images among those, as one system without a cell for
/// featomic.
///
/// It makes its own list of pairs: featomic's would spend most of its time on pairs of atoms that are no centers.
class Cluster final : public featomic::System {
public:
    /// Forgets all atoms, and keeps the memory.
    void clear();

    /// Adds an atom. Centers come first.
    /// @param row  for centers their number in the configuration, for others a negative number
    void add(const Vector3& position, int species, Index row);

    Index n_centers() const { return static_cast<Index>(rows_.size()); }

    /// Number of a center in the configuration.
    Index row(Index center) const { return rows_[static_cast<std::size_t>(center)]; }

    /// Throws InvalidInput if the last list of pairs found a center and another atom at the same place.
    void check_pairs() const;

    uintptr_t size() const override { return species_.size(); }
    const int32_t* types() const override { return species_.data(); }
    const double* positions() const override { return positions_.data(); }
    CellMatrix cell() const override { return {}; }
    void compute_neighbors(double cutoff) override;
    const std::vector<featomic_pair_t>& pairs() const override { return pairs_; }
    const std::vector<featomic_pair_t>& pairs_containing(uintptr_t atom) const override { return of_atom_[atom]; }

private:
    void add_pairs(std::size_t center, double cutoff);

    std::vector<double> positions_;
    std::vector<int32_t> species_;
    std::vector<Index> rows_;
    std::vector<featomic_pair_t> pairs_;
    std::vector<std::vector<featomic_pair_t>> of_atom_;
    Index coincident_ = -1;
};

}  // namespace lpr_fast

#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "aligned_buffer.hpp"
#include "lpr_fast/view.hpp"
#include "soap/surroundings.hpp"

namespace lpr_fast {

struct SoapState;

/// Derivatives of some f with respect to the positions of atoms, of which a few are touched at a time.
class TouchedAtoms {
public:
    void clear() { atoms_.clear(), gradient_.clear(); }

    /// Makes room for atoms with numbers below this.
    void make_room(Index n_atoms) { slots_.resize(static_cast<std::size_t>(n_atoms)); }

    /// The derivatives of an atom, zero at first; they move when another one is asked for.
    Vector3& operator[](std::int32_t atom);

    const std::vector<std::int32_t>& atoms() const { return atoms_; }
    const std::vector<Vector3>& gradient() const { return gradient_; }

private:
    std::vector<std::int32_t> atoms_;
    std::vector<Vector3> gradient_;
    // A slot counts if it is that of an atom which says the same: then nothing has to be reset.
    std::vector<std::size_t> slots_;
};

/// Derivatives with respect to a strain, (3, 3) row by row: the sum over pairs of d (x) df/dd.
using Strain = std::array<double, 9>;

/// One environment on its way from positions to expansions, and back from derivatives with respect to features to
/// those with respect to positions. Keeps its memory.
class WayBack {
public:
    Surroundings surroundings;

    /// Expands the density around a center that was gathered for, and keeps what the way back needs.
    void expand(const SoapState& soap, const StructureState& structure, Index place);

    /// Pulls back derivatives with respect to the features of the center that was expanded last.
    void pull(const SoapState& soap, const double* derivatives);

    /// Adds what pull() found to the atoms, and unless it is null to the strain.
    void add_to(TouchedAtoms& touched, Strain* strain) const;

private:
    void pull_spectra(const SoapState& soap, const double* derivatives);

    Index n_species_ = 0;
    const StructureState* structure_ = nullptr;
    Index place_ = 0;
    AlignedBuffer kept_, expansions_, gradients_, scratch_;
    std::vector<char> is_empty_;
    std::vector<Index> first_kept_;
    std::vector<Index> first_neighbour_;  ///< of each species among the vectors
    std::vector<double> x_, y_, z_;
};

/// Throws InvalidInput for a descriptor whose features are not differentiable everywhere.
void check_differentiable(const SoapState& soap);

}  // namespace lpr_fast

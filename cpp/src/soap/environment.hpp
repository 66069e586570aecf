#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "lpr_fast/view.hpp"
#include "soap/surroundings.hpp"

namespace lpr_fast {

struct SoapState;

/// The neighbours of a center and the expansions of their density, with all that the way back to positions needs. Keeps
/// its memory.
struct Environment {
    std::int32_t center = 0;  ///< number in the configuration
    Index species = 0;        ///< of the center, among those that are known

    // Neighbours species by species.
    std::vector<std::int32_t> atoms;  ///< numbers in the configuration
    std::vector<double> x, y, z;      ///< vectors from the center
    std::vector<Index> first;         ///< of each species, and the number of all

    AlignedBuffer expansions;  ///< one for each species, which means nothing where that is empty
    std::vector<char> is_empty;

    AlignedBuffer kept;             ///< see HotSoapGradient::expand
    std::vector<Index> first_kept;  ///< of each species

    Index count() const { return static_cast<Index>(atoms.size()); }
    Vector3 vector(Index neighbour) const;
    SoapNeighbours neighbours(Index of_species) const;
    SoapNeighbours all_neighbours() const;

    /// Copies the selected neighbours of a center of a species that is known, and expands their density.
    void take(const SoapState& soap, const Surroundings& selected, const StructureState& structure, Index place);

private:
    void copy_neighbours(const SoapState& soap, const Surroundings& selected, const StructureState& structure);
};

/// From derivatives with respect to features to those with respect to the vectors to neighbours. Keeps its memory.
class WayBack {
public:
    void go(const SoapState& soap, const Environment& environment, const double* derivatives);

    /// What came of it for a neighbour.
    Vector3 gradient(Index neighbour) const {
        const auto i = static_cast<std::size_t>(neighbour);
        return {x_[i], y_[i], z_[i]};
    }

    /// Adds the derivatives with respect to a strain, (3, 3) row by row: the sum of d (x) df/dd over vectors d.
    void add_strain(const Environment& environment, double* strain);

private:
    void pull_spectra(const SoapState& soap, const Environment& environment, const double* derivatives);

    AlignedBuffer gradients_, scratch_;
    std::vector<double> x_, y_, z_;
};

/// Throws InvalidInput for a descriptor whose features are not differentiable everywhere.
void check_way_back(const SoapState& soap);

}  // namespace lpr_fast

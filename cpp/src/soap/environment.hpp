#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "lpr_fast/view.hpp"
#include "soap/surroundings.hpp"

namespace lpr_fast {

struct SoapState;

/// The neighbours of a center, the expansions of their density, and intermediate results for derivatives with respect
/// to positions. Its memory is reused.
struct Environment {
    std::int32_t center = 0;  ///< index in the configuration
    Index species = 0;        ///< index of the center's species among the known ones

    // Neighbours, sorted by species.
    std::vector<std::int32_t> atoms;  ///< indices in the configuration
    std::vector<double> x, y, z;      ///< vectors from the center
    std::vector<Index> first;         ///< first neighbour of each species, and the number of all

    AlignedBuffer expansions;    ///< one for each species; undefined if is_empty
    std::vector<char> is_empty;  ///< for each species, whether its density is zero

    AlignedBuffer kept;             ///< intermediate results of HotSoapGradient::expand
    std::vector<Index> first_kept;  ///< their first number for each species

    Index count() const { return static_cast<Index>(atoms.size()); }
    Vector3 vector(Index neighbour) const;
    SoapNeighbours neighbours(Index of_species) const;
    SoapNeighbours all_neighbours() const;

    /// Copies the selected neighbours of a center of known species, and expands their density.
    void take(const SoapState& soap, const Surroundings& selected, const StructureState& structure, Index place);

private:
    void copy_neighbours(const SoapState& soap, const Surroundings& selected, const StructureState& structure);
};

/// Reverse-mode differentiation: from derivatives with respect to features to derivatives with respect to the vectors
/// to neighbours. Its memory is reused.
class WayBack {
public:
    /// @param derivatives  (D,) with respect to features
    void go(const SoapState& soap, const Environment& environment, const double* derivatives);

    /// Derivatives with respect to the vector to a neighbour.
    Vector3 gradient(Index neighbour) const {
        const auto i = static_cast<std::size_t>(neighbour);
        return {x_[i], y_[i], z_[i]};
    }

    /// Adds the derivatives with respect to strain, (3, 3): the sum of d (x) df/dd over vectors d to neighbours.
    void add_strain(const Environment& environment, double* strain);

private:
    void pull_spectra(const SoapState& soap, const Environment& environment, const double* derivatives);

    AlignedBuffer gradients_, scratch_;
    std::vector<double> x_, y_, z_;
};

/// Throws InvalidInput for a descriptor whose features are not differentiable everywhere.
void check_differentiable(const SoapState& soap);

}  // namespace lpr_fast

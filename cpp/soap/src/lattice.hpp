#pragma once

#include <array>

#include "lpr_fast/soap.hpp"

namespace lpr_fast {

using Vector3 = std::array<double, 3>;

/// Coordinates in which periodicity is simple: along periodic vectors of the cell they are fractions of the vector,
/// along the others lengths at right angles to all periodic vectors.
struct Lattice {
    std::array<Vector3, 3> vectors{};
    std::array<Vector3, 3> inverse{};  ///< coordinate k of a position is its product with inverse[k]
    std::array<bool, 3> periodic{};

    Vector3 coordinates(const Vector3& position) const;

    /// The position moved by whole vectors.
    Vector3 moved(const Vector3& position, const std::array<Index, 3>& by) const;

    /// How much coordinate k changes over a length at right angles to the other two vectors.
    double per_length(std::size_t k) const;
};

/// @throws InvalidInput  for cells that are not finite, span no volume, or are so small that an atom would have more
/// neighbours than anybody can mean
Lattice lattice_of(const Configuration& atoms, double cutoff);

double dot(const Vector3& a, const Vector3& b);

}  // namespace lpr_fast

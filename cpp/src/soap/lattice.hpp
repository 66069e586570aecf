#pragma once

#include <array>
#include <string>

#include "lpr_fast/structure.hpp"

namespace lpr_fast {

using Vector3 = std::array<double, 3>;

/// Coordinates in which periodicity is simple: along periodic vectors of the cell they are fractions of the vector,
/// along the others lengths at right angles to all periodic vectors.
struct Lattice {
    std::array<Vector3, 3> vectors{};
    std::array<Vector3, 3> inverse{};  ///< coordinate k of a position is its product with inverse[k]
    std::array<bool, 3> periodic{};

    Vector3 coordinates(const Vector3& position) const;

    /// The sum of whole vectors.
    Vector3 shift(const std::array<Index, 3>& by) const;

    /// How much coordinate k changes over a length at right angles to the other two vectors.
    double per_length(std::size_t k) const;
};

/// @param name  what error messages call the structure
/// @throws InvalidInput  for cells that are not finite or span no volume
Lattice lattice_of(const Configuration& atoms, const std::string& name);

double dot(const Vector3& a, const Vector3& b);

double determinant(const std::array<Vector3, 3>& vectors);

}  // namespace lpr_fast

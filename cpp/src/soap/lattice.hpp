#pragma once

#include <array>
#include <string>

#include "lpr_fast/structure.hpp"

namespace lpr_fast {

using Vector3 = std::array<double, 3>;

/// The cell, and coordinates in it: fractions along periodic cell vectors, and lengths along the other directions,
/// which are orthogonal to all periodic vectors.
struct Lattice {
    std::array<Vector3, 3> vectors{};
    std::array<Vector3, 3> inverse{};  ///< coordinate k of a position is its product with inverse[k]
    std::array<bool, 3> periodic{};

    Vector3 coordinates(const Vector3& position) const;

    /// The lattice vector with these integer coefficients.
    Vector3 shift(const std::array<Index, 3>& by) const;

    /// Change of coordinate k per unit length orthogonal to the other two vectors.
    double per_length(std::size_t k) const;
};

/// The lattice of a configuration.
/// @param name  name of the structure in error messages
/// @throws InvalidInput  for cells that are not finite or span no volume
Lattice lattice_of(const Configuration& atoms, const std::string& name);

double dot(const Vector3& a, const Vector3& b);

double determinant(const std::array<Vector3, 3>& vectors);

}  // namespace lpr_fast

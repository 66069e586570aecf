#pragma once

#include "base/matrices.hpp"

namespace lpr_fast {

/// R = P S V^T for a square matrix R, and P^T q for a vector q.
struct SingularValues {
    Vector values;      ///< S, decreasing
    Matrix directions;  ///< V; columns of zeros where the singular value is zero
    Vector rotated;     ///< P^T q
};

/// Right to rounding of the largest singular value. The eigenvectors of R R^T make the rows of R orthogonal up to the
/// root of that; Jacobi rotations do the rest. Eigen's own decompositions would be a tenth of the library.
SingularValues singular_values(const RowMatrix& r, const Vector& q);

}  // namespace lpr_fast

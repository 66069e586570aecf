#pragma once

#include "base/matrices.hpp"

namespace lpr_fast {

/// R = P S V^T for a square matrix R, and P^T q for a vector q.
struct SingularValues {
    Vector values;      ///< S, decreasing
    Matrix directions;  ///< V; columns of zeros where the singular value is zero
    Vector rotated;     ///< P^T q
};

/// Singular values with absolute errors of eps times the largest. The eigenvectors of R R^T make the rows of R
/// orthogonal to about sqrt(eps), and one-sided Jacobi rotations do the rest. Eigen's own decompositions would add a
/// tenth to the size of the library.
SingularValues singular_values(const RowMatrix& r, const Vector& q);

}  // namespace lpr_fast

#pragma once

#include "base/matrices.hpp"

namespace lpr_fast {

/// A = Q L Q^T.
struct SymmetricEigen {
    Vector values;   ///< L, ascending
    Matrix vectors;  ///< Q
};

/// Eigenvalues and eigenvectors. A function of its own, because the code of Eigen's solver is large.
/// @param matrix  symmetric; only its lower triangle is read
SymmetricEigen symmetric_eigen(const Matrix& matrix);

}  // namespace lpr_fast

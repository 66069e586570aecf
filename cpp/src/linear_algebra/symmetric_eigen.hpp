#pragma once

#include "base/matrices.hpp"

namespace lpr_fast {

/// A = Q L Q^T.
struct SymmetricEigen {
    Vector values;   ///< L, ascending
    Matrix vectors;  ///< Q
};

/// Compiled once: Eigen's solver is large.
/// @param matrix  symmetric; its lower triangle is read
SymmetricEigen symmetric_eigen(const Matrix& matrix);

}  // namespace lpr_fast

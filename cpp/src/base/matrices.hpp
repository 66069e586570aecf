#pragma once

// The only file that includes Eigen. The build renames Eigen's namespace, so that a host program may use another
// version of it, and fixes its cache sizes, so that products depend on their operands alone (see CMakeLists.txt).

#if defined(__FAST_MATH__)
#error "-ffast-math hides NaN and makes results of lpr_fast depend on the compiler; remove this flag"
#endif

#include <Eigen/Dense>
#include <limits>

#include "lpr_fast/view.hpp"

namespace lpr_fast {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic>;
using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;
using RowMap = Eigen::Map<const RowMatrix, 0, Eigen::OuterStride<>>;

inline constexpr double epsilon = std::numeric_limits<double>::epsilon();

inline RowMap as_matrix(ConstMatrixView view) {
    return RowMap(view.data, view.rows, view.cols, Eigen::OuterStride<>(view.stride));
}

inline ConstMatrixView view_of(const RowMatrix& matrix) {
    return {matrix.data(), matrix.rows(), matrix.cols(), matrix.cols()};
}

/// R^T of a row-major upper-triangular R, as a lower-triangular column-major expression.
inline auto transposed_triangle(const RowMatrix& triangle) {
    return Eigen::Map<const Matrix>(triangle.data(), triangle.rows(), triangle.cols()).triangularView<Eigen::Lower>();
}

/// R of a row-major upper-triangular matrix, as a triangular expression.
inline auto upper_triangle(const RowMatrix& triangle) {
    return triangle.triangularView<Eigen::Upper>();
}

}  // namespace lpr_fast

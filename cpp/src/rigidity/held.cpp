#include "rigidity/held.hpp"

#include <algorithm>
#include <vector>

#include "base/at.hpp"
#include "linear_algebra/triangularize.hpp"
#include "rigidity/factor_state.hpp"
#include "rigidity/quadratic_form.hpp"

namespace lpr_fast {
namespace {

// What is smaller beside one is what rounding leaves of rows that depend on one another.
constexpr double smallest_direction = 1e-12;

// A square of this share cannot be seen beside the whole.
constexpr double smallest_cosine = 1e-9;

/// R^-T row for every row, of norm one; zero for rows that see nothing.
Matrix solved_directions(const FactorState& factor, ConstMatrixView rows) {
    Matrix solved(factor.triangle.cols(), rows.rows);
    for (Index i = 0; i < rows.rows; ++i) {
        for (Index j = 0; j < solved.rows(); ++j) solved(j, i) = rows.row(i)[factor.columns[at(j)]];
        take_exponent(solved.col(i));
        transposed_triangle(factor.triangle).solveInPlace(solved.col(i));
        take_exponent(solved.col(i));
        const double norm = solved.col(i).norm();
        if (norm > 0.0) solved.col(i) /= norm;
    }
    return solved;
}

}  // namespace

Held held_by(const FactorState& factor, ConstMatrixView rows) {
    const Matrix solved = solved_directions(factor, rows);
    Eigen::ColPivHouseholderQR<Matrix> qr(solved);
    const Index most = std::min(solved.rows(), solved.cols());
    Index rank = 0;
    while (rank < most && std::abs(qr.matrixQR()(rank, rank)) > smallest_direction) ++rank;
    Matrix basis = Matrix::Identity(solved.rows(), rank);
    basis.applyOnTheLeft(qr.householderQ());
    return {as_matrix(rows), basis.transpose(), Vector::Zero(rank)};
}

Held held_within(const Held& held, const Triangle& inverse) {
    // With Y the orthonormal columns of the QR, cosines are those of Y^T D^T, weighted by what is held; sines come from
    // the rest, so that neither loses digits beside one.
    const Vector weights = (1.0 - held.left.array()).sqrt();
    const Matrix cosines = inverse.targets * weights.asDiagonal();
    const Eigen::JacobiSVD<Matrix> svd(cosines, Eigen::ComputeThinU | Eigen::ComputeThinV);
    Index rank = 0;
    while (rank < svd.singularValues().size() && svd.singularValues()(rank) > smallest_cosine) ++rank;
    const Matrix outside = inverse.rest * (weights.asDiagonal() * svd.matrixV().leftCols(rank));
    const Matrix free = held.left.cwiseSqrt().asDiagonal() * svd.matrixV().leftCols(rank);
    const Vector left = (outside.colwise().squaredNorm() + free.colwise().squaredNorm()).transpose();
    return {{}, svd.matrixU().leftCols(rank).transpose(), left.cwiseMin(1.0)};
}

double square_held(const Held& held, Eigen::Ref<Vector> solved) {
    double square = 0.0;
    for (Index k = 0; k < held.directions.rows(); ++k) {
        const double along = held.directions.row(k).dot(solved);
        square += held.left(k) * along * along;
        solved -= along * held.directions.row(k).transpose();
    }
    return square + solved.squaredNorm();
}

}  // namespace lpr_fast

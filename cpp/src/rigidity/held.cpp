#include "rigidity/held.hpp"

#include <utility>

#include "base/at.hpp"
#include "linear_algebra/singular_values.hpp"
#include "linear_algebra/triangularize.hpp"
#include "rigidity/factor_state.hpp"
#include "rigidity/quadratic_form.hpp"

namespace lpr_fast {
namespace {

// Smaller norms, relative to one, are rounding errors of rows that depend linearly on others.
constexpr double smallest_direction = 1e-12;

// The square of a smaller cosine is lost to rounding beside one.
constexpr double smallest_cosine = 1e-9;

/// R^-T row for each row, normalised, as columns; zero for rows that vanish on the columns of R.
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

/// Orthonormal rows that span the given columns, by Gram-Schmidt with pivoting: the next column is the largest
/// remaining one. Remainders below `smallest` are rounding errors. Each column is orthogonalised twice, which suffices.
RowMatrix orthonormal_span(Matrix columns, double smallest) {
    RowMatrix span(0, columns.rows());
    while (columns.cols() > 0) {
        Index largest = 0;
        if (!(columns.colwise().norm().maxCoeff(&largest) > smallest)) break;
        const Vector column = columns.col(largest) - span.transpose() * (span * columns.col(largest));
        span.conservativeResize(span.rows() + 1, Eigen::NoChange);
        span.bottomRows(1) = column.transpose().normalized();
        if (span.rows() == span.cols()) break;
        columns -= span.bottomRows(1).transpose() * (span.bottomRows(1) * columns);
    }
    return span;
}

}  // namespace

Held held_by(const FactorState& factor, ConstMatrixView rows) {
    RowMatrix span = orthonormal_span(solved_directions(factor, rows), smallest_direction);
    const Index rank = span.rows();
    return {as_matrix(rows), std::move(span), Vector::Zero(rank)};
}

Held held_within(const Held& held, const Triangle& inverse) {
    // With Y the orthonormal columns of the QR, the cosines are those of Y^T D^T, weighted by the held share. The sines
    // are computed from the rest of the QR, so that small ones lose no digits.
    const Vector weights = (1.0 - held.left.array()).sqrt();
    const Matrix cosines = inverse.targets * weights.asDiagonal();
    const RowMatrix span = orthonormal_span(cosines, smallest_cosine);
    RowMatrix within = RowMatrix::Zero(cosines.cols(), cosines.cols());
    within.topRows(span.rows()) = span * cosines;
    const SingularValues found = singular_values(within, Vector::Zero(cosines.cols()));
    Index rank = 0;
    while (rank < span.rows() && found.values(rank) > smallest_cosine) ++rank;
    const auto mixing = found.directions.leftCols(rank);
    const Matrix rotated = (within * mixing).topRows(span.rows()) * found.values.head(rank).cwiseInverse().asDiagonal();
    const Matrix outside = inverse.rest * (weights.asDiagonal() * mixing);
    const Matrix free = held.left.cwiseSqrt().asDiagonal() * mixing;
    const Vector left = (outside.colwise().squaredNorm() + free.colwise().squaredNorm()).transpose();
    return {{}, rotated.transpose() * span, left.cwiseMin(1.0)};
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

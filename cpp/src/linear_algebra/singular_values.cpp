#include "linear_algebra/singular_values.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/at.hpp"
#include "linear_algebra/symmetric_eigen.hpp"

namespace lpr_fast {
namespace {

// Far more than needed: a limit, because rotations by rounding alone could go on without end.
constexpr int most_sweeps = 60;

/// Columns that are made orthogonal, and a vector to which the same rotations are applied.
struct Rotating {
    Matrix columns;
    Vector q;
    Vector squares;  ///< squared norms of the columns
};

/// Rotates columns a and b so that they are orthogonal, unless they already are to rounding.
/// @param largest  largest squared norm of all columns
/// @returns whether they were rotated
bool rotate(Rotating& r, Index a, Index b, double largest) {
    const double product = r.columns.col(a).dot(r.columns.col(b));
    const double rounding = static_cast<double>(r.columns.rows()) * epsilon * epsilon * largest;
    const double tolerance = std::sqrt(static_cast<double>(r.columns.rows())) * epsilon;
    if (!(std::abs(product) > std::max(rounding, tolerance * std::sqrt(r.squares(a) * r.squares(b))))) return false;
    const double cotangent = (r.squares(b) - r.squares(a)) / (2.0 * product);
    const double tangent = std::copysign(1.0, cotangent) / (std::abs(cotangent) + std::hypot(1.0, cotangent));
    const double cosine = 1.0 / std::hypot(1.0, tangent);
    const double sine = cosine * tangent;
    double* first = r.columns.col(a).data();
    double* second = r.columns.col(b).data();
    for (Index i = 0; i < r.columns.rows(); ++i) {
        const double before = first[i];
        first[i] = cosine * before - sine * second[i];
        second[i] = sine * before + cosine * second[i];
    }
    const double before = r.q(a);
    r.q(a) = cosine * before - sine * r.q(b);
    r.q(b) = sine * before + cosine * r.q(b);
    r.squares(a) = std::max(r.squares(a) - tangent * product, 0.0);
    r.squares(b) += tangent * product;
    return true;
}

/// Visits every pair of columns once. Returns whether any pair was rotated.
bool sweep(Rotating& r) {
    r.squares = r.columns.colwise().squaredNorm();
    const double largest = r.squares.maxCoeff();
    bool is_rotated = false;
    for (Index a = 0; a < r.columns.cols(); ++a) {
        for (Index b = a + 1; b < r.columns.cols(); ++b) is_rotated |= rotate(r, a, b, largest);
    }
    return is_rotated;
}

}  // namespace

SingularValues singular_values(const RowMatrix& r, const Vector& q) {
    const double largest = r.size() == 0 ? 0.0 : r.cwiseAbs().maxCoeff();
    if (!(largest > 0.0)) return {Vector::Zero(r.rows()), Matrix::Zero(r.cols(), r.rows()), q};
    const double unit = std::exp2(std::floor(std::log2(largest)));
    const Matrix scaled = r / unit;
    const Matrix vectors = symmetric_eigen(scaled * scaled.transpose()).vectors.rowwise().reverse();
    Rotating rotating{scaled.transpose() * vectors, vectors.transpose() * q, {}};
    for (int n = 0; n < most_sweeps && sweep(rotating); ++n) {
    }
    const Index size = r.rows();
    const Vector norms = rotating.columns.colwise().norm();
    std::vector<Index> order(at(size));
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return norms(a) > norms(b); });
    SingularValues found{Vector(size), Matrix::Zero(r.cols(), size), Vector(size)};
    for (Index k = 0; k < size; ++k) {
        const Index column = order[at(k)];
        found.values(k) = unit * norms(column);
        found.rotated(k) = rotating.q(column);
        if (norms(column) > 0.0) found.directions.col(k) = rotating.columns.col(column) / norms(column);
    }
    return found;
}

}  // namespace lpr_fast

#include "linear_algebra/condition.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace lpr_fast {
namespace {

constexpr int max_iterations = 50;
constexpr double convergence = 1e-3;  // relative change of the value at which the iteration stops
constexpr int min_iterations = 5;
constexpr double safety = 4.0;
constexpr double least = 8.0;  // in units of eps: rounding of sums in well-conditioned problems

/// A normalised vector of fixed pseudo-random numbers, which has no symmetry: singular vectors are not orthogonal to
/// it.
Vector random_start(Index size) {
    std::mt19937_64 generator(20231106);
    Vector start(size);
    for (Index i = 0; i < size; ++i) start(i) = std::ldexp(static_cast<double>(generator() >> 11U), -52) - 1.0;
    return start.normalized();
}

/// 1 / lambda_min(D^-1/2 H D^-1/2): the square of the largest singular value of D^1/2 R^-1.
double largest_over_all_phi(const RowMatrix& triangle, const Vector& diagonal) {
    const Vector scale = diagonal.cwiseSqrt();
    const double value = largest_singular_value(
        diagonal.size(),
        [&](Vector& v) {
            upper_triangle(triangle).solveInPlace(v);
            v = v.cwiseProduct(scale);
        },
        [&](Vector& v) {
            v = v.cwiseProduct(scale);
            transposed_triangle(triangle).solveInPlace(v);
        }
    );
    return value * value;
}

}  // namespace

double largest_singular_value(Index size, const Product& apply, const Product& apply_transposed) {
    Vector v = random_start(size);
    double value = 0.0;
    for (int i = 0; i < max_iterations; ++i) {
        const double previous = value;
        for (const Product* product : {&apply, &apply_transposed}) {
            (*product)(v);
            value = v.stableNorm();
            if (!std::isfinite(value)) return std::numeric_limits<double>::infinity();
            if (value == 0.0) return value;
            v /= value;
        }
        if (i >= min_iterations && std::abs(value - previous) <= convergence * value) break;
    }
    return value;
}

double condition_number(const RowMatrix& triangle) {
    const auto multiply = [&](Vector& v) { v = upper_triangle(triangle) * v; };
    const auto multiply_transposed = [&](Vector& v) { v = transposed_triangle(triangle) * v; };
    const auto solve = [&](Vector& v) { upper_triangle(triangle).solveInPlace(v); };
    const auto solve_transposed = [&](Vector& v) { transposed_triangle(triangle).solveInPlace(v); };
    return largest_singular_value(triangle.cols(), multiply, multiply_transposed) *
           largest_singular_value(triangle.cols(), solve, solve_transposed);
}

double cholesky_error_estimate(const RowMatrix& triangle, const Vector& diagonal) {
    return epsilon * (least + safety * largest_over_all_phi(triangle, diagonal));
}

}  // namespace lpr_fast

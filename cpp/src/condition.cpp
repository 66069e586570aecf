#include "condition.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace lpr_fast {
namespace {

constexpr int max_iterations = 50;
constexpr double enough = 1e-3;
constexpr Index n_probes = 64;
constexpr double mean_safety = 8.0;
constexpr double typical_safety = 300.0;

Vector random_signs(Index size) {
    std::mt19937_64 generator(20231106);
    Vector signs(size);
    for (Index i = 0; i < size; ++i) signs(i) = (generator() & 1U) != 0U ? 1.0 : -1.0;
    return signs;
}

/// Columns of the prior, evenly spread, at most n_probes of them.
Matrix probe_columns(const Matrix& prior) {
    const Index count = std::min(n_probes, prior.cols());
    Matrix probes(prior.rows(), count);
    for (Index j = 0; j < count; ++j) probes.col(j) = prior.col(j * prior.cols() / count);
    return probes;
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

double largest_over_probes(const RowMatrix& triangle, const Vector& diagonal, const Matrix& prior) {
    Matrix solution = probe_columns(prior);
    transposed_triangle(triangle).solveInPlace(solution);
    const Eigen::RowVectorXd forms = solution.cwiseAbs2().colwise().sum();
    upper_triangle(triangle).solveInPlace(solution);
    const Eigen::RowVectorXd movements = diagonal.transpose() * solution.cwiseAbs2();
    double largest = 0.0;
    for (Index j = 0; j < forms.size(); ++j) {
        if (forms(j) > 0.0) largest = std::max(largest, movements(j) / forms(j));
    }
    return largest;
}

}  // namespace

double largest_singular_value(Index size, const Product& apply, const Product& apply_transposed) {
    Vector v = random_signs(size).normalized();
    double value = 0.0;
    for (int i = 0; i < max_iterations; ++i) {
        const double previous = value;
        for (const Product* product : {&apply, &apply_transposed}) {
            (*product)(v);
            value = v.stableNorm();
            if (!(value > 0.0) || !std::isfinite(value)) return value;
            v /= value;
        }
        if (std::abs(value - previous) <= enough * value) break;
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

double cholesky_error_estimate(const RowMatrix& triangle, const Vector& diagonal, const Matrix& prior) {
    const double worst = largest_over_all_phi(triangle, diagonal);
    const double typical = prior.size() == 0 ? worst : largest_over_probes(triangle, diagonal, prior);
    const double mean = std::sqrt(worst) * std::sqrt(typical);
    return epsilon * std::min(mean_safety * mean, typical_safety * typical);
}

}  // namespace lpr_fast

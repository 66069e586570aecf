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

double largest_over_all_phi(const RowMatrix& triangle, const Vector& diagonal) {
    const Vector scale = diagonal.cwiseSqrt();
    return largest_eigenvalue(diagonal.size(), [&](Vector& v) {
        v = v.cwiseProduct(scale);
        transposed_triangle(triangle).solveInPlace(v);
        upper_triangle(triangle).solveInPlace(v);
        v = v.cwiseProduct(scale);
    });
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

double largest_eigenvalue(Index size, const std::function<void(Vector&)>& apply) {
    Vector v = random_signs(size).normalized();
    double eigenvalue = 0.0;
    for (int i = 0; i < max_iterations; ++i) {
        apply(v);
        const double previous = eigenvalue;
        eigenvalue = v.norm();
        if (!(eigenvalue > 0.0) || !std::isfinite(eigenvalue)) break;
        v /= eigenvalue;
        if (std::abs(eigenvalue - previous) <= enough * eigenvalue) break;
    }
    return eigenvalue;
}

double condition_number(const RowMatrix& triangle) {
    const Index size = triangle.cols();
    const double largest = largest_eigenvalue(size, [&](Vector& v) {
        v = upper_triangle(triangle) * v;
        v = transposed_triangle(triangle) * v;
    });
    const double inverse_smallest = largest_eigenvalue(size, [&](Vector& v) {
        transposed_triangle(triangle).solveInPlace(v);
        upper_triangle(triangle).solveInPlace(v);
    });
    return std::sqrt(largest) * std::sqrt(inverse_smallest);
}

double cholesky_error_estimate(const RowMatrix& triangle, const Vector& diagonal, const Matrix& prior) {
    const double worst = largest_over_all_phi(triangle, diagonal);
    const double typical = prior.size() == 0 ? worst : largest_over_probes(triangle, diagonal, prior);
    const double mean = std::sqrt(worst) * std::sqrt(typical);
    return epsilon * std::min(mean_safety * mean, typical_safety * typical);
}

}  // namespace lpr_fast

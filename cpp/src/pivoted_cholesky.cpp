#include "pivoted_cholesky.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include "lpr_fast/error.hpp"
#include "symmetric_product.hpp"

namespace lpr_fast {
namespace {

constexpr Index panel_width = 64;

// A residual this many times the stopping threshold is no rounding error.
constexpr double indefinite_factor = 100.0;

/// The factorisation in progress: rows of `root` are L^T, columns stay where they were in the matrix.
struct Progress {
    Matrix residual;  ///< A - root^T root as of the last panel, lower triangle
    Vector diagonal;  ///< its diagonal, kept up to date within the panel
    RowMatrix root;
    std::vector<Index> pivots;
};

Eigen::RowVectorXd residual_row(const Matrix& residual, Index i) {
    Eigen::RowVectorXd row(residual.cols());
    row.head(i + 1) = residual.row(i).head(i + 1);
    row.tail(residual.cols() - i) = residual.col(i).tail(residual.cols() - i).transpose();
    return row;
}

void eliminate(Progress& p, Index pivot, Index first_of_panel) {
    const auto step = static_cast<Index>(p.pivots.size());
    const double root_of_pivot = std::sqrt(p.diagonal(pivot));
    const auto panel = p.root.middleRows(first_of_panel, step - first_of_panel);
    auto row = p.root.row(step);
    row = residual_row(p.residual, pivot);
    row.noalias() -= panel.col(pivot).transpose() * panel;
    row /= root_of_pivot;
    for (const Index earlier : p.pivots) row(earlier) = 0.0;  // exact elimination leaves nothing there
    row(pivot) = root_of_pivot;
    p.diagonal -= row.transpose().cwiseAbs2();
    p.pivots.push_back(pivot);
    p.diagonal(pivot) = 0.0;
}

/// Eliminates up to a panel of pivots; false when no pivot above the threshold is left.
bool eliminate_panel(Progress& p, double threshold) {
    const auto first = static_cast<Index>(p.pivots.size());
    const Index end = std::min(first + panel_width, p.residual.cols());
    while (static_cast<Index>(p.pivots.size()) < end) {
        Index pivot = 0;
        if (!(p.diagonal.maxCoeff(&pivot) > threshold)) return false;
        eliminate(p, pivot, first);
    }
    return end < p.residual.cols();
}

/// The largest residual between columns that were not eliminated: rounding, unless the matrix is indefinite.
double largest_residual(const Progress& p) {
    std::vector<bool> eliminated(static_cast<std::size_t>(p.residual.cols()), false);
    for (const Index pivot : p.pivots) eliminated[static_cast<std::size_t>(pivot)] = true;
    double largest = 0.0;
    for (Index j = 0; j < p.residual.cols(); ++j) {
        if (eliminated[static_cast<std::size_t>(j)]) continue;
        for (Index i = j; i < p.residual.cols(); ++i) {
            if (!eliminated[static_cast<std::size_t>(i)]) largest = std::max(largest, std::abs(p.residual(i, j)));
        }
    }
    return largest;
}

void check_semidefinite(const Progress& p, double threshold) {
    const double largest = largest_residual(p);
    if (!p.pivots.empty() && largest <= indefinite_factor * threshold) return;
    std::ostringstream message;
    message
        << "the prior (K_MM) must be positive semidefinite, but it has a negative eigenvalue or is zero: eliminating "
        << p.pivots.size() << " of " << p.residual.cols() << " columns leaves an entry of size " << largest
        << ", where rounding explains " << std::max(threshold, 0.0)
        << "; compute it in float64, and check that it is a kernel matrix.";
    throw NotPositiveDefinite(message.str());
}

/// Powers of two that bring every positive diagonal element to between 1/2 and 2: an exact change of units, after which
/// a small kernel is not mistaken for a redundant one.
Vector units_of(const Matrix& matrix) {
    Vector units = Vector::Ones(matrix.cols());
    for (Index i = 0; i < matrix.cols(); ++i) {
        const double diagonal = matrix(i, i);
        if (diagonal > 0.0) units(i) = std::exp2(-std::round(0.5 * std::log2(diagonal)));
    }
    return units;
}

PivotedCholesky on_kept_columns(const Progress& p, const Vector& units) {
    PivotedCholesky result;
    result.kept = p.pivots;
    std::sort(result.kept.begin(), result.kept.end());
    const auto rank = static_cast<Index>(result.kept.size());
    result.root.resize(rank, rank);
    for (std::size_t j = 0; j < result.kept.size(); ++j) {
        const Index column = result.kept[j];
        result.root.col(static_cast<Index>(j)) = p.root.col(column).head(rank) / units(column);
    }
    return result;
}

}  // namespace

PivotedCholesky pivoted_cholesky(const Matrix& matrix, int n_threads) {
    const Index size = matrix.cols();
    const Vector units = units_of(matrix);
    Matrix scaled(size, size);
    for (Index j = 0; j < size; ++j) scaled.col(j) = units(j) * matrix.col(j).cwiseProduct(units);
    const double threshold = static_cast<double>(size) * epsilon * scaled.diagonal().maxCoeff();
    Progress p{scaled, scaled.diagonal(), RowMatrix::Zero(size, size), {}};
    bool more = true;
    while (more) {
        const auto first = static_cast<Index>(p.pivots.size());
        more = eliminate_panel(p, threshold);
        const auto eliminated = static_cast<Index>(p.pivots.size()) - first;
        add_symmetric_product(p.residual, -1.0, p.root.middleRows(first, eliminated), n_threads);
    }
    check_semidefinite(p, threshold);
    return on_kept_columns(p, units);
}

}  // namespace lpr_fast

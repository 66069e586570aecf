#include "linear_algebra/pivoted_cholesky.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include "linear_algebra/small_pivots.hpp"
#include "linear_algebra/symmetric_product.hpp"
#include "lpr_fast/error.hpp"

namespace lpr_fast {
namespace {

constexpr Index panel_width = 64;

// A residual above this many times the stopping threshold is more than rounding.
constexpr double indefinite_factor = 100.0;

/// Rounding of the elimination, relative to the diagonal: a dependent column may keep this residual. Small sizes need
/// more than size * eps.
double rounding_of(Index size) {
    return static_cast<double>(std::max<Index>(size, 16)) * epsilon;
}

/// The factorisation in progress. Rows of `root` are those of L^T; columns keep their order in the matrix.
struct Progress {
    Matrix residual;  ///< A - root^T root after the last whole panel, lower triangle
    Vector diagonal;  ///< diagonal of A - root^T root, up to date
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
    for (const Index earlier : p.pivots) row(earlier) = 0.0;  // as in exact arithmetic
    row(pivot) = root_of_pivot;
    p.diagonal -= row.transpose().cwiseAbs2();
    p.pivots.push_back(pivot);
    p.diagonal(pivot) = 0.0;
}

/// Eliminates at most one panel of pivots. Returns false if no pivot above the threshold is left.
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

std::vector<bool> eliminated_columns(const Progress& p) {
    std::vector<bool> eliminated(static_cast<std::size_t>(p.residual.cols()), false);
    for (const Index pivot : p.pivots) eliminated[static_cast<std::size_t>(pivot)] = true;
    return eliminated;
}

/// Throws if a residual between columns that were not eliminated is more than rounding, both in units in which the
/// diagonal is near one and relative to the largest diagonal element. The second test is for kernels centred on one of
/// their points: the row of that point is rounding alone, which need not be semidefinite.
void check_semidefinite(const Progress& p, double threshold, const Vector& units, double largest_diagonal) {
    const std::vector<bool> eliminated = eliminated_columns(p);
    const double unscaled_threshold = rounding_of(units.size()) * largest_diagonal;
    double worst = 0.0;
    for (Index j = 0; j < units.size(); ++j) {
        for (Index i = j; i < units.size(); ++i) {
            if (eliminated[static_cast<std::size_t>(i)] || eliminated[static_cast<std::size_t>(j)]) continue;
            const double residual = std::abs(p.residual(i, j));
            const double unscaled = residual / (units(i) * units(j));
            if (residual > indefinite_factor * threshold && unscaled > indefinite_factor * unscaled_threshold) {
                worst = std::max(worst, unscaled);
            }
        }
    }
    if (!p.pivots.empty() && worst == 0.0) return;
    std::ostringstream message;
    message
        << "the prior (K_MM) must be positive semidefinite, but it has a negative eigenvalue or is zero: eliminating "
        << p.pivots.size() << " of " << units.size() << " columns leaves an entry of size " << worst
        << ", where rounding leaves about " << std::max(unscaled_threshold, 0.0)
        << "; compute it in float64, and check that it is a kernel matrix.";
    throw NotPositiveDefinite(message.str());
}

/// Powers of two that scale every positive diagonal element to between 1/2 and 2. This change of units is exact, and
/// keeps an active environment with small kernels from looking redundant.
Vector units_of(const Matrix& matrix) {
    return matrix.diagonal().unaryExpr([](double diagonal) {
        return diagonal > 0.0 ? std::exp2(-std::round(0.5 * std::log2(diagonal))) : 1.0;
    });
}

/// Adds pivots that the elimination could not distinguish from its own rounding.
void add_small_pivots(Progress& p, const Matrix& scaled, int n_threads) {
    const auto count = static_cast<Index>(p.pivots.size());
    const SmallPivots further = small_pivots(scaled, p.pivots, p.root.topRows(count), p.diagonal, n_threads);
    p.root.middleRows(count, further.root.rows()) = further.root;
    p.pivots.insert(p.pivots.end(), further.pivots.begin(), further.pivots.end());
}

PivotedCholesky in_original_units(const Progress& p, const Vector& units) {
    PivotedCholesky result;
    result.pivots = p.pivots;
    const std::vector<bool> eliminated = eliminated_columns(p);
    for (Index j = 0; j < p.residual.cols(); ++j) {
        if (!eliminated[static_cast<std::size_t>(j)]) result.redundant.push_back(j);
    }
    result.root = p.root.topRows(static_cast<Index>(p.pivots.size()));
    for (Index j = 0; j < result.root.cols(); ++j) result.root.col(j) /= units(j);
    return result;
}

}  // namespace

RowMatrix PivotedCholesky::triangle() const {
    RowMatrix chosen(root.rows(), root.rows());
    for (Index j = 0; j < root.rows(); ++j) chosen.col(j) = root.col(pivots[static_cast<std::size_t>(j)]);
    return chosen;
}

PivotedCholesky pivoted_cholesky(const Matrix& matrix, int n_threads) {
    const Index size = matrix.cols();
    const Vector units = units_of(matrix);
    Matrix scaled(size, size);
    for (Index j = 0; j < size; ++j) scaled.col(j) = units(j) * matrix.col(j).cwiseProduct(units);
    const double threshold = rounding_of(size) * scaled.diagonal().maxCoeff();
    Progress p{scaled, scaled.diagonal(), RowMatrix::Zero(size, size), {}};
    bool more = true;
    while (more) {
        const auto first = static_cast<Index>(p.pivots.size());
        more = eliminate_panel(p, threshold);
        const auto eliminated = static_cast<Index>(p.pivots.size()) - first;
        add_symmetric_product(p.residual, -1.0, p.root.middleRows(first, eliminated), n_threads);
    }
    check_semidefinite(p, threshold, units, matrix.diagonal().maxCoeff());
    if (static_cast<Index>(p.pivots.size()) < size) add_small_pivots(p, scaled, n_threads);
    return in_original_units(p, units);
}

}  // namespace lpr_fast

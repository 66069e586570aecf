#include "rigidity/whitening.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/at.hpp"
#include "base/checks.hpp"

namespace lpr_fast {
namespace {

Matrix chosen(const Matrix& matrix, const std::vector<Index>& columns) {
    Matrix part(columns.size(), columns.size());
    for (Index i = 0; i < part.rows(); ++i) {
        for (Index j = 0; j < part.cols(); ++j) part(i, j) = matrix(columns[at(i)], columns[at(j)]);
    }
    return part;
}

}  // namespace

Whitening::Whitening(std::vector<Index> columns, std::optional<ConstMatrixView> prior, int n_threads) {
    if (!prior) {
        pivots_ = std::move(columns);
        return;
    }
    const Matrix whole = checked_symmetric("the prior (K_MM)", *prior);
    const PivotedCholesky cholesky = pivoted_cholesky(chosen(whole, columns), n_threads);
    triangle_ = cholesky.triangle();
    others_.resize(cholesky.root.rows(), static_cast<Index>(cholesky.redundant.size()));
    for (const Index pivot : cholesky.pivots) pivots_.push_back(columns[at(pivot)]);
    for (Index j = 0; j < others_.cols(); ++j) {
        const Index redundant = cholesky.redundant[at(j)];
        others_.col(j) = cholesky.root.col(redundant);
        redundant_.push_back(columns[at(redundant)]);
    }
}

Matrix Whitening::coordinates(ConstMatrixView rows, Index first, Index count) const {
    Matrix coordinates(n_known() + n_unknown(), count);
    for (Index t = 0; t < count; ++t) {
        const double* row = rows.row(first + t);
        for (Index j = 0; j < n_known(); ++j) coordinates(j, t) = row[pivots_[at(j)]];
        for (Index j = 0; j < n_unknown(); ++j) coordinates(n_known() + j, t) = row[redundant_[at(j)]];
    }
    if (triangle_.size() == 0) return coordinates;
    auto known = coordinates.topRows(n_known());
    transposed_triangle(triangle_).solveInPlace(known);
    if (n_unknown() > 0) coordinates.bottomRows(n_unknown()) -= others_.transpose() * known;
    return coordinates;
}

double Whitening::rounding(ConstMatrixView rows, Index unknown) const {
    // Coefficients of the pivots in the linear combination of columns that nearly vanishes.
    const Vector combination = upper_triangle(triangle_).solve(others_.col(unknown));
    double squares = 0.0;
    for (Index i = 0; i < rows.rows; ++i) {
        const double* row = rows.row(i);
        double size = std::abs(row[redundant_[at(unknown)]]);
        for (Index j = 0; j < n_known(); ++j) size += std::abs(combination(j) * row[pivots_[at(j)]]);
        squares += size * size;
    }
    const Index n_columns = n_known() + n_unknown();
    return static_cast<double>(std::max<Index>(2 * n_columns, 32)) * epsilon * std::sqrt(squares);
}

}  // namespace lpr_fast

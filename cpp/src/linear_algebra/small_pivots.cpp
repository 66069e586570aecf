#include "linear_algebra/small_pivots.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/at.hpp"
#include "base/parallel.hpp"

namespace lpr_fast {
namespace {

// Rounding of many entries adds up like a random walk: up to seven standard deviations (docs/explanation/accuracy.md).
constexpr double typical_roundings = 8.0;

// Lower bound of eps |v|^T |A| |v|, relative to the diagonal element.
constexpr double least_rounding = 4.0 * epsilon;

// Rounding of the elimination may have reduced a residual to this fraction.
constexpr double left_by_elimination = 0.5;

constexpr Index tile_width = 16;

/// Change of v^T A v by rounding of the entries to one unit in the last place: upper bound, and likely size.
struct Rounding {
    double bound = 0.0;
    double likely = 0.0;
};

Rounding rounding_of(const Matrix& matrix, const Vector& v) {
    const Vector sizes = v.cwiseAbs();
    double sum = 0.0;
    double squares = 0.0;
    for (Index j = 0; j < v.size(); ++j) {
        if (sizes(j) == 0.0) continue;
        const Vector products = sizes(j) * matrix.col(j).cwiseProduct(sizes);
        sum += products.lpNorm<1>();
        squares += products.squaredNorm();
    }
    return {epsilon * sum, typical_roundings * epsilon * std::sqrt(squares)};
}

double threshold_of(const Matrix& matrix, const Vector& v) {
    const Rounding rounding = rounding_of(matrix, v);
    return std::min(rounding.bound, rounding.likely);
}

/// Coefficients of the combination of a column and the pivots that vanishes if the column depends on them; the
/// coefficient of the column itself is 1.
Vector combination_of(
    const std::vector<Index>& pivots, const RowMatrix& root, const RowMatrix& triangle, Index column
) {
    const Vector coefficients = upper_triangle(triangle).solve(Vector(root.col(column)));
    Vector v = Vector::Zero(root.cols());
    for (Index k = 0; k < coefficients.size(); ++k) v(pivots[at(k)]) = -coefficients(k);
    v(column) = 1.0;
    return v;
}

struct TwoNumbers {
    double value;
    double error;
};

/// The exact product of Dekker and the exact sum of Knuth; the build keeps the compiler from contracting them.
TwoNumbers upper_half(double x) {
    constexpr double splitter = 134217729.0;  // 2^27 + 1
    const double shifted = splitter * x;
    const double upper = shifted - (shifted - x);
    return {upper, x - upper};
}

TwoNumbers exact_product(double a, double b) {
    const double product = a * b;
    const auto [a_upper, a_lower] = upper_half(a);
    const auto [b_upper, b_lower] = upper_half(b);
    const double error = a_lower * b_lower - (((product - a_upper * b_upper) - a_lower * b_upper) - a_upper * b_lower);
    return {product, error};
}

TwoNumbers exact_sum(double a, double b) {
    const double sum = a + b;
    const double part_of_b = sum - a;
    return {sum, (a - (sum - part_of_b)) + (b - part_of_b)};
}

/// A v in doubled precision, rounded once at the end.
Vector accurate_product(const Matrix& matrix, const Vector& v) {
    Vector sums = Vector::Zero(v.size());
    Vector errors = Vector::Zero(v.size());
    for (Index j = 0; j < v.size(); ++j) {
        if (v(j) == 0.0) continue;
        for (Index i = 0; i < v.size(); ++i) {
            const TwoNumbers product = exact_product(matrix(i, j), v(j));
            const TwoNumbers sum = exact_sum(sums(i), product.value);
            sums(i) = sum.value;
            errors(i) += sum.error + product.error;
        }
    }
    return sums + errors;
}

/// Columns that may become pivots, each with the combination v (combination_of()) that has its residual.
struct Candidates {
    std::vector<Index> columns;
    Matrix combinations;  ///< (size, number of columns)
    Vector roundings;     ///< of v^T A v, see threshold_of()

    Index count() const { return static_cast<Index>(columns.size()); }
};

Candidates subset(const Candidates& candidates, const std::vector<Index>& chosen) {
    const auto count = static_cast<Index>(chosen.size());
    Candidates part{{}, Matrix(candidates.combinations.rows(), count), Vector(count)};
    for (Index i = 0; i < count; ++i) {
        part.columns.push_back(candidates.columns[at(chosen[at(i)])]);
        part.combinations.col(i) = candidates.combinations.col(chosen[at(i)]);
        part.roundings(i) = candidates.roundings(chosen[at(i)]);
    }
    return part;
}

/// Columns that were not eliminated, and their residuals in doubled precision.
class AccurateResiduals {
public:
    AccurateResiduals(const Matrix& matrix, const std::vector<Index>& pivots, const RowMatrix& root, int n_threads)
        : matrix_(matrix), pivots_(pivots), root_(root), triangle_(root.rows(), root.rows()), n_threads_(n_threads) {
        for (Index j = 0; j < root.rows(); ++j) triangle_.col(j) = root.col(pivots[at(j)]);
    }

    /// Columns that may become pivots.
    /// @param residuals  diagonal after the elimination, including rounding
    Candidates candidates(const Vector& residuals) const {
        Candidates all{uncertain_columns(residuals), {}, {}};
        all.combinations = Matrix::Zero(matrix_.cols(), all.count());
        all.roundings = Vector(all.count());
        parallel_for_each(tile_count(all.count(), tile_width), n_threads_, [&](Index tile) {
            const Index end = std::min(all.count(), (tile + 1) * tile_width);
            for (Index i = tile * tile_width; i < end; ++i) {
                all.combinations.col(i) = combination_of(pivots_, root_, triangle_, all.columns[at(i)]);
                all.roundings(i) = threshold_of(matrix_, all.combinations.col(i));
            }
        });
        std::vector<Index> promising;
        for (Index i = 0; i < all.count(); ++i) {
            if (residuals(all.columns[at(i)]) > left_by_elimination * all.roundings(i)) promising.push_back(i);
        }
        return subset(all, promising);
    }

    /// The Schur complement V^T A V - |U^-T g|^2, with the combinations V and the part g of A V in the rows of the
    /// pivots. It is independent of rounding in V.
    Matrix residuals(const Candidates& candidates) const {
        const Index count = candidates.count();
        if (count == 0) return Matrix(0, 0);  // Eigen's solver would bind a reference to nothing
        Matrix products(matrix_.cols(), count);
        parallel_for_each(count, n_threads_, [&](Index i) {
            products.col(i) = accurate_product(matrix_, candidates.combinations.col(i));
        });
        Matrix corrections(root_.rows(), count);
        for (Index k = 0; k < root_.rows(); ++k) corrections.row(k) = products.row(pivots_[at(k)]);
        transposed_triangle(triangle_).solveInPlace(corrections);
        return candidates.combinations.transpose() * products - corrections.transpose() * corrections;
    }

private:
    /// Columns whose residual may be above the smallest rounding.
    std::vector<Index> uncertain_columns(const Vector& residuals) const {
        std::vector<bool> is_pivot(at(matrix_.cols()), false);
        for (const Index pivot : pivots_) is_pivot[at(pivot)] = true;
        std::vector<Index> columns;
        for (Index j = 0; j < matrix_.cols(); ++j) {
            if (is_pivot[at(j)]) continue;
            if (residuals(j) > left_by_elimination * least_rounding * matrix_(j, j)) columns.push_back(j);
        }
        return columns;
    }

    const Matrix& matrix_;
    const std::vector<Index>& pivots_;
    const RowMatrix& root_;
    RowMatrix triangle_;
    int n_threads_;
};

/// Eliminates candidate p from the others.
void eliminate(Candidates& candidates, Matrix& residuals, Index p) {
    const Vector factors = residuals.col(p) / residuals(p, p);
    for (Index i = 0; i < candidates.count(); ++i) {
        if (i == p || residuals(i, p) == 0.0) continue;
        candidates.combinations.col(i) -= factors(i) * candidates.combinations.col(p);
    }
    residuals -= factors * residuals.row(p).eval();
    residuals.row(p).setZero();
    residuals.col(p).setZero();
}

/// The candidate whose residual is largest relative to its rounding; -1 if no residual is above its rounding.
Index best_pivot(const Matrix& matrix, Candidates& candidates, const Matrix& residuals) {
    Index best = -1;
    while (candidates.count() > 0) {
        const double ratio = residuals.diagonal().cwiseQuotient(candidates.roundings).maxCoeff(&best);
        if (!(ratio > 1.0)) return -1;
        // Its rounding may have grown since other candidates entered its combination.
        candidates.roundings(best) = threshold_of(matrix, candidates.combinations.col(best));
        if (residuals(best, best) > candidates.roundings(best)) return best;
    }
    return -1;
}

}  // namespace

SmallPivots small_pivots(
    const Matrix& matrix, const std::vector<Index>& pivots, const RowMatrix& root, const Vector& diagonal, int n_threads
) {
    const AccurateResiduals accurate(matrix, pivots, root, n_threads);
    Candidates candidates = accurate.candidates(diagonal);
    Matrix residuals = accurate.residuals(candidates);
    SmallPivots found{{}, RowMatrix::Zero(candidates.count(), matrix.cols())};
    for (Index p = best_pivot(matrix, candidates, residuals); p >= 0; p = best_pivot(matrix, candidates, residuals)) {
        const double root_of_pivot = std::sqrt(residuals(p, p));
        auto row = found.root.row(static_cast<Index>(found.pivots.size()));
        for (Index i = 0; i < candidates.count(); ++i) row(candidates.columns[at(i)]) = residuals(i, p) / root_of_pivot;
        found.pivots.push_back(candidates.columns[at(p)]);
        eliminate(candidates, residuals, p);
    }
    found.root.conservativeResize(static_cast<Index>(found.pivots.size()), Eigen::NoChange);
    return found;
}

double rounding_of_elimination(
    const Matrix& matrix, const std::vector<Index>& pivots, const RowMatrix& root, const RowMatrix& triangle,
    Index column
) {
    return rounding_of(matrix, combination_of(pivots, root, triangle, column)).likely;
}

}  // namespace lpr_fast

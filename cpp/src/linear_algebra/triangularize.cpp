#include "linear_algebra/triangularize.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/parallel.hpp"
#include "hot/instruction_set.hpp"

namespace lpr_fast {
namespace {

constexpr Index widest_panel = 32;
constexpr Index narrowest_panel = 4;

// Smallest ratio of a pivot to the largest candidate. A ratio of 1 is complete column pivoting, one column at a time.
constexpr double pivot_tolerance = 0.5;

std::vector<const double*> rows_of(const std::vector<ConstMatrixView>& blocks) {
    std::vector<const double*> rows;
    for (const ConstMatrixView& block : blocks) {
        for (Index i = 0; i < block.rows; ++i) rows.push_back(block.row(i));
    }
    return rows;
}

/// The power of two just below the largest entry: dividing by it is exact, and prevents overflow and underflow of
/// squares.
double unit_of(const std::vector<const double*>& rows, const std::vector<Index>& columns) {
    double largest = 0.0;
    for (const double* row : rows) {
        for (const Index j : columns) largest = std::max(largest, std::abs(row[j]));
    }
    return largest > 0.0 ? std::exp2(std::floor(std::log2(largest))) : 1.0;
}

double squared_norm(const double* row, const std::vector<Index>& columns, double unit) {
    double sum = 0.0;
    for (const Index j : columns) sum += (row[j] / unit) * (row[j] / unit);
    return sum;
}

/// Rows in order of decreasing norm within the chosen columns.
std::vector<const double*> by_decreasing_norm(
    const std::vector<const double*>& rows, const std::vector<Index>& columns, double unit
) {
    std::vector<double> norms(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) norms[i] = squared_norm(rows[i], columns, unit);
    std::vector<std::size_t> order(rows.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return norms[a] > norms[b]; });
    std::vector<const double*> sorted;
    for (const std::size_t i : order) sorted.push_back(rows[i]);
    return sorted;
}

/// The chosen columns and then the targets of all rows, divided by `unit`, column-major. Rows of zeros are added if
/// there are fewer rows than chosen columns.
Matrix gathered(
    const std::vector<const double*>& rows, std::vector<Index> columns, Index width, Index n_targets, double unit,
    int n_threads
) {
    const auto n_rows = static_cast<Index>(rows.size());
    const auto n_chosen = static_cast<Index>(columns.size());
    for (Index j = width - n_targets; j < width; ++j) columns.push_back(j);
    Matrix gathered(std::max(n_rows, n_chosen), n_chosen + n_targets);
    gathered.bottomRows(gathered.rows() - n_rows).setZero();
    const int n_used = threads_for(gathered.size(), n_threads);
    parallel_for_each(tile_count(n_rows, column_tile), n_used, [&](Index tile) {
        const Index end = std::min(n_rows, (tile + 1) * column_tile);
        for (Index j = 0; j < gathered.cols(); ++j) {
            const Index column = columns[static_cast<std::size_t>(j)];
            for (Index i = tile * column_tile; i < end; ++i) {
                gathered(i, j) = rows[static_cast<std::size_t>(i)][column] / unit;
            }
        }
    });
    return gathered;
}

/// Householder vectors V (unit lower trapezoidal) and the triangular T of I - V T V^T = H_1 H_2 ... H_b.
struct Reflectors {
    Matrix v;
    Matrix t;
};

/// A matrix that is being brought to triangular form. Its first columns are columns `columns` of the original; the
/// others are targets.
struct Elimination {
    Matrix work;
    std::vector<Index> columns;

    Index n_columns() const { return static_cast<Index>(columns.size()); }

    void swap(Index i, Index j) {
        if (i == j) return;
        work.col(i).swap(work.col(j));
        std::swap(columns[static_cast<std::size_t>(i)], columns[static_cast<std::size_t>(j)]);
    }
};

/// Squared norms of the columns that are not eliminated yet, updated as rows are eliminated.
class ColumnNorms {
public:
    /// Norms of columns [begin, end), from row `begin` on.
    ColumnNorms(const Matrix& work, Index begin, Index end, int n_threads)
        : begin_(begin), now_(end - begin), computed_(end - begin) {
        const int n_used = threads_for((work.rows() - begin) * (end - begin), n_threads);
        parallel_for_each(tile_count(end - begin, column_tile), n_used, [&](Index tile) {
            const Index last = std::min(end, begin + (tile + 1) * column_tile);
            for (Index j = begin + tile * column_tile; j < last; ++j) compute(work, begin, j);
        });
    }

    double operator()(Index j) const { return now_(j - begin_); }

    /// The column of largest norm among [first, end).
    Index largest_from(Index first) const {
        Index largest = 0;
        now_.tail(now_.size() - (first - begin_)).maxCoeff(&largest);
        return first + largest;
    }

    void swap(Index i, Index j) {
        std::swap(now_(i - begin_), now_(j - begin_));
        std::swap(computed_(i - begin_), computed_(j - begin_));
    }

    /// Subtracts rows [first, next) from the norms of columns [next, end). Computes a norm again after cancellation.
    void remove_rows(const Matrix& work, Index first, Index next) {
        for (Index j = next; j < begin_ + now_.size(); ++j) {
            double& norm = now_(j - begin_);
            norm -= work.col(j).segment(first, next - first).squaredNorm();
            if (!(norm > cancelled * computed_(j - begin_))) compute(work, next, j);
        }
    }

private:
    // The choice of pivots needs a few digits of the norms. Their rounding is eps times the norm as it was computed.
    static constexpr double cancelled = 1e-8;

    void compute(const Matrix& work, Index first, Index j) {
        now_(j - begin_) = computed_(j - begin_) = work.col(j).tail(work.rows() - first).squaredNorm();
    }

    Index begin_;
    Vector now_;
    Vector computed_;
};

/// Moves the `width` columns of largest norm among [first, end) to the front.
/// @returns the largest squared norm of the other columns
double select_panel(Elimination& e, ColumnNorms& norms, Index first, Index end, Index width) {
    for (Index j = first; j < first + width; ++j) {
        const Index largest = norms.largest_from(j);
        e.swap(j, largest);
        norms.swap(j, largest);
    }
    return first + width < end ? norms(norms.largest_from(first + width)) : 0.0;
}

/// Adds the reflector that eliminates column j of the panel that begins at `first`, and applies it to the panel.
void reflect(Elimination& e, Reflectors& reflectors, Index first, Index j, Index width) {
    auto panel = e.work.block(first, first, e.work.rows() - first, width);
    const Index below = panel.rows() - j;
    double tau = 0.0;
    double beta = 0.0;
    auto essential = reflectors.v.col(j).tail(below - 1);
    panel.col(j).tail(below).makeHouseholder(essential, tau, beta);
    reflectors.v(j, j) = 1.0;
    const auto v = reflectors.v.col(j).tail(below);

    panel(j, j) = beta;
    panel.col(j).tail(below - 1).setZero();
    auto right = panel.bottomRightCorner(below, width - j - 1);
    const Eigen::RowVectorXd projections = tau * (v.transpose() * right);
    right.noalias() -= v * projections;

    const Vector overlaps = -tau * (reflectors.v.bottomLeftCorner(below, j).transpose() * v);
    reflectors.t.col(j).head(j) = reflectors.t.topLeftCorner(j, j).triangularView<Eigen::Upper>() * overlaps;
    reflectors.t(j, j) = tau;
}

/// Eliminates columns of the panel, largest first, until none is left or they are too small compared with `outside`,
/// the largest squared norm outside the panel.
Reflectors eliminate_panel(Elimination& e, ColumnNorms& norms, Index first, Index width, double outside) {
    const Index n_rows = e.work.rows() - first;
    Reflectors reflectors{Matrix::Zero(n_rows, width), Matrix::Zero(width, width)};
    Index done = 0;
    for (; done < width; ++done) {
        Index pivot = 0;
        const auto candidates = e.work.block(first + done, first + done, n_rows - done, width - done);
        const double largest = candidates.colwise().squaredNorm().maxCoeff(&pivot);
        if (done > 0 && largest < pivot_tolerance * pivot_tolerance * outside) break;
        e.swap(first + done, first + done + pivot);
        norms.swap(first + done, first + done + pivot);
        reflect(e, reflectors, first, done, width);
    }
    reflectors.v.conservativeResize(Eigen::NoChange, done);
    reflectors.t.conservativeResize(done, done);
    return reflectors;
}

/// C <- (I - V T V^T)^T C, in tiles of columns whose width does not depend on the number of threads.
void apply_reflectors(const Reflectors& reflectors, Eigen::Ref<Matrix> trailing, int n_threads) {
    const int n_used = threads_for(2 * reflectors.v.size() * trailing.cols(), n_threads);
    parallel_for_each(tile_count(trailing.cols(), column_tile), n_used, [&](Index tile) {
        const Index first = tile * column_tile;
        auto c = trailing.middleCols(first, std::min(column_tile, trailing.cols() - first));
        Matrix w(reflectors.v.cols(), c.cols());
        const ColumnProduct product{
            reflectors.v.data(),
            reflectors.v.rows(),
            reflectors.v.cols(),
            c.data(),
            c.outerStride(),
            c.cols(),
            c.rows(),
            w.data(),
        };
        hot_kernels().inner_products(product);
        w = reflectors.t.transpose().triangularView<Eigen::Lower>() * w;
        hot_kernels().subtract_outer(product);
    });
}

/// Eliminates columns [first, end) and applies the reflectors to all later columns.
void eliminate(Elimination& e, Index first, Index end, int n_threads) {
    Index next_width = widest_panel;
    ColumnNorms norms(e.work, first, end, n_threads);
    while (first < end) {
        const Index width = std::min(next_width, end - first);
        const double outside = select_panel(e, norms, first, end, width);
        const Reflectors reflectors = eliminate_panel(e, norms, first, width, outside);
        auto below = e.work.bottomRows(e.work.rows() - first);
        apply_reflectors(reflectors, below.middleCols(first + width, e.n_columns() - first - width), n_threads);
        // Targets are separate, because the last bits of a product may depend on its width.
        apply_reflectors(reflectors, below.rightCols(e.work.cols() - e.n_columns()), n_threads);
        const Index done = reflectors.t.cols();
        norms.remove_rows(e.work, first, first + done);
        first += done;
        // If few columns of this panel were good pivots, the next panel is narrower.
        next_width = done < width ? std::max(narrowest_panel, done) : std::min(widest_panel, 2 * width);
    }
}

Triangle with_positive_diagonal(Triangle triangle) {
    for (Index i = 0; i < triangle.r.rows(); ++i) {
        if (!std::signbit(triangle.r(i, i))) continue;
        triangle.r.row(i) = -triangle.r.row(i);
        triangle.targets.row(i) = -triangle.targets.row(i);
    }
    return triangle;
}

/// The triangular factor of a few columns of any length.
RowMatrix factor_of_few(const Eigen::Ref<const Matrix>& columns) {
    const Index count = columns.cols();
    Matrix work = Matrix::Zero(std::max(columns.rows(), count), count);
    work.topRows(columns.rows()) = columns;
    const double largest = work.size() > 0 ? work.cwiseAbs().maxCoeff() : 0.0;
    if (!(largest > 0.0)) return RowMatrix::Zero(count, count);
    const double unit = std::exp2(std::floor(std::log2(largest)));
    const Eigen::HouseholderQR<Matrix> qr(work / unit);
    RowMatrix factor = unit * Matrix(qr.matrixQR().topRows(count).triangularView<Eigen::Upper>());
    for (Index i = 0; i < count; ++i) {
        if (std::signbit(factor(i, i))) factor.row(i) = -factor.row(i);
    }
    return factor;
}

}  // namespace

RowMatrix Triangle::rows(Index n_columns) const {
    RowMatrix placed = RowMatrix::Zero(r.rows(), n_columns);
    for (std::size_t j = 0; j < columns.size(); ++j) placed.col(columns[j]) = r.col(static_cast<Index>(j));
    if (targets.cols() > 0) placed.rightCols(targets.cols()) = targets;
    return placed;
}

Triangle triangularize(
    const std::vector<ConstMatrixView>& blocks, std::vector<Index> first, const std::vector<Index>& last, int n_threads,
    Index n_targets
) {
    const auto n_first = static_cast<Index>(first.size());
    first.insert(first.end(), last.begin(), last.end());
    std::vector<const double*> rows = rows_of(blocks);
    const double unit = unit_of(rows, first);
    rows = by_decreasing_norm(rows, first, unit);
    Elimination e{gathered(rows, first, blocks.front().cols, n_targets, unit, n_threads), std::move(first)};
    const Index size = e.n_columns();
    eliminate(e, 0, n_first, n_threads);
    eliminate(e, n_first, size, n_threads);
    const auto top = e.work.topRows(size);
    RowMatrix r = unit * Matrix(top.leftCols(size).triangularView<Eigen::Upper>());
    RowMatrix rest = unit * factor_of_few(e.work.bottomRightCorner(e.work.rows() - size, n_targets));
    return with_positive_diagonal(
        {std::move(r), std::move(e.columns), unit * top.rightCols(n_targets), std::move(rest)}
    );
}

Triangle triangularize(const std::vector<ConstMatrixView>& blocks, int n_threads, Index n_targets) {
    return triangularize(blocks, all_columns(blocks.front().cols - n_targets), {}, n_threads, n_targets);
}

std::vector<Index> all_columns(Index size) {
    std::vector<Index> columns(static_cast<std::size_t>(size));
    std::iota(columns.begin(), columns.end(), Index{0});
    return columns;
}

}  // namespace lpr_fast

#include "triangularize.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "parallel.hpp"

namespace lpr_fast {
namespace {

constexpr Index panel_width = 32;
constexpr Index tile_width = 64;

std::vector<const double*> rows_of(const std::vector<ConstMatrixView>& blocks) {
    std::vector<const double*> rows;
    for (const ConstMatrixView& block : blocks) {
        for (Index i = 0; i < block.rows; ++i) rows.push_back(block.row(i));
    }
    return rows;
}

double squared_norm(const double* row, const std::vector<Index>& columns) {
    double sum = 0.0;
    for (const Index j : columns) sum += row[j] * row[j];
    return sum;
}

/// The chosen columns of all rows, column-major, rows in order of decreasing norm.
Matrix sorted_rows(const std::vector<const double*>& rows, const std::vector<Index>& columns, int n_threads) {
    std::vector<double> norms(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) norms[i] = squared_norm(rows[i], columns);
    std::vector<std::size_t> order(rows.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return norms[a] > norms[b]; });

    Matrix sorted(static_cast<Index>(rows.size()), static_cast<Index>(columns.size()));
    const Index n_tiles = (sorted.rows() + tile_width - 1) / tile_width;
    parallel_for_each(n_tiles, n_threads, [&](Index tile) {
        const Index end = std::min(sorted.rows(), (tile + 1) * tile_width);
        for (Index j = 0; j < sorted.cols(); ++j) {
            const Index column = columns[static_cast<std::size_t>(j)];
            for (Index i = tile * tile_width; i < end; ++i) {
                sorted(i, j) = rows[order[static_cast<std::size_t>(i)]][column];
            }
        }
    });
    return sorted;
}

/// Householder vectors V (unit lower trapezoidal) and the triangular T of I - V T V^T = H_1 H_2 ... H_b.
struct Reflectors {
    Matrix v;
    Matrix t;
};

/// Triangularises the panel in place and returns its reflectors.
Reflectors factorize_panel(Eigen::Ref<Matrix> panel) {
    const Index width = panel.cols();
    Reflectors reflectors{Matrix::Zero(panel.rows(), width), Matrix::Zero(width, width)};
    for (Index j = 0; j < width; ++j) {
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
    return reflectors;
}

/// C <- (I - V T V^T)^T C, in column tiles whose width does not depend on the number of threads.
void apply_reflectors(const Reflectors& reflectors, Eigen::Ref<Matrix> trailing, int n_threads) {
    const Index n_tiles = (trailing.cols() + tile_width - 1) / tile_width;
    parallel_for_each(n_tiles, n_threads, [&](Index tile) {
        const Index first = tile * tile_width;
        auto c = trailing.middleCols(first, std::min(tile_width, trailing.cols() - first));
        Matrix w = reflectors.v.transpose() * c;
        w = reflectors.t.transpose().triangularView<Eigen::Lower>() * w;
        c.noalias() -= reflectors.v * w;
    });
}

RowMatrix with_positive_diagonal(RowMatrix triangle) {
    for (Index i = 0; i < triangle.rows(); ++i) {
        if (std::signbit(triangle(i, i))) triangle.row(i) = -triangle.row(i);
    }
    return triangle;
}

}  // namespace

RowMatrix triangularize(const std::vector<ConstMatrixView>& blocks, const std::vector<Index>& columns, int n_threads) {
    Matrix work = sorted_rows(rows_of(blocks), columns, n_threads);
    const Index size = work.cols();
    for (Index first = 0; first < size; first += panel_width) {
        const Index width = std::min(panel_width, size - first);
        const Index below = work.rows() - first;
        const Reflectors reflectors = factorize_panel(work.block(first, first, below, width));
        const Index right = first + width;
        apply_reflectors(reflectors, work.bottomRightCorner(below, size - right), n_threads);
    }
    const RowMatrix triangle = work.topRows(size).triangularView<Eigen::Upper>();
    return with_positive_diagonal(triangle);
}

RowMatrix triangularize(const std::vector<ConstMatrixView>& blocks, int n_threads) {
    std::vector<Index> columns(static_cast<std::size_t>(blocks.front().cols));
    std::iota(columns.begin(), columns.end(), Index{0});
    return triangularize(blocks, columns, n_threads);
}

}  // namespace lpr_fast

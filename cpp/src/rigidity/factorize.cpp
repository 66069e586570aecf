#include <algorithm>
#include <cmath>
#include <optional>
#include <sstream>
#include <utility>

#include "base/at.hpp"
#include "base/checks.hpp"
#include "base/parallel.hpp"
#include "linear_algebra/condition.hpp"
#include "linear_algebra/pivoted_cholesky.hpp"
#include "linear_algebra/small_pivots.hpp"
#include "linear_algebra/symmetric_eigen.hpp"
#include "linear_algebra/symmetric_product.hpp"
#include "linear_algebra/triangularize.hpp"
#include "lpr_fast/error.hpp"
#include "lpr_fast/hessian_factor.hpp"
#include "rigidity/accumulator_state.hpp"
#include "rigidity/factor_state.hpp"
#include "rigidity/side_by_side.hpp"

namespace lpr_fast {
namespace {

void check_regularizer(double regularizer, bool zero_allowed) {
    if (std::isfinite(regularizer) && (regularizer > 0.0 || (zero_allowed && regularizer == 0.0))) return;
    std::ostringstream message;
    message << "the regularizer is " << regularizer << "; it must be finite and "
            << (zero_allowed ? "not negative." : "positive.");
    throw InvalidInput(message.str());
}

/// The prior and its square root.
struct Prior {
    Matrix matrix;  ///< empty if no column is redundant
    PivotedCholesky cholesky;
};

Prior root_of_prior(Index size, std::optional<ConstMatrixView> prior, int n_threads) {
    if (!prior) return {{}, {all_columns(size), {}, RowMatrix::Identity(size, size)}};
    Matrix matrix = checked_symmetric("the prior (K_MM)", *prior);
    PivotedCholesky cholesky = pivoted_cholesky(matrix, n_threads);
    if (cholesky.redundant.empty()) matrix.resize(0, 0);
    return {std::move(matrix), std::move(cholesky)};
}

/// Columns that the prior or the data determine.
///
/// The pivots are determined by the prior; the columns behind them are redundant in it. The data determine such a
/// column if its diagonal element in the QR exceeds the rounding errors of the column and of the prior's root. With few
/// columns, rounding errors exceed size * eps (13 eps were observed), hence the floor.
std::vector<Index> determined_columns(const Triangle& triangle, const Prior& prior, double regularizer) {
    const std::vector<Index>& pivots = prior.cholesky.pivots;
    const RowMatrix root = prior.cholesky.triangle();
    const double rounding = static_cast<double>(std::max<Index>(2 * triangle.r.cols(), 32)) * epsilon;
    const auto is_known = [&](Index j) {
        // By this factor, the squared element must exceed its rounding error, so that the penalty that is dropped with
        // the column does not matter.
        constexpr double margin = 4.0;
        if (triangle.r(j, j) <= rounding * triangle.r.col(j).norm()) return false;
        const double left = triangle.r(j, j) / std::sqrt(margin * regularizer);
        return left * left >
               rounding_of_elimination(prior.matrix, pivots, prior.cholesky.root, root, triangle.columns[at(j)]);
    };
    std::vector<Index> determined(
        triangle.columns.begin(), triangle.columns.begin() + static_cast<Index>(pivots.size())
    );
    for (auto j = static_cast<Index>(pivots.size()); j < triangle.r.cols(); ++j) {
        if (is_known(j)) determined.push_back(triangle.columns[at(j)]);
    }
    return determined;
}

/// The weights c that minimise |R c - targets|, for all columns; zero for dropped columns.
std::vector<double> solved_weights(const Triangle& triangle, Index size) {
    std::vector<double> weights(static_cast<std::size_t>(size), 0.0);
    const Vector solution = upper_triangle(triangle.r).solve(triangle.targets.col(0));
    for (std::size_t j = 0; j < triangle.columns.size(); ++j) {
        weights[static_cast<std::size_t>(triangle.columns[j])] = solution(static_cast<Index>(j));
    }
    return weights;
}

/// R and the reduced targets on the columns that are determined.
Triangle whole_triangle(
    const AccumulatorState& accumulated, double regularizer, const Prior& with_root, int n_threads
) {
    const Index n_targets = accumulated.n_targets;
    const auto& [pivots, redundant, root] = with_root.cholesky;
    RowMatrix prior_rows = RowMatrix::Zero(root.rows(), accumulated.width());
    prior_rows.leftCols(accumulated.size) = std::sqrt(regularizer) * root;
    auto blocks = std::get<SquareRootSum>(accumulated.sum).blocks();
    blocks.push_back(accumulated.pending_rows());
    blocks.push_back(view_of(prior_rows));
    std::vector<Index> first = pivots;
    std::sort(first.begin(), first.end());
    Triangle triangle = triangularize(blocks, std::move(first), redundant, n_threads, n_targets);
    if (!redundant.empty()) {
        auto kept = determined_columns(triangle, with_root, regularizer);
        if (kept.size() < triangle.columns.size()) {
            const RowMatrix rows = triangle.rows(accumulated.width());
            triangle = triangularize({view_of(rows)}, std::move(kept), {}, n_threads, n_targets);
        }
    }
    return triangle;
}

Fit fit_square_root(
    const AccumulatorState& accumulated, double regularizer, std::optional<ConstMatrixView> prior, int n_threads
) {
    const Prior with_root = root_of_prior(accumulated.size, prior, n_threads);
    Triangle triangle = whole_triangle(accumulated, regularizer, with_root, n_threads);
    std::vector<double> weights;
    if (accumulated.n_targets == 1) weights = solved_weights(triangle, accumulated.size);
    HessianFactor factor = make_factor({accumulated.size, std::move(triangle.columns), std::move(triangle.r)});
    return {std::move(factor), std::move(weights)};
}

constexpr Index cholesky_width = 144;

/// rows <- rows L^-T, for the rows of a block column below its diagonal block.
void solve_below(const Eigen::Ref<const Matrix>& diagonal, Eigen::Ref<Matrix> below, int n_threads) {
    parallel_for_each(tile_count(below.rows(), cholesky_width), n_threads, [&](Index tile) {
        const Index first = tile * cholesky_width;
        auto rows = below.middleRows(first, std::min(cholesky_width, below.rows() - first));
        diagonal.triangularView<Eigen::Lower>().transpose().solveInPlace<Eigen::OnTheRight>(rows);
    });
}

/// R of H = R^T R, or nothing if a pivot is not positive.
std::optional<RowMatrix> cholesky(Matrix hessian, int n_threads) {
    const Index size = hessian.cols();
    for (Index first = 0; first < size; first += cholesky_width) {
        const Index width = std::min(cholesky_width, size - first);
        const Index left = size - first - width;
        auto diagonal = hessian.block(first, first, width, width);
        Eigen::LLT<Eigen::Ref<Matrix>> factorization(diagonal);
        if (factorization.info() != Eigen::Success) return std::nullopt;
        auto below = hessian.block(first + width, first, left, width);
        solve_below(diagonal, below, n_threads);
        add_symmetric_product(hessian.bottomRightCorner(left, left), -1.0, below.transpose(), n_threads);
    }
    return RowMatrix(hessian.triangularView<Eigen::Lower>().transpose());
}

HessianFactor factor_of_hessian(const Matrix& hessian, RowMatrix triangle) {
    const double estimate = cholesky_error_estimate(triangle, hessian.diagonal());
    return make_factor({hessian.cols(), all_columns(hessian.cols()), std::move(triangle), 0.0, estimate});
}

Fit fit_gram(
    const AccumulatorState& accumulated, double regularizer, std::optional<ConstMatrixView> prior, int n_threads
) {
    const Index size = accumulated.size;
    GramSum sum = std::get<GramSum>(accumulated.sum);
    sum.fold(accumulated.pending_rows(), 0.0, n_threads);
    Matrix hessian = sum.lower().topLeftCorner(size, size).selfadjointView<Eigen::Lower>();
    if (prior) {
        hessian += regularizer * checked_symmetric("the prior (K_MM)", *prior);
    } else {
        hessian.diagonal().array() += regularizer;
    }
    std::optional<RowMatrix> triangle = cholesky(hessian, n_threads);
    if (!triangle) {
        throw NotPositiveDefinite(
            "the Gram matrix plus regularizer * prior is not positive definite in float64: the problem is too "
            "ill-conditioned for method=\"gram\"; use method=\"qr\"."
        );
    }
    std::vector<double> weights;
    if (accumulated.n_targets == 1) {
        Vector solution = sum.lower().row(size).head(size);
        transposed_triangle(*triangle).solveInPlace(solution);
        upper_triangle(*triangle).solveInPlace(solution);
        weights.assign(solution.data(), solution.data() + size);
    }
    return {factor_of_hessian(hessian, std::move(*triangle)), std::move(weights)};
}

[[noreturn]] void refuse_indefinite(const Matrix& hessian, double regularizer) {
    const Vector values = symmetric_eigen(hessian).values;
    const double smallest = values(0);
    const double largest = values.cwiseAbs().maxCoeff();
    const double margin = static_cast<double>(hessian.cols()) * epsilon * largest;
    const double sufficient = regularizer + 2.0 * (std::abs(smallest) + margin);
    std::ostringstream message;
    message << "the Hessian plus regularizer * I is not positive definite: its smallest eigenvalue is " << smallest
            << "; ";
    if (largest > 0.0) {
        message << "a regularizer of " << sufficient << " would suffice";
    } else {
        message << "any positive regularizer would suffice";
    }
    message << ", or give the Jacobian rows of the training predictions as features (Gauss-Newton, X^T W X), whose "
               "Hessian is never indefinite.";
    throw NotPositiveDefinite(message.str());
}

void check_fit(const HessianAccumulator& accumulator, double regularizer, std::optional<ConstMatrixView> prior) {
    check_regularizer(regularizer, false);
    if (prior) check_columns("the prior (K_MM)", *prior, accumulator.size());
    if (accumulator.n_rows() == 0) {
        throw InvalidInput("no training rows were added, so there is nothing to factorize; add at least one row.");
    }
}

}  // namespace

Fit fit(
    const HessianAccumulator& accumulator, double regularizer, std::optional<ConstMatrixView> prior, int n_threads
) {
    const int threads = resolve_threads(n_threads);
    check_fit(accumulator, regularizer, prior);
    const auto route = accumulator.method() == Method::gram ? fit_gram : fit_square_root;
    return route(accumulator.state(), regularizer, prior, threads);
}

std::vector<std::vector<double>> fit_each(
    const std::vector<HessianAccumulator>& members, double regularizer, std::optional<ConstMatrixView> prior,
    int n_threads
) {
    if (members.empty()) return {};
    for (const HessianAccumulator& member : members) check_fit(member, regularizer, prior);
    const Prior with_root = root_of_prior(members.front().size(), prior, n_threads);
    std::vector<std::vector<double>> weights(members.size());
    parallel_for_each(static_cast<Index>(members.size()), n_threads, [&](Index member) {
        const AccumulatorState& accumulated = members[at(member)].state();
        weights[at(member)] = solved_weights(whole_triangle(accumulated, regularizer, with_root, 1), accumulated.size);
    });
    return weights;
}

HessianFactor factorize(
    const HessianAccumulator& accumulator, double regularizer, std::optional<ConstMatrixView> prior, int n_threads
) {
    return fit(accumulator, regularizer, prior, n_threads).factor;
}

HessianFactor factorize_prior(ConstMatrixView prior, int n_threads) {
    const Matrix matrix = checked_symmetric("the prior (K_MM)", prior);
    PivotedCholesky cholesky = pivoted_cholesky(matrix, resolve_threads(n_threads));
    RowMatrix triangle = cholesky.triangle();
    return make_factor({matrix.cols(), std::move(cholesky.pivots), std::move(triangle)});
}

HessianFactor factorize_hessian(ConstMatrixView view, double regularizer, int n_threads) {
    check_regularizer(regularizer, true);
    Matrix hessian = checked_symmetric("the Hessian", view);
    hessian.diagonal().array() += regularizer;
    std::optional<RowMatrix> triangle = cholesky(hessian, resolve_threads(n_threads));
    if (!triangle) refuse_indefinite(hessian, regularizer);
    return factor_of_hessian(hessian, std::move(*triangle));
}

}  // namespace lpr_fast
